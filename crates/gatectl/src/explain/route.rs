//! What there is for a request: the route that gets it, the operation that its upstream describes, and what came close.

use gate::config::Config;
use gate::denial::Denial;
use gate::gate::Gate;
use gate::path::{CanonicalPath, PathProblem};
use gate::request::{Environment as _, Field, Method, Request};
use gate::routes::{Found, LetIn, Lookup, Policy, Protocol, Routes, Target, Upstream};
use gate::token::Token;

use super::head::Head;
use super::near;
use super::path::Path;
use super::story::{self, Operation, Route, Story, access, names};
use super::tell::Suppose;

/// How many routes that came close are shown.
const NEAR: usize = 5;

/// Tells what the gate finds before it asks anybody.
pub(super) fn tell(
    story: &mut Story,
    gate: &Gate,
    config: &Config,
    head: &Head,
    request: &Request<'_>,
    suppose: &Suppose,
) {
    let sent = head.target.as_deref().unwrap_or_default();
    let path = story.path.insert(Path::read(sent));
    let (method, protocol) = match (request.method(), request.wants_websocket()) {
        (Ok(method), Ok(true)) => (method, Protocol::WebSocket),
        (Ok(method), Ok(false)) => (method, Protocol::Http),
        _ => return,
    };
    let routes = config.routes();
    let lookup = gate.look_up(request);
    let slashes = Denial::BadPath(PathProblem::EncodedSlash);
    if matches!(&lookup, Err(denial) if *denial == slashes) && path.canonical.is_some() {
        path.blame_slashes(|path| routes.find(path, method, protocol).is_err_and(|denial| denial == slashes));
    }
    if matches!(&lookup, Ok((_, Lookup::Preflight))) {
        story.preflight = true;
        return;
    }
    let Ok(path) = CanonicalPath::read(Field::Once(sent)) else { return };
    let policy = routes.policy(&path);
    tell_policy(story, routes, &path, policy);
    tell_lookup(story, routes, &path, protocol, policy, lookup.map(|(_, lookup)| lookup));
    if story.access == Some("token") {
        tell_token(story, config, head, suppose);
    }
    let candidates: Vec<_> = match policy {
        Policy::Open => routes.iter().cloned().collect(),
        Policy::Strict => {
            let holds_here = |entry: &LetIn| !entry.except.iter().any(|prefix| is_below(&path, prefix));
            config.let_in().into_iter().filter(holds_here).map(route_of).collect()
        }
    };
    let mut near = near::find(&candidates, &path, method, protocol, &takers(story));
    let found = near.len();
    if !suppose.all && is_meant(story) {
        near.retain(|near| near.kind < near::Kind::Case);
    }
    near.truncate(if suppose.all { found } else { NEAR });
    story.near_left_out = found.saturating_sub(near.len());
    story.near = near;
}

fn tell_policy(story: &mut Story, routes: &Routes, path: &CanonicalPath<'_>, policy: Policy) {
    let prefix = routes.policy_prefix(path);
    story.policy = Some(story::Policy {
        name: match policy {
            Policy::Open => "open",
            Policy::Strict => "strict",
        },
        key: match &prefix {
            Some((place, _)) => format!("policies[{place}]"),
            None => "policy".to_owned(),
        },
        prefix: prefix.map(|(_, prefix)| prefix),
    });
}

fn tell_lookup(
    story: &mut Story,
    routes: &Routes,
    path: &CanonicalPath<'_>,
    protocol: Protocol,
    policy: Policy,
    lookup: Result<Lookup, Denial>,
) {
    let is_strict = policy == Policy::Strict;
    story.access = match lookup {
        Ok(Lookup::Route(found)) => {
            story.route = Some(Route::of(&found.route));
            story.described = is_strict.then_some(found.route.describes || found.operation.is_some());
            story.operation = found.operation.as_ref().map(|operation| Operation {
                upstream: operation.upstream.to_string(),
                path: operation.template.to_string(),
                methods: names(operation.methods),
                internal: operation.is_internal,
            });
            story.internal = found.is_internal;
            Some(access(found.route.access))
        }
        Ok(Lookup::Undescribed(route)) => {
            story.route = Some(Route::of(&route));
            story.described = Some(false);
            Some("token")
        }
        Ok(Lookup::WrongMethod { access: asks, .. }) => {
            story.other_methods = with_other_methods(routes, path, protocol, is_strict);
            Some(access(asks))
        }
        Ok(Lookup::Nothing) => Some("token"),
        Ok(Lookup::Preflight) | Err(_) => None,
    };
}

/// What gets this path with which method.
fn with_other_methods(
    routes: &Routes,
    path: &CanonicalPath<'_>,
    protocol: Protocol,
    is_strict: bool,
) -> Vec<Route> {
    let mut takers: Vec<Route> = Vec::new();
    for method in Method::ALL {
        if let Ok(Lookup::Route(found)) = routes.find(path, method, protocol) {
            let taker = Route { methods: vec![method.name()], ..taker(&found, is_strict) };
            match takers.iter_mut().find(|other| other.is_for_paths_of(&taker)) {
                Some(same) => same.methods.push(method.name()),
                None => takers.push(taker),
            }
        }
    }
    takers
}

/// Where only what is described passes, the operation, as clients ask for it; otherwise the route.
fn taker(found: &Found, is_strict: bool) -> Route {
    let route = Route::of(&found.route);
    match &found.operation {
        Some(operation) if is_strict && !found.route.describes => {
            let path = format!("{}{}", route.strip.as_deref().unwrap_or_default(), operation.template);
            Route { path, methods: names(operation.methods), ..route }
        }
        _ => route,
    }
}

/// What is said to get the request, or its path.
fn takers(story: &Story) -> Vec<Route> {
    let operation = story.operation.as_ref().zip(story.route.as_ref()).map(|(operation, route)| {
        let path = format!("{}{}", route.strip.as_deref().unwrap_or_default(), operation.path);
        Route { path, ..route.clone() }
    });
    operation.iter().chain(&story.route).chain(&story.other_methods).cloned().collect()
}

/// Whether the path is that of a route for it, or of a described operation: then others that look alike are not what the
/// client meant. A route for everything below a prefix says nothing about that.
fn is_meant(story: &Story) -> bool {
    let takers = story.route.iter().chain(&story.other_methods);
    story.operation.is_some() || takers.into_iter().any(|route| !route.path.ends_with("{*rest}"))
}

fn is_below(path: &CanonicalPath<'_>, prefix: &str) -> bool {
    path.as_str().strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Something that is let in, as if it were a route.
fn route_of(entry: LetIn) -> gate::routes::Route {
    let target = match &entry.sent {
        None => Target::TokenCheck,
        Some(sent) => {
            let (whole, rest) = (entry.template.to_string(), sent.template.to_string());
            let strip = whole.strip_suffix(&rest).filter(|strip| !strip.is_empty()).map(Into::into);
            Target::Upstream { upstream: Upstream { name: sent.upstream.clone(), keeps_token: false }, strip }
        }
    };
    gate::routes::Route {
        template: entry.template,
        methods: entry.methods,
        protocol: entry.protocol,
        access: entry.access,
        target,
        describes: true,
        is_internal: entry.is_internal,
    }
}

/// The token's form, and the name of its entry in the configuration: never more of it than that.
fn tell_token(story: &mut Story, config: &Config, head: &Head, suppose: &Suppose) {
    let mut tokens = head.lines.iter().filter(|line| line.name == "x-token");
    let field = match (tokens.next(), tokens.next()) {
        (None, _) => Field::Absent,
        (Some(token), None) => Field::Once(&token.value),
        (Some(_), Some(_)) => Field::Repeated,
    };
    let token = Token::read(field);
    story.token = Some(match token {
        Ok(_) => "one",
        Err(Denial::NoToken) => "none",
        Err(Denial::ManyTokens) => "many",
        Err(_) => "malformed",
    });
    story.local_token =
        token.ok().and_then(|token| config.local_token(token)).map(|local| story::LocalToken {
            name: local.name.to_string(),
            valid: local.is_valid(|| suppose.wall()),
            api: local.api,
        });
}
