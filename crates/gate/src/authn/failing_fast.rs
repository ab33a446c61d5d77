//! Failing fast: what happens to new questions while the auth service gives no answer.
//!
//! After some checks in a row without one, requests with unknown tokens are refused at once, so that a dead service
//! holds up no connection. Now and then one of them may ask after all, as the probe. The first answer ends it.
//!
//! Nothing that a client sends leads here: a check has its token and little else of the request, and a request
//! that is given up does not end its check. Checks that the host refuses to send hold up nobody and do not count: strangers
//! with many checks at the same time can reach the limits of Envoy's cluster.

use core::time::Duration;

use super::cache::share;
use super::flights::FlightId;
use crate::time::Time;

/// How many in a row.
const SILENCES: u32 = 3;

/// From the sending of a probe to the next: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct FailingFast {
    silences: u32,
    answered_at: Option<Time>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    probe: Option<FlightId>,
    next_at: Time,
    pause: Duration,
}

/// Whether a check may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MayAsk {
    Now,
    /// Not before this; nothing: not before the probe that is under way has landed.
    Later(Option<Time>),
}

/// A change that operators want to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Changed;

impl FailingFast {
    /// Whether the service is known to give no answer.
    pub(super) const fn is_on(&self) -> bool {
        self.failing.is_some()
    }

    /// Whether it has answered anybody since then.
    pub(super) fn has_answered_since(&self, at: Time) -> bool {
        self.answered_at.is_some_and(|answered_at| answered_at > at)
    }

    /// Whether a check may be sent.
    pub(super) fn may_ask(&self, now: Time) -> MayAsk {
        match &self.failing {
            None => MayAsk::Now,
            Some(Failing { probe: Some(_), .. }) => MayAsk::Later(None),
            Some(Failing { next_at, .. }) if *next_at <= now => MayAsk::Now,
            Some(Failing { next_at, .. }) => MayAsk::Later(Some(*next_at)),
        }
    }

    /// In how many seconds the next check may be sent, as far as that is known: at least one.
    pub(super) fn retry_after(&self, now: Time) -> u8 {
        let wait = self.failing.as_ref().map_or(Duration::ZERO, |failing| failing.next_at.since(now));
        u8::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u8::MAX).max(1)
    }

    /// A check is sent: while failing fast it is the probe. `spread` is random.
    pub(super) fn asked(&mut self, flight: FlightId, spread: u64, now: Time) {
        if let Some(failing) = &mut self.failing {
            failing.probe = Some(flight);
            failing.next_at = now.after(jittered(failing.pause, spread));
            failing.pause = failing.pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// The service has answered.
    pub(super) fn answered(&mut self, now: Time) -> Option<Changed> {
        self.silences = 0;
        self.answered_at = Some(now);
        self.failing.take().map(|_| Changed)
    }

    /// A check that was sent at `sent_at` had no answer.
    pub(super) fn silent(
        &mut self,
        flight: FlightId,
        sent_at: Time,
        spread: u64,
        now: Time,
    ) -> Option<Changed> {
        if self.is_on() {
            self.unsent(flight);
            return None;
        }
        // The service has answered since: this is an old story.
        if self.answered_at.is_some_and(|answered_at| sent_at < answered_at) {
            return None;
        }
        self.silences = self.silences.saturating_add(1);
        if self.silences < SILENCES {
            return None;
        }
        let next_at = now.after(jittered(FIRST_PAUSE, spread));
        self.failing = Some(Failing { probe: None, next_at, pause: FIRST_PAUSE.saturating_mul(2) });
        Some(Changed)
    }

    /// A check was not sent after all: if it was to be the probe, there is none under way.
    pub(super) fn unsent(&mut self, flight: FlightId) {
        if let Some(failing) = &mut self.failing
            && failing.probe == Some(flight)
        {
            failing.probe = None;
        }
    }

    /// The clock has gone back: what was to happen then may happen now.
    pub(super) fn clock_went_back(&mut self, now: Time) {
        self.answered_at = None;
        if let Some(failing) = &mut self.failing {
            failing.next_at = failing.next_at.min(now.after(LONGEST_PAUSE));
        }
    }
}

/// 80 to 100 % of `pause`, so that workers and gateways do not all ask at the same time.
fn jittered(pause: Duration, spread: u64) -> Duration {
    let percent = 80_u32.saturating_add(share(spread, 20));
    pause.saturating_mul(percent).checked_div(100).unwrap_or(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::since_start(Duration::from_millis(milliseconds))
    }

    /// `spread` that takes nothing away.
    const FULL: u64 = 20;

    fn flight(number: u64) -> FlightId {
        (0..number).fold(FlightId::first(), |id, _| id.next())
    }

    fn failing() -> FailingFast {
        let mut failing_fast = FailingFast::default();
        assert_eq!(failing_fast.silent(flight(0), at(0), FULL, at(1)), None);
        assert_eq!(failing_fast.silent(flight(1), at(0), FULL, at(1)), None);
        assert_eq!(failing_fast.may_ask(at(1)), MayAsk::Now);
        assert_eq!(failing_fast.silent(flight(2), at(0), FULL, at(1)), Some(Changed));
        assert!(failing_fast.is_on());
        failing_fast
    }

    #[test]
    fn one_probe_at_a_time_and_ever_rarer() {
        let mut failing_fast = failing();
        let mut now = 1;
        for pause in [500, 1000, 2000, 4000, 5000, 5000] {
            let next = now + pause;
            assert_eq!(failing_fast.may_ask(at(next - 1)), MayAsk::Later(Some(at(next))));
            assert_eq!(u64::from(failing_fast.retry_after(at(now))), pause.div_ceil(1000));
            assert_eq!(failing_fast.may_ask(at(next)), MayAsk::Now);
            failing_fast.asked(flight(next), FULL, at(next));
            assert_eq!(failing_fast.may_ask(at(next + 60_000)), MayAsk::Later(None), "one is under way");
            assert_eq!(failing_fast.silent(flight(7), at(0), FULL, at(next)), None, "another than the probe");
            assert_eq!(failing_fast.may_ask(at(next)), MayAsk::Later(None));
            assert_eq!(failing_fast.silent(flight(next), at(next), FULL, at(next)), None);
            now = next;
        }
        assert_eq!(failing_fast.answered(at(now)), Some(Changed));
        assert_eq!((failing_fast.is_on(), failing_fast.may_ask(at(now))), (false, MayAsk::Now));
        assert_eq!(failing_fast.answered(at(now)), None);
    }

    #[test]
    fn only_silence_in_a_row_counts_and_only_of_what_was_asked_since() {
        let mut failing_fast = FailingFast::default();
        for number in 0..10 {
            assert_eq!(failing_fast.silent(flight(number), at(number), FULL, at(number)), None);
            assert_eq!(failing_fast.silent(flight(number), at(number), FULL, at(number)), None);
            assert_eq!(failing_fast.answered(at(number)), None);
        }
        for number in 0..10 {
            assert_eq!(
                failing_fast.silent(flight(number), at(1), FULL, at(20)),
                None,
                "asked before the answer"
            );
        }
        assert!(!failing_fast.is_on());
    }

    #[test]
    fn jitter_only_shortens() {
        for spread in 0..200 {
            let pause = jittered(LONGEST_PAUSE, spread);
            assert!(pause <= LONGEST_PAUSE && pause >= Duration::from_secs(4), "{pause:?}");
        }
        assert_ne!(jittered(LONGEST_PAUSE, 0), jittered(LONGEST_PAUSE, 1));
    }

    #[test]
    fn a_clock_that_goes_back_does_not_put_the_probe_off_for_ever() {
        let mut failing_fast = FailingFast::default();
        for number in 0..3 {
            failing_fast.silent(flight(number), at(3_600_000), FULL, at(3_600_000));
        }
        failing_fast.clock_went_back(at(0));
        assert_eq!(failing_fast.may_ask(at(5000)), MayAsk::Now);
    }
}
