//! What becomes of tokens, rule by rule: what is asked, what is remembered, and what happens while no answer is to be
//! had. Events in any order are `model/`'s.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

mod answers;
mod browsers;
mod canary;
mod counters;
mod fresh;
mod limits;
mod listed;
mod refreshed;
mod remembered;
mod silence;
mod stale;
mod throttled;
#[path = "../world/mod.rs"]
mod world;
