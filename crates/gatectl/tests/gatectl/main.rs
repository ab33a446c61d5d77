//! The built `gatectl`, run as people run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test equipment may panic")]

mod cert;
mod completions;
mod docs;
mod explain;
mod golden;
mod import;
mod manners;
mod render;
mod routes;
mod run;
mod secrets;
mod status;
mod terminal;
mod token;
mod validate;
mod verify;
