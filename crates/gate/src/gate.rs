//! The gate: events in, verdicts out.
//!
//! The order of decisions matters twice: a stranger learns nothing about the API before the token, and no
//! check is spent on what will be refused anyway. It is: host, method, upgrade, path, preflight, route; then, where the
//! route asks for one, the token's form, the body's declared length, and the *check*, one question to api-service.
//! A *flight* is a check under way and everybody who waits for it. `authn` knows when no check is needed.
//!
//! What will become of a request is its *plan*, made before its token is known: forward it, or tell it
//! what strangers are not told (404, 405, 403). A *ground* (the route is public, the upstream asks by itself,
//! the token is good) makes the plan's forwarding a *permit*; a *verdict* carries that, or the refusal, to
//! the host.

mod permit;
mod reply;

use std::rc::Rc;

use hashbrown::HashMap;

use crate::authn::{Answer, Authn, Check, CheckId, Decision, FlightId, Need, Outcome, StreamId};
use crate::config::Config;
use crate::cors::{self, Grant};
use crate::denial::Denial;
use crate::path::CanonicalPath;
use crate::request::{Field, Request};
use crate::routes::{Access, Found, Lookup, Protocol, Target};
use crate::tally::{Counter, Report, Tally};
use crate::time::Time;
use crate::token::Token;
use crate::websocket;
pub use permit::Permit;
use permit::{Forwarding, Ground};
pub use reply::{Reply, ReplyKind};

/// What becomes of a request.
#[derive(Debug)]
#[must_use = "a verdict that nobody carries out leaves a client waiting"]
pub enum Verdict {
    /// It may pass.
    Forward(Permit),
    /// The gateway answers it.
    Reply(Reply),
    /// It waits; send this check and report to [`Gate::on_sent`].
    Ask(Check),
    /// It waits for a check that is under way.
    Wait,
}

/// Verdicts for requests that waited.
pub type Woken = Vec<(StreamId, Verdict)>;

/// What is to be done at a tick.
#[derive(Debug)]
pub struct Tick {
    /// Checks for the root to send.
    pub ask: Vec<Check>,
    /// Requests that need not wait any longer.
    pub woken: Woken,
}

/// What becomes of a request once its token is found good.
#[derive(Debug)]
enum Plan {
    Forward(Forwarding),
    Reply(ReplyKind),
}

impl Plan {
    const fn denied(denial: Denial) -> Self {
        Self::Reply(ReplyKind::Denied(denial))
    }

    const fn is_reply(&self) -> bool {
        matches!(self, Self::Reply(_))
    }

    /// `/v1/auth` is about the token alone, and wants to know what api-service says now.
    const fn need(&self) -> Need {
        match self {
            Self::Reply(ReplyKind::TokenGood) => Need::Fresh,
            _ => Need::Any,
        }
    }
}

/// A request that waits.
#[derive(Debug)]
struct Waiting {
    plan: Plan,
    grant: Option<Grant>,
}

/// The decision core of one configuration.
#[derive(Debug)]
pub struct Gate {
    config: Config,
    seed: u64,
    authn: Authn,
    waiting: HashMap<StreamId, Waiting, foldhash::fast::FixedState>,
    tally: Tally,
}

impl Gate {
    /// A gate with this configuration. `seed` is to be random.
    pub fn new(config: Config, seed: u64) -> Self {
        let authn = Authn::new(config.authn.clone(), seed);
        let waiting = HashMap::with_hasher(foldhash::fast::FixedState::with_seed(seed));
        Self { config, seed, authn, waiting, tally: Tally::default() }
    }

    /// A request has come.
    pub fn on_request(&mut self, stream: StreamId, request: &Request<'_>, now: Time) -> Verdict {
        if !self.config.hosts.are_ours(request.authority) {
            self.tally.count(Counter::Foreign, now);
            return Verdict::Forward(Permit::foreign());
        }
        self.judge(stream, request, now).unwrap_or_else(|denial| {
            let grant = self.grant(request);
            Verdict::Reply(self.reply(ReplyKind::Denied(denial), grant.as_ref()))
        })
    }

    fn judge(&mut self, stream: StreamId, request: &Request<'_>, now: Time) -> Result<Verdict, Denial> {
        let (path, lookup) = self.look_up(request)?;
        // A plan may be a refusal: after the token, because strangers get 401 and learn no more.
        let (access, plan) = match lookup {
            Lookup::Preflight => return self.preflight(request),
            Lookup::Route(found) => (found.route.access, self.plan(stream, request, &path, &found)),
            Lookup::WrongMethod { access, allow } => {
                (access, Plan::denied(Denial::MethodNotAllowed { allow }))
            }
            Lookup::Nothing | Lookup::Undescribed(_) => (Access::Token, Plan::denied(Denial::UnknownPath)),
        };
        let ground = match access {
            Access::Token => return self.ask(stream, request, plan, now),
            Access::Public => Ground::Public,
            Access::Upstream => {
                self.require_channel(request)?;
                Ground::UpstreamAsks
            }
        };
        self.limit_length(request)?;
        let grant = if plan.is_reply() { self.grant(request) } else { None };
        Ok(self.carry_out(plan, ground, None, grant, now))
    }

    /// Asks who the token belongs to; unless that is known, the request waits with its plan.
    fn ask(
        &mut self,
        stream: StreamId,
        request: &Request<'_>,
        plan: Plan,
        now: Time,
    ) -> Result<Verdict, Denial> {
        let token = Token::read(request.token)?;
        self.limit_length(request)?;
        let decision = self.authn.judge(stream, token, plan.need(), request, now, &mut self.tally);
        if !matches!(decision, Ok(Decision::Ask(_) | Decision::Wait)) {
            self.tally.count_outcome(&decision, now);
        }
        let verdict = match decision? {
            Decision::Pass { yes, name } => {
                let grant = if plan.is_reply() { self.grant(request) } else { None };
                return Ok(self.carry_out(plan, Ground::Token(yes), name, grant, now));
            }
            Decision::Ask(check) => Verdict::Ask(check),
            Decision::Wait => Verdict::Wait,
        };
        let grant = self.grant(request);
        self.waiting.insert(stream, Waiting { plan, grant });
        Ok(verdict)
    }

    /// What is known of a request before its token: the path that is judged, and what there is for it.
    /// `gatectl explain` shows it. The host is not looked at.
    ///
    /// # Errors
    ///
    /// The denial that a request gets whatever its token.
    pub fn look_up<'a>(&self, request: &Request<'a>) -> Result<(CanonicalPath<'a>, Lookup), Denial> {
        let method = request.method()?;
        let protocol = if request.wants_websocket()? { Protocol::WebSocket } else { Protocol::Http };
        let path = CanonicalPath::read(request.path).map_err(Denial::BadPath)?;
        if self.config.cors.is_some() && cors::is_preflight(method, request.origin, request.requested_method)
        {
            return Ok((path, Lookup::Preflight));
        }
        let lookup = self.config.routes.find(&path, method, protocol)?;
        Ok((path, lookup))
    }

    /// A check was sent (or the host refused to, which is nothing).
    pub fn on_sent(&mut self, flight: FlightId, sent: Option<CheckId>, now: Time) -> Woken {
        let outcome = self.authn.on_sent(flight, sent, now, &mut self.tally);
        self.verdicts(outcome, now)
    }

    /// The auth endpoint has answered.
    pub fn on_answer(&mut self, check: CheckId, answer: &Answer<'_>, now: Time) -> Woken {
        let outcome = self.authn.on_answer(check, answer, now, &mut self.tally);
        self.verdicts(outcome, now)
    }

    /// A request is over: answered, or its client has left.
    pub fn on_gone(&mut self, stream: StreamId) {
        if self.waiting.remove(&stream).is_some() {
            self.authn.on_gone(stream);
        }
    }

    /// The root's timer.
    pub fn on_tick(&mut self, now: Time) -> Tick {
        let due = self.authn.on_tick(now, &mut self.tally);
        Tick { ask: due.ask, woken: self.verdicts(due.woken, now) }
    }

    /// When the root's timer is to fire next; not at all while there is nothing to do.
    pub fn next_tick(&self) -> Option<Time> {
        [self.authn.next_tick(), self.tally.due_at()].into_iter().flatten().min()
    }

    /// What has happened since this was asked last. The next report is due at the next tick after 250 ms.
    pub fn take_report(&mut self) -> Report {
        self.tally.report()
    }

    /// How long the body of this request may be if nobody knows its length beforehand: it has to be
    /// counted as it comes. `None` when there is nothing to count.
    pub fn body_to_count(&self, request: &Request<'_>) -> Option<u64> {
        let ours = self.config.hosts.are_ours(request.authority);
        (ours && request.needs_counting()).then_some(self.config.max_body_bytes)
    }

    /// Which scripts may read what the gateway itself answers to this request; nothing without `cors`.
    pub fn grant(&self, request: &Request<'_>) -> Option<Grant> {
        self.config.cors.as_ref()?.grant(request.origin)
    }

    /// A refusal that the host found out about, for a request with this grant.
    pub fn refusal(&self, denial: Denial, grant: Option<&Grant>) -> Reply {
        self.reply(ReplyKind::Denied(denial), grant)
    }

    /// Whether this request waits for its verdict.
    pub fn is_waiting(&self, stream: StreamId) -> bool {
        self.waiting.contains_key(&stream)
    }

    fn verdicts(&mut self, outcome: Outcome, now: Time) -> Woken {
        let verdict = |(stream, outcome)| {
            self.tally.count_outcome(&outcome, now);
            let verdict = match (self.waiting.remove(&stream), outcome) {
                (Some(Waiting { plan, grant }), Ok(yes)) => {
                    self.carry_out(plan, Ground::Token(yes), None, grant, now)
                }
                (Some(Waiting { grant, .. }), Err(denial)) => {
                    Verdict::Reply(self.refusal(denial, grant.as_ref()))
                }
                (None, _) => Verdict::Reply(self.refusal(Denial::GatewayError, None)),
            };
            (stream, verdict)
        };
        outcome.into_iter().map(verdict).collect()
    }

    /// The plan's verdict, now that the request may pass. `name` is the local token's.
    fn carry_out(
        &mut self,
        plan: Plan,
        ground: Ground,
        name: Option<Rc<str>>,
        grant: Option<Grant>,
        now: Time,
    ) -> Verdict {
        match plan {
            Plan::Forward(mut forwarding) => {
                if forwarding.is_internal {
                    self.tally.count(Counter::Internal, now);
                }
                forwarding.client = name.filter(|_| self.config.client_header);
                Verdict::Forward(Permit::to(forwarding, ground))
            }
            Plan::Reply(kind) => Verdict::Reply(self.reply(kind, grant.as_ref())),
        }
    }

    fn reply(&self, kind: ReplyKind, grant: Option<&Grant>) -> Reply {
        Reply::new(kind, self.config.cors.as_ref(), grant)
    }

    fn preflight(&self, request: &Request<'_>) -> Result<Verdict, Denial> {
        let grant = self.grant(request).ok_or(Denial::OriginNotAllowed)?;
        Ok(Verdict::Reply(self.reply(ReplyKind::Preflight, Some(&grant))))
    }

    /// What becomes of a request for this route, should it turn out that it may pass.
    fn plan(&self, stream: StreamId, request: &Request<'_>, path: &CanonicalPath<'_>, found: &Found) -> Plan {
        if found.is_internal && !self.config.allow_internal {
            return Plan::denied(Denial::InternalOperation);
        }
        let Target::Upstream { upstream, strip } = &found.route.target else {
            return Plan::Reply(ReplyKind::TokenGood);
        };
        let sent_path = match strip {
            Some(prefix) => Some(path.without(prefix).target()),
            None => path.is_rewritten().then(|| path.target()),
        };
        let needs_key = found.route.protocol == Protocol::WebSocket && request.lacks_websocket_key();
        let set = needs_key.then(|| ("sec-websocket-key", websocket::key(self.seed, stream)));
        let set = set.into_iter().collect();
        Plan::Forward(Forwarding {
            upstream: upstream.clone(),
            path: sent_path,
            remove: request.gateway_owned.iter().map(|name| (*name).to_owned()).collect(),
            removes_token: !upstream.keeps_token && !matches!(request.token, Field::Absent),
            set,
            client: None,
            is_internal: found.is_internal,
        })
    }

    fn limit_length(&self, request: &Request<'_>) -> Result<(), Denial> {
        match request.declared_length()? {
            Some(length) if length > self.config.max_body_bytes => Err(Denial::BodyTooLarge),
            _ => Ok(()),
        }
    }

    /// The WebSocket's own token, which api-service will verify.
    fn require_channel(&self, request: &Request<'_>) -> Result<(), Denial> {
        websocket::check_channel_token(request.channel_token)?;
        if self.config.require_channel_id && request.channel_id.once().is_none_or(<[u8]>::is_empty) {
            return Err(Denial::NoChannelId);
        }
        Ok(())
    }
}
