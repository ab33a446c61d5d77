//! Who may pass: the token, and what api-service says to it.
//!
//! A token is recognised by a listed hash, or by what the auth endpoint said to it lately, or the endpoint is asked: one
//! *check* at a time, and everybody who asks the same meanwhile waits for its answer. While no answer is to be had, a
//! token that was right goes on for a while, and unknown ones are refused at once. Nothing here knows of paths or routes.

mod answer;
mod bounded;
mod cache;
mod canary;
mod check;
mod flights;
mod local;
mod outage;
mod recent;
mod throttle;

use core::time::Duration;
use std::rc::Rc;

pub use answer::{Answer, Yes};
pub use cache::Settings as CacheSettings;
pub use check::{Check, Endpoint};
pub use flights::{CheckId, FlightId, Limits, StreamId};
pub use local::LocalToken;
pub use throttle::Rate;

use crate::denial::Denial;
use crate::request::Request;
use crate::tally::{Counter, Notice, Tally};
use crate::time::Time;
use crate::token::{Fingerprint, Token};
use answer::Said;
use cache::{Cache, Kept, Known};
use canary::{Canary, Turn};
use flights::{Acquaintance, Flights, Waiter};
use outage::{Leave, Outage};
use recent::Recent;
use throttle::{Payer, Throttle};

/// What the configuration says about authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where checks are sent.
    pub endpoint: Endpoint,
    /// How long a request waits at most, whatever Envoy and the auth service do.
    pub deadline: Duration,
    /// How many may be under way.
    pub limits: Limits,
    /// What is remembered.
    pub cache: CacheSettings,
    /// How much strangers may have checked; nothing: as much as they like.
    pub throttle: Option<Rate>,
    /// Tokens that are known without asking.
    pub tokens: Vec<LocalToken>,
    /// How often the endpoint is asked about a token that nobody has; nothing: never.
    pub canary: Option<Duration>,
}

/// What kind of answer a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A yes in force.
    Any,
    /// The endpoint's own, of now: `/v1/auth` asks for it.
    Fresh,
}

/// What is to be done with a request that shows a token.
#[derive(Debug)]
pub(crate) enum Decision {
    /// It may pass. `name`: the local token's.
    Pass { yes: Yes, name: Option<Rc<str>> },
    /// Send this check; the request waits.
    Ask(Check),
    /// The request waits for a check that is under way.
    Wait,
}

/// What everybody gets who waited.
pub(crate) type Outcome = Vec<(StreamId, Result<Yes, Denial>)>;

/// What is to be done at a tick.
#[derive(Debug)]
pub(crate) struct Due {
    /// Checks that the root has to send.
    pub(crate) ask: Vec<Check>,
    /// Requests that waited long enough.
    pub(crate) woken: Outcome,
}

/// The tokens' side of the gate.
#[derive(Debug)]
pub(crate) struct Authn {
    endpoint: Endpoint,
    deadline: Duration,
    local: Vec<LocalToken>,
    cache: Cache,
    recent: Recent,
    flights: Flights,
    outage: Outage,
    throttle: Throttle,
    canary: Option<Canary>,
    random: Random,
    latest: Time,
}

impl Authn {
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            endpoint: settings.endpoint,
            deadline: settings.deadline,
            local: settings.tokens,
            cache: Cache::new(settings.cache, seed),
            recent: Recent::new(seed),
            flights: Flights::new(settings.limits, seed),
            outage: Outage::default(),
            throttle: Throttle::new(settings.throttle, seed),
            canary: settings.canary.map(|every| Canary::new(every, seed)),
            random: Random { seed, count: 0 },
            latest: Time::since_start(Duration::ZERO),
        }
    }

    /// Judges `token`, which the request of `stream` shows.
    ///
    /// # Errors
    ///
    /// A denial: the endpoint's no, if it is remembered, or why it is not asked.
    pub(crate) fn judge(
        &mut self,
        stream: StreamId,
        token: Token<'_>,
        need: Need,
        request: &Request<'_>,
        now: Time,
        tally: &mut Tally,
    ) -> Result<Decision, Denial> {
        self.observe(now, tally);
        let hash = token.fingerprint();
        let local = local::find(&self.local, hash, || request.environment().wall());
        if let Some(local) = local.filter(|local| need == Need::Any || local.api) {
            tally.count(Counter::Local, now);
            return Ok(Decision::Pass { yes: Yes::listed(), name: Some(local.name.clone()) });
        }
        if self.canary.as_ref().is_some_and(Canary::has_failed) {
            return Err(Denial::CanaryFailed);
        }
        if let Some(yes) = self.remembered(hash, token, need, now, tally)? {
            return Ok(Decision::Pass { yes, name: None });
        }
        let waiter = Waiter { stream, wants_fresh: need == Need::Fresh };
        let asked = self.ask(waiter, hash, token, request, now, tally);
        // No answer is to be had: as good a reason for a stale yes as an answer that decides nothing.
        if let Err(Denial::TooManyFlights | Denial::TooManyWaiters) = asked
            && need == Need::Any
            && let Some(yes) = self.honour(hash, now, tally)
        {
            return Ok(Decision::Pass { yes, name: None });
        }
        asked
    }

    /// What needs no check: a yes or a no that is remembered.
    fn remembered(
        &mut self,
        hash: Fingerprint,
        token: Token<'_>,
        need: Need,
        now: Time,
        tally: &mut Tally,
    ) -> Result<Option<Yes>, Denial> {
        if need == Need::Fresh {
            return match self.recent.said(hash, now) {
                Some(said) => said.verdict().map(Some),
                None => Ok(None),
            };
        }
        let known = self.cache.look_up(hash, token, now, &self.outage);
        let (counter, remembered) = match known {
            Known::Yes(yes) => (Counter::CacheHit, Ok(Some(yes))),
            Known::No(denial) => (Counter::CacheNegativeHit, Err(denial)),
            Known::Stale { yes, is_new } => {
                tally.count(Counter::CacheMiss, now);
                if is_new {
                    tally.notice(Notice::Stale, now);
                }
                (Counter::Stale, Ok(Some(yes)))
            }
            Known::Right | Known::Nothing => (Counter::CacheMiss, Ok(None)),
        };
        tally.count(counter, now);
        remembered
    }

    /// Joins the flight that asks about the token, or starts one.
    fn ask(
        &mut self,
        waiter: Waiter,
        hash: Fingerprint,
        token: Token<'_>,
        request: &Request<'_>,
        now: Time,
        tally: &mut Tally,
    ) -> Result<Decision, Denial> {
        self.flights.room_to_wait()?;
        if let Some(flight) = self.flights.about(hash) {
            self.flights.join(flight, waiter);
            tally.count(Counter::Coalesced, now);
            return Ok(Decision::Wait);
        }
        if self.outage.leave(now) != Leave::Granted {
            return Err(Denial::FailingFast { retry_after: self.outage.retry_after(now) });
        }
        let (acquaintance, is_charged) = if self.cache.is_right(hash, now) {
            // `/v1/auth` in a loop is no reason to charge for a token that is good.
            (Acquaintance::Known, false)
        } else {
            (Acquaintance::Stranger, true)
        };
        let address = request.environment().client();
        let payer = is_charged.then(|| Payer::of(address));
        if let Some(payer) = payer {
            let charged = self.throttle.charge(payer, now);
            charged.map_err(|retry_after| Denial::Throttled { retry_after })?;
        }
        if !self.flights.has_room(acquaintance) {
            payer.inspect(|payer| self.throttle.refund(*payer, now));
            return Err(Denial::TooManyFlights);
        }
        let flight = self.start(hash, payer, false, now, tally);
        self.flights.join(flight, waiter);
        Ok(Decision::Ask(Check::new(flight, &self.endpoint, token.expose(), Some((request, address)))))
    }

    fn start(
        &mut self,
        hash: Fingerprint,
        payer: Option<Payer>,
        is_refresh: bool,
        now: Time,
        tally: &mut Tally,
    ) -> FlightId {
        let flight = self.flights.start(hash, payer, is_refresh, now, now.after(self.deadline));
        self.outage.asked(flight, self.random.next(), now);
        tally.count(Counter::Checks, now);
        flight
    }

    /// A yes that serves while no answer is to be had.
    fn honour(&mut self, hash: Fingerprint, now: Time, tally: &mut Tally) -> Option<Yes> {
        let yes = self.cache.honoured(hash, now)?;
        if !self.cache.is_in_force(hash, now) {
            tally.count(Counter::Stale, now);
            if self.cache.is_stale_news(hash) {
                tally.notice(Notice::Stale, now);
            }
        }
        Some(yes)
    }

    /// The host has sent a check, or refused to.
    ///
    /// It refuses at once when the cluster is unknown or has no healthy host: *don't know*, like every
    /// failure to get an answer.
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
    fn land(&mut self, id: FlightId, said: Said, now: Time, tally: &mut Tally) -> Outcome {
        let Some(flight) = self.flights.land(id) else { return Outcome::new() };
        self.notice_silence(id, flight.sent_at, said, now, tally);
        if let (Some(payer), false) = (flight.payer, matches!(said, Said::No(..))) {
            self.throttle.refund(payer, now);
        }
        if let Some(canary) = self.canary.as_mut().filter(|canary| canary.is_flight(id)) {
            let is_yes = match said {
                Said::Yes(..) => Some(true),
                Said::No(..) => Some(false),
                _ => None,
            };
            match canary.answered(is_yes, now) {
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
            return Outcome::new();
        }
        if self.canary.as_ref().is_some_and(Canary::has_failed) {
            let refused = |waiter: &Waiter| (waiter.stream, Err(Denial::CanaryFailed));
            return flight.waiters.iter().map(refused).collect();
        }
        self.remember(flight.token, said, flight.is_refresh, now, tally);
        if flight.waiters.iter().any(|waiter| waiter.wants_fresh) || self.recent.has(flight.token) {
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
            if self.outage.silent(id, sent_at, self.random.next(), now).is_some() {
                tally.count(Counter::FailingFastBegun, now);
                tally.notice(Notice::FailingFastBegun, now);
            }
        } else if self.outage.answered(now).is_some() {
            tally.count(Counter::FailingFastEnded, now);
            tally.notice(Notice::FailingFastEnded, now);
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

    /// The stream is gone.
    pub(crate) fn on_gone(&mut self, stream: StreamId) {
        self.flights.gone(stream);
    }

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
        while self.outage.leave(now) == Leave::Granted && self.flights.has_room(Acquaintance::Known) {
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
        let can_ask = !self.outage.is_on() && self.flights.has_room(Acquaintance::Known);
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
        let refresh = refresh.and_then(|due| match self.outage.leave(self.latest) {
            Leave::Granted => Some(due),
            Leave::Refused(until) => until.map(|until| until.max(due)),
        });
        let canary = self.canary.as_ref().and_then(Canary::next_at);
        [self.flights.next_overdue(), refresh, canary].into_iter().flatten().min()
    }

    /// A clock that goes back would make what is remembered last longer than it may: it is forgotten.
    fn observe(&mut self, now: Time, tally: &mut Tally) {
        if now < self.latest {
            self.cache.forget();
            self.recent.forget();
            self.throttle.forget();
            self.flights.clock_went_back(now, now.after(self.deadline));
            self.outage.clock_went_back(now);
            if let Some(canary) = &mut self.canary {
                canary.clock_went_back(now);
            }
            tally.clock_went_back(now);
            tally.notice(Notice::ClockWentBack, now);
        }
        self.latest = now;
    }
}

/// Numbers that nobody outside foresees.
#[derive(Debug)]
struct Random {
    seed: u64,
    count: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        use core::hash::BuildHasher as _;
        self.count = self.count.wrapping_add(1);
        foldhash::quality::FixedState::with_seed(self.seed).hash_one(self.count)
    }
}
