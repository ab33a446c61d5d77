//! What many gateways ask of one auth service: a model of a few formulas, and what it is held to.
//!
//! [`model`] has the formulas, [`simulation`] the real gate in virtual time.

pub mod model;
pub mod simulation;
