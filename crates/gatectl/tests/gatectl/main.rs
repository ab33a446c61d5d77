//! The built `gatectl`, run as people run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test equipment may panic")]

mod cert;
mod docs;
mod explain;
mod golden;
mod manners;
mod render;
mod run;
mod validate;
mod verify;
