//! Checks under way, and what is learnt from how they end.

use gate::tally::Counter;

use super::meaning::{AT_ONCE, Meaning};
use super::memory::{No, Yes};
use super::{ASKED_AGAIN_AFTER, Canary, Failing, Flight, LONGEST_PAUSE, Refusal, Rules, Woken};
use crate::coverage::Seen;
use crate::event::{CACHE_CONTROL, Said};

impl Rules {
    pub(super) fn about(&self, token: usize) -> Option<usize> {
        self.flights.iter().position(|flight| flight.token == Some(token))
    }

    pub fn waiting(&self) -> usize {
        self.flights.iter().map(|flight| flight.waiters.len()).sum()
    }

    pub fn is_waiting(&self, stream: u32) -> bool {
        self.flights.iter().any(|flight| flight.waiters.iter().any(|(waiter, ..)| *waiter == stream))
    }

    /// Who waits.
    pub fn waiters(&self) -> impl Iterator<Item = u32> {
        self.flights.iter().flat_map(|flight| &flight.waiters).map(|(stream, ..)| *stream)
    }

    /// The checks that were sent and have no answer yet.
    pub fn checks(&self) -> impl Iterator<Item = u32> {
        self.flights.iter().filter_map(|flight| flight.check)
    }

    pub(super) fn start(&mut self, token: Option<usize>, payer: Option<usize>, is_refresh: bool) {
        let now = self.latest;
        self.flights_ever += 1;
        let number = self.flights_ever;
        if let Some(failing) = &mut self.failing {
            failing.probe = Some(number);
            failing.next_from = now + failing.pause * 8 / 10;
            failing.next_by = now + failing.pause;
            failing.pause = (failing.pause * 2).min(LONGEST_PAUSE);
        }
        self.count(Counter::Checks);
        let overdue_at = now + self.settings.deadline;
        let (check, waiters) = (None, Vec::new());
        self.flights.push(Flight {
            number,
            token,
            check,
            sent_at: now,
            overdue_at,
            payer,
            is_refresh,
            is_fresh: false,
            waiters,
        });
    }

    /// The check that was asked for last is sent.
    pub fn sent(&mut self, check: u32) {
        self.flights.iter_mut().find(|flight| flight.check.is_none()).unwrap().check = Some(check);
    }

    /// The host refused to send it.
    pub fn refused(&mut self) -> Woken {
        let place = self.flights.iter().position(|flight| flight.check.is_none()).unwrap();
        self.saw(Seen::LandedRefused);
        self.land(place, Meaning::DontKnow(("auth_unavailable", AT_ONCE)), None)
    }

    pub fn answered(&mut self, check: u32, said: &Said) -> Woken {
        let Some(place) = self.flights.iter().position(|flight| flight.check == Some(check)) else {
            self.saw(Seen::StrayAnswer);
            return Woken::new();
        };
        // How long it took is reported.
        self.durations.push(self.latest - self.flights[place].sent_at);
        self.unreported_since.get_or_insert(self.latest);
        self.land(place, Meaning::of(said), CACHE_CONTROL[said.keep].1)
    }

    pub fn gone(&mut self, stream: u32) {
        if self.is_waiting(stream) {
            self.saw(Seen::GoneWaiting);
        }
        for flight in &mut self.flights {
            flight.waiters.retain(|(waiter, ..)| *waiter != stream);
        }
    }

    pub(super) fn land(&mut self, place: usize, meaning: Meaning, keep: Option<u64>) -> Woken {
        let now = self.latest;
        let flight = self.flights.remove(place);
        self.hear_of_service(&flight, meaning);
        if let Some(payer) = flight.payer {
            if let Meaning::No(_) = meaning {
                self.ledger.guessed(payer, flight.sent_at);
            } else {
                self.saw(Seen::Refunded);
                self.ledger.refunded(payer, now);
                self.set_missing(payer, self.missing(payer).saturating_sub(1000));
            }
        }
        let Some(token) = flight.token else {
            self.canary_landed(meaning);
            return Woken::new();
        };
        if flight.waiters.is_empty() && !flight.is_refresh {
            self.saw(Seen::LandedUnwaited);
        }
        let is_doubted = |canary: &Canary| canary.has_failed || flight.number <= canary.believed_after;
        let woken: Woken = if self.canary.as_ref().is_some_and(is_doubted) {
            if !flight.waiters.is_empty() {
                self.saw(Seen::CanaryRefusedWaiter);
            }
            let refused = Err(("canary_failed", AT_ONCE));
            flight.waiters.iter().map(|(stream, route, _)| (*stream, *route, refused)).collect()
        } else {
            self.learn(token, meaning, keep, flight.is_refresh);
            // What is heard now is truer than what was said a moment ago, whoever wanted to know.
            let had = self.repeats.iter().any(|(known, ..)| *known == token);
            if had || flight.is_fresh {
                self.repeats.retain(|(known, ..)| *known != token);
                self.repeats.push((token, meaning, now));
            }
            let waiters = flight.waiters.iter();
            waiters
                .map(|(stream, route, is_fresh)| (*stream, *route, self.verdict(token, meaning, *is_fresh)))
                .collect()
        };
        for (.., verdict) in &woken {
            self.count_verdict(verdict);
        }
        woken
    }

    pub(super) fn verdict(&mut self, token: usize, meaning: Meaning, is_fresh: bool) -> Result<(), Refusal> {
        let now = self.latest;
        let seen = match meaning {
            Meaning::Busy(_) => Seen::StaleBusy,
            Meaning::DontKnow(_) => Seen::StaleLanded,
            _ => return meaning.verdict(),
        };
        if !self.is_right(token) {
            return meaning.verdict();
        }
        if is_fresh {
            self.saw(Seen::FreshNotStale);
            return meaning.verdict();
        }
        self.ledger.passed(token, now, false);
        if now >= self.yes.get(token).unwrap().ends_at {
            self.saw(seen);
            self.count(Counter::Stale);
        }
        Ok(())
    }

    /// Whether there is a service that answers.
    pub(super) fn hear_of_service(&mut self, flight: &Flight, meaning: Meaning) {
        let now = self.latest;
        if !matches!(meaning, Meaning::DontKnow(_)) {
            self.silences = 0;
            self.answered_at = Some(now);
            if self.failing.take().is_some() {
                self.saw(Seen::FailingFastEnded);
                self.count(Counter::FailingFastEnded);
            }
        } else if let Some(failing) = &mut self.failing {
            if failing.probe == Some(flight.number) {
                failing.probe = None;
                self.saw(Seen::ProbeInVain);
            }
        } else if flight.check.is_some()
            && self.answered_at.is_none_or(|answered_at| flight.sent_at >= answered_at)
        {
            // One that the host refused to send is no silence of the service's.
            self.silences += 1;
            if self.silences == 3 {
                self.failing =
                    Some(Failing { probe: None, next_from: now + 400, next_by: now + 500, pause: 1000 });
                self.saw(Seen::FailingFastBegun);
                self.count(Counter::FailingFastBegun);
            }
        }
    }

    pub(super) fn canary_landed(&mut self, meaning: Meaning) {
        let (now, every) = (self.latest, self.settings.canary);
        let canary = self.canary.as_mut().unwrap();
        canary.flight = None;
        let had_failed = canary.has_failed;
        if matches!(meaning, Meaning::Yes) {
            canary.believed_after = self.flights_ever;
        }
        let soon = now + every.min(5000);
        (canary.has_failed, canary.next_at) = match meaning {
            Meaning::Yes => (true, soon),
            Meaning::No(_) => (false, now + every),
            _ => (had_failed, soon),
        };
        match (had_failed, meaning) {
            (false, Meaning::Yes) => {
                // Nothing that this endpoint has allowed counts any more.
                self.yes.entries.clear();
                self.repeats.clear();
                self.ledger.canary_failed();
                self.saw(Seen::CanaryFailed);
                self.count(Counter::CanaryFailed);
            }
            (true, Meaning::No(_)) => {
                self.saw(Seen::CanaryPassed);
                self.count(Counter::CanaryPassed);
            }
            (_, Meaning::Yes | Meaning::No(_)) => {}
            _ => self.saw(Seen::CanaryUndecided),
        }
    }

    pub(super) fn learn(&mut self, token: usize, meaning: Meaning, keep: Option<u64>, is_refresh: bool) {
        let now = self.latest;
        let kept = |lifetime: u64| keep.map_or(0, |most| lifetime.min(most));
        match meaning {
            Meaning::Yes => {
                self.ledger.said_yes(token, now);
                self.saw(Seen::LandedYes);
                if is_refresh {
                    self.saw(Seen::RefreshYes);
                    self.count(Counter::Refreshed);
                }
                self.no.forget(token);
                self.yes.forget(token);
                if keep.is_none() || self.settings.allow == 0 {
                    self.saw(Seen::NotKept);
                    return;
                }
                let lifetime = kept(self.settings.allow);
                if lifetime < self.settings.allow {
                    self.saw(Seen::Shortened);
                }
                let ends_at = now + lifetime;
                let entry = Yes {
                    ends_at,
                    stale_until: ends_at + self.settings.stale_if_error,
                    unanswered_at: None,
                    is_barred: false,
                    is_used: false,
                    ask_from: now + lifetime * 8 / 10,
                    ask_by: now + lifetime * 9 / 10,
                    was_asked: false,
                    is_ghost: false,
                };
                self.is_vague |= self.yes.entries.len() >= self.yes.most
                    && self.yes.entries.iter().any(|(_, yes)| yes.is_ghost);
                self.count(Counter::Inserted);
                if self.yes.insert(token, entry) {
                    self.saw(Seen::EvictedYes);
                    self.count(Counter::Evicted);
                }
            }
            Meaning::No(refusal) => {
                self.ledger.said_no(token);
                self.saw(Seen::LandedNo);
                if is_refresh {
                    self.saw(Seen::RefreshNo);
                }
                if self.yes.forget(token) {
                    self.saw(Seen::LandedNoOverYes);
                }
                self.no.forget(token);
                let lifetime = kept(self.settings.deny);
                if lifetime == 0 {
                    self.saw(Seen::NotKept);
                    return;
                }
                self.count(Counter::Inserted);
                if self.no.insert(token, No { refusal, ends_at: now + lifetime }) {
                    self.saw(Seen::EvictedNo);
                    self.count(Counter::Evicted);
                }
            }
            Meaning::Busy(_) | Meaning::DontKnow(_) | Meaning::Broken(_) => {
                self.saw(match meaning {
                    Meaning::Busy(_) => Seen::LandedBusy,
                    Meaning::Broken(_) => Seen::LandedBroken,
                    _ => Seen::LandedDontKnow,
                });
                if is_refresh {
                    self.saw(Seen::RefreshDontKnow);
                }
                let is_broken = matches!(meaning, Meaning::Broken(_));
                if is_broken {
                    self.ledger.contract_broken(token);
                    // Not worth remembering: it is told once.
                    self.unreported_since.get_or_insert(now);
                }
                if let Some(yes) = self.yes.get(token) {
                    yes.is_barred |= is_broken;
                    if !is_broken {
                        yes.unanswered_at = Some(now);
                    }
                    yes.is_used = false;
                    yes.was_asked = true;
                    yes.ask_from = yes.ask_from.max(now + ASKED_AGAIN_AFTER);
                    yes.ask_by = yes.ask_by.max(now + ASKED_AGAIN_AFTER);
                }
            }
        }
    }
}
