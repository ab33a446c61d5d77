//! Who may pass: the token, and what api-service says to it.
//!
//! One question at a time is asked about a token; everybody who asks the same meanwhile waits for its
//! answer. Nothing here knows of paths or routes.

mod answer;
mod check;
mod flights;

use core::time::Duration;

pub use answer::{Answer, Yes};
pub use check::{Check, Endpoint};
pub use flights::{CheckId, FlightId, Limits, StreamId};

use crate::denial::Denial;
use crate::request::Request;
use crate::time::Time;
use crate::token::Token;
use flights::{Flights, Outcome};

/// How often overdue flights are looked for while there are any.
const TICK: Duration = Duration::from_millis(100);

/// How soon an orphan is asked again: at once, as far as the host's timer can.
const TICK_FOR_ORPHANS: Duration = Duration::from_millis(1);

/// What the configuration says about authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where checks are sent.
    pub endpoint: Endpoint,
    /// How long a request waits at most, whatever Envoy and the auth service do.
    pub deadline: Duration,
    /// How many may be under way.
    pub limits: Limits,
}

/// What is to be done with a request that shows a token.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Send this check; the request waits.
    Ask(Check),
    /// The request waits for a check that is under way.
    Wait,
}

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
    flights: Flights,
}

impl Authn {
    pub(crate) fn new(settings: &Settings, seed: u64) -> Self {
        Self {
            endpoint: settings.endpoint.clone(),
            deadline: settings.deadline,
            flights: Flights::new(settings.limits, seed),
        }
    }

    /// Asks whether `token` is good, for the request of `stream`.
    ///
    /// # Errors
    ///
    /// A denial when too much is under way.
    pub(crate) fn ask(
        &mut self,
        stream: StreamId,
        token: Token<'_>,
        request: &Request<'_>,
        now: Time,
    ) -> Result<Decision, Denial> {
        let fingerprint = token.fingerprint();
        if self.flights.join(stream, fingerprint)? {
            return Ok(Decision::Wait);
        }
        let overdue_at = now.after(self.deadline);
        let check = |flight| Check::new(flight, &self.endpoint, token, request);
        self.flights.start(stream, fingerprint, overdue_at, check).map(Decision::Ask)
    }

    /// The host has sent a check, or refused to.
    ///
    /// It refuses at once when the cluster is unknown or has no healthy host: *don't know*, like every
    /// failure to get an answer.
    pub(crate) fn on_sent(&mut self, flight: FlightId, sent: Option<CheckId>) -> Outcome {
        match sent {
            Some(check) => {
                self.flights.sent(flight, check);
                Outcome::new()
            }
            None => self.flights.land(flight, Err(Denial::AuthUnavailable)),
        }
    }

    /// The answer to `check`. An answer that nobody waits for any more is nobody's.
    pub(crate) fn on_answer(&mut self, check: CheckId, answer: Answer<'_>) -> Outcome {
        match self.flights.of(check) {
            Some(flight) => self.flights.land(flight, answer.meaning()),
            None => Outcome::new(),
        }
    }

    /// The stream is gone.
    pub(crate) fn on_gone(&mut self, stream: StreamId) {
        self.flights.gone(stream);
    }

    pub(crate) fn on_tick(&mut self, now: Time) -> Due {
        let woken = self.flights.land_overdue(now);
        Due { ask: self.flights.adopt_orphans(), woken }
    }

    /// How often ticks are wanted; not at all when nothing is under way.
    pub(crate) fn tick_period(&self) -> Option<Duration> {
        if self.flights.has_orphans() {
            Some(TICK_FOR_ORPHANS)
        } else if self.flights.is_empty() {
            None
        } else {
            Some(TICK)
        }
    }
}
