//! `gatectl explain`.

use core::net::IpAddr;
use core::time::Duration;
use std::time::SystemTime;

use gate::authn::{self, CheckId, StreamId};
use gate::config::Config;
use gate::denial::Denial;
use gate::gate::{Gate, Permit, Reply, ReplyKind, Verdict};
use gate::path::CanonicalPath;
use gate::request::{Environment, Field, Method, Methods, Request};
use gate::routes::{Access, Lookup, Protocol};
use gate::time::{Time, Wall};
use gate::token::Token;
use serde_json::Value;

use crate::cli::ExplainArgs;
use crate::input;
use crate::lines::Lines;
use crate::outcome::{Exit, Outcome};
use crate::request::{Answer, Head};
use crate::source::Source;

/// There is one request.
const STREAM: StreamId = StreamId(1);
const CHECK: CheckId = CheckId(1);

/// The client has no address, and the validity of local tokens is judged as of now.
struct Now;

impl Environment for Now {
    fn client(&self) -> Option<IpAddr> {
        None
    }

    fn wall(&self) -> Option<Wall> {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok().map(Wall::since_epoch)
    }
}

pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let mut outcome = Outcome::default();
    let prepared = Head::read(args)
        .map_err(|why| format!("gatectl: {why}"))
        .and_then(|head| Ok((head, configuration(args)?)));
    match prepared {
        Ok((head, config)) => {
            let (lines, exit) = explain(&head, config, args.answer);
            outcome.stdout = lines.to_string();
            outcome.at_least(exit);
        }
        Err(why) => outcome.cannot_run(&why),
    }
    outcome
}

/// The configuration that the arguments name.
fn configuration(args: &ExplainArgs) -> Result<Config, String> {
    let Some(path) = &args.config else {
        return Config::from_value(&Value::Null).map_err(|problems| problems.to_string());
    };
    let mut source = Source::read(path)?;
    let mut judged = input::judge(&mut source)?;
    let notes: Vec<_> =
        judged.iter().flat_map(|judged| &judged.notes).map(|note| source.show(note)).collect();
    if !notes.is_empty() {
        return Err(notes.join("\n"));
    }
    match (judged.pop().and_then(|judged| judged.config), judged.is_empty()) {
        (Some(config), true) => Ok(config),
        _ => Err(format!("{}: there is more than one configuration in it", source.name())),
    }
}

fn explain(head: &Head, config: Config, answer: Answer) -> (Lines, Exit) {
    let mut lines = Lines::default();
    let mut gate = Gate::new(config, 0);
    let request = Request::read(head.pairs(), true, &Now);
    let now = Time::since_start(Duration::ZERO);
    let first = gate.on_request(STREAM, &request, now);
    let (verdict, was_asked) = match first {
        Verdict::Ask(check) => {
            let woken = match answer {
                Answer::Refused => gate.on_sent(check.flight, None, now),
                Answer::Status(status) => {
                    // Nobody waited before.
                    drop(gate.on_sent(check.flight, Some(CHECK), now));
                    gate.on_answer(CHECK, &authn::Answer::of(status), now)
                }
            };
            (woken.into_iter().find(|(stream, _)| *stream == STREAM).map(|(_, verdict)| verdict), true)
        }
        other => (Some(other), false),
    };

    tell_request(head, &request, &mut lines);
    let is_foreign = matches!(&verdict, Some(Verdict::Forward(permit)) if permit.upstream().is_none());
    let access = if is_foreign { None } else { tell_route(&gate, head, &request, &mut lines) };
    let has_passed = match &verdict {
        Some(Verdict::Reply(reply)) => reply.kind() == ReplyKind::TokenGood,
        verdict => matches!(verdict, Some(Verdict::Forward(_))),
    };
    if access == Some(Access::Token) && has_passed && !was_asked {
        lines.add("answer", "not needed: the token's hash is one of \"tokens\"");
    }
    if was_asked {
        lines.add("answer", format!("{answer} (supposed; --answer supposes another)"));
    }
    let exit = match verdict {
        Some(Verdict::Forward(permit)) => tell_permit(&permit, head, &request, &mut lines),
        Some(Verdict::Reply(reply)) => tell_reply(reply, &mut lines),
        // One request waits for nobody else's check, and every answer wakes who waits for it.
        Some(Verdict::Ask(_) | Verdict::Wait) | None => {
            lines.add("verdict", "none, which is a mistake of gatectl's");
            Exit::Bad
        }
    };
    (lines, exit)
}

/// What the client sends. Of what has the wrong form nothing is shown: it may be the token, misplaced.
fn tell_request(head: &Head, request: &Request<'_>, lines: &mut Lines) {
    let method = request.method().map_or("none of those that pass", Method::name);
    lines.add("method", method);
    let is_of_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    lines.add(
        "host",
        match head.get(":authority") {
            None => "not given".to_owned(),
            Some(host) if host.iter().all(is_of_host) => String::from_utf8_lossy(host).into_owned(),
            Some(_) => "not a host's name".to_owned(),
        },
    );
}

/// What the gate finds before it asks anybody: who would be asked.
fn tell_route(gate: &Gate, head: &Head, request: &Request<'_>, lines: &mut Lines) -> Option<Access> {
    let raw = head.get(":path").unwrap_or_default();
    let as_sent = || String::from_utf8_lossy(raw).into_owned();
    match CanonicalPath::read(Field::Once(raw)) {
        Ok(path) if path.is_rewritten() => {
            lines.add("path", format!("{} (canonical; the client wrote {})", path.target(), as_sent()));
        }
        Ok(path) => lines.add("path", path.target()),
        Err(_) if raw.starts_with(b"/") => lines.add("path", format!("{} (refused)", as_sent())),
        Err(_) => lines.add("path", "not a path (refused)"),
    }
    let access = match gate.look_up(request) {
        Err(_) => return None,
        Ok((_, Lookup::Preflight)) => {
            lines.add("route", "none is looked for: a browser asks about \"cors\" before the request itself");
            return None;
        }
        Ok((_, Lookup::Route(found))) => {
            let websocket = match found.route.protocol {
                Protocol::WebSocket => ", for WebSockets",
                Protocol::Http => "",
            };
            lines.add(
                "route",
                format!("{} ({}{websocket})", found.route.template, names(found.route.methods)),
            );
            if found.is_internal {
                lines.add("internal", "the API marks this operation as INTERNAL");
            }
            found.route.access
        }
        Ok((_, Lookup::WrongMethod { access, allow })) => {
            lines.add("route", format!("not for this method, but for {}", names(allow)));
            access
        }
        Ok((_, Lookup::Nothing | Lookup::Undescribed(_))) => {
            lines.add("route", "none");
            Access::Token
        }
    };
    match access {
        Access::Public => lines.add("access", "public: nobody is asked"),
        Access::Upstream => {
            lines.add("access", "upstream: it asks by itself; here its token's form is looked at")
        }
        Access::Token => {
            lines.add("access", "token: api-service is asked about x-token");
            lines.add("token", form(&tokens(head)));
        }
    }
    Some(access)
}

fn names(methods: Methods) -> String {
    if methods == Methods::ANY {
        return "any method".to_owned();
    }
    methods.iter().map(Method::name).collect::<Vec<_>>().join(", ")
}

fn tokens(head: &Head) -> Vec<&[u8]> {
    head.pairs().filter(|(name, _)| *name == "x-token").map(|(_, value)| value).collect()
}

/// The token's form, and never more than that.
fn form(tokens: &[&[u8]]) -> &'static str {
    let field = match tokens {
        [] => Field::Absent,
        [token] => Field::Once(token),
        _ => Field::Repeated,
    };
    match Token::read(field) {
        Ok(_) => "one, well formed",
        Err(Denial::NoToken) => "none",
        Err(Denial::ManyTokens) => "more than one",
        Err(_) => "one, not well formed",
    }
}

fn tell_permit(permit: &Permit, head: &Head, request: &Request<'_>, lines: &mut Lines) -> Exit {
    let Some(upstream) = permit.upstream() else {
        lines.add("verdict", "left alone: this host is not one of \"hosts\", and the request not ours");
        if head.get(":authority").is_none() {
            lines.add("help", "--host says which host is asked for");
        }
        return Exit::Good;
    };
    lines.add("verdict", format!("forwarded to {upstream}"));
    let as_is = || {
        let path = head.get(":path").unwrap_or_default();
        String::from_utf8_lossy(path).into_owned()
    };
    let method = request.method().map_or("", Method::name);
    lines.add("sent as", format!("{method} {}", permit.path().map_or_else(as_is, str::to_owned)));
    let mut has_removed = false;
    for name in permit.remove() {
        lines.add("removed", name);
        has_removed = true;
    }
    if !has_removed {
        lines.add("removed", "no header");
    }
    // The key of a WebSocket's handshake is new each time.
    for (name, value) in permit.set().filter(|(name, _)| *name == "x-keptn-client") {
        lines.add("set", format!("{name}: {value}"));
    }
    Exit::Good
}

fn tell_reply(reply: Reply, lines: &mut Lines) -> Exit {
    let kind = reply.kind();
    let response = reply.response();
    let exit = match kind {
        ReplyKind::Denied(denial) => {
            lines.add("verdict", "refused");
            lines.add("reason", denial.reason());
            Exit::Bad
        }
        ReplyKind::TokenGood => {
            lines.add("verdict", "answered here: the token is good");
            Exit::Good
        }
        ReplyKind::Preflight => {
            lines.add("verdict", "answered here: the browser may send its request");
            Exit::Good
        }
    };
    lines.add("status", response.status.to_string());
    for (name, value) in &response.headers {
        lines.add("headers", format!("{name}: {value}"));
    }
    lines.add("body", if response.body.is_empty() { "empty" } else { &response.body });
    lines.add("in logs", response.details);
    exit
}
