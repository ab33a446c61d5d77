//! Flights: checks under way, and who waits for them.
//!
//! All checks belong to the root, which cannot leave: whoever gives up waiting takes no answer along, and what the
//! endpoint says is heard even when nobody waits any more.

use core::time::Duration;
use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::throttle::Payer;
use crate::denial::Denial;
use crate::time::Time;
use crate::token::Fingerprint;

/// A client's request, by the host's number for it. No two live ones share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamId(pub u32);

/// A callout, by the host's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckId(pub u32);

/// A flight. Numbers are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlightId(u64);

impl FlightId {
    pub(super) const fn first() -> Self {
        Self(0)
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// How many there may be, per worker VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Checks under way at the same time.
    pub flights: usize,
    /// Requests that wait for one, all together.
    pub waiters: usize,
}

/// Whose token is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    /// Nobody's that we know.
    Stranger,
    /// One that was right lately, or the canary: an eighth of the flights, and of the places to wait, is kept for them.
    Known,
}

impl Acquaintance {
    fn share_of(self, limit: usize) -> usize {
        match self {
            Self::Stranger => limit.saturating_sub(limit.checked_div(8).unwrap_or(0)),
            Self::Known => limit,
        }
    }
}

/// A request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) stream: StreamId,
    /// It wants an answer of the endpoint's own (`/v1/auth`): no stale yes serves it.
    pub(super) wants_fresh: bool,
}

/// A check under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) token: Fingerprint,
    /// Who is charged for it.
    pub(super) payer: Option<Payer>,
    pub(super) sent_at: Time,
    /// Nobody waited for it when it began.
    pub(super) is_refresh: bool,
    /// Somebody wanted an answer of the endpoint's own, and may have left since.
    pub(super) is_fresh: bool,
    pub(super) waiters: Vec<Waiter>,
    overdue_at: Time,
    check: Option<CheckId>,
}

impl Flight {
    /// Whether the host has taken its check.
    pub(super) const fn was_sent(&self) -> bool {
        self.check.is_some()
    }
}

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

#[derive(Debug)]
pub(super) struct Flights {
    limits: Limits,
    next: FlightId,
    /// The oldest first: all have the same time, so it is also the first to be overdue.
    flights: BTreeMap<FlightId, Flight>,
    by_token: Map<Fingerprint, FlightId>,
    by_check: Map<CheckId, FlightId>,
    by_waiter: Map<StreamId, FlightId>,
}

impl Flights {
    /// `seed` keeps strangers from choosing tokens that collide in the tables.
    pub(super) fn new(limits: Limits, seed: u64) -> Self {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        Self {
            limits,
            next: FlightId::first(),
            flights: BTreeMap::new(),
            by_token: HashMap::with_hasher(hasher.clone()),
            by_check: HashMap::with_hasher(hasher.clone()),
            by_waiter: HashMap::with_hasher(hasher),
        }
    }

    /// The one that begins next.
    pub(super) const fn next(&self) -> FlightId {
        self.next
    }

    /// The flight that asks about `token`, if there is one.
    pub(super) fn about(&self, token: Fingerprint) -> Option<FlightId> {
        self.by_token.get(&token).copied()
    }

    /// Whether there is room for one more flight.
    pub(super) fn has_room(&self, acquaintance: Acquaintance) -> bool {
        self.flights.len() < acquaintance.share_of(self.limits.flights)
    }

    /// Starts a flight. The check is to be sent at once.
    pub(super) fn start(
        &mut self,
        token: Fingerprint,
        payer: Option<Payer>,
        is_refresh: bool,
        now: Time,
        overdue_at: Time,
    ) -> FlightId {
        let id = self.next;
        self.next = id.next();
        let flight = Flight {
            token,
            payer,
            sent_at: now,
            is_refresh,
            is_fresh: false,
            waiters: Vec::new(),
            overdue_at,
            check: None,
        };
        self.flights.insert(id, flight);
        self.by_token.insert(token, id);
        id
    }

    /// Whether one more request may wait.
    ///
    /// # Errors
    ///
    /// A denial when too many do.
    pub(super) fn room_to_wait(&self, acquaintance: Acquaintance) -> Result<(), Denial> {
        let most = acquaintance.share_of(self.limits.waiters);
        if self.by_waiter.len() < most { Ok(()) } else { Err(Denial::TooManyWaiters) }
    }

    /// `waiter` waits for this flight.
    pub(super) fn join(&mut self, id: FlightId, waiter: Waiter) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.is_fresh |= waiter.wants_fresh;
            flight.waiters.push(waiter);
            self.by_waiter.insert(waiter.stream, id);
        }
    }

    /// The check is under way as callout `check`.
    pub(super) fn sent(&mut self, id: FlightId, check: CheckId) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.check = Some(check);
            self.by_check.insert(check, id);
        }
    }

    /// The flight that callout `check` answers, unless it ended before.
    pub(super) fn of(&self, check: CheckId) -> Option<FlightId> {
        self.by_check.get(&check).copied()
    }

    /// How long it has been under way.
    pub(super) fn age(&self, id: FlightId, now: Time) -> Duration {
        self.flights.get(&id).map_or(Duration::ZERO, |flight| now.since(flight.sent_at))
    }

    /// Ends a flight.
    pub(super) fn land(&mut self, id: FlightId) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        self.by_token.remove(&flight.token);
        if let Some(check) = flight.check {
            self.by_check.remove(&check);
        }
        for waiter in &flight.waiters {
            self.by_waiter.remove(&waiter.stream);
        }
        Some(flight)
    }

    /// `stream` is gone and waits no more.
    pub(super) fn gone(&mut self, stream: StreamId) {
        let flight = self.by_waiter.remove(&stream).and_then(|id| self.flights.get_mut(&id));
        if let Some(flight) = flight {
            flight.waiters.retain(|waiter| waiter.stream != stream);
        }
    }

    /// A flight whose time is over.
    pub(super) fn overdue(&self, now: Time) -> Option<FlightId> {
        self.flights.first_key_value().filter(|(_, flight)| flight.overdue_at <= now).map(|(id, _)| *id)
    }

    /// When the time of the first is over.
    pub(super) fn next_overdue(&self) -> Option<Time> {
        self.flights.first_key_value().map(|(_, flight)| flight.overdue_at)
    }

    /// The clock has gone back: nobody is to wait longer than until `overdue_at`.
    pub(super) fn clock_went_back(&mut self, now: Time, overdue_at: Time) {
        for flight in self.flights.values_mut() {
            flight.sent_at = now;
            flight.overdue_at = overdue_at;
            // Buckets are forgotten too: a refund would fill one that was not charged.
            flight.payer = None;
        }
    }
}
