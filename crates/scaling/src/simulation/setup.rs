//! What a run begins with.

use std::time::Duration;

use super::Service;

/// How it all begins.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many gateways.
    pub gateways: u32,
    /// How many workers each has.
    pub workers: u32,
    /// How many good tokens are in use.
    pub tokens: u32,
    /// How many requests with good tokens come in a second, to all gateways together.
    pub requests: f64,
    /// How many requests with wrong tokens, each a new one and all from one address.
    pub guesses: f64,
    /// Each token's clients come to each worker for the first time at a point of this time, evenly spread. Without it all are
    /// new at the same moment, and are asked about again nearly at the same moment for a long time.
    pub ramp: Duration,
    /// The filter's configuration, as JSON.
    pub config: String,
    /// The auth service.
    pub service: Service,
    /// The same seed, the same run.
    pub seed: u64,
}

impl Default for Setup {
    /// One worker and nobody who asks.
    fn default() -> Self {
        Self {
            gateways: 1,
            workers: 1,
            tokens: 1,
            requests: 0.0,
            guesses: 0.0,
            ramp: Duration::ZERO,
            config: "{}".to_owned(),
            service: Service::default(),
            seed: 7,
        }
    }
}

impl Setup {
    /// How many workers there are, all together.
    pub const fn all_workers(&self) -> u32 {
        self.gateways * self.workers
    }

    /// How many pairs of a token and a worker.
    pub fn pairs(&self) -> f64 {
        f64::from(self.all_workers()) * f64::from(self.tokens)
    }
}
