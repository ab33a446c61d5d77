//! Every key of the configuration: the reader takes its defaults and limits from here, and so does the
//! table in docs/configuration.md.

use core::time::Duration;

use super::reader::Kind;

/// A key, and what may stand under it.
#[derive(Debug)]
pub(super) struct Key<T: 'static> {
    /// Its path, such as `auth.timeout`.
    pub name: &'static str,
    /// What holds when it is missing.
    pub default: T,
    /// What may stand there.
    pub kind: Kind<T>,
    /// What it is for.
    pub doc: &'static str,
    /// An example, as JSON.
    pub example: &'static str,
}

impl<T> Key<T> {
    /// The last part of the path.
    pub(super) fn last(&self) -> &'static str {
        self.name.rsplit(['.', ']']).next().unwrap_or(self.name)
    }
}

pub(super) const PROFILE: Key<&str> = Key {
    name: "profile",
    default: "keptn-0.6",
    kind: Kind::OneOf(&["keptn-0.6"]),
    doc: "The API that stands behind the gateway: its routes, public documents and internal operations.",
    example: r#""keptn-0.6""#,
};

pub(super) const HOSTS: Key<()> = Key {
    name: "hosts",
    default: (),
    kind: Kind::Nested("list of host names; none: all hosts"),
    doc: "The hosts that are ours, compared without case, port and trailing dot. A request for another host is \
          left untouched and cannot reach our upstreams. Set it where other applications share the listener.",
    example: r#"["api.keptn", "api.keptn.example.org"]"#,
};

pub(super) const AUTH_CLUSTER: Key<&str> = Key {
    name: "auth.cluster",
    default: "api-service",
    kind: Kind::Text("text"),
    doc: "Envoy's name of the cluster that answers `POST /v1/auth`.",
    example: r#""outbound|8080||api-service.keptn.svc.cluster.local""#,
};

pub(super) const AUTH_AUTHORITY: Key<&str> = Key {
    name: "auth.authority",
    default: "api-service",
    kind: Kind::Text("text"),
    doc: "The `Host` of a check.",
    example: r#""api-service.keptn:8080""#,
};

pub(super) const AUTH_TIMEOUT: Key<Duration> = Key {
    name: "auth.timeout",
    default: Duration::from_secs(2),
    kind: Kind::Between(Duration::from_millis(10), Duration::from_secs(60)),
    doc: "How long Envoy waits for the answer to one check.",
    example: r#""500ms""#,
};

pub(super) const AUTH_DEADLINE: Key<Duration> = Key {
    name: "auth.deadline",
    default: Duration::from_secs(3),
    kind: Kind::Between(Duration::from_millis(10), Duration::from_secs(60)),
    doc: "How long a request waits for its token at most, whatever happens to the check. Not below `auth.timeout`.",
    example: r#""1s""#,
};

pub(super) const MAX_FLIGHTS: Key<u64> = Key {
    name: "auth.max_flights",
    default: 256,
    kind: Kind::Between(1, 65_536),
    doc: "How many checks may be under way, per worker. Over it new tokens get 503. An eighth is kept for tokens that were right lately.",
    example: "512",
};

pub(super) const MAX_WAITERS: Key<u64> = Key {
    name: "auth.max_waiters",
    default: 1024,
    kind: Kind::Between(1, 1_048_576),
    doc: "How many requests may wait for checks, per worker. Over it they get 503. An eighth is kept likewise.",
    example: "4096",
};

pub(super) const ALLOW: Key<Duration> = Key {
    name: "auth.allow",
    default: Duration::from_secs(30),
    kind: Kind::Between(Duration::ZERO, Duration::from_secs(60 * 60)),
    doc: "How long a yes is believed without asking again; 0s: every request is asked about. A revoked token works \
          for this long at most, and `auth.deadline`.",
    example: r#""1m""#,
};

pub(super) const DENY: Key<Duration> = Key {
    name: "auth.deny",
    default: Duration::from_secs(5),
    kind: Kind::Between(Duration::ZERO, Duration::from_secs(10 * 60)),
    doc: "How long a no is believed without asking again; 0s: every request is asked about. A token that is made \
          good after a no waits for this long at most.",
    example: r#""10s""#,
};

pub(super) const STALE_IF_ERROR: Key<Duration> = Key {
    name: "auth.stale_if_error",
    default: Duration::from_secs(5 * 60),
    kind: Kind::Between(Duration::ZERO, Duration::from_secs(24 * 60 * 60)),
    doc: "How long after `auth.allow` a yes still serves while the auth service gives no answer; 0s: not at all. A \
          token that is revoked during an outage works for this much longer at most.",
    example: r#""1h""#,
};

pub(super) const ALLOW_ENTRIES: Key<u64> = Key {
    name: "auth.allow_entries",
    default: 16_384,
    kind: Kind::Between(1, 1_048_576),
    doc: "How many tokens a yes is remembered of, per worker. Over it, one that is little in use is forgotten.",
    example: "1024",
};

pub(super) const DENY_ENTRIES: Key<u64> = Key {
    name: "auth.deny_entries",
    default: 4096,
    kind: Kind::Between(1, 1_048_576),
    doc: "How many tokens a no is remembered of, per worker. They never push out one with a yes.",
    example: "1024",
};

pub(super) const THROTTLE_BURST: Key<u64> = Key {
    name: "auth.throttle.burst",
    default: 10,
    kind: Kind::Between(0, 1000),
    doc: "How many checks one client address may cause at once, per worker; 0: any number. Those that end in \
          anything but a no are given back. Over it: 429, for tokens that are not known.",
    example: "20",
};

pub(super) const THROTTLE_PER_SECOND: Key<u64> = Key {
    name: "auth.throttle.per_second",
    default: 1,
    kind: Kind::Between(1, 1000),
    doc: "How many of them come back in a second.",
    example: "2",
};

pub(super) const CANARY: Key<Duration> = Key {
    name: "auth.canary",
    default: Duration::ZERO,
    kind: Kind::ZeroOr(Duration::from_secs(1), Duration::from_secs(24 * 60 * 60)),
    doc: "How often a random token is asked about, which must be refused; 0s: never. If the auth service says yes \
          to it, every token that rests on its word is refused until it does not.",
    example: r#""5m""#,
};

pub(super) const CLIENT_HEADER: Key<bool> = Key {
    name: "auth.client_header",
    default: false,
    kind: Kind::Any("true or false"),
    doc: "Whether the upstream is told the name of a local token, in `x-keptn-client`. A client's own copy is \
          removed either way.",
    example: "true",
};

pub(super) const MAX_BODY_BYTES: Key<u64> = Key {
    name: "max_body_bytes",
    default: 1_048_576,
    kind: Kind::Between(0, 1 << 40),
    doc: "The longest request body, in bytes; 0: none at all. Over it: 413.",
    example: "5242880",
};

pub(super) const INTERNAL: Key<&str> = Key {
    name: "internal",
    default: "allow",
    kind: Kind::OneOf(&["allow", "deny"]),
    doc: "Whether operations that are marked INTERNAL in the API's description pass (as in Keptn 0.6.2; each use is \
          counted and logged) or are refused with 403.",
    example: r#""deny""#,
};

pub(super) const POLICY: Key<&str> = Key {
    name: "policy",
    default: "open",
    kind: Kind::OneOf(&["open", "strict"]),
    doc: "What the profile's routes let through with a good token. `open`: everything, and the services decide (as in Keptn \
          0.6.2). `strict`: the operations of the services' public descriptions; other paths get 404, other methods \
          405, and HEAD passes where GET does.",
    example: r#""strict""#,
};

pub(super) const POLICIES: Key<()> = Key {
    name: "policies",
    default: (),
    kind: Kind::Nested("list of objects"),
    doc: "Another policy for paths that begin so. The longest prefix decides; where there is none, `policy`.",
    example: r#"[{ "prefix": "/configuration-service", "policy": "strict" }, { "prefix": "/v1/project", "policy": "strict" }]"#,
};

pub(super) const POLICY_PREFIX: Key<&str> = Key {
    name: "policies[].prefix",
    default: "",
    kind: Kind::Required("the beginning of a path"),
    doc: "Which paths: this one and everything below it, as clients send them. Whole segments, without parameters.",
    example: r#""/configuration-service""#,
};

pub(super) const POLICY_THERE: Key<&str> = Key {
    name: "policies[].policy",
    default: "",
    kind: Kind::RequiredOneOf(&["open", "strict"]),
    doc: "What holds there.",
    example: r#""strict""#,
};

pub(super) const REQUIRE_CHANNEL_ID: Key<bool> = Key {
    name: "websocket.require_channel_id",
    default: false,
    kind: Kind::Any("true or false"),
    doc: "Whether a WebSocket must name its channel in `Keptn-Ws-Channel-Id`: without it api-service takes the client \
          for a service that writes to channels.",
    example: "true",
};

pub(super) const TOKENS: Key<()> = Key {
    name: "tokens",
    default: (),
    kind: Kind::Nested("list of at most 64 objects"),
    doc: "Local tokens: they are known by their hashes, and nobody is asked about them.",
    example: r#"[{ "name": "ci", "sha256": "5358a94869c15ea2b2cf5c29c8603ec60e7ecf423bd4240f56162e4603f24eec" }]"#,
};

pub(super) const TOKEN_NAME: Key<&str> = Key {
    name: "tokens[].name",
    default: "",
    kind: Kind::Required("a name of 1 to 64 letters, digits, `-`, `_` and `.`"),
    doc: "Whose token it is. Two entries may have one name, so that the next token is good before the last one ends.",
    example: r#""ci""#,
};

pub(super) const TOKEN_SHA256: Key<&str> = Key {
    name: "tokens[].sha256",
    default: "",
    kind: Kind::Required("the SHA-256 of the token, as 64 hex digits"),
    doc: "The token's hash: `printf %s TOKEN | sha256sum`.",
    example: r#""5358a94869c15ea2b2cf5c29c8603ec60e7ecf423bd4240f56162e4603f24eec""#,
};

pub(super) const TOKEN_NOT_BEFORE: Key<&str> = Key {
    name: "tokens[].not_before",
    default: "",
    kind: Kind::Text("a time in UTC"),
    doc: "From when on it is good.",
    example: r#""2026-01-01T00:00:00Z""#,
};

pub(super) const TOKEN_NOT_AFTER: Key<&str> = Key {
    name: "tokens[].not_after",
    default: "",
    kind: Kind::Text("a time in UTC"),
    doc: "From when on it is no longer.",
    example: r#""2026-12-31T23:59:59Z""#,
};

pub(super) const TOKEN_API: Key<bool> = Key {
    name: "tokens[].api",
    default: false,
    kind: Kind::Any("true or false"),
    doc: "Whether api-service takes it too: it is Keptn's own secret, or Envoy's `credential_injector` puts that one \
          in. Then `/v1/auth` answers 200 to it without asking.",
    example: "true",
};

pub(super) const CORS_ORIGINS: Key<()> = Key {
    name: "cors.origins",
    default: (),
    kind: Kind::Required("a list of origins"),
    doc: "The web pages that may call the API from a browser: `https://bridge.example.org`, \
          `https://*.example.org` for any one label in the place of `*`, or `*` alone for all. Without `cors` nothing \
          is said to browsers.",
    example: r#"["https://bridge.example.org", "https://*.example.org"]"#,
};

pub(super) const CORS_CREDENTIALS: Key<bool> = Key {
    name: "cors.credentials",
    default: false,
    kind: Kind::Any("true or false"),
    doc: "Whether they may send cookies and the like; `x-token` needs no such permission. Not with the origin `*`.",
    example: "true",
};

pub(super) const CORS_HEADERS: Key<()> = Key {
    name: "cors.headers",
    default: (),
    kind: Kind::Nested("list of header names; none: `content-type` and `x-token`"),
    doc: "The request headers that they may set.",
    example: r#"["content-type", "x-token", "traceparent"]"#,
};

pub(super) const CORS_MAX_AGE: Key<Duration> = Key {
    name: "cors.max_age",
    default: Duration::from_secs(10 * 60),
    kind: Kind::Between(Duration::ZERO, Duration::from_secs(24 * 60 * 60)),
    doc: "How long a browser may remember the answer to a preflight, in whole seconds.",
    example: r#""1h""#,
};

pub(super) const UPSTREAMS: Key<()> = Key {
    name: "upstreams",
    default: (),
    kind: Kind::Nested("list of objects"),
    doc: "Services of your own behind the gateway, besides the profile's.",
    example: r#"[{ "name": "my-service" }]"#,
};

pub(super) const UPSTREAM_NAME: Key<&str> = Key {
    name: "upstreams[].name",
    default: "",
    kind: Kind::Required("a name of letters, digits, `-`, `_` and `.`"),
    doc: "The value of the filter state `wasm.keptn.upstream` that Envoy's routes match on.",
    example: r#""my-service""#,
};

pub(super) const UPSTREAM_TOKEN: Key<&str> = Key {
    name: "upstreams[].token",
    default: "remove",
    kind: Kind::OneOf(&["remove", "keep"]),
    doc: "Whether the service gets to see `x-token`.",
    example: r#""keep""#,
};

pub(super) const ROUTES: Key<()> = Key {
    name: "routes",
    default: (),
    kind: Kind::Nested("list of objects"),
    doc: "Routes of your own, besides the profile's. The most specific template wins.",
    example: r#"[{ "path": "/my-service/{*rest}", "upstream": "my-service", "strip": "/my-service" }]"#,
};

pub(super) const ROUTE_PATH: Key<&str> = Key {
    name: "routes[].path",
    default: "",
    kind: Kind::Required("a path template"),
    doc: "Which paths: `{name}` is one segment, `{+name}` one that may contain `%2F`, `{*rest}` at the end whatever \
          follows.",
    example: r#""/my-service/{*rest}""#,
};

pub(super) const ROUTE_METHODS: Key<()> = Key {
    name: "routes[].methods",
    default: (),
    kind: Kind::Nested("list of methods; none: any"),
    doc: "Which methods. Others get 405.",
    example: r#"["GET", "HEAD"]"#,
};

pub(super) const ROUTE_UPSTREAM: Key<&str> = Key {
    name: "routes[].upstream",
    default: "",
    kind: Kind::Required("the name of an upstream"),
    doc: "Where to: an upstream of the profile (`api-service`, `configuration-service`) or of yours.",
    example: r#""my-service""#,
};

pub(super) const ROUTE_ACCESS: Key<&str> = Key {
    name: "routes[].access",
    default: "token",
    kind: Kind::OneOf(&["token", "public"]),
    doc: "`token`: api-service is asked about `x-token`. `public`: nobody is asked.",
    example: r#""public""#,
};

pub(super) const ROUTE_STRIP: Key<&str> = Key {
    name: "routes[].strip",
    default: "",
    kind: Kind::Any("text; empty: nothing"),
    doc: "The beginning of the path that the upstream does not know. The template must begin with it.",
    example: r#""/my-service""#,
};

pub(super) const ROUTE_INTERNAL: Key<bool> = Key {
    name: "routes[].internal",
    default: false,
    kind: Kind::Any("true or false"),
    doc: "Whether it is an internal operation, like those that the services mark so: `internal` says what becomes of it.",
    example: "true",
};

/// A line of the documentation's table.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The key.
    pub name: &'static str,
    /// What may stand there.
    pub kind: String,
    /// What holds when it is missing.
    pub default: String,
    /// What it is for.
    pub doc: &'static str,
    /// An example, as JSON.
    pub example: &'static str,
}

/// All keys, for the documentation.
pub fn all() -> Vec<Line> {
    vec![
        PROFILE.line(),
        HOSTS.line(),
        AUTH_CLUSTER.line(),
        AUTH_AUTHORITY.line(),
        AUTH_TIMEOUT.line(),
        AUTH_DEADLINE.line(),
        MAX_FLIGHTS.line(),
        MAX_WAITERS.line(),
        ALLOW.line(),
        DENY.line(),
        STALE_IF_ERROR.line(),
        ALLOW_ENTRIES.line(),
        DENY_ENTRIES.line(),
        THROTTLE_BURST.line(),
        THROTTLE_PER_SECOND.line(),
        CANARY.line(),
        CLIENT_HEADER.line(),
        TOKENS.line(),
        TOKEN_NAME.line(),
        TOKEN_SHA256.line(),
        TOKEN_NOT_BEFORE.line(),
        TOKEN_NOT_AFTER.line(),
        TOKEN_API.line(),
        MAX_BODY_BYTES.line(),
        INTERNAL.line(),
        POLICY.line(),
        POLICIES.line(),
        POLICY_PREFIX.line(),
        POLICY_THERE.line(),
        REQUIRE_CHANNEL_ID.line(),
        CORS_ORIGINS.line(),
        CORS_CREDENTIALS.line(),
        CORS_HEADERS.line(),
        CORS_MAX_AGE.line(),
        UPSTREAMS.line(),
        UPSTREAM_NAME.line(),
        UPSTREAM_TOKEN.line(),
        ROUTES.line(),
        ROUTE_PATH.line(),
        ROUTE_METHODS.line(),
        ROUTE_UPSTREAM.line(),
        ROUTE_ACCESS.line(),
        ROUTE_STRIP.line(),
        ROUTE_INTERNAL.line(),
    ]
}

impl<T: Shown> Key<T> {
    fn line(&self) -> Line {
        let (kind, default) = match &self.kind {
            Kind::OneOf(words) => (words.join(" or "), self.default.shown()),
            Kind::RequiredOneOf(words) => (words.join(" or "), "required".to_owned()),
            Kind::Between(least, most) => {
                (format!("{} to {}", least.shown(), most.shown()), self.default.shown())
            }
            Kind::ZeroOr(least, most) => {
                (format!("0s, or {} to {}", least.shown(), most.shown()), self.default.shown())
            }
            Kind::Text(what) | Kind::Any(what) => ((*what).to_owned(), self.default.shown()),
            Kind::Required(what) => ((*what).to_owned(), "required".to_owned()),
            Kind::Nested(what) => ((*what).to_owned(), "none".to_owned()),
        };
        Line { name: self.name, kind, default, doc: self.doc, example: self.example }
    }
}

/// How a value is written in a configuration.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for &str {
    fn shown(&self) -> String {
        if self.is_empty() { "none".to_owned() } else { (*self).to_owned() }
    }
}

impl Shown for Duration {
    fn shown(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Shown for u64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for () {
    fn shown(&self) -> String {
        String::new()
    }
}
