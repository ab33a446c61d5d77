//! A stream: one request, from its headers to its end.

use std::rc::Rc;

use gate::authn::StreamId;
use gate::cors::Grant;
use gate::denial::Denial;
use gate::request::Request;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::filter::{Filter, refuse_unconfigured};
use crate::host::{self, Failed};

/// The context of one request.
#[derive(Debug)]
pub(crate) struct Stream {
    id: StreamId,
    filter: Option<Rc<Filter>>,
    body: Body,
    /// Which scripts may read a refusal for the body.
    grant: Option<Grant>,
}

/// What is known of a request's body.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// Nothing to count: there is none, its length was declared, or it is not ours to judge.
    Uncounted,
    /// So many bytes may still come.
    Left(u64),
    /// More came. Should a host deliver yet more, not even an empty chunk goes on.
    Refused,
}

impl Stream {
    pub(crate) fn new(id: u32, filter: Option<Rc<Filter>>) -> Self {
        Self { id: StreamId(id), filter, body: Body::Uncounted, grant: None }
    }
}

impl Context for Stream {}

/// The request is over. Envoy says so by a callback too, just before it deletes the context: that one is trimmed, because
/// each costs a request (docs/benchmarks.md). Nothing here may call the host: the SDK has not made this the active context.
impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(filter) = &self.filter {
            filter.on_gone(self.id);
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let Some(filter) = &self.filter else {
            return refuse_unconfigured();
        };
        let judged = host::with_request(|headers| {
            #[cfg(feature = "trap")]
            trap::if_asked(headers);
            let request = Request::read(headers.iter().copied(), end_of_stream, &host::Surroundings);
            if let Some(bytes) = filter.body_to_count(&request) {
                self.body = Body::Left(bytes);
                self.grant = filter.grant(&request);
            }
            filter.on_request(self.id, &request)
        });
        judged.unwrap_or_else(|Failed| filter.refuse(Denial::GatewayError, None))
    }

    /// Counts a body whose length nobody declared. Called after the verdict only. "Pause" is for requests that have
    /// their reply: after a resume it would hang others.
    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        self.unless_waiting(|stream, filter| {
            let left = match stream.body {
                Body::Uncounted => return Action::Continue,
                Body::Left(left) => left,
                Body::Refused => return Action::Pause,
            };
            // While "continue" is returned, `size` is that of the chunk.
            match left.checked_sub(u64::try_from(size).unwrap_or(u64::MAX)) {
                Some(left) => {
                    stream.body = Body::Left(left);
                    Action::Continue
                }
                None => {
                    stream.body = Body::Refused;
                    filter.refuse(Denial::BodyTooLarge, stream.grant.as_ref())
                }
            }
        })
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.unless_waiting(|_, _| Action::Continue)
    }
}

impl Stream {
    /// What follows the headers goes on only when they did. Envoy does not call for it before, unless
    /// somebody sets `allow_on_headers_stop_iteration`.
    fn unless_waiting(&mut self, next: impl FnOnce(&mut Self, &Filter) -> Action) -> Action {
        match self.filter.clone() {
            Some(filter) if !filter.is_waiting(self.id) => next(self, &filter),
            _ => Action::Pause,
        }
    }
}

/// For tests: kills the VM on demand. See the feature's note in Cargo.toml.
#[cfg(feature = "trap")]
mod trap {
    /// Found in the module by `build.sh`, so that this is never shipped.
    #[unsafe(export_name = "keptn_gateway_trap_for_tests")]
    #[allow(unsafe_code, reason = "an export needs it")]
    extern "C" fn marker() {}

    pub(super) fn if_asked(headers: &[(&str, &[u8])]) {
        if headers.iter().any(|(name, _)| *name == "x-trap") {
            core::arch::wasm32::unreachable();
        }
    }
}
