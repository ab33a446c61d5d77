//! Whether whatever leads to our services opens to the filter's verdict alone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Scene;
use crate::recognise::{KEY, SERVICES, is_our_name};
use crate::verify::dump::RouteConfig;
use crate::verify::finding::{Findings, few};
use crate::verify::json::{any_object, field, items, strings, text, typed};
use crate::verify::route::{Goal, Route, destination, matcher_goals, virtual_host};

const CHECK: &str = "route";

/// What to do about a route that stands open.
const DROPPED: &str = "an istiod before 1.26 drops filter_state: upgrade it; until then delete the EnvoyFilter \
                       keptn-gateway-routes. A route that is somebody else's must not lead there";

pub(super) fn check(scene: &Scene<'_, '_>, findings: &mut Findings) {
    let mut leading = false;
    for (index, config) in scene.dump.routes.iter().enumerate() {
        let mut gated = 0_usize;
        for route in Route::all(config.value) {
            gated = gated.saturating_add(usize::from(is_shut(scene, config, &route, findings)));
        }
        matchers(scene, config, findings);
        switched_off(scene, config, findings);
        if gated > 0 {
            let s = if gated == 1 { " to Keptn's services is" } else { "s to Keptn's services are" };
            findings.good(CHECK, format!("{}: {gated} route{s} open to {KEY} alone", config.name));
        }
        if scene.leads(index) {
            leading = true;
            complete(scene, config, findings);
        }
    }
    if !leading {
        findings.problem(
            CHECK,
            "none leads to Keptn's services: every request is refused",
            "apply the routes; in Istio routes.yaml inserts them before the route of the VirtualService keptn-gateway, \
             for proxies from 1.26 on",
        );
    }
    for chain in scene.dump.listeners.iter().flat_map(|listener| &listener.chains) {
        chain.others.iter().for_each(|other| connections(scene, &chain.name, other, findings));
        let values = chain.managers.iter().map(|manager| manager.value).chain(chain.others.iter().copied());
        writers(&format!("listener {}", chain.name), values, findings);
    }
    for config in &scene.dump.routes {
        writers(&config.name, [config.value], findings);
    }
    for filter in &scene.dump.discovered {
        let name = text(filter, "name").unwrap_or("without a name");
        writers(&format!("filter {name}"), [*filter], findings);
    }
}

/// Whether this is a route to our services, and nothing is wrong with it.
fn is_shut(
    scene: &Scene<'_, '_>,
    config: &RouteConfig<'_>,
    route: &Route<'_>,
    findings: &mut Findings,
) -> bool {
    let shown = || format!("{}: {}", config.name, route.name());
    let goals = route.goals();
    let mut wrong = false;
    for goal in &goals {
        if let Goal::Anywhere(why) = goal {
            wrong = true;
            let message = format!("{}: {why}, which may be one of Keptn's services", shown());
            findings.problem(CHECK, message, "name the cluster in the route");
        }
    }
    let clusters = scene.ours.among(&goals);
    if clusters.is_empty() {
        return false;
    }
    let ways = clusters.iter().map(|(name, is_copy)| {
        if *is_copy { format!("sends copies to {name}") } else { format!("leads to {name}") }
    });
    let ways = ways.collect::<Vec<_>>().join(" and ");
    match route.demand() {
        Err(why) => {
            wrong = true;
            let help = match route.virtual_service() {
                Some(maker) => format!(
                    "the VirtualService {maker} goes around the gateway: delete that route, or take it off the gateway"
                ),
                None if route.asks() => {
                    format!("write one verdict: key: {KEY}, string_match: {{ exact: NAME }}")
                }
                None => DROPPED.to_owned(),
            };
            findings.problem(CHECK, format!("{}: {ways} and {why}", shown()), help);
        }
        Ok(verdict) => {
            let other = |name: &&str| scene.ours.verdict_of(name).is_some_and(|service| service != verdict);
            if let Some(known) = scene.ours.verdicts.as_ref().filter(|known| !known.contains(verdict)) {
                wrong = true;
                let known = few(known.iter().map(String::as_str));
                findings.problem(
                    CHECK,
                    format!("{}: {ways} and opens to {verdict:?}, which the filter never says", shown()),
                    format!("write one of {known}, or add it to the configuration's upstreams"),
                );
            } else if let Some(cluster) = clusters.keys().copied().find(other) {
                wrong = true;
                findings.problem(
                    CHECK,
                    format!("{}: opens to the verdict {verdict} and leads to {cluster}", shown()),
                    "let each verdict lead to its own service: requests were judged for that one",
                );
            }
            for surprise in route.surprises() {
                findings.note(CHECK, format!("{}: {surprise}", shown()));
            }
        }
    }
    !wrong
}

/// Matchers in the place of routes are not read, only searched.
fn matchers(scene: &Scene<'_, '_>, config: &RouteConfig<'_>, findings: &mut Findings) {
    for host in items(config.value, "virtual_hosts") {
        let goals = matcher_goals(host);
        let ours = scene.ours.among(&goals);
        let anywhere = goals.iter().any(|goal| matches!(goal, Goal::Anywhere(_)));
        if anywhere || !ours.is_empty() {
            let goal = if anywhere { "where the request says".to_owned() } else { few(ours.into_keys()) };
            findings.problem(
                CHECK,
                format!("{}: {} has a matcher, which leads to {goal}", config.name, virtual_host(host)),
                "use routes there: what a matcher demands is not read here",
            );
        }
    }
    if !field(config.value, "vhds").is_null() {
        findings.note(
            CHECK,
            format!("{}: virtual hosts come on demand; those that have come are judged", config.name),
        );
    }
}

/// The filter runs by the route that fits before it has spoken, so each route of our virtual hosts counts.
fn switched_off(scene: &Scene<'_, '_>, config: &RouteConfig<'_>, findings: &mut Findings) {
    let hosts = items(config.value, "virtual_hosts").iter().filter(|host| {
        Route::of(host, config.value).any(|route| !scene.ours.among(&route.goals()).is_empty())
    });
    let mut places = Vec::new();
    for (index, host) in hosts.enumerate() {
        if index == 0 {
            places.push((config.name.clone(), config.value));
        }
        places.push((format!("{}: {}", config.name, virtual_host(host)), host));
        for route in Route::of(host, config.value) {
            let name = format!("{}: {}", config.name, route.name());
            let weighted = items(field(field(route.value, "route"), "weighted_clusters"), "clusters");
            places.extend(weighted.iter().map(|cluster| (name.clone(), cluster)));
            places.push((name, route.value));
        }
    }
    for (name, place) in places {
        let filters = field(place, "typed_per_filter_config").as_object();
        let off = filters.into_iter().flatten().find(|(filter, config)| {
            let ours = is_our_name(filter) || scene.plugins.iter().any(|plugin| plugin.name == *filter);
            ours && field(config, "disabled").as_bool() == Some(true)
        });
        if let Some((filter, _)) = off {
            findings.problem(
                CHECK,
                format!("{name}: {filter} is disabled there: requests are not judged, so they are refused"),
                "remove that typed_per_filter_config",
            );
        }
    }
}

/// Each verdict of the profile must have a route, and those of the configuration.
fn complete(scene: &Scene<'_, '_>, config: &RouteConfig<'_>, findings: &mut Findings) {
    let opened: BTreeSet<_> = Route::all(config.value)
        .filter(|route| !scene.ours.among(&route.goals()).is_empty())
        .filter_map(|route| route.demand().ok())
        .collect();
    let known = scene.ours.verdicts.iter().flatten().map(String::as_str);
    let all: BTreeSet<_> = SERVICES.into_iter().chain(known).collect();
    let missing: Vec<_> = all.into_iter().filter(|verdict| !opened.contains(verdict)).collect();
    // Where they are all open somebody else's route leads here, or an old istiod made them: that is said already.
    if !missing.is_empty() && !opened.is_empty() {
        findings.problem(
            CHECK,
            format!(
                "{}: no route opens to the verdict {}: such requests are refused",
                config.name,
                few(missing)
            ),
            "apply the routes; `gatectl render --config FILE` makes them for services of your own as well",
        );
    }
}

/// What forwards connections, not requests, asks no filter.
fn connections(scene: &Scene<'_, '_>, chain: &str, filter: &Value, findings: &mut Findings) {
    let mut named = Vec::new();
    strings(filter, &mut named);
    let mut ours: BTreeSet<_> = named.into_iter().filter(|name| scene.ours.is_named(name)).collect();
    ours.extend(scene.ours.among(&destination(filter)).into_keys());
    if typed(filter).0.ends_with(".sni_cluster.v3.SniCluster") {
        // The name that a client gives in its TLS handshake is the cluster's: a Gateway with AUTO_PASSTHROUGH.
        let clusters = scene.dump.clusters.iter().filter_map(|cluster| text(cluster, "name"));
        ours.extend(clusters.filter(|name| !name.contains('|') && scene.ours.has(name)));
    }
    if !ours.is_empty() {
        findings.problem(
            CHECK,
            format!("listener {chain}: connections are forwarded to {} as they are", few(ours)),
            "remove that filter (tcp_proxy, sni_cluster), in Istio the Gateway with TCP, PASSTHROUGH or AUTO_PASSTHROUGH: it \
             asks nobody",
        );
    }
}

/// The verdict is the filter's to write.
fn writers<'v>(place: &str, values: impl IntoIterator<Item = &'v Value>, findings: &mut Findings) {
    let writes = |object: &Value| text(object, "object_key") == Some(KEY);
    if values.into_iter().any(|value| any_object(value, &writes)) {
        findings.problem(
            CHECK,
            format!("{place}: something else sets the filter state {KEY}"),
            "remove that set_filter_state: it opens the routes to requests that nobody has judged",
        );
    }
}
