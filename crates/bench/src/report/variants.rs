//! What the variants and the growth experiments are called, and in which order they stand.

use std::collections::BTreeSet;

use super::Data;

/// What a variant is there for; its place in a chart's legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The gateway.
    Ours = 0,
    /// What the others are compared with: they ask nobody for a token.
    Baseline = 1,
    /// Another way to do it.
    Alternative = 2,
}

impl Kind {
    /// In the order of their numbers.
    pub(super) const LEGEND: [&'static str; 3] =
        ["keptn-gateway", "asks for no token", "another way to do it"];
}

/// A variant for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant<'a> {
    pub(super) name: &'a str,
    pub(super) title: &'a str,
    pub(super) kind: Kind,
    /// What it does, for the report.
    pub(super) what: &'a str,
}

const fn variant(
    name: &'static str,
    kind: Kind,
    title: &'static str,
    what: &'static str,
) -> Variant<'static> {
    Variant { name, title, kind, what }
}

const VARIANTS: &[Variant<'static>] = &[
    variant("bare", Kind::Baseline, "bare Envoy", "Envoy with a route and no filter but the router"),
    variant(
        "do_nothing",
        Kind::Baseline,
        "filter that does nothing",
        "Envoy with a wasm filter of the same SDK and compiler flags that looks at nothing (`crates/do-nothing`); the SDK \
         exports all callbacks, and Envoy calls them",
    ),
    variant(
        "do_nothing_trimmed",
        Kind::Baseline,
        "does nothing, trimmed",
        "the same, trimmed as the gateway is: without the callbacks that it has no use for",
    ),
    variant(
        "calls",
        Kind::Baseline,
        "calls alone",
        "a trimmed wasm filter that makes the gateway's calls into Envoy for a hit, in the same order, with constants: it reads \
         the headers and the clock, names the service, and takes off the token and the prefix, and decides nothing \
         (`crates/do-nothing/examples/calls.rs`)",
    ),
    variant(
        "hit",
        Kind::Ours,
        "cache hit",
        "the gateway with all defaults (throttle, counters, body limit); a token that was found good before; \
         the prefix and the token are taken off",
    ),
    variant(
        "local",
        Kind::Ours,
        "local token",
        "the same with a token whose hash stands in the configuration",
    ),
    variant("public", Kind::Ours, "public route", "the gateway; a public document, no token"),
    variant("refused", Kind::Ours, "refused", "the gateway; no token: it answers 401 itself"),
    variant(
        "miss",
        Kind::Ours,
        "miss",
        "the gateway; each token is new, so each request costs a check. The throttle is off: it is there to stop just this",
    ),
    variant(
        "burst",
        Kind::Ours,
        "burst",
        "the gateway; many requests at once with one new token, again and again",
    ),
    variant(
        "api_key_auth",
        Kind::Alternative,
        "api_key_auth",
        "Envoy's filter for keys that stand in its configuration: no auth service",
    ),
    variant(
        "lua",
        Kind::Alternative,
        "Lua",
        "Envoy's Lua filter that compares one header with a constant: no auth service",
    ),
    variant(
        "ext_authz",
        Kind::Alternative,
        "ext_authz",
        "Envoy asks the auth service about each request, over HTTP",
    ),
    variant(
        "ext_authz_prefix",
        Kind::Alternative,
        "ext_authz, path_prefix",
        "the same with `path_prefix: /v1/auth`, as close to Keptn's contract as it gets",
    ),
    variant(
        "ext_authz_refused",
        Kind::Alternative,
        "ext_authz, refused",
        "ext_authz with a request without a token: it asks, and the auth service says no",
    ),
    variant(
        "chain_keptn",
        Kind::Alternative,
        "Envoy → nginx, as Keptn has it",
        "Envoy before nginx, which asks the auth service about each request (`auth_request`): what Keptn's users have, with \
         a connection of its own for each request to a service and two regular expressions for each request, as in Keptn 0.6.2, \
         and without its access log; else as the next one",
    ),
    variant(
        "chain",
        Kind::Alternative,
        "Envoy → nginx",
        "Envoy before nginx, which asks the auth service about each request (`auth_request`), with its best settings: \
         connections to the services are kept, and no regular expression is looked at",
    ),
    variant(
        "chain_cached",
        Kind::Alternative,
        "Envoy → nginx, cached",
        "the same with `proxy_cache` for the auth service's answers",
    ),
    variant("nginx", Kind::Alternative, "nginx", "nginx with `auth_request`, no Envoy before it"),
    variant(
        "nginx_cached",
        Kind::Alternative,
        "nginx, cached",
        "the same with `proxy_cache` for the answers",
    ),
    variant("nginx_plain", Kind::Baseline, "bare nginx", "nginx as a plain proxy"),
];

/// A variant by its name; one that nobody has described is called as it is.
pub(super) fn by_name(name: &str) -> Variant<'_> {
    let unknown = Variant { name, title: name, kind: Kind::Alternative, what: "" };
    VARIANTS.iter().copied().find(|variant| variant.name == name).unwrap_or(unknown)
}

/// The variants that were measured: those above in their order, then the others by name.
pub(super) fn measured(data: &Data) -> Vec<Variant<'_>> {
    let names: BTreeSet<&str> = data.samples.iter().map(|sample| &*sample.variant).collect();
    let known = VARIANTS.iter().copied().filter(|variant| names.contains(variant.name));
    let is_known = |name: &str| VARIANTS.iter().any(|variant| variant.name == name);
    let unknown =
        names.iter().filter(|name| !name.contains('/') && !is_known(name)).map(|name| by_name(name));
    known.chain(unknown).collect()
}

/// What grows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Experiment<'a> {
    /// What stands before the `/` of its variants.
    pub(super) name: &'a str,
    pub(super) title: &'a str,
    /// What is on the horizontal axis.
    pub(super) x: &'a str,
    /// What is measured.
    pub(super) metric: &'a str,
    /// What is to be known about it, for the report.
    pub(super) what: &'a str,
}

pub(super) const CPU: &str = "cpu_us_per_request";
pub(super) const MEMORY: &str = "rss_mib";
pub(super) const START: &str = "start_ms";

const EXPERIMENTS: &[Experiment<'static>] = &[
    Experiment {
        name: "routes",
        title: "CPU per request against routes",
        x: "routes of one's own",
        metric: CPU,
        what: "A cache hit, with more and more routes in the configuration, beside the profile's.",
    },
    Experiment {
        name: "tokens",
        title: "CPU per request against cached tokens",
        x: "tokens remembered",
        metric: CPU,
        what: "Cache hits, by tokens that are all over so many, each count in a process of its own. For it `auth.allow_entries` is raised to hold all of them, \
               `auth.allow` so that none ends meanwhile, and the throttle is off.",
    },
    Experiment {
        name: "headers",
        title: "CPU per request against headers",
        x: "request headers",
        metric: CPU,
        what: "A cache hit, with more and more request headers, of which there are nine at least. Envoy itself needs longer \
               for them too.",
    },
    Experiment {
        name: "memory_full",
        title: "Memory with both halves of the cache full",
        x: "remembered tokens",
        metric: MEMORY,
        what: "As many good and wrong tokens as the defaults have room for, the wrong ones from as many addresses.",
    },
    Experiment {
        name: "memory_workers",
        title: "Memory against workers",
        x: "workers",
        metric: MEMORY,
        what: "Each worker has a VM of its own, and Envoy's main thread another. V8's compiled code is shared by all of them: \
               what one more line adds is what one more VM takes, before it remembers anything.",
    },
    Experiment {
        name: "memory_tokens",
        title: "Memory against remembered tokens",
        x: "remembered tokens",
        metric: MEMORY,
        what: "Good tokens, each used twice. Beyond the defaults `auth.allow_entries` is raised.",
    },
    Experiment {
        name: "memory_flights",
        title: "Memory against checks under way",
        x: "requests that wait",
        metric: MEMORY,
        what: "Each request shows a new token and waits for its check; with the filter that does nothing, for the service. \
               Most of it is Envoy's own, for connections and requests. Beyond the defaults `auth.max_flights` is raised.",
    },
    Experiment {
        name: "memory_addresses",
        title: "Memory against client addresses",
        x: "client addresses",
        metric: MEMORY,
        what: "Each request shows a wrong token from another address. The throttle remembers a limited number of them, and \
               the cache of wrong tokens as well.",
    },
    Experiment {
        name: "reconfigure",
        title: "Configuration to first request, in a VM that runs",
        x: "routes of one's own",
        metric: START,
        what: "From handing Envoy another configuration for a filter that it has already, as after a change, to the first \
               answer by it: a root context in each VM, reading the configuration, one check. In ms.",
    },
    Experiment {
        name: "start",
        title: "Configuration to first request, in a VM that has to be started",
        x: "routes of one's own",
        metric: START,
        what: "From handing the configuration to a running Envoy, which has no filter yet, to the first answer: reading and \
               compiling the module, a VM in the main thread and one in the worker, reading the configuration, one \
               check. In ms.",
    },
];

impl Experiment<'_> {
    /// What its chart's file is called, without `.svg`.
    pub(super) fn chart_name(&self) -> String {
        let in_name = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        format!("growth-{}", self.name.chars().map(in_name).collect::<String>())
    }
}

/// The experiments that were run, in the same order.
pub(super) fn experiments(data: &Data) -> Vec<Experiment<'_>> {
    let names: BTreeSet<&str> =
        data.samples.iter().filter_map(|sample| Some(sample.variant.split_once('/')?.0)).collect();
    let known = EXPERIMENTS.iter().copied().filter(|experiment| names.contains(experiment.name));
    let is_known = |name: &str| EXPERIMENTS.iter().any(|experiment| experiment.name == name);
    let unknown = names.iter().filter(|name| !is_known(name)).map(|name| Experiment {
        name,
        title: name,
        x: name,
        metric: if name.starts_with("memory") { MEMORY } else { CPU },
        what: "",
    });
    known.chain(unknown).collect()
}

/// What a line of a growth chart is called: what stands behind the `/`.
pub(super) fn line(name: &str) -> &str {
    match name {
        "ours" => "keptn-gateway",
        name => by_name(name).title,
    }
}
