//! The story as people read it.

use anstyle::Style;

use super::head::Origin;
use super::story::{
    AskedBody, Check, Forwarded, Header, LocalToken, Operation, Response, Route, Story, Verdict,
};
use crate::lines::Lines;
use crate::source::excerpt;
use crate::style::{FAINT, GOOD, HELP, PROBLEM, WARNING};

pub(super) fn lines(story: &Story) -> Lines {
    let mut lines = Lines::default();
    tell_request(story, &mut lines);
    tell_path(story, &mut lines);
    tell_route(story, &mut lines);
    tell_token(story, &mut lines);
    tell_check(&story.check, story, &mut lines);
    tell_verdict(story, &mut lines);
    lines
}

fn tell_request(story: &Story, lines: &mut Lines) {
    let asked = &story.request;
    for note in &story.notes {
        lines.add_in(WARNING, "note", note);
    }
    lines.add("method", asked.method.unwrap_or("none of those that pass"));
    lines.add(
        "host",
        match &asked.host {
            Some(host) => host,
            None if asked.host_is_given => "not a host's name",
            None => "not given",
        },
    );
    if let Some(client) = asked.client {
        lines.add("client", client.to_string());
    }
    if asked.websocket {
        lines.add("upgrade", "a WebSocket handshake");
    }
}

fn tell_path(story: &Story, lines: &mut Lines) {
    let Some(path) = &story.path else { return };
    match &path.problem {
        Some(problem) => {
            if path.sent.is_empty() {
                lines.add("path", "not a path (refused)");
            } else if let Some(place) = &problem.place {
                let (shown, before, marked) = excerpt(&path.sent, place.clone());
                lines.add_fixed("path", shown);
                lines.mark(PROBLEM, "path", before, marked);
            } else {
                lines.add_fixed("path", excerpt(&path.sent, 0..0).0);
            }
            let segment = problem.segment.map(|number| format!("in segment {number}"));
            let words: Vec<_> = segment.into_iter().chain(problem.note.clone()).collect();
            if !words.is_empty() {
                lines.add("refused", words.join(": "));
            }
        }
        None => {
            lines.add_fixed("path", &path.sent);
            for change in &path.changes {
                let times =
                    if change.count > 1 { format!(" ({} times)", change.count) } else { String::new() };
                lines.add("changed", format!("{} to {}{times}: {}", change.from, change.to, change.why));
            }
            if let Some(canonical) = path.canonical.as_ref().filter(|_| !path.changes.is_empty()) {
                lines.add_fixed("judged as", canonical);
            }
        }
    }
}

fn tell_route(story: &Story, lines: &mut Lines) {
    if story.preflight {
        lines.add("route", "none is looked for: a browser asks about \"cors\" before the request itself");
    }
    if let Some(policy) =
        story.policy.as_ref().filter(|policy| policy.name != "open" || policy.prefix.is_some())
    {
        let prefix = policy.prefix.as_ref().map(|prefix| format!(", {prefix}")).unwrap_or_default();
        let meaning =
            if policy.name == "open" { "the upstream decides" } else { "only what is described passes" };
        lines.add("policy", format!("{} ({}{prefix}): {meaning}", policy.name, policy.key));
    }
    if let Some(route) = &story.route {
        lines.add("route", shown(route));
        let upstream = route.upstream.as_deref().unwrap_or("the gateway");
        if let Some(Operation { methods, path, .. }) = &story.operation {
            lines.add("operation", format!("{} {path}, as {upstream} describes it", methods.join(", ")));
        } else if story.described == Some(false) {
            lines.add("operation", format!("none: {upstream} describes nothing for this path"));
        }
    }
    for route in &story.other_methods {
        lines.add("route", format!("{}: not for {}", shown(route), story.request.method.unwrap_or_default()));
    }
    let is_found = story.route.is_some() || !story.other_methods.is_empty();
    if !is_found && story.access.is_some() {
        lines.add("route", "none");
    }
    for near in &story.near {
        lines.add("lost", format!("{}: {}", shown(&near.route), near.why));
    }
    if story.near_left_out > 0 {
        let more = if story.near.is_empty() { "that look alike" } else { "more" };
        lines.add_in(FAINT, "lost", format!("{} {more}: --all shows them", story.near_left_out));
    }
    if story.internal {
        lines.add("internal", "this operation is marked as internal");
    }
}

/// `GET, HEAD /swagger.json to api-service`.
fn shown(route: &Route) -> String {
    let methods = if route.methods.len() == 7 { "any method".to_owned() } else { route.methods.join(", ") };
    let to =
        route.upstream.as_ref().map_or(", answered here".to_owned(), |upstream| format!(" to {upstream}"));
    let strip = route.strip.as_ref().map(|strip| format!(" without {strip}")).unwrap_or_default();
    let websocket = if route.websocket { ", for WebSockets" } else { "" };
    format!("{methods} {}{to}{strip}{websocket}", route.path)
}

fn tell_token(story: &Story, lines: &mut Lines) {
    match story.access {
        Some("public") => lines.add("access", "public: nobody is asked"),
        Some("upstream") => {
            lines.add("access", "upstream: it asks by itself; here its token's form is looked at");
        }
        Some(_) => lines.add("access", "token: api-service is asked about x-token"),
        None => {}
    }
    if let Some(token) = story.token {
        lines.add(
            "token",
            match token {
                "none" => "none",
                "many" => "more than one",
                "malformed" => "one, not well formed",
                _ => "one, well formed",
            },
        );
    }
    if let Some(LocalToken { name, valid, api }) = &story.local_token {
        let but = match (valid, api) {
            (false, _) => ", which is not valid now",
            (true, false) if story.check.asked => ", which does not say \"api\": true",
            (true, _) => "",
        };
        lines.add("token", format!("its hash is that of \"{name}\" in \"tokens\"{but}"));
    }
    let AskedBody { bytes, declared, limit } = &story.request.body;
    if *bytes != Some(0) {
        let length = bytes.map_or("of unknown length".to_owned(), |bytes| format!("{bytes} bytes"));
        let how = match bytes {
            None => "",
            Some(_) if *declared => ", declared",
            Some(_) => ", counted as it comes",
        };
        let limit = limit.map(|limit| format!("; the limit is {limit}")).unwrap_or_default();
        lines.add("body", format!("{length}{how}{limit}"));
    }
}

fn tell_check(check: &Check, story: &Story, lines: &mut Lines) {
    if let (Some(method), Some(path), Some(cluster)) = (&check.method, &check.path, &check.cluster) {
        let authority = check.authority.as_deref().unwrap_or_default();
        let timeout = check.timeout_ms.unwrap_or_default();
        lines.add(
            "check",
            format!("{method} {path} to the cluster {cluster} as {authority}, for at most {timeout} ms"),
        );
        for header in &check.headers {
            let is_technical = header.name == "content-length" || header.name.starts_with("x-envoy-");
            if !is_technical {
                lines.add("check", header_line(header));
            }
        }
        if story.request.client.is_none() {
            lines.add_in(FAINT, "check", "x-forwarded-for: the client's address; --client supposes one");
        }
    } else if let Some(why_not) = check.why_not.filter(|_| story.access.is_some()) {
        lines.add("check", format!("none: {why_not}"));
    }
    if let Some(answer) = &check.answer {
        lines.add("answer", format!("{answer} (supposed; --answer supposes another)"));
    }
}

fn header_line(Header { name, value, as_sent }: &Header) -> String {
    match (value, as_sent) {
        (Some(_), _) if name == "sec-websocket-key" => format!("{name}: new each time"),
        (Some(value), _) => format!("{name}: {value}"),
        (None, Some(Origin::Named(origin))) => format!("{name}: as sent ({origin})"),
        (None, _) => format!("{name}: as sent"),
    }
}

fn tell_verdict(story: &Story, lines: &mut Lines) {
    let (style, verdict) = match (story.verdict, &story.forwarded) {
        (Verdict::Foreign, _) => (
            Style::new(),
            "left alone: this host is not one of \"hosts\", and the request not ours".to_owned(),
        ),
        (Verdict::Forwarded, forwarded) => {
            let upstream = forwarded.as_ref().and_then(|forwarded| forwarded.upstream.as_deref());
            (GOOD, format!("forwarded to {}", upstream.unwrap_or_default()))
        }
        (Verdict::Refused, Some(Forwarded { upstream: Some(upstream), .. })) => {
            (PROBLEM, format!("refused, once {upstream} has got the head and a part of the body"))
        }
        (Verdict::Refused, _) => (PROBLEM, "refused".to_owned()),
        (Verdict::Answered, _) if story.preflight => {
            (GOOD, "answered here: the browser may send its request".to_owned())
        }
        (Verdict::Answered, _) => (GOOD, "answered here: the token is good".to_owned()),
    };
    lines.add_in(style, "verdict", verdict);
    if story.verdict == Verdict::Foreign && !story.request.host_is_given {
        lines.add_in(HELP, "help", "--host says which host is asked for");
    }
    if let Some(forwarded) = story.forwarded.as_ref().filter(|_| story.verdict == Verdict::Forwarded) {
        tell_forwarded(forwarded, lines);
    }
    if let Some(reason) = story.reason {
        lines.add("reason", reason);
    }
    if let Some(response) = &story.response {
        tell_response(response, lines);
    }
}

fn tell_forwarded(forwarded: &Forwarded, lines: &mut Lines) {
    lines.add_fixed("sent as", format!("{} {}", forwarded.method, forwarded.path));
    for header in &forwarded.headers {
        lines.add("headers", header_line(header));
    }
    for name in &forwarded.removed {
        lines.add("removed", name);
    }
    if forwarded.removed.is_empty() {
        lines.add("removed", "no header");
    }
}

fn tell_response(response: &Response, lines: &mut Lines) {
    lines.add("status", response.status.to_string());
    for header in &response.headers {
        lines.add("headers", header_line(header));
    }
    lines.add_fixed("body", if response.body.is_empty() { "empty" } else { &response.body });
    lines.add("in logs", &response.details);
}
