//! The gate: events in, verdicts out.
//!
//! The order of decisions matters twice: a stranger learns nothing about the API before the token, and no
//! check is spent on what will be refused anyway. It is: host, method, upgrade, path, route; then, where the
//! route asks for one, the token's form, the body's declared length, and the *check*, one question to api-service.
//! A *flight* is a check under way and everybody who waits for it.
//!
//! What will become of a request is its *plan*, made before its token is known: forward it, or tell it
//! what strangers are not told (404, 405, 403). A *ground* (the route is public, the upstream asks by itself,
//! api-service said yes) makes the plan's forwarding a *permit*; a *verdict* carries that, or the refusal, to
//! the host.

mod permit;

use core::time::Duration;

use hashbrown::HashMap;

use crate::authn::{Answer, Authn, Check, CheckId, Decision, FlightId, StreamId, Yes};
use crate::config::Config;
use crate::denial::{Denial, Response};
use crate::path::CanonicalPath;
use crate::request::{Field, Request};
use crate::routes::{Access, Found, Lookup, Protocol, Target};
use crate::time::Time;
use crate::token::Token;
use crate::websocket;
pub use permit::Permit;
use permit::{Forwarding, Ground};

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

/// What the gateway answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The request is refused.
    Denied(Denial),
    /// `/v1/auth`: the token is good.
    TokenGood,
}

impl Reply {
    /// The answer as it goes to the client.
    pub fn response(self) -> Response {
        match self {
            Self::Denied(denial) => denial.response(),
            Self::TokenGood => Response::token_good(),
        }
    }
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

/// What becomes of a waiting request once its token is found good.
#[derive(Debug)]
enum Plan {
    Forward(Forwarding),
    Reply(Reply),
}

impl Plan {
    fn denied(denial: Denial) -> Self {
        Self::Reply(Reply::Denied(denial))
    }

    fn carry_out(self, yes: Yes) -> Verdict {
        match self {
            Self::Forward(forwarding) => Verdict::Forward(Permit::to(forwarding, Ground::Token(yes))),
            Self::Reply(reply) => Verdict::Reply(reply),
        }
    }
}

/// The decision core of one configuration.
#[derive(Debug)]
pub struct Gate {
    config: Config,
    seed: u64,
    authn: Authn,
    /// The plans of the requests that wait.
    waiting: HashMap<StreamId, Plan, foldhash::fast::FixedState>,
}

impl Gate {
    /// A gate with this configuration. `seed` is to be random.
    pub fn new(config: Config, seed: u64) -> Self {
        let authn = Authn::new(&config.authn, seed);
        let waiting = HashMap::with_hasher(foldhash::fast::FixedState::with_seed(seed));
        Self { config, seed, authn, waiting }
    }

    /// A request has come.
    pub fn on_request(&mut self, stream: StreamId, request: &Request<'_>, now: Time) -> Verdict {
        if !self.config.hosts.are_ours(request.authority) {
            return Verdict::Forward(Permit::foreign());
        }
        self.judge(stream, request, now).unwrap_or_else(|denial| Verdict::Reply(Reply::Denied(denial)))
    }

    fn judge(&mut self, stream: StreamId, request: &Request<'_>, now: Time) -> Result<Verdict, Denial> {
        let (path, lookup) = self.look_up(request)?;
        // A plan may be a refusal: after the token, because strangers get 401 and learn no more.
        let (access, plan) = match lookup {
            Lookup::Route(found) => (found.route.access, self.plan(stream, request, &path, &found)),
            Lookup::WrongMethod { access, allow } => {
                (access, Plan::denied(Denial::MethodNotAllowed { allow }))
            }
            Lookup::Nothing => (Access::Token, Plan::denied(Denial::UnknownPath)),
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
        Ok(match plan {
            Plan::Forward(forwarding) => Verdict::Forward(Permit::to(forwarding, ground)),
            Plan::Reply(reply) => Verdict::Reply(reply),
        })
    }

    /// Asks who the token belongs to; the request waits with its plan.
    fn ask(
        &mut self,
        stream: StreamId,
        request: &Request<'_>,
        plan: Plan,
        now: Time,
    ) -> Result<Verdict, Denial> {
        let token = Token::read(request.token)?;
        self.limit_length(request)?;
        let decision = self.authn.ask(stream, token, request, now)?;
        self.waiting.insert(stream, plan);
        Ok(match decision {
            Decision::Ask(check) => Verdict::Ask(check),
            Decision::Wait => Verdict::Wait,
        })
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
        let lookup = self.config.routes.find(&path, method, protocol)?;
        Ok((path, lookup))
    }

    /// A check was sent (or the host refused to, which is nothing).
    pub fn on_sent(&mut self, flight: FlightId, sent: Option<CheckId>) -> Woken {
        let outcome = self.authn.on_sent(flight, sent);
        self.verdicts(outcome)
    }

    /// The auth endpoint has answered.
    pub fn on_answer(&mut self, check: CheckId, answer: Answer<'_>) -> Woken {
        let outcome = self.authn.on_answer(check, answer);
        self.verdicts(outcome)
    }

    /// A request is over: answered, or its client has left.
    ///
    /// If it was to receive an answer that others wait for too, [`Gate::tick_period`] becomes short and
    /// the next tick asks again.
    pub fn on_gone(&mut self, stream: StreamId) {
        if self.waiting.remove(&stream).is_some() {
            self.authn.on_gone(stream);
        }
    }

    /// The root's timer.
    pub fn on_tick(&mut self, now: Time) -> Tick {
        let due = self.authn.on_tick(now);
        Tick { ask: due.ask, woken: self.verdicts(due.woken) }
    }

    /// How often the root's timer is to fire; not at all while there is nothing to do.
    pub fn tick_period(&self) -> Option<Duration> {
        self.authn.tick_period()
    }

    /// How long the body of this request may be if nobody knows its length beforehand: it has to be
    /// counted as it comes. `None` when there is nothing to count.
    pub fn body_to_count(&self, request: &Request<'_>) -> Option<u64> {
        let ours = self.config.hosts.are_ours(request.authority);
        (ours && request.needs_counting()).then_some(self.config.max_body_bytes)
    }

    /// Whether this request waits for its verdict.
    pub fn is_waiting(&self, stream: StreamId) -> bool {
        self.waiting.contains_key(&stream)
    }

    fn verdicts(&mut self, outcome: Vec<(StreamId, Result<Yes, Denial>)>) -> Woken {
        outcome
            .into_iter()
            .map(|(stream, verdict)| {
                let plan = self.waiting.remove(&stream).ok_or(Denial::GatewayError);
                let verdict = verdict
                    .and_then(|yes| Ok(plan?.carry_out(yes)))
                    .unwrap_or_else(|denial| Verdict::Reply(Reply::Denied(denial)));
                (stream, verdict)
            })
            .collect()
    }

    /// What becomes of a request for this route, should it turn out that it may pass.
    fn plan(&self, stream: StreamId, request: &Request<'_>, path: &CanonicalPath<'_>, found: &Found) -> Plan {
        if found.is_internal && !self.config.allow_internal {
            return Plan::denied(Denial::InternalOperation);
        }
        let Target::Upstream { upstream, strip } = &found.route.target else {
            return Plan::Reply(Reply::TokenGood);
        };
        let sent_path = match strip {
            Some(prefix) => Some(path.without(prefix).target()),
            None => path.is_rewritten().then(|| path.target()),
        };
        let mut remove: Vec<_> = request.gateway_owned.iter().map(|name| (*name).to_owned()).collect();
        if !upstream.keeps_token && !matches!(request.token, Field::Absent) {
            remove.push("x-token".to_owned());
        }
        let needs_key = found.route.protocol == Protocol::WebSocket && request.lacks_websocket_key();
        let set = needs_key.then(|| ("sec-websocket-key", websocket::key(self.seed, stream)));
        let set = set.into_iter().collect();
        Plan::Forward(Forwarding {
            upstream: upstream.clone(),
            path: sent_path,
            remove,
            set,
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
