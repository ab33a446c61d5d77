//! What the auth endpoint says is heard: remembered, and passed on to everybody who waits for it.

use super::answer::{Answer, Said};
use super::cache::Kept;
use super::canary::Turn;
use super::flights::{CheckId, FlightId, Waiter};
use super::{Authn, Outcome};
use crate::denial::Denial;
use crate::tally::{Counter, Notice, Tally};
use crate::time::Time;
use crate::token::Fingerprint;

impl Authn {
    /// The host has sent a check, or refused to.
    ///
    /// It refuses at once when the cluster is unknown, has no healthy host or has its limits reached: *don't know*, but
    /// nothing that the auth service did.
    pub(crate) fn on_sent(
        &mut self,
        flight: FlightId,
        sent: Option<CheckId>,
        now: Time,
        tally: &mut Tally,
    ) -> Outcome {
        self.observe(now, tally);
        match sent {
            Some(check) => {
                self.flights.sent(flight, check);
                Outcome::new()
            }
            None => self.land(flight, Said::DontKnow(Denial::AuthUnavailable), now, tally),
        }
    }

    /// The answer to `check`. An answer that came too late is nobody's.
    pub(crate) fn on_answer(
        &mut self,
        check: CheckId,
        answer: &Answer<'_>,
        now: Time,
        tally: &mut Tally,
    ) -> Outcome {
        self.observe(now, tally);
        let Some(flight) = self.flights.of(check) else { return Outcome::new() };
        tally.took(self.flights.age(flight, now), now);
        self.land(flight, answer.said(), now, tally)
    }

    /// A flight ends: what was said is remembered, and everybody who waits gets their verdict.
    pub(super) fn land(&mut self, id: FlightId, said: Said, now: Time, tally: &mut Tally) -> Outcome {
        let Some(flight) = self.flights.land(id) else { return Outcome::new() };
        if flight.was_sent() {
            self.notice_silence(id, flight.sent_at, said, now, tally);
        } else {
            self.failing_fast.unsent(id);
            tally.notice(Notice::Unsent, now);
        }
        if let (Some(payer), false) = (flight.payer, matches!(said, Said::No(..))) {
            self.throttle.refund(payer, now);
        }
        if self.canary.as_ref().is_some_and(|canary| canary.is_flight(id)) {
            self.hear_canary(said, now, tally);
            return Outcome::new();
        }
        if self.canary.as_ref().is_some_and(|canary| !canary.believes(id)) {
            let refused = |waiter: &Waiter| (waiter.stream, Err(Denial::CanaryFailed));
            return flight.waiters.iter().map(refused).collect();
        }
        self.remember(flight.token, said, flight.is_refresh, now, tally);
        if flight.is_fresh || self.recent.has(flight.token) {
            self.recent.heard(flight.token, said, now);
        }
        let verdicts = flight.waiters.into_iter().map(|waiter| {
            let verdict = match said {
                Said::Busy { .. } | Said::DontKnow(_) if !waiter.wants_fresh => {
                    self.honour(flight.token, now, tally).ok_or(()).or_else(|()| said.verdict())
                }
                _ => said.verdict(),
            };
            (waiter.stream, verdict)
        });
        verdicts.collect()
    }

    /// Whether the auth service gives answers at all.
    fn notice_silence(&mut self, id: FlightId, sent_at: Time, said: Said, now: Time, tally: &mut Tally) {
        if let Said::DontKnow(_) = said {
            if self.failing_fast.silent(id, sent_at, self.random.next(), now).is_some() {
                tally.count(Counter::FailingFastBegun, now);
                tally.notice(Notice::FailingFastBegun, now);
            }
        } else if self.failing_fast.answered(now).is_some() {
            tally.count(Counter::FailingFastEnded, now);
            tally.notice(Notice::FailingFastEnded, now);
        }
    }

    /// The endpoint's answer to a token that nobody has.
    fn hear_canary(&mut self, said: Said, now: Time, tally: &mut Tally) {
        let is_yes = match said {
            Said::Yes(..) => Some(true),
            Said::No(..) => Some(false),
            Said::Busy { .. } | Said::Broken | Said::DontKnow(_) => None,
        };
        let next = self.flights.next();
        match self.canary.as_mut().and_then(|canary| canary.answered(is_yes, next, now)) {
            Some(Turn::Failed) => {
                self.cache.forget_all_yeses();
                self.recent.forget();
                tally.count(Counter::CanaryFailed, now);
                tally.notice(Notice::CanaryFailed, now);
            }
            Some(Turn::Passed) => {
                tally.count(Counter::CanaryPassed, now);
                tally.notice(Notice::CanaryPassed, now);
            }
            None => {}
        }
    }

    fn remember(&mut self, token: Fingerprint, said: Said, is_refresh: bool, now: Time, tally: &mut Tally) {
        let kept = match said {
            Said::Yes(yes, keep) => {
                if is_refresh {
                    tally.count(Counter::Refreshed, now);
                }
                self.cache.heard_yes(token, yes, keep, self.random.next(), now)
            }
            Said::No(denial, keep) => self.cache.heard_no(token, denial, keep, now),
            Said::Busy { .. } | Said::DontKnow(_) => {
                self.cache.heard_nothing(token, now);
                return;
            }
            Said::Broken => {
                tally.notice(Notice::ContractBroken, now);
                self.cache.heard_nonsense(token, now);
                return;
            }
        };
        if kept != Kept::Not {
            tally.count(Counter::Inserted, now);
        }
        if kept == Kept::InsteadOfAnother {
            tally.count(Counter::Evicted, now);
        }
    }
}
