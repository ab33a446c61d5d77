//! What the root and the streams of one configuration share, and how verdicts are carried out.
//!
//! It belongs to a root context and never to a static: with one `vm_id`, an old and a new configuration
//! live in the same VM until the old one's connections are drained.

use core::cell::{Cell, RefCell};
use core::time::Duration;

use gate::authn::{Check, CheckId, StreamId};
use gate::denial::{Concern, Denial};
use gate::gate::{Gate, Permit, Reply, Verdict, Woken};
use gate::request::Request;
use proxy_wasm::types::Action;

use crate::counters::Counters;
use crate::host::{self, Failed};

/// When a permit is used.
enum Moment {
    /// In the request's own header callback: its return value lets the request go on.
    Arriving,
    /// Later: the request was paused.
    Paused,
}

/// One configuration at work.
#[derive(Debug)]
pub(crate) struct Filter {
    gate: RefCell<Gate>,
    counters: Counters,
    tick_period: Cell<Option<Duration>>,
}

impl Filter {
    pub(crate) fn new(gate: Gate) -> Self {
        Self { gate: RefCell::new(gate), counters: Counters::default(), tick_period: Cell::new(None) }
    }

    /// A request has come: judges it and carries the verdict out.
    pub(crate) fn on_request(&self, stream: StreamId, request: &Request<'_>) -> Action {
        let Ok(now) = host::now() else { return refuse(&self.counters, Denial::GatewayError) };
        let verdict = self.gate.borrow_mut().on_request(stream, request, now);
        match verdict {
            Verdict::Forward(permit) => self
                .let_through(permit, &Moment::Arriving)
                .unwrap_or_else(|Failed| refuse(&self.counters, Denial::GatewayError)),
            Verdict::Reply(reply) => self.reply(reply),
            Verdict::Ask(check) => {
                // Where the host refuses at once, this request has its denial already; it stops either way.
                self.send(&check);
                self.arm_tick();
                Action::Pause
            }
            Verdict::Wait => Action::Pause,
        }
    }

    /// How long the request's body may be, if it has to be counted.
    pub(crate) fn body_to_count(&self, request: &Request<'_>) -> Option<u64> {
        self.gate.borrow().body_to_count(request)
    }

    /// Whether the request waits for its verdict.
    pub(crate) fn is_waiting(&self, stream: StreamId) -> bool {
        self.gate.borrow().is_waiting(stream)
    }

    /// The answer to a check has come, with so many headers.
    pub(crate) fn on_answer(&self, check: CheckId, headers: usize) {
        let woken = host::with_answer(headers, |answer| self.gate.borrow_mut().on_answer(check, answer));
        self.wake(woken);
    }

    /// The request is over. If others wait for the answer that it would have got, the root asks again.
    pub(crate) fn on_gone(&self, stream: StreamId) {
        self.gate.borrow_mut().on_gone(stream);
        self.arm_tick();
    }

    /// The root's timer.
    pub(crate) fn on_tick(&self) {
        let Ok(now) = host::now() else { return log::error!("the host has no time") };
        let tick = self.gate.borrow_mut().on_tick(now);
        for check in &tick.ask {
            self.send(check);
        }
        self.wake(tick.woken);
        self.arm_tick();
    }

    /// Refuses the request whose callback runs.
    pub(crate) fn refuse(&self, denial: Denial) -> Action {
        refuse(&self.counters, denial)
    }

    fn send(&self, check: &Check) {
        let sent = host::send(check);
        if sent.is_none() {
            log::warn!(
                "no check can be sent: is there a cluster {} with a host in it?",
                check.endpoint.cluster
            );
        }
        let woken = self.gate.borrow_mut().on_sent(check.flight, sent);
        self.wake(woken);
    }

    /// Sets the root's timer to what the gate wants. Without it an overdue request would wait for ever.
    fn arm_tick(&self) {
        let wanted = self.gate.borrow().tick_period();
        if wanted != self.tick_period.get() {
            match host::set_tick_period(wanted) {
                Ok(()) => self.tick_period.set(wanted),
                Err(Failed) => log::error!("the host has no timer"),
            }
        }
    }

    fn wake(&self, woken: Woken) {
        for (stream, verdict) in woken {
            if host::act_on(stream).is_err() {
                log::error!("a waiting request is not there any more");
                continue;
            }
            match verdict {
                Verdict::Forward(permit) => {
                    if self.let_through(permit, &Moment::Paused).is_err() {
                        self.refuse(Denial::GatewayError);
                    }
                }
                Verdict::Reply(reply) => {
                    self.reply(reply);
                }
                // The gate wakes nobody to make them wait; if it did, they would hang.
                Verdict::Ask(_) | Verdict::Wait => {
                    self.refuse(Denial::GatewayError);
                }
            }
        }
    }

    /// Lets the request through that the host's calls act on. This is the only function that does.
    fn let_through(&self, permit: Permit, moment: &Moment) -> Result<Action, Failed> {
        if let Some(upstream) = permit.upstream() {
            // First the state, then the headers: changing a header clears the route cache. Were it not cleared,
            // the request would meet no route, and 404.
            host::select_upstream(upstream)?;
            let mut is_cleared = false;
            for name in permit.remove() {
                host::remove_request_header(name)?;
                is_cleared = true;
            }
            for (name, value) in permit.path().map(|path| (":path", path)).into_iter().chain(permit.set()) {
                host::set_request_header(name, value)?;
                is_cleared = true;
            }
            if !is_cleared {
                host::clear_route_cache()?;
            }
            if permit.is_internal() {
                self.counters.count("internal");
                log::info!("an internal operation is used: internal: deny would refuse it");
            }
        }
        match moment {
            Moment::Arriving => {}
            Moment::Paused => host::resume_request()?,
        }
        Ok(Action::Continue)
    }

    fn reply(&self, reply: Reply) -> Action {
        match reply {
            Reply::Denied(denial) => self.refuse(denial),
            Reply::TokenGood => {
                send_reply(reply);
                Action::Pause
            }
        }
    }
}

/// Refuses the request that the host's calls act on: counted here, where the verdict is made, because
/// the reply comes back to response callbacks like an upstream's.
pub(crate) fn refuse(counters: &Counters, denial: Denial) -> Action {
    let reason = denial.reason();
    counters.count(&format!("denied.{reason}"));
    match denial.concern() {
        Concern::Client => log::debug!("refused: {reason}"),
        Concern::Operator => log::warn!("refused: {reason}"),
    }
    send_reply(Reply::Denied(denial));
    // Envoy stops either way; other hosts need not.
    Action::Pause
}

fn send_reply(reply: Reply) {
    if host::reply(&reply.response()).is_err() {
        // The request stays paused, and Envoy's request_timeout ends it.
        log::error!("the host sends no reply");
    }
}
