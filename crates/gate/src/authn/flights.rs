//! Flights: checks under way, and who waits for them.
//!
//! A callout's answer comes to the context that sent it. When that is a stream (the leader) and its client
//! leaves, the answer is lost with it, and everybody who waits would wait for ever. Then the flight is an
//! orphan, and the root, which cannot leave, asks again.

use hashbrown::HashMap;

use super::answer::Yes;
use super::check::Check;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlightId(u64);

impl FlightId {
    pub(super) const fn first() -> Self {
        Self(0)
    }

    const fn next(self) -> Self {
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

/// What everybody gets who waited.
pub(super) type Outcome = Vec<(StreamId, Result<Yes, Denial>)>;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

#[derive(Debug)]
struct Flight {
    token: Fingerprint,
    check: Check,
    /// The callout under way. Nothing before it is sent and while the flight is an orphan.
    sent: Option<CheckId>,
    /// The stream that the answer will come to; nothing when the root asked.
    leader: Option<StreamId>,
    waiters: Vec<StreamId>,
    overdue_at: Time,
}

#[derive(Debug)]
pub(super) struct Flights {
    limits: Limits,
    next: FlightId,
    flights: Map<FlightId, Flight>,
    by_token: Map<Fingerprint, FlightId>,
    by_check: Map<CheckId, FlightId>,
    by_waiter: Map<StreamId, FlightId>,
    orphans: Vec<FlightId>,
}

impl Flights {
    /// `seed` keeps strangers from choosing tokens that collide in the tables.
    pub(super) fn new(limits: Limits, seed: u64) -> Self {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        Self {
            limits,
            next: FlightId::first(),
            flights: HashMap::with_hasher(hasher.clone()),
            by_token: HashMap::with_hasher(hasher.clone()),
            by_check: HashMap::with_hasher(hasher.clone()),
            by_waiter: HashMap::with_hasher(hasher),
            orphans: Vec::new(),
        }
    }

    /// Lets `stream` wait for the flight that asks about `token`, if there is one.
    pub(super) fn join(&mut self, stream: StreamId, token: Fingerprint) -> Result<bool, Denial> {
        if self.by_waiter.len() >= self.limits.waiters {
            return Err(Denial::TooManyWaiters);
        }
        let Some((id, flight)) =
            self.by_token.get(&token).and_then(|id| Some((*id, self.flights.get_mut(id)?)))
        else {
            return Ok(false);
        };
        flight.waiters.push(stream);
        self.by_waiter.insert(stream, id);
        Ok(true)
    }

    /// Starts a flight, with `stream` as its leader. The check is to be sent at once.
    pub(super) fn start(
        &mut self,
        stream: StreamId,
        token: Fingerprint,
        overdue_at: Time,
        check: impl FnOnce(FlightId) -> Check,
    ) -> Result<Check, Denial> {
        if self.flights.len() >= self.limits.flights {
            return Err(Denial::TooManyFlights);
        }
        let id = self.next;
        self.next = id.next();
        let check = check(id);
        let flight = Flight {
            token,
            check: check.clone(),
            sent: None,
            leader: Some(stream),
            waiters: vec![stream],
            overdue_at,
        };
        self.flights.insert(id, flight);
        self.by_token.insert(token, id);
        self.by_waiter.insert(stream, id);
        Ok(check)
    }

    /// The check is under way as callout `check`.
    pub(super) fn sent(&mut self, id: FlightId, check: CheckId) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.sent = Some(check);
            self.by_check.insert(check, id);
        }
    }

    /// The flight that callout `check` answers, unless it ended before.
    pub(super) fn of(&self, check: CheckId) -> Option<FlightId> {
        self.by_check.get(&check).copied()
    }

    /// Ends a flight: everybody who waits gets `verdict`.
    pub(super) fn land(&mut self, id: FlightId, verdict: Result<Yes, Denial>) -> Outcome {
        let Some(flight) = self.flights.remove(&id) else { return Outcome::new() };
        self.by_token.remove(&flight.token);
        if let Some(check) = flight.sent {
            self.by_check.remove(&check);
        }
        self.orphans.retain(|orphan| *orphan != id);
        for stream in &flight.waiters {
            self.by_waiter.remove(stream);
        }
        flight.waiters.into_iter().map(|stream| (stream, verdict)).collect()
    }

    /// `stream` is gone and waits no more. The answer it would have brought is lost with it.
    pub(super) fn gone(&mut self, stream: StreamId) {
        let Some(id) = self.by_waiter.remove(&stream) else { return };
        let Some(flight) = self.flights.get_mut(&id) else { return };
        flight.waiters.retain(|waiter| *waiter != stream);
        let was_leader = flight.leader == Some(stream);
        if flight.waiters.is_empty() && (was_leader || flight.sent.is_none()) {
            // Nobody wants to know any more, and the answer would find nobody. An answer that the root
            // waits for still comes: its flight goes on, so that the next client can join it.
            self.land(id, Err(Denial::DeadlinePassed));
        } else if was_leader {
            flight.leader = None;
            if let Some(check) = flight.sent.take() {
                self.by_check.remove(&check);
            }
            self.orphans.push(id);
        }
    }

    /// The orphans' checks, to be sent again by the root.
    pub(super) fn adopt_orphans(&mut self) -> Vec<Check> {
        let orphans = core::mem::take(&mut self.orphans);
        orphans.iter().filter_map(|id| Some(self.flights.get(id)?.check.clone())).collect()
    }

    /// Ends every flight that took too long.
    pub(super) fn land_overdue(&mut self, now: Time) -> Outcome {
        let overdue: Vec<_> =
            self.flights.iter().filter(|(_, flight)| flight.overdue_at <= now).map(|(id, _)| *id).collect();
        overdue.into_iter().flat_map(|id| self.land(id, Err(Denial::DeadlinePassed))).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    pub(super) fn has_orphans(&self) -> bool {
        !self.orphans.is_empty()
    }
}
