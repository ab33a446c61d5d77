//! Who may pass: the token, and what api-service says to it.
//!
//! A token is recognised by a listed hash, or by what the auth endpoint said to it lately, or the endpoint is asked: one
//! *check* at a time, and everybody who asks the same meanwhile waits for its answer. While no answer is to be had, a
//! token that was right goes on for a while, and unknown ones are refused at once. Nothing here knows of paths or routes.

mod answer;
mod background;
mod bounded;
mod cache;
mod canary;
mod check;
mod failing_fast;
mod flights;
mod hearing;
mod local;
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
use cache::{Cache, Known};
use canary::Canary;
use failing_fast::{FailingFast, MayAsk};
use flights::{Acquaintance, Flights, Waiter};
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
    failing_fast: FailingFast,
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
            failing_fast: FailingFast::default(),
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
        // That too much is under way is no reason for a stale yes: whoever holds a revoked token can see to that.
        self.ask(waiter, hash, token, request, now, tally)
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
        let known = self.cache.look_up(hash, token, now, &self.failing_fast);
        let (counter, remembered) = match known {
            Known::Yes(yes) => (Counter::CacheHit, Ok(Some(yes))),
            Known::No(denial) => (Counter::CacheNegativeHit, Err(denial)),
            Known::Stale(yes) => {
                self.note_stale(hash, now, tally);
                (Counter::CacheMiss, Ok(Some(yes)))
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
        let acquaintance =
            if self.cache.is_right(hash, now) { Acquaintance::Known } else { Acquaintance::Stranger };
        self.flights.room_to_wait(acquaintance)?;
        if let Some(flight) = self.flights.about(hash) {
            self.flights.join(flight, waiter);
            tally.count(Counter::Coalesced, now);
            return Ok(Decision::Wait);
        }
        if self.failing_fast.may_ask(now) != MayAsk::Now {
            return Err(Denial::FailingFast { retry_after: self.failing_fast.retry_after(now) });
        }
        let address = request.environment().client();
        // `/v1/auth` in a loop is no reason to charge for a token that is good.
        let payer = (acquaintance == Acquaintance::Stranger).then(|| Payer::of(address));
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
        self.failing_fast.asked(flight, self.random.next(), now);
        tally.count(Counter::Checks, now);
        flight
    }

    /// A yes that serves while no answer is to be had.
    fn honour(&mut self, hash: Fingerprint, now: Time, tally: &mut Tally) -> Option<Yes> {
        let yes = self.cache.honoured(hash, now)?;
        if !self.cache.is_in_force(hash, now) {
            self.note_stale(hash, now, tally);
        }
        Some(yes)
    }

    /// A stale yes lets a request pass: counted each time, told once for each token.
    fn note_stale(&mut self, hash: Fingerprint, now: Time, tally: &mut Tally) {
        tally.count(Counter::Stale, now);
        if self.cache.is_stale_news(hash) {
            tally.notice(Notice::Stale, now);
        }
    }

    /// The stream is gone.
    pub(crate) fn on_gone(&mut self, stream: StreamId) {
        self.flights.gone(stream);
    }

    /// A clock that goes back would make what is remembered last longer than it may: it is forgotten.
    fn observe(&mut self, now: Time, tally: &mut Tally) {
        if now < self.latest {
            self.cache.forget();
            self.recent.forget();
            self.throttle.forget();
            self.flights.clock_went_back(now, now.after(self.deadline));
            self.failing_fast.clock_went_back(now);
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
