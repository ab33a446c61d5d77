//! What many gateways ask of one auth service: a model of a few formulas, and what it is held to.
//!
//! [`model`] has the formulas, [`simulation`] the real gate in virtual time, and each of [`experiments`] puts one question to
//! both. `tests/agreement.rs` fails when they part, so the model cannot rot while the gate changes. What they say stands in
//! `docs/scaling.md`; [`document`] writes its numbers.

pub mod document;
pub mod experiments;
pub mod model;
pub mod simulation;
