//! What the root and the streams of one configuration share, and how verdicts are carried out.
//!
//! It belongs to a root context and never to a static: with one `vm_id`, an old and a new configuration
//! live in the same VM until the old one's connections are drained.

use core::cell::{Cell, RefCell};

use gate::authn::{Check, CheckId, StreamId};
use gate::cors::Grant;
use gate::denial::Denial;
use gate::gate::{Gate, Permit, Reply, Verdict};
use gate::request::Request;
use gate::time::Time;
use proxy_wasm::types::Action;

use crate::counters::Counters;
use crate::host::{self, Failed};
use crate::timer::Timer;
use crate::waking::Waking;

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
    /// The root context that this belongs to.
    root: u32,
    gate: RefCell<Gate>,
    counters: Counters,
    timer: Cell<Timer>,
    /// Checks that the root is to send, and the time.
    outbox: RefCell<Vec<(Check, Time)>>,
    /// The request whose header callback sends a check, and what that callback is to return.
    asking: Cell<Option<(StreamId, Action)>>,
    waking: Waking,
}

impl Filter {
    pub(crate) fn new(root: u32, gate: Gate) -> Self {
        let counters = Counters::default();
        counters.define();
        let filter = Self {
            root,
            gate: RefCell::new(gate),
            counters,
            timer: Cell::default(),
            outbox: RefCell::default(),
            asking: Cell::default(),
            waking: Waking::default(),
        };
        match host::now() {
            Ok(now) => filter.set_timer(now),
            Err(Failed) => log::error!("the host has no time"),
        }
        filter
    }

    /// A request has come: judges it and carries the verdict out.
    pub(crate) fn on_request(&self, stream: StreamId, request: &Request<'_>) -> Action {
        let Ok(now) = host::now() else {
            return self.refuse(Denial::GatewayError, self.grant(request).as_ref());
        };
        let verdict = self.gate.borrow_mut().on_request(stream, request, now);
        let action = match verdict {
            Verdict::Forward(permit) => self
                .let_through(permit, &Moment::Arriving)
                .unwrap_or_else(|Failed| self.refuse(Denial::GatewayError, self.grant(request).as_ref())),
            Verdict::Reply(reply) => self.reply(reply),
            Verdict::Ask(check) => {
                self.asking.set(Some((stream, Action::Pause)));
                self.outbox.borrow_mut().push((check, now));
                host::call_root(self.root);
                // Where the host refuses at once, this request has its verdict already.
                self.asking.take().map_or(Action::Pause, |(_, action)| action)
            }
            Verdict::Wait => Action::Pause,
        };
        self.set_timer(now);
        action
    }

    /// How long the request's body may be, if it has to be counted.
    pub(crate) fn body_to_count(&self, request: &Request<'_>) -> Option<u64> {
        self.gate.borrow().body_to_count(request)
    }

    /// Which scripts may read a refusal of this request.
    pub(crate) fn grant(&self, request: &Request<'_>) -> Option<Grant> {
        self.gate.borrow().grant(request)
    }

    /// Whether the request waits for its verdict.
    pub(crate) fn is_waiting(&self, stream: StreamId) -> bool {
        self.gate.borrow().is_waiting(stream) || self.waking.contains(stream)
    }

    /// The request is over.
    pub(crate) fn on_gone(&self, stream: StreamId) {
        self.gate.borrow_mut().on_gone(stream);
        self.waking.forget(stream);
    }

    /// Sends the checks that streams have left for the root, whose callback this is.
    pub(crate) fn send_outbox(&self) {
        for (check, now) in self.outbox.take() {
            self.send(&check, now);
        }
        self.wake();
    }

    /// The answer to a check has come, with so many headers.
    pub(crate) fn on_answer(&self, check: CheckId, headers: usize) {
        let Ok(now) = host::now() else { return log::error!("the host has no time") };
        let woken = host::with_answer(headers, |answer| self.gate.borrow_mut().on_answer(check, answer, now));
        self.waking.extend(woken);
        self.wake();
        self.set_timer(now);
    }

    /// The root's timer.
    pub(crate) fn on_tick(&self) {
        let Ok(now) = host::now() else { return log::error!("the host has no time") };
        let tick = self.gate.borrow_mut().on_tick(now);
        for check in &tick.ask {
            self.send(check, now);
        }
        self.waking.extend(tick.woken);
        self.wake();
        let report = self.gate.borrow_mut().take_report();
        self.counters.write_report(&report);
        for notice in report.notices {
            if notice.is_good() {
                log::info!("{}", notice.text());
            } else {
                log::warn!("{}", notice.text());
            }
        }
        self.timer.set(self.timer.get().fired(self.next_tick(now), now));
    }

    /// Refuses the request that the host's calls act on. `grant` says which scripts may read that.
    pub(crate) fn refuse(&self, denial: Denial, grant: Option<&Grant>) -> Action {
        let reply = self.gate.borrow().refusal(denial, grant);
        self.reply(reply)
    }

    fn send(&self, check: &Check, now: Time) {
        let woken = self.gate.borrow_mut().on_sent(check.flight, host::send(check), now);
        self.waking.extend(woken);
    }

    /// Sets the root's timer to what the gate wants. Without it nothing is asked in the background, and nothing counted.
    fn set_timer(&self, now: Time) {
        self.timer.set(self.timer.get().wanted(self.next_tick(now), now));
    }

    fn next_tick(&self, now: Time) -> Option<Time> {
        if self.waking.is_empty() { self.gate.borrow().next_tick() } else { Some(now) }
    }

    /// Carries out verdicts on requests that waited: once in a callback, so that the others' turn comes from the timer.
    fn wake(&self) {
        for (stream, verdict) in self.waking.take() {
            if host::act_on(stream).is_err() {
                log::error!("a waiting request is not there any more");
                continue;
            }
            match verdict {
                Verdict::Forward(permit) => {
                    // A request that is resumed in its own callback and then paused by it hangs: Envoy sends its
                    // headers, and never its body (`a_check_that_is_refused_at_once_holds_up_no_body`).
                    let is_arriving = self.asking.get().is_some_and(|(asking, _)| asking == stream);
                    let moment = if is_arriving { Moment::Arriving } else { Moment::Paused };
                    match self.let_through(permit, &moment) {
                        Ok(action) if is_arriving => self.asking.set(Some((stream, action))),
                        Ok(_) => {}
                        Err(Failed) => {
                            self.refuse(Denial::GatewayError, None);
                        }
                    }
                }
                Verdict::Reply(reply) => {
                    self.reply(reply);
                }
                // The gate wakes nobody to make them wait; if it did, they would hang.
                Verdict::Ask(_) | Verdict::Wait => {
                    self.refuse(Denial::GatewayError, None);
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
                log::info!("an internal operation is used: internal: deny would refuse it");
            }
        }
        match moment {
            Moment::Arriving => {}
            Moment::Paused => host::resume_request()?,
        }
        Ok(Action::Continue)
    }

    /// Answers the request that the host's calls act on. A refusal is counted here, where the verdict is carried
    /// out: nothing else of a reply comes by here.
    fn reply(&self, reply: Reply) -> Action {
        if let Some(denial) = reply.denial() {
            let reason = denial.reason();
            self.counters.count_refusal(reason);
            if denial.is_our_fault() {
                log::warn!("refused: {reason}");
            } else {
                log::debug!("refused: {reason}");
            }
        }
        if host::reply(&reply.response()).is_err() {
            // The request stays paused, and Envoy's request_timeout ends it.
            log::error!("the host sends no reply");
        }
        // Envoy stops either way; other hosts need not.
        Action::Pause
    }
}

/// Refuses the request whose callback runs, when there is no configuration to refuse it by.
pub(crate) fn refuse_unconfigured() -> Action {
    let denial = Denial::GatewayError;
    Counters::default().count_refusal(denial.reason());
    log::warn!("refused: there is no configuration");
    if host::reply(&denial.response()).is_err() {
        log::error!("the host sends no reply");
    }
    Action::Pause
}
