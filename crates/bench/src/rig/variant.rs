//! What is compared.

use crate::rig::{
    load::{GOOD, LOCAL, Load, Token},
    proxies::{Chain, Filter, NginxAuth},
};
use serde_json::json;

/// SHA-256 of [`LOCAL`]: `printf %s local-good-token-24bytes | sha256sum`.
const LOCAL_SHA256: &str = "4ffda0fcd7648b8811af80fe9c764a38e2330a42be12e0632cf3fc45f8d730df";

/// What a service behind the variant gets of the path and the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Path and token as the client sent them.
    Everything,
    /// The path without the prefix, and the token.
    PathWithoutPrefix,
    /// The path without the prefix, and no token.
    Nothing,
    /// The load's path without the prefix, whatever was asked for.
    Constant,
}

/// How load is put on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Closed loop, then open loop.
    Loops,
    /// Many requests at once with one new token, again and again.
    Bursts,
}

/// One of the ways to do it.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    pub(crate) chain: Chain,
    pub(crate) load: Load,
    pub(crate) way: Way,
    /// The only token that it takes, if it takes one alone; requests without a token are then refused with 401. None: it
    /// does not look at tokens.
    pub(crate) token: Option<&'static str>,
    pub(crate) seen: Seen,
    /// Part of `--quick`.
    pub(crate) is_quick: bool,
}

/// All of them, in the order of the report.
pub(crate) fn all() -> Vec<Variant> {
    let ours = |configuration| Chain::Envoy(Filter::Ours(configuration));
    let other = |name, chain| Variant {
        name,
        chain,
        load: Load::HIT,
        way: Way::Loops,
        token: Some(GOOD),
        seen: Seen::Everything,
        is_quick: false,
    };
    let of_ours = |name, configuration| Variant { seen: Seen::Nothing, ..other(name, ours(configuration)) };
    let nginx = |name, chain| Variant { seen: Seen::PathWithoutPrefix, ..other(name, chain) };
    let refused = Load { token: Token::Missing, status: 401, ..Load::HIT };
    let quick = |variant| Variant { is_quick: true, ..variant };

    vec![
        quick(Variant { token: None, ..other("bare", Chain::Envoy(Filter::None)) }),
        quick(Variant { token: None, ..other("do_nothing", Chain::Envoy(Filter::DoNothing)) }),
        quick(Variant { token: None, ..other("do_nothing_trimmed", Chain::Envoy(Filter::DoNothingTrimmed)) }),
        quick(Variant { token: None, seen: Seen::Constant, ..other("calls", Chain::Envoy(Filter::Calls)) }),
        // All defaults: throttle, counters and the limit of bodies are on.
        quick(of_ours("hit", json!({}))),
        Variant {
            load: Load { token: Token::Fixed(LOCAL), ..Load::HIT },
            token: Some(LOCAL),
            ..of_ours("local", json!({ "tokens": [{ "name": "bench", "sha256": LOCAL_SHA256 }] }))
        },
        Variant {
            load: Load {
                path: "/configuration-service/swagger-ui/swagger.yaml",
                token: Token::Missing,
                ..Load::HIT
            },
            ..of_ours("public", json!({}))
        },
        quick(Variant { load: refused, ..of_ours("refused", json!({})) }),
        // The throttle is off: it would refuse a client that shows so many tokens at once.
        Variant {
            load: Load { token: Token::New, ..Load::HIT },
            ..of_ours("miss", json!({ "auth": { "throttle": { "burst": 0 } } }))
        },
        Variant { way: Way::Bursts, ..of_ours("burst", json!({})) },
        other("api_key_auth", Chain::Envoy(Filter::Native(include_str!("configs/api_key_auth.yaml")))),
        other("lua", Chain::Envoy(Filter::Native(include_str!("configs/lua.yaml")))),
        quick(other("ext_authz", Chain::Envoy(Filter::Native(include_str!("configs/ext_authz.yaml"))))),
        other(
            "ext_authz_prefix",
            Chain::Envoy(Filter::Native(include_str!("configs/ext_authz_prefix.yaml"))),
        ),
        // What ext_authz does with a request without a token: it asks.
        Variant {
            load: refused,
            ..other("ext_authz_refused", Chain::Envoy(Filter::Native(include_str!("configs/ext_authz.yaml"))))
        },
        nginx("chain_keptn", Chain::EnvoyAndNginx(NginxAuth::EachAnew)),
        nginx("chain", Chain::EnvoyAndNginx(NginxAuth::Each)),
        nginx("chain_cached", Chain::EnvoyAndNginx(NginxAuth::Cached)),
        nginx("nginx", Chain::Nginx(NginxAuth::Each)),
        nginx("nginx_cached", Chain::Nginx(NginxAuth::Cached)),
        Variant { token: None, ..nginx("nginx_plain", Chain::Nginx(NginxAuth::None)) },
    ]
}
