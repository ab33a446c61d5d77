//! What the gate does by itself, and when.

use super::meaning::{AT_ONCE, Meaning};
use super::{ASKED_AGAIN_AFTER, Failing, Rules, Woken};
use crate::coverage::Seen;

impl Rules {
    /// Who has waited long enough.
    pub fn overdue(&mut self) -> Woken {
        let mut woken = Woken::new();
        while let Some(place) = self.flights.iter().position(|flight| flight.overdue_at <= self.latest) {
            self.saw(Seen::LandedDeadline);
            woken.extend(self.land(place, Meaning::DontKnow(("deadline_passed", AT_ONCE)), None));
        }
        woken
    }

    /// Whether the canary is to be sent at this tick, before anything else.
    pub fn is_canary_due(&mut self) -> bool {
        let can_ask = self.failing.is_none() && self.has_room(true);
        let (now, every) = (self.latest, self.settings.canary);
        let Some(canary) = self.canary.as_mut() else { return false };
        if canary.flight.is_some() || now < canary.next_at {
            return false;
        }
        if !can_ask {
            canary.next_at = now + every.min(5000);
            self.saw(Seen::CanaryPutOff);
        }
        can_ask
    }

    pub fn canary_asked(&mut self) {
        self.saw(Seen::CanaryAsked);
        self.start(None, None, true);
        self.canary.as_mut().unwrap().flight = Some(self.flights_ever);
    }

    /// Whether a check of its own accord may be sent now.
    pub(super) fn may_probe(&self, next: impl Fn(&Failing) -> u64) -> bool {
        self.failing.as_ref().is_none_or(|failing| failing.probe.is_none() && next(failing) <= self.latest)
    }

    /// The gate asks about this token in the background.
    pub fn refresh_asked(&mut self, token: usize) {
        let now = self.latest;
        assert!(self.about(token).is_none(), "{token} is asked about already");
        assert!(self.has_room(true), "too many flights");
        assert!(self.may_probe(|failing| failing.next_from), "one probe, and not before its time");
        let yes = self.yes.get(token).unwrap_or_else(|| panic!("{token} is unknown"));
        assert!(yes.is_used, "{token} is not in use: {yes:?} at {now}");
        assert!(now >= yes.ask_from, "too early for {token}: {yes:?} at {now}");
        yes.is_used = false;
        let was_asked = core::mem::replace(&mut yes.was_asked, true);
        (yes.ask_from, yes.ask_by) = (now + ASKED_AGAIN_AFTER, now + ASKED_AGAIN_AFTER);
        self.saw(Seen::RefreshAsked);
        if was_asked {
            self.saw(Seen::RefreshAgain);
        }
        if self.failing.is_some() {
            self.saw(Seen::ProbeByTick);
        }
        self.start(Some(token), None, true);
    }

    /// After a tick nothing is left to be asked. What is over for good is forgotten instead of being asked about,
    /// if its turn has come; whether it has depends on how the gate has spread the times.
    pub fn nothing_is_left(&mut self) {
        let now = self.latest;
        let can_ask = self.has_room(true) && self.may_probe(|failing| failing.next_by);
        let under_way: Vec<_> = self.flights.iter().filter_map(|flight| flight.token).collect();
        self.yes.entries.retain_mut(|(token, yes)| {
            let may_be_due = yes.is_used && yes.ask_from <= now;
            let is_due = can_ask && yes.is_used && yes.ask_by <= now;
            if yes.is_dead(now) {
                yes.is_ghost |= may_be_due;
                return !is_due;
            }
            if under_way.contains(token) {
                // What is asked about already is not asked about again: its turn passes.
                let next = now + ASKED_AGAIN_AFTER;
                if is_due {
                    self.coverage.saw(Seen::TurnPassed);
                    yes.is_used = false;
                    (yes.ask_from, yes.ask_by) = (next, next);
                } else if may_be_due {
                    yes.ask_by = yes.ask_by.max(next);
                }
                return true;
            }
            assert!(!is_due, "not asked about {token}: {yes:?}");
            true
        });
    }

    /// When the next tick has to be wanted: not before the one, not after the other.
    pub fn next_tick(&self) -> Option<(u64, u64)> {
        let flights = self.flights.iter().map(|flight| (flight.overdue_at, flight.overdue_at));
        let report = self.unreported_since.map(|since| (since, since + 250));
        let canary = self.canary.as_ref().filter(|canary| canary.flight.is_none());
        let canary = canary.map(|canary| (canary.next_at, canary.next_at));
        let (probe_from, probe_by) = match &self.failing {
            None => (0, 0),
            Some(failing) if failing.probe.is_some() => (u64::MAX, u64::MAX),
            Some(failing) => (failing.next_from, failing.next_by),
        };
        let can_ask = self.has_room(true) && probe_by < u64::MAX;
        let used = self.yes.entries.iter().filter(|(_, yes)| can_ask && yes.is_used);
        let refreshes = used.map(|(token, yes)| {
            // What is asked about already need not be asked about again.
            let is_idle = self.about(*token).is_some() || yes.is_dead(self.latest);
            let by = if is_idle { u64::MAX } else { yes.ask_by.max(probe_by) };
            (yes.ask_from.max(probe_from), by)
        });
        let all = flights.chain(report).chain(canary).chain(refreshes);
        all.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1)))
    }
}
