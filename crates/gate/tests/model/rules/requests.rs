//! A request with a token: what it may get, and what follows from what it got.

use gate::tally::Counter;

use super::meaning::{AT_ONCE, Meaning};
use super::{ASKED_AGAIN_AFTER, Asked, Due, Refusal, Rules};
use crate::coverage::Seen;
use crate::event::{LOCAL, TOKENS};

impl Rules {
    /// What a request with a token of good form may get, be it one or, where the gate is free, several.
    /// `wall`: the second.
    pub fn request(&mut self, asked: Asked, wall: Option<u64>) -> Vec<Due> {
        let now = self.latest;
        if let Some(local) = LOCAL.get(asked.token.wrapping_sub(TOKENS.len())) {
            let is_valid = match (local.valid, wall) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some((begin, end)), Some(wall)) => (begin..end).contains(&wall),
            };
            if is_valid && (local.api || !asked.is_fresh) {
                self.saw(if asked.is_fresh { Seen::LocalFresh } else { Seen::Local });
                self.count(Counter::Local);
                return vec![Due::Pass];
            }
            self.saw(match (is_valid, wall) {
                (true, _) => Seen::LocalNotApi,
                (false, None) => Seen::LocalNoWall,
                (false, Some(_)) => Seen::LocalInvalid,
            });
        }
        if self.canary.as_ref().is_some_and(|canary| canary.has_failed) {
            self.saw(Seen::CanaryRefused);
            return vec![Due::Refused(("canary_failed", AT_ONCE))];
        }
        let known = if asked.is_fresh { self.repeated(asked.token) } else { self.remembered(asked.token) };
        if let Some(verdict) = known {
            if verdict.is_ok() {
                self.ledger.passed(asked.token, now, asked.is_fresh);
            }
            return vec![verdict.map_or_else(Due::Refused, |()| Due::Pass)];
        }
        self.asks(asked)
    }

    pub(super) fn repeated(&mut self, token: usize) -> Option<Result<(), Refusal>> {
        let now = self.latest;
        let (_, meaning, _) =
            *self.repeats.iter().find(|(known, _, at)| *known == token && now - at < 1000)?;
        self.saw(match meaning {
            Meaning::Yes => Seen::RepeatedYes,
            Meaning::No(_) => Seen::RepeatedNo,
            _ => Seen::RepeatedOther,
        });
        Some(meaning.verdict())
    }

    pub(super) fn remembered(&mut self, token: usize) -> Option<Result<(), Refusal>> {
        let now = self.latest;
        let is_failing = self.failing.is_some();
        if let Some(yes) = self.yes.use_it(token) {
            if now < yes.ends_at {
                yes.is_used = true;
                self.saw(Seen::Hit);
                self.count(Counter::CacheHit);
                return Some(Ok(()));
            }
            let is_dead = yes.is_dead(now);
            // There was no answer a moment ago, or the service has not answered anybody since.
            let is_unanswered = yes.unanswered_at.is_some_and(|at| {
                now - at < ASKED_AGAIN_AFTER || self.answered_at.is_none_or(|answered_at| answered_at <= at)
            });
            self.count(Counter::CacheMiss);
            if !is_dead && (is_unanswered || is_failing) {
                self.yes.get(token).unwrap().is_used = true;
                let seen = if is_unanswered { Seen::StaleUnanswered } else { Seen::StaleFailing };
                self.saw(seen);
                self.count(Counter::Stale);
                return Some(Ok(()));
            }
            if is_dead {
                let is_barred = self.yes.get(token).unwrap().is_barred;
                self.saw(if is_barred { Seen::BarredOver } else { Seen::StaleOver });
                self.yes.forget(token);
            }
            return None;
        }
        match self.no.use_it(token) {
            Some(no) if now < no.ends_at => {
                let refusal = no.refusal;
                self.saw(Seen::NegativeHit);
                self.count(Counter::CacheNegativeHit);
                Some(Err(refusal))
            }
            _ => {
                self.no.forget(token);
                self.count(Counter::CacheMiss);
                None
            }
        }
    }

    /// Whether the token is remembered as right: in force, or covered by a stale yes.
    pub(super) fn is_right(&mut self, token: usize) -> bool {
        let now = self.latest;
        self.yes.get(token).is_some_and(|yes| !yes.is_dead(now))
    }

    pub(super) fn asks(&mut self, asked: Asked) -> Vec<Due> {
        let now = self.latest;
        let is_right = self.is_right(asked.token);
        if self.waiting() >= share(self.settings.max_waiters, is_right) {
            return vec![self.too_many("too_many_waiters", Seen::TooManyWaiters)];
        }
        if self.about(asked.token).is_some() {
            return vec![Due::Wait];
        }
        let mut dues = Vec::new();
        if let Some(failing) = &self.failing {
            let seconds = |at: u64| at.saturating_sub(now).div_ceil(1000).max(1);
            let retry_after = Some((seconds(failing.next_from), seconds(failing.next_by)));
            let refused = Due::Refused(("failing_fast", retry_after));
            if failing.probe.is_some() || now < failing.next_from {
                return vec![refused];
            }
            if now < failing.next_by {
                dues.push(refused);
            }
        }
        if !self.has_room(is_right) {
            // A guesser may as well be told that he is one.
            if !is_right && let Some(throttled) = self.throttled(asked.payer) {
                dues.push(throttled);
            }
            dues.push(self.too_many("too_many_flights", Seen::TooManyFlights));
            return dues;
        }
        dues.push(if is_right { Due::Ask } else { self.throttled(asked.payer).unwrap_or(Due::Ask) });
        dues
    }

    /// That too much is under way is no reason to honour a stale yes: whoever holds a revoked token can see to that.
    pub(super) fn too_many(&mut self, reason: &'static str, seen: Seen) -> Due {
        self.saw(seen);
        Due::Refused((reason, AT_ONCE))
    }

    pub(super) fn has_room(&self, is_right: bool) -> bool {
        self.flights.len() < share(self.settings.max_flights, is_right)
    }

    pub(super) fn missing(&self, payer: usize) -> u64 {
        self.buckets.iter().find(|(known, ..)| *known == payer).map_or(0, |(_, missing, at)| {
            missing.saturating_sub((self.latest - at) * self.settings.per_second)
        })
    }

    pub(super) fn throttled(&self, payer: usize) -> Option<Due> {
        let lacking = (self.missing(payer) + 1000).checked_sub(self.settings.burst * 1000 + 1)? + 1;
        let seconds = lacking.div_ceil(self.settings.per_second * 1000);
        let is_on = self.settings.burst > 0;
        is_on.then_some(Due::Refused(("throttled", Some((seconds, seconds)))))
    }

    pub(super) fn set_missing(&mut self, payer: usize, missing: u64) {
        self.buckets.retain(|(known, ..)| *known != payer);
        self.buckets.push((payer, missing, self.latest));
    }

    /// The gate chose this of what was due.
    pub fn settle(&mut self, asked: Asked, due: &Due) {
        match due {
            Due::Pass => self.count_verdict(&Ok(())),
            Due::Refused(refusal) => {
                match refusal.0 {
                    "failing_fast" => self.saw(Seen::FailingFastRefused),
                    "throttled" => self.saw(Seen::Throttled),
                    _ => {}
                }
                self.count_verdict(&Err(*refusal));
            }
            Due::Wait => {
                self.saw(Seen::Joined);
                self.count(Counter::Coalesced);
                let place = self.about(asked.token).unwrap();
                self.flights[place].is_fresh |= asked.is_fresh;
                self.flights[place].waiters.push((asked.stream, asked.route, asked.is_fresh));
            }
            Due::Ask => {
                let is_right = self.is_right(asked.token);
                let payer = (!is_right).then_some(asked.payer);
                if let Some(payer) = payer {
                    self.saw(Seen::Asked);
                    self.set_missing(payer, self.missing(payer) + 1000);
                } else {
                    self.saw(if asked.is_fresh { Seen::FreshAsked } else { Seen::KnownAsked });
                    if self.throttled(asked.payer).is_some() {
                        self.saw(Seen::KnownAskedWhenEmpty);
                    }
                    if !self.has_room(false) {
                        self.saw(Seen::KnownAskedOfShare);
                    }
                }
                if self.failing.is_some() {
                    self.saw(Seen::ProbeByRequest);
                }
                self.start(Some(asked.token), payer, false);
                let flight = self.flights.last_mut().unwrap();
                flight.is_fresh = asked.is_fresh;
                flight.waiters.push((asked.stream, asked.route, asked.is_fresh));
            }
        }
    }
}

/// Strangers leave an eighth to others.
fn share(most: usize, is_right: bool) -> usize {
    if is_right { most } else { most - most / 8 }
}
