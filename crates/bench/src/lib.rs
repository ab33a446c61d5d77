//! Measures the gateway beside its alternatives, and draws what it finds.

pub mod bars;
pub mod plot;
pub mod report;
pub mod results;
pub mod stats;
