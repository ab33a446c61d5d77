//! keptn-gateway: Keptn's API gateway as a filter inside Envoy.
//!
//! How one request reads:
//!
//! 1. `stream.rs` reads the request's headers once and shows them to the gate ([`gate::gate::Gate`]), which
//!    knows no host and decides. Its verdict is one of four: forward, reply, ask, wait.
//! 2. *Forward*: [`filter::Filter::let_through`] takes the permit, names the upstream in filter state (nothing
//!    but filter state selects a route, and no client can write it) and lets the request go on.
//! 3. *Reply*: the gateway answers, mostly with a denial.
//! 4. *Ask*: a check goes to api-service as a callout. The request is paused, and so is (*wait*) every
//!    other that shows the same token. Callouts are sent and answers received by the root (`root.rs`), which no
//!    client takes along when it leaves.
//!
//! Most requests need no check, because the gate remembers. What it wants to ask about in the background, and when,
//! it says by [`gate::gate::Gate::next_tick`], and the root's timer follows.
//!
//! No request's headers go on for any other reason than a permit: not on an error, not for want of a context. (A
//! request for a host that is not ours gets a permit too, and nothing else: it reaches none of our routes.)

mod abi;
mod counters;
mod filter;
mod host;
mod root;
mod stream;
mod timer;
mod waking;

/// What the host calls first.
#[allow(missing_docs, reason = "the SDK's macro writes the function")]
mod start {
    use proxy_wasm::types::LogLevel;

    proxy_wasm::main! {{
        // Envoy's own level is asked for when there is a configuration: here the host forbids it.
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|id| Box::new(crate::root::Root::new(id)));
    }}
}
