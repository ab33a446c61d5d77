//! What is listed as let in is what is let in: each entry passes as it is listed, and nothing else passes.

// proptest wants threads and files.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

use gate::authn::{Answer, CheckId, StreamId};
use gate::config::Config;
use gate::gate::{Gate, Verdict};
use gate::request::{Method, Request};
use gate::routes::{Access, LetIn, Protocol};
use gate::time::Time;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Value, json};

/// Prefixes for policies: of routes, inside of them, above them, beside them.
const PREFIXES: [&str; 12] = [
    "/configuration-service",
    "/configuration-service/v1/project/p",
    "/configuration-service/v1/project/p/stage/s",
    "/v1",
    "/v1/event",
    "/v1/project",
    "/v1/project/p",
    "/v1/project/p/resource",
    "/mine",
    "/cs/v1/project",
    "/mine/a+b",
    "/mine/items/all%40x",
];

fn own_routes() -> Vec<Value> {
    vec![
        json!({"path": "/mine/{*rest}", "upstream": "mine", "strip": "/mine"}),
        json!({"path": "/mine/items/{item}", "upstream": "mine", "strip": "/mine", "methods": ["GET"]}),
        json!({"path": "/mine/items/{item}", "upstream": "mine", "methods": ["PUT", "DELETE"], "internal": true}),
        json!({"path": "/mine/about", "upstream": "mine", "methods": ["GET", "HEAD"], "access": "public"}),
        json!({"path": "/mine/{+name}/raw", "upstream": "mine", "methods": ["GET", "POST"]}),
        json!({"path": "/cs/{*rest}", "upstream": "configuration-service", "strip": "/cs"}),
        json!({"path": "/cs/v1/project/{x}", "upstream": "configuration-service", "strip": "/cs", "methods": ["GET", "DELETE"]}),
        json!({"path": "/v1/project/{project}", "upstream": "api-service", "methods": ["GET"]}),
        json!({"path": "/v1/event", "upstream": "mine", "methods": ["GET", "PATCH"]}),
        json!({"path": "/v1/project/p/stage", "upstream": "api-service"}),
        json!({"path": "/mine/items/all@x", "upstream": "mine", "methods": ["GET", "POST"], "internal": true}),
        json!({"path": "/mine/items%3Apurge", "upstream": "mine", "strip": "/mine", "methods": ["POST"], "internal": true}),
        json!({"path": "/mine/a+b/{*rest}", "upstream": "mine", "strip": "/mine/a+b"}),
    ]
}

/// Configurations of all kinds. Routes of one's own are taken or left; policies are said of some prefixes.
fn configuration() -> impl Strategy<Value = Value> {
    let policy = || select(vec!["open", "strict"]);
    let policies = subsequence(PREFIXES.to_vec(), 0..=4).prop_flat_map(move |prefixes| {
        let said = |prefix: &str| {
            let prefix = prefix.to_owned();
            policy().prop_map(move |policy| json!({"prefix": prefix, "policy": policy}))
        };
        prefixes.into_iter().map(said).collect::<Vec<_>>()
    });
    let routes = subsequence(own_routes(), 0..=own_routes().len());
    (policy(), policies, routes, select(vec!["allow", "deny"])).prop_map(
        |(policy, policies, routes, internal)| {
            json!({
                "policy": policy, "policies": policies, "internal": internal,
                "upstreams": [{"name": "mine"}], "routes": routes,
            })
        },
    )
}

fn read(configuration: &Value) -> Config {
    let mut configuration = configuration.clone();
    configuration["auth"] = json!({"allow": "0s", "deny": "0s", "throttle": {"burst": 0}});
    let configuration = &configuration;
    Config::from_value(configuration).unwrap_or_else(|problems| panic!("{configuration}\n{problems}"))
}

/// Words of the API and others.
fn path() -> impl Strategy<Value = String> {
    let word = select(vec![
        "v1",
        "project",
        "p",
        "stage",
        "s",
        "service",
        "resource",
        "event",
        "auth",
        "mine",
        "items",
        "about",
        "raw",
        "cs",
        "configuration-service",
        "swagger-ui",
        "docs",
        "V1",
        "q",
        "a%2Fb",
        "%70",
        "all@x",
        "all%40x",
        "items:purge",
        "items%3apurge",
        "a+b",
        "a%2Bb",
    ]);
    let beginning = select(vec![
        "",
        "/v1",
        "/v1/project",
        "/configuration-service/v1/project",
        "/cs/v1/project",
        "/mine",
    ]);
    let slash = select(vec!["", "/", "//"]);
    (beginning, prop::collection::vec(word, 0..8), slash).prop_map(|(beginning, words, slash)| {
        let path = words.iter().fold(beginning.to_owned(), |path, word| format!("{path}/{word}"));
        let path = path + slash;
        if path.is_empty() { "/".to_owned() } else { path }
    })
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Sent { upstream: String, path: String },
    TokenGood,
    Refused(String),
}

/// A gate that remembers nothing, and api-service, which says yes to everybody.
struct World {
    gate: Gate,
    requests: u32,
}

impl World {
    fn new(config: Config) -> Self {
        Self { gate: Gate::new(config, 7), requests: 0 }
    }

    fn ask(&mut self, method: Method, path: &str, protocol: Protocol, token: bool) -> Fate {
        self.requests += 1;
        let mut lines = vec![(":method", method.name()), (":path", path)];
        if protocol == Protocol::WebSocket {
            lines.extend([("upgrade", "websocket"), ("token", "eyJh.eyJz.c2ln"), ("sec-websocket-key", "x")]);
        }
        lines.extend(token.then_some(("x-token", "good")));
        let request = lines.iter().map(|(name, value)| (*name, value.as_bytes()));
        let request = Request::read(request, true, &|| None);
        let now = Time::since_start(core::time::Duration::ZERO);
        let mut verdict = self.gate.on_request(StreamId(self.requests), &request, now);
        if let Verdict::Ask(check) = &verdict {
            let id = CheckId(self.requests);
            assert!(self.gate.on_sent(check.flight, Some(id), now).is_empty());
            verdict = self.gate.on_answer(id, &Answer::of(200), now).pop().unwrap().1;
        }
        fate(verdict, path)
    }
}

fn fate(verdict: Verdict, path: &str) -> Fate {
    match verdict {
        Verdict::Forward(permit) => Fate::Sent {
            upstream: permit.upstream().unwrap().to_string(),
            path: permit.path().unwrap_or(path).to_owned(),
        },
        Verdict::Reply(reply) => {
            let response = reply.response();
            let reason = response.details.trim_start_matches("keptn_gateway.").to_owned();
            if reason == "token_good" { Fate::TokenGood } else { Fate::Refused(reason) }
        }
        verdict => panic!("{verdict:?}"),
    }
}

/// A path of a template, with these in the place of parameters and of the rest.
fn fill(template: &str, names: &[String], rest: &str) -> String {
    let mut names = names.iter();
    let segments = template.split('/').map(|segment| match segment.chars().nth(1) {
        _ if !segment.starts_with('{') => segment.to_owned(),
        Some('*') => rest.to_owned(),
        Some('+') => format!("{}%2Fx", names.next().unwrap()),
        _ => names.next().unwrap().clone(),
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Whether a canonical path matches a template, as docs/configuration.md says it.
fn matches(template: &str, path: &str) -> bool {
    if template == "/" {
        return path == "/";
    }
    let (mut templates, mut segments) = (template.split('/').skip(1), path.split('/').skip(1));
    loop {
        return match (templates.next(), segments.next()) {
            (Some(part), Some(segment)) if part.starts_with("{*") => {
                !segment.contains("%2F") && segments.all(|segment| !segment.contains("%2F"))
            }
            (Some(part), Some(segment)) if part.starts_with("{+") && !segment.is_empty() => continue,
            (Some(part), Some(segment))
                if part.starts_with('{') && !segment.is_empty() && !segment.contains("%2F") =>
            {
                continue;
            }
            (Some(part), Some(segment)) if as_decoded(part) == as_decoded(segment) => continue,
            (None, None) => true,
            // One trailing slash.
            (None, Some("")) => segments.next().is_none(),
            _ => false,
        };
    }
}

/// As servers see it, as far as these paths go.
fn as_decoded(path: &str) -> String {
    path.replace("%3A", ":").replace("%40", "@").replace("%2B", "+")
}

fn is_below(prefix: &str, path: &str) -> bool {
    as_decoded(path)
        .strip_prefix(&as_decoded(prefix))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_about(entry: &LetIn, method: Method, path: &str) -> bool {
    entry.protocol == Protocol::Http
        && entry.methods.contains(method)
        && matches(&entry.template.to_string(), path)
        && !entry.except.iter().any(|prefix| is_below(prefix, path))
}

/// The spelling that is judged, of the paths that are made here.
fn canonical(path: &str) -> String {
    let mut path = path.replace("%70", "p").replace("%3a", "%3A");
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    path
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_entry_passes_as_it_is_listed(configuration in configuration(), names in prop::collection::vec("x[a-z0-9_.]{1,3}", 8)) {
        let config = read(&configuration);
        let entries = config.let_in();
        prop_assert!(!entries.is_empty());
        let mut world = World::new(config);
        for entry in &entries {
            let rest = names.join("/");
            let path = fill(&entry.template.to_string(), &names, &rest);
            for method in entry.methods.iter() {
                let token = entry.access == Access::Token;
                let fate = world.ask(method, &path, entry.protocol, token);
                let listed = match &entry.sent {
                    _ if entry.is_denied => Fate::Refused("internal_operation".to_owned()),
                    None => Fate::TokenGood,
                    Some(sent) => Fate::Sent {
                        upstream: sent.upstream.to_string(),
                        path: fill(&sent.template.to_string(), &names, &rest),
                    },
                };
                prop_assert_eq!(fate, listed, "{} {} of {:?}", method.name(), path, entry);
                if token {
                    let fate = world.ask(method, &path, entry.protocol, false);
                    prop_assert_eq!(fate, Fate::Refused("no_token".to_owned()));
                }
            }
        }
    }

    #[test]
    fn what_passes_is_listed(
        configuration in configuration(),
        requests in prop::collection::vec((any::<Index>(), path()), 200),
    ) {
        let config = read(&configuration);
        let entries = config.let_in();
        let mut world = World::new(config);
        for (method, path) in requests {
            let (method, judged) = (Method::ALL[method.index(7)], canonical(&path));
            let mut listed = entries.iter().filter(|entry| is_about(entry, method, &judged));
            match world.ask(method, &path, Protocol::Http, true) {
                Fate::Sent { upstream, path } => {
                    let is_it = |entry: &LetIn| entry.sent.as_ref().is_some_and(|sent| {
                        !entry.is_denied && *sent.upstream == *upstream && matches(&sent.template.to_string(), &path)
                    });
                    prop_assert!(listed.any(is_it), "{} {path} to {upstream} with {configuration}", method.name());
                }
                Fate::TokenGood => prop_assert!(listed.any(|entry| entry.sent.is_none())),
                Fate::Refused(reason) if reason == "internal_operation" => {
                    prop_assert!(listed.any(|entry| entry.is_denied), "{} {path}", method.name());
                }
                Fate::Refused(reason) if reason == "unknown_path" => {
                    prop_assert!(listed.next().is_none(), "{} {path} with {configuration}", method.name());
                }
                Fate::Refused(_) => {}
            }
        }
    }

    /// Where everything is described, it is so to the letter: listed is what passes, and the refusal says what is not.
    #[test]
    fn strict_lets_through_exactly_what_is_described(
        requests in prop::collection::vec((any::<Index>(), path()), 500),
    ) {
        let own: Vec<_> = own_routes().into_iter().skip(1).take(3).collect();
        let config = read(&json!({"policy": "strict", "upstreams": [{"name": "mine"}], "routes": own}));
        let entries = config.let_in();
        let mut world = World::new(config);
        for (method, path) in requests {
            let (method, judged) = (Method::ALL[method.index(7)], canonical(&path));
            let is_known = |method| entries.iter().any(|entry| is_about(entry, method, &judged));
            let fate = world.ask(method, &path, Protocol::Http, true);
            let passes = matches!(fate, Fate::Sent { .. } | Fate::TokenGood);
            prop_assert_eq!(passes, is_known(method), "{} {}: {:?}", method.name(), path, fate);
            if let Fate::Refused(reason) = fate && reason != "encoded_slash" {
                let due = if Method::ALL.into_iter().any(is_known) { "method_not_allowed" } else { "unknown_path" };
                prop_assert_eq!(reason, due, "{} {}", method.name(), path);
            }
        }
    }
}
