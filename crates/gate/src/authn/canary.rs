//! The canary: a token that nobody has, and that the auth endpoint must refuse.
//!
//! An endpoint that says yes to it says yes to everybody: it is the wrong service, or lost its secret.

use core::fmt::Write as _;
use core::time::Duration;

use sha2::{Digest, Sha256};

use super::flights::FlightId;
use crate::time::Time;

/// How soon it is sent again when the last answer decided nothing, or was yes.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Canary {
    every: Duration,
    seed: u64,
    sent: u64,
    next_at: Time,
    flight: Option<FlightId>,
    has_failed: bool,
    /// The first flight that began after the endpoint said yes to it.
    believed_from: FlightId,
}

/// Whether it passed, when that is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Failed,
    Passed,
}

impl Canary {
    /// The first is due at once. `seed` is random.
    pub(super) const fn new(every: Duration, seed: u64) -> Self {
        let next_at = Time::since_start(Duration::ZERO);
        let believed_from = FlightId::first();
        Self { every, seed, sent: 0, next_at, flight: None, has_failed: false, believed_from }
    }

    /// Whether no yes of the endpoint's is to be believed.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether what the endpoint says to this flight is to be believed. What it was asked before it said yes to a canary
    /// is not, even if it answers that when the next canary has passed.
    pub(super) fn believes(&self, flight: FlightId) -> bool {
        !self.has_failed && flight >= self.believed_from
    }

    /// When the next one is due; nothing while one is under way.
    pub(super) const fn next_at(&self) -> Option<Time> {
        if self.flight.is_some() { None } else { Some(self.next_at) }
    }

    /// A token that nobody has.
    pub(super) fn token(&mut self) -> String {
        self.sent = self.sent.wrapping_add(1);
        let hash = Sha256::new()
            .chain_update(self.seed.to_le_bytes())
            .chain_update(self.sent.to_le_bytes())
            .finalize();
        let mut token = String::with_capacity(64);
        for byte in hash {
            // Writing to a string cannot fail.
            let _ = write!(token, "{byte:02x}");
        }
        token
    }

    pub(super) fn sent(&mut self, flight: FlightId) {
        self.flight = Some(flight);
    }

    /// It cannot be sent now.
    pub(super) fn put_off(&mut self, now: Time) {
        self.next_at = now.after(AGAIN_AFTER.min(self.every));
    }

    /// Whether this flight is its.
    pub(super) fn is_flight(&self, flight: FlightId) -> bool {
        self.flight == Some(flight)
    }

    /// The endpoint has said yes, no, or nothing that decides. `next` is the first flight that has not begun.
    pub(super) fn answered(&mut self, is_yes: Option<bool>, next: FlightId, now: Time) -> Option<Turn> {
        self.flight = None;
        if is_yes == Some(true) {
            self.believed_from = next;
        }
        let had_failed = self.has_failed;
        self.has_failed = is_yes.unwrap_or(had_failed);
        self.next_at =
            now.after(if is_yes == Some(false) { self.every } else { AGAIN_AFTER.min(self.every) });
        match (had_failed, self.has_failed) {
            (false, true) => Some(Turn::Failed),
            (true, false) => Some(Turn::Passed),
            _ => None,
        }
    }

    pub(super) fn clock_went_back(&mut self, now: Time) {
        self.next_at = self.next_at.min(now.after(self.every));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_used_twice_or_foreseen() {
        let mut canary = Canary::new(Duration::from_secs(60), 1);
        let mut other = Canary::new(Duration::from_secs(60), 2);
        let tokens = [canary.token(), canary.token(), other.token(), other.token()];
        assert!(tokens.iter().all(|token| token.len() == 64));
        let mut unique = tokens.to_vec();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), tokens.len());
    }

    #[test]
    fn only_yes_fails_it_and_only_no_mends_it() {
        let mut canary = Canary::new(Duration::from_secs(60), 1);
        let now = Time::since_start(Duration::from_secs(100));
        assert!(canary.next_at().is_some_and(|at| at <= now));
        for (is_yes, turn, has_failed, seconds) in [
            (None, None, false, 5),
            (Some(false), None, false, 60),
            (Some(true), Some(Turn::Failed), true, 5),
            (None, None, true, 5),
            (Some(true), None, true, 5),
            (Some(false), Some(Turn::Passed), false, 60),
        ] {
            canary.sent(FlightId::first());
            assert_eq!(canary.next_at(), None, "one is under way");
            assert_eq!(canary.answered(is_yes, FlightId::first(), now), turn);
            assert_eq!(canary.has_failed(), has_failed);
            assert_eq!(canary.next_at(), Some(now.after(Duration::from_secs(seconds))));
        }
    }
}
