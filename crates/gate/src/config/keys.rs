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
    kind: Kind::Text,
    doc: "Envoy's name of the cluster that answers `POST /v1/auth`.",
    example: r#""outbound|8080||api-service.keptn.svc.cluster.local""#,
};

pub(super) const AUTH_AUTHORITY: Key<&str> = Key {
    name: "auth.authority",
    default: "api-service",
    kind: Kind::Text,
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
    doc: "How many checks that somebody waits for may be under way, per worker. Over it new tokens get 503.",
    example: "512",
};

pub(super) const MAX_WAITERS: Key<u64> = Key {
    name: "auth.max_waiters",
    default: 1024,
    kind: Kind::Between(1, 1_048_576),
    doc: "How many requests may wait for checks, per worker. Over it they get 503.",
    example: "4096",
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

pub(super) const REQUIRE_CHANNEL_ID: Key<bool> = Key {
    name: "websocket.require_channel_id",
    default: false,
    kind: Kind::Any("true or false"),
    doc: "Whether a WebSocket must name its channel in `Keptn-Ws-Channel-Id`: without it api-service takes the client \
          for a service that writes to channels.",
    example: "true",
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
        MAX_BODY_BYTES.line(),
        INTERNAL.line(),
        REQUIRE_CHANNEL_ID.line(),
        UPSTREAMS.line(),
        UPSTREAM_NAME.line(),
        UPSTREAM_TOKEN.line(),
        ROUTES.line(),
        ROUTE_PATH.line(),
        ROUTE_METHODS.line(),
        ROUTE_UPSTREAM.line(),
        ROUTE_ACCESS.line(),
        ROUTE_STRIP.line(),
    ]
}

impl<T: Shown> Key<T> {
    fn line(&self) -> Line {
        let (kind, default) = match &self.kind {
            Kind::OneOf(words) => (words.join(" or "), self.default.shown()),
            Kind::Text => ("text".to_owned(), self.default.shown()),
            Kind::Between(least, most) => {
                (format!("{} to {}", least.shown(), most.shown()), self.default.shown())
            }
            Kind::Any(what) => ((*what).to_owned(), self.default.shown()),
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
