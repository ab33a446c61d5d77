//! The auth service: when it answers a check, and what.

use std::ops::Range;
use std::time::Duration;

/// How it fails during an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Connections are refused: Envoy answers 503 at once.
    Refusing,
    /// Nothing comes back: Envoy answers 504 when the check's time is over.
    Silent,
}

/// The auth service.
#[derive(Clone, Debug)]
pub struct Service {
    /// From the sending of a check to its answer, when nothing waits before it.
    latency: Duration,
    /// How many checks it answers in a second; nothing: as many as there are. What is over it waits its turn, and is
    /// worked off even when Envoy waits for it no more.
    capacity: Option<f64>,
    /// Of what kind its outage is, and when.
    outage: Option<(Outage, Range<Duration>)>,
    /// When each token is withdrawn, by its number; beyond the end: never.
    withdrawn_at: Vec<Option<Duration>>,
    /// When it has worked off what it was asked.
    is_free_at: Duration,
}

/// What becomes of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) at: Duration,
    pub(super) status: u16,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(5),
            capacity: None,
            outage: None,
            withdrawn_at: Vec::new(),
            is_free_at: Duration::ZERO,
        }
    }
}

impl Service {
    /// The same with a capacity, in checks per second.
    #[must_use]
    pub fn with_capacity(self, capacity: f64) -> Self {
        Self { capacity: Some(capacity), ..self }
    }

    /// The same with an outage.
    #[must_use]
    pub fn with_outage(self, outage: Outage, when: Range<Duration>) -> Self {
        Self { outage: Some((outage, when)), ..self }
    }

    /// From `at` on the answer to this token is no.
    pub fn withdraw(&mut self, token: u32, at: Duration) {
        let index = token as usize;
        if self.withdrawn_at.len() <= index {
            self.withdrawn_at.resize(index + 1, None);
        }
        self.withdrawn_at[index] = Some(at);
    }

    /// The answer to a check that is sent now. `token`: its number; nothing: one that nobody has.
    pub(super) fn ask(&mut self, token: Option<u32>, now: Duration, timeout: Duration) -> Answered {
        let times_out = Answered { at: now + timeout, status: 504 };
        match &self.outage {
            Some((outage, when)) if when.contains(&now) => {
                return match outage {
                    Outage::Refusing => Answered { at: now + self.latency, status: 503 },
                    Outage::Silent => times_out,
                };
            }
            _ => {}
        }
        let begins_at = self.is_free_at.max(now);
        let work = self.capacity.map_or(Duration::ZERO, |capacity| Duration::from_secs_f64(1.0 / capacity));
        self.is_free_at = begins_at + work;
        let at = self.is_free_at + self.latency;
        if at > times_out.at {
            return times_out;
        }
        // It decides when it has the check: half the way is back.
        let is_good = token.is_some_and(|token| {
            let withdrawn_at = self.withdrawn_at.get(token as usize).copied().flatten();
            withdrawn_at.is_none_or(|withdrawn_at| at - self.latency / 2 < withdrawn_at)
        });
        Answered { at, status: if is_good { 200 } else { 401 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(2);

    fn milliseconds(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn what_is_over_its_capacity_waits_its_turn_and_times_out() {
        let mut service = Service::default().with_capacity(1.0);
        let answers = [(); 4].map(|()| service.ask(Some(0), Duration::ZERO, TIMEOUT));
        assert_eq!(answers.map(|answer| answer.status), [200, 504, 504, 504]);
        assert_eq!(answers.map(|answer| answer.at.as_millis()), [1005, 2000, 2000, 2000]);
        // The other three are worked off all the same.
        assert_eq!(service.ask(Some(0), milliseconds(3500), TIMEOUT).at, milliseconds(5005));
    }

    #[test]
    fn a_token_is_good_until_it_is_withdrawn() {
        let mut service = Service::default();
        service.withdraw(1, milliseconds(1000));
        let mut status = |token, now| service.ask(token, milliseconds(now), TIMEOUT).status;
        assert_eq!([status(Some(1), 997), status(Some(1), 998)], [200, 401]);
        assert_eq!([status(Some(0), 5000), status(Some(7), 5000), status(None, 6000)], [200, 200, 401]);
    }

    #[test]
    fn an_outage_begins_and_ends() {
        for (outage, status, after) in [(Outage::Refusing, 503, 5), (Outage::Silent, 504, 2000)] {
            let mut service = Service::default().with_outage(outage, milliseconds(10)..milliseconds(20));
            let mut answer = |now| service.ask(Some(0), milliseconds(now), TIMEOUT);
            assert_eq!([answer(9).status, answer(20).status], [200, 200]);
            assert_eq!(answer(10), Answered { at: milliseconds(10 + after), status });
        }
    }
}
