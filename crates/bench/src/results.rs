//! What was measured, as it stands in a CSV file: one value in a line.

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was measured against what: `bare`, `hit`, `ext_authz`; in a growth run the experiment, `routes`.
    pub variant: String,
    /// What grows, where something does: the number of routes, of cached tokens, of gateways. Else 0.
    pub x: f64,
    /// Which round it was. What is compared is of the same round: the machine was then the same.
    pub round: u32,
    /// `cpu_us_per_request`, `requests_per_s`, `p50_us`, …
    pub metric: String,
    /// Its value, in the unit that the metric's name ends in.
    pub value: f64,
}
