//! What happens without a client: from the root's timer.

use super::answer::Said;
use super::canary::Canary;
use super::check::Check;
use super::failing_fast::MayAsk;
use super::flights::Acquaintance;
use super::{Authn, Due, Outcome};
use crate::denial::Denial;
use crate::tally::Tally;
use crate::time::Time;
use crate::token::Fingerprint;

impl Authn {
    pub(crate) fn on_tick(&mut self, now: Time, tally: &mut Tally) -> Due {
        self.observe(now, tally);
        let mut woken = Outcome::new();
        while let Some(flight) = self.flights.overdue(now) {
            woken.append(&mut self.land(flight, Said::DontKnow(Denial::DeadlinePassed), now, tally));
        }
        let mut ask = Vec::new();
        ask.extend(self.canary_check(now, tally));
        ask.extend(core::iter::from_fn(|| self.next_refresh(now, tally)));
        Due { ask, woken }
    }

    fn next_refresh(&mut self, now: Time, tally: &mut Tally) -> Option<Check> {
        while self.failing_fast.may_ask(now) == MayAsk::Now && self.flights.has_room(Acquaintance::Known) {
            let (hash, token) = self.cache.take_due(now)?;
            if self.flights.about(hash).is_none() {
                let flight = self.start(hash, None, true, now, tally);
                return Some(Check::new(flight, &self.endpoint, &token, None));
            }
        }
        None
    }

    /// No token is invented to find out whether the service is there again.
    fn canary_check(&mut self, now: Time, tally: &mut Tally) -> Option<Check> {
        let can_ask = !self.failing_fast.is_on() && self.flights.has_room(Acquaintance::Known);
        let canary = self.canary.as_mut().filter(|canary| canary.next_at().is_some_and(|at| at <= now))?;
        if !can_ask {
            canary.put_off(now);
            return None;
        }
        let token = canary.token();
        let hash = Fingerprint::of(&token);
        let flight = self.start(hash, None, true, now, tally);
        if let Some(canary) = &mut self.canary {
            canary.sent(flight);
        }
        Some(Check::new(flight, &self.endpoint, &token, None))
    }

    /// When the next tick is wanted; not at all when nothing is under way.
    pub(crate) fn next_tick(&self) -> Option<Time> {
        let refresh = self.cache.next_due().filter(|_| self.flights.has_room(Acquaintance::Known));
        let refresh = refresh.and_then(|due| match self.failing_fast.may_ask(self.latest) {
            MayAsk::Now => Some(due),
            MayAsk::Later(until) => until.map(|until| until.max(due)),
        });
        let canary = self.canary.as_ref().and_then(Canary::next_at);
        [self.flights.next_overdue(), refresh, canary].into_iter().flatten().min()
    }
}
