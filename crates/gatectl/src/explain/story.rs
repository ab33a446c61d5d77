//! What happens to a request, step by step, in the order in which the gate decides: as values, from which text and JSON
//! are made.

use core::net::IpAddr;

use gate::request::{Method, Methods};
use gate::routes::{Access, Protocol, Target};
use serde::Serialize;

use super::head::Origin;
use super::near::Near;
use super::path::Path;
use crate::outcome::Exit;

/// The whole of it. What was not looked at any more is null.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    pub(super) request: Asked,
    /// What the reader should know of how the request was read.
    pub(super) notes: Vec<String>,
    pub(super) path: Option<Path>,
    /// It is a browser's question, which is answered before any route.
    pub(super) preflight: bool,
    /// Which policy holds for this path.
    pub(super) policy: Option<Policy>,
    /// The route for the request.
    pub(super) route: Option<Route>,
    /// Whether it, or its upstream, describes the request. Null where nobody asks, under the policy `open`.
    pub(super) described: Option<bool>,
    /// What the upstream describes for it.
    pub(super) operation: Option<Operation>,
    /// What gets this path with which method, when nothing gets it with this one.
    pub(super) other_methods: Vec<Route>,
    /// The routes that came close, the nearest first.
    pub(super) near: Vec<Near>,
    /// How many more there are.
    pub(super) near_left_out: usize,
    /// The API marks the operation as internal.
    pub(super) internal: bool,
    pub(super) access: Option<&'static str>,
    /// The token's form: `none`, `one`, `many` or `malformed`.
    pub(super) token: Option<&'static str>,
    /// The entry of the configuration's `tokens` that it is in.
    pub(super) local_token: Option<LocalToken>,
    pub(super) check: Check,
    pub(super) verdict: Verdict,
    /// Why the request is refused.
    pub(super) reason: Option<&'static str>,
    /// What the upstream would receive. Of a body that is too long it receives a part, and then the connection ends.
    pub(super) forwarded: Option<Forwarded>,
    /// What the client would receive from the gateway itself.
    pub(super) response: Option<Response>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// The request is sent on.
    Forwarded,
    /// The gateway refuses it.
    Refused,
    /// The gateway answers it with success.
    Answered,
    /// Its host is not ours: it is left alone.
    Foreign,
}

impl Verdict {
    pub(super) const fn exit(self) -> Exit {
        match self {
            Self::Forwarded | Self::Answered | Self::Foreign => Exit::Good,
            Self::Refused => Exit::Bad,
        }
    }
}

/// The request. Of what has the wrong form nothing is shown: it may be the token, misplaced.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    /// Null when it is none of those that pass.
    pub(super) method: Option<&'static str>,
    /// Null when there is none, or it cannot be one.
    pub(super) host: Option<String>,
    pub(super) host_is_given: bool,
    pub(super) client: Option<IpAddr>,
    pub(super) websocket: bool,
    pub(super) body: AskedBody,
}

#[derive(Debug, Serialize)]
pub(super) struct AskedBody {
    /// Null when nobody knows.
    pub(super) bytes: Option<u64>,
    /// The client says how long it is, before it comes.
    pub(super) declared: bool,
    /// The longest that passes.
    pub(super) limit: Option<u64>,
}

/// A route, as people write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) methods: Vec<&'static str>,
    pub(super) websocket: bool,
    pub(super) access: &'static str,
    /// Null when it is answered here.
    pub(super) upstream: Option<String>,
    /// The prefix that the upstream does not get.
    pub(super) strip: Option<String>,
}

impl Route {
    pub(super) fn of(route: &gate::routes::Route) -> Self {
        let (upstream, strip) = match &route.target {
            Target::Upstream { upstream, strip } => {
                (Some(upstream.name.to_string()), strip.as_ref().map(ToString::to_string))
            }
            Target::TokenCheck => (None, None),
        };
        Self {
            path: route.template.to_string(),
            methods: names(route.methods),
            websocket: route.protocol == Protocol::WebSocket,
            access: access(route.access),
            upstream,
            strip,
        }
    }

    /// Whether both are for the same paths, whatever the methods.
    pub(super) fn is_for_paths_of(&self, other: &Self) -> bool {
        (&self.path, self.websocket, &self.upstream) == (&other.path, other.websocket, &other.upstream)
    }
}

/// What the policy says about a path.
#[derive(Debug, Serialize)]
pub(super) struct Policy {
    pub(super) name: &'static str,
    /// Where the configuration says so, or would.
    pub(super) key: String,
    pub(super) prefix: Option<String>,
}

/// An operation that an upstream describes, as it sees it.
#[derive(Debug, Serialize)]
pub(super) struct Operation {
    pub(super) upstream: String,
    pub(super) path: String,
    pub(super) methods: Vec<&'static str>,
    pub(super) internal: bool,
}

pub(super) fn names(methods: Methods) -> Vec<&'static str> {
    methods.iter().map(Method::name).collect()
}

pub(super) const fn access(access: Access) -> &'static str {
    match access {
        Access::Token => "token",
        Access::Public => "public",
        Access::Upstream => "upstream",
    }
}

/// An entry of `tokens`.
#[derive(Debug, Serialize)]
pub(super) struct LocalToken {
    pub(super) name: String,
    /// It is so now.
    pub(super) valid: bool,
    /// It is good for `/v1/auth` as well.
    pub(super) api: bool,
}

/// The question to the auth service.
#[derive(Debug, Default, Serialize)]
pub(super) struct Check {
    pub(super) asked: bool,
    /// Why nobody is asked.
    pub(super) why_not: Option<&'static str>,
    pub(super) cluster: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) timeout_ms: Option<u128>,
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) headers: Vec<Header>,
    /// What is supposed to be its answer.
    pub(super) answer: Option<String>,
}

/// A header line.
#[derive(Debug, Serialize)]
pub(super) struct Header {
    pub(super) name: String,
    /// Only where the gateway, and not the client, says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// What on the command line says it: the number of the `-H`, from 1, or what else it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) as_sent: Option<Origin>,
}

#[derive(Debug, Serialize)]
pub(super) struct Forwarded {
    /// Null for a request that is left alone.
    pub(super) upstream: Option<String>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<Header>,
    /// Names of the client's lines that are taken away.
    pub(super) removed: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<Header>,
    pub(super) body: String,
    /// Envoy's response-code details, in its access log.
    pub(super) details: String,
}
