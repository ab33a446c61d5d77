//! From a request to its story: the gate decides, and what it decided is put down.

use core::net::IpAddr;
use core::time::Duration;
use std::time::SystemTime;

use gate::authn::{self, CheckId, StreamId};
use gate::config::Config;
use gate::denial::Denial;
use gate::gate::{Gate, Permit, Reply, ReplyKind, Verdict as Decision};
use gate::request::{Environment, Method, Request};
use gate::time::{Time, Wall};

use super::answer::Answer;
use super::head::{Body, Head, Origin};
use super::route;
use super::story::{Asked, AskedBody, Check, Forwarded, Header, Response, Story, Verdict};

/// There is one request.
const STREAM: StreamId = StreamId(1);
const CHECK: CheckId = CheckId(1);

/// What is supposed.
#[derive(Debug)]
pub(super) struct Suppose {
    pub(super) client: Option<IpAddr>,
    pub(super) answer: Answer,
    pub(super) retry_after: Option<Vec<u8>>,
    /// All routes that came close are wanted.
    pub(super) all: bool,
}

/// The validity of local tokens is judged as of now.
impl Environment for Suppose {
    fn client(&self) -> Option<IpAddr> {
        self.client
    }

    fn wall(&self) -> Option<Wall> {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok().map(Wall::since_epoch)
    }
}

/// What becomes of the request. Nothing only if the gate decides nothing, which it never does of one request.
pub(super) fn tell(head: &Head, config: &Config, suppose: &Suppose, notes: Vec<String>) -> Option<Story> {
    let mut gate = Gate::new(config.clone(), 0);
    let request = Request::read(head.pairs(), head.ends(), suppose);
    let (mut check, decision) = decide(&mut gate, &request, head, suppose);

    let mut story = Story {
        request: asked(&gate, &request, head, suppose),
        notes,
        path: None,
        preflight: false,
        policy: None,
        route: None,
        described: None,
        operation: None,
        other_methods: Vec::new(),
        near: Vec::new(),
        near_left_out: 0,
        internal: false,
        access: None,
        token: None,
        local_token: None,
        check: Check::default(),
        verdict: Verdict::Foreign,
        reason: None,
        forwarded: None,
        response: None,
    };
    let is_foreign = matches!(&decision, Some(Decision::Forward(permit)) if permit.upstream().is_none());
    if !is_foreign {
        route::tell(&mut story, &gate, config, head, &request, suppose);
    }
    match decision? {
        Decision::Forward(permit) => {
            story.forwarded = Some(forwarded(head, &permit));
            let limit = gate.body_to_count(&request);
            if !is_foreign
                && let (Some(limit), Body::Bytes(length)) = (limit, head.body)
                && length > limit
            {
                // As the filter counts it.
                let reply = gate.refusal(Denial::BodyTooLarge, gate.grant(&request).as_ref());
                tell_reply(&mut story, reply);
            } else if !is_foreign {
                story.verdict = Verdict::Forwarded;
            }
        }
        Decision::Reply(reply) => tell_reply(&mut story, reply),
        Decision::Ask(_) | Decision::Wait => return None,
    }
    if !check.asked {
        check.why_not = Some(match (story.verdict, story.access) {
            (Verdict::Foreign, _) => "the host is not one of \"hosts\"",
            _ if story.preflight => "a browser asks about \"cors\" without a token",
            (_, Some("public")) => "the route is public",
            (_, Some("upstream")) => "the upstream asks by itself",
            (Verdict::Refused, _) if !is_after_token(story.reason) => "the request is refused before",
            _ => "the token's hash is one of \"tokens\"",
        });
    }
    story.check = check;
    Some(story)
}

/// Whether a request is refused so only once its token is known to be good.
fn is_after_token(reason: Option<&str>) -> bool {
    matches!(reason, Some("unknown_path" | "method_not_allowed" | "internal_operation"))
}

/// Asks the gate, and answers it.
fn decide(
    gate: &mut Gate,
    request: &Request<'_>,
    head: &Head,
    suppose: &Suppose,
) -> (Check, Option<Decision>) {
    let now = Time::since_start(Duration::ZERO);
    let asks = match gate.on_request(STREAM, request, now) {
        Decision::Ask(check) => check,
        other => return (Check::default(), Some(other)),
    };
    let mut answer = suppose.answer.to_string();
    let woken = match suppose.answer {
        Answer::Refused => gate.on_sent(asks.flight, None, now),
        Answer::Status(status) => {
            // Nobody waited before.
            drop(gate.on_sent(asks.flight, Some(CHECK), now));
            let status = status.to_string();
            let mut pairs = vec![(":status", status.as_bytes())];
            if let Some(seconds) = &suppose.retry_after {
                pairs.push(("retry-after", seconds));
                answer.push_str(", with Retry-After");
            }
            gate.on_answer(CHECK, &authn::Answer::read(pairs), now)
        }
    };
    let headers = asks.headers();
    let of = |wanted| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
    let check = Check {
        asked: true,
        why_not: None,
        cluster: Some(asks.endpoint.cluster.to_string()),
        authority: of(":authority"),
        timeout_ms: Some(asks.endpoint.timeout.as_millis()),
        method: of(":method"),
        path: of(":path"),
        headers: headers
            .iter()
            .filter(|(name, _)| !name.starts_with(':'))
            .map(|(name, value)| {
                // All others are the client's.
                let is_gateways =
                    matches!(*name, "content-length" | "x-forwarded-for") || name.starts_with("x-envoy-");
                let origin = head.first(name).filter(|_| !is_gateways).map(|line| line.origin);
                let value = is_gateways.then(|| (*value).to_owned());
                Header { name: (*name).to_owned(), value, as_sent: origin }
            })
            .collect(),
        answer: Some(answer),
    };
    let woken = woken.into_iter().find(|(stream, _)| *stream == STREAM);
    (check, woken.map(|(_, verdict)| verdict))
}

fn asked(gate: &Gate, request: &Request<'_>, head: &Head, suppose: &Suppose) -> Asked {
    let is_of_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    let host = head.host.as_ref().map(|(host, _)| host);
    // A body of unknown length is counted up to the limit, which is how the gate tells it.
    let authority = host.map(|host| (":authority", host.as_slice()));
    let limit = gate.body_to_count(&Request::read(authority, false, suppose));
    Asked {
        method: request.method().ok().map(Method::name),
        host: host
            .filter(|host| !host.is_empty() && host.iter().all(is_of_host))
            .map(|host| String::from_utf8_lossy(host).into_owned()),
        host_is_given: host.is_some(),
        client: suppose.client,
        websocket: request.wants_websocket() == Ok(true),
        body: AskedBody {
            bytes: match head.body {
                Body::None => Some(0),
                Body::Bytes(length) => Some(length),
                Body::Unknown => head.declared(),
            },
            declared: head.has("content-length"),
            limit,
        },
    }
}

fn forwarded(head: &Head, permit: &Permit) -> Forwarded {
    let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let is_removed = |name: &str| permit.remove().any(|removed| is(removed, name));
    let host = head.host.as_ref().map(|(_, origin)| ("host", *origin));
    let lines = host.into_iter().chain(head.lines.iter().map(|line| (line.name.as_str(), line.origin)));
    let is_set = |name: &str| permit.set().any(|(set, _)| is(set, name));
    let kept = lines.filter(|(name, _)| !is_removed(name) && !is_set(name));
    let as_sent =
        |(name, origin): (&str, Origin)| Header { name: name.to_owned(), value: None, as_sent: Some(origin) };
    let set = |(name, value): (&str, &str)| Header {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        as_sent: None,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // What follows a space may be a header line.
    let word = |bytes: &[u8]| text(bytes.split(u8::is_ascii_whitespace).next().unwrap_or_default());
    let as_is = || word(head.target.as_deref().unwrap_or_default());
    Forwarded {
        upstream: permit.upstream().map(ToString::to_string),
        method: word(&head.method),
        path: permit.path().map_or_else(as_is, str::to_owned),
        headers: kept.map(as_sent).chain(permit.set().map(set)).collect(),
        removed: permit.remove().map(str::to_owned).collect(),
    }
}

fn tell_reply(story: &mut Story, reply: Reply) {
    let kind = reply.kind();
    let response = reply.response();
    (story.verdict, story.reason) = match kind {
        ReplyKind::Denied(denial) => (Verdict::Refused, Some(denial.reason())),
        ReplyKind::TokenGood | ReplyKind::Preflight => (Verdict::Answered, None),
    };
    let header =
        |(name, value): (&str, String)| Header { name: name.to_owned(), value: Some(value), as_sent: None };
    story.response = Some(Response {
        status: response.status,
        headers: response.headers.into_iter().map(header).collect(),
        // As for every HEAD.
        body: if story.request.method == Some("HEAD") { String::new() } else { response.body },
        details: response.details,
    });
}
