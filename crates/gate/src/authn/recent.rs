//! What `/v1/auth` was answered a moment ago.
//!
//! It wants an answer of the endpoint's own, but not more than one a second for each token.

use core::time::Duration;

use super::answer::Said;
use super::bounded::Bounded;
use crate::time::Time;
use crate::token::Fingerprint;

/// How long an answer is repeated.
const REPEATED_FOR: Duration = Duration::from_secs(1);

/// How many tokens are remembered.
const TOKENS: usize = 1024;

#[derive(Debug)]
pub(super) struct Recent(Bounded<Fingerprint, (Said, Time)>);

impl Recent {
    pub(super) fn new(seed: u64) -> Self {
        Self(Bounded::new(TOKENS, seed))
    }

    /// The endpoint has answered.
    pub(super) fn heard(&mut self, token: Fingerprint, said: Said, now: Time) {
        self.0.insert(token, (said, now));
    }

    /// Whether there is something that a newer answer has to take the place of.
    pub(super) fn has(&self, token: Fingerprint) -> bool {
        self.0.peek(&token).is_some()
    }

    /// What it answered less than a second ago.
    pub(super) fn said(&self, token: Fingerprint, now: Time) -> Option<Said> {
        self.0.peek(&token).filter(|(_, at)| now.since(*at) < REPEATED_FOR).map(|(said, _)| *said)
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
