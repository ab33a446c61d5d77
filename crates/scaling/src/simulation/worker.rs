//! A worker: one gate, and what its host does for it.

use std::collections::HashMap;
use std::time::Duration;

use gate::authn::{Check, CheckId, FlightId, StreamId};
use gate::config::Config;
use gate::denial::Denial;
use gate::gate::{Gate, Verdict, Woken};
use gate::time::Time;

/// A request that waits for its verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) token: Option<u32>,
    pub(super) came_at: Duration,
}

/// A request that waits no more: whether it may pass.
pub(super) type Judged = (Waiting, Result<(), Denial>);

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) gate: Gate,
    /// How often it has been restarted: what was asked before is answered to nobody.
    pub(super) life: u32,
    /// When its timer fires; nothing: it is off.
    pub(super) ticks_at: Option<Duration>,
    waiting: HashMap<StreamId, Waiting>,
    checks: u32,
}

impl Worker {
    pub(super) fn new(config: Config, seed: u64) -> Self {
        let gate = Gate::new(config, seed);
        Self { gate, life: 0, ticks_at: None, waiting: HashMap::new(), checks: 0 }
    }

    /// It begins anew and knows nothing. Whoever waits goes with it.
    pub(super) fn restart(&mut self, config: Config, seed: u64) {
        let life = self.life + 1;
        *self = Self { life, ..Self::new(config, seed) };
    }

    pub(super) fn wait(&mut self, stream: StreamId, waiting: Waiting) {
        self.waiting.insert(stream, waiting);
    }

    /// The host has sent a check, under this number.
    pub(super) fn sent(&mut self, flight: FlightId, now: Duration) -> CheckId {
        self.checks += 1;
        let check = CheckId(self.checks);
        let woken = self.gate.on_sent(flight, Some(check), at(now));
        assert!(woken.is_empty(), "a check that was sent decides nothing yet");
        check
    }

    /// Its timer has fired: what is to be asked, and who waits no more.
    pub(super) fn tick(&mut self, now: Duration) -> (Vec<Check>, Vec<Judged>) {
        self.ticks_at = None;
        let tick = self.gate.on_tick(at(now));
        (tick.ask, self.judged(tick.woken))
    }

    /// Who waits no more.
    pub(super) fn judged(&mut self, woken: Woken) -> Vec<Judged> {
        let judged = |(stream, verdict)| {
            let waiting = self.waiting.remove(&stream).expect("only who waits is woken");
            (waiting, may_pass(&verdict).expect("nobody is woken to wait"))
        };
        woken.into_iter().map(judged).collect()
    }

    /// When its timer has to be set anew: the gate wants a tick then, and there is none as early. What was counted is dropped:
    /// the host would write it four times a second, and nobody reads it here.
    pub(super) fn wants_tick(&mut self, now: Duration) -> Option<Duration> {
        drop(self.gate.take_report());
        let wanted = self.gate.next_tick()?.since(at(Duration::ZERO)).max(now);
        if self.ticks_at.is_some_and(|ticks_at| ticks_at <= wanted) {
            return None;
        }
        self.ticks_at = Some(wanted);
        Some(wanted)
    }
}

/// Whether a request may pass; nothing: it has to wait.
pub(super) fn may_pass(verdict: &Verdict) -> Option<Result<(), Denial>> {
    match verdict {
        Verdict::Forward(_) => Some(Ok(())),
        Verdict::Reply(reply) => {
            Some(Err(reply.denial().expect("no request asks for the gateway's own answer")))
        }
        Verdict::Ask(_) | Verdict::Wait => None,
    }
}

pub(super) const fn at(now: Duration) -> Time {
    Time::since_start(now)
}
