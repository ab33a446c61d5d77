//! The decision core of keptn-gateway: who may pass, and where to.
//!
//! It knows no host, no clock and no I/O: requests, answers and time come in as arguments, verdicts go
//! out as values. The same code decides inside Envoy, in `gatectl`, and in tests. Start at [`gate`].
//!
//! The arrows go one way: `gate` → `authn`, `routes`, `config` → `path`, `token`, `denial`.

pub mod authn;
pub mod config;
pub mod cors;
pub mod denial;
pub mod gate;
pub mod host;
pub mod path;
pub mod request;
pub mod routes;
pub mod tally;
pub mod time;
pub mod token;
mod websocket;
