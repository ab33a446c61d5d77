//! Whether our routes come first under our hosts, and a refusal after them.

use serde_json::Value;

use super::Scene;
use super::version::is_istio;
use crate::findings::{Findings, few};
use crate::verify::dump::RouteConfig;
use crate::verify::json::{items, text};
use crate::verify::plugin::canonical;
use crate::verify::route::{NOT_LOADED, Route, virtual_host};

const CHECK: &str = "order";

pub(super) fn check(scene: &Scene<'_, '_>, findings: &mut Findings) {
    let mut served: Vec<&str> = Vec::new();
    for (index, config) in scene.dump.routes.iter().enumerate() {
        if !scene.leads(index) && !scene.names_us(index) {
            continue;
        }
        let mut seen: Vec<&Value> = Vec::new();
        for host in &scene.hosts {
            if let Some(found) = serving(config.value, host) {
                let redirects = text(found, "require_tls") == Some("ALL");
                if redirects || leads(scene, config, found) {
                    served.push(host);
                }
                // What a wildcard serves among other applications is theirs, unless our routes are there.
                if (names(found, host) || leads(scene, config, found))
                    && !seen.iter().any(|known| core::ptr::eq(*known, found))
                {
                    seen.push(found);
                }
            }
        }
        if scene.hosts.is_empty() {
            seen.extend(
                items(config.value, "virtual_hosts").iter().filter(|host| leads(scene, config, host)),
            );
        }
        for host in seen {
            virtual_host_of_ours(scene, config, host, findings);
        }
    }
    for host in scene.hosts.iter().filter(|host| !served.contains(&host.as_str())) {
        findings.problem(
            CHECK,
            format!("host {host}: no virtual host has routes to Keptn's services for it"),
            "apply the VirtualService keptn-gateway and routes.yaml; `gatectl domain DOMAIN` makes them for a domain",
        );
    }
}

fn leads(scene: &Scene<'_, '_>, config: &RouteConfig<'_>, host: &Value) -> bool {
    Route::of(host, config.value).any(|route| !scene.ours.among(&route.goals()).is_empty())
}

fn virtual_host_of_ours(
    scene: &Scene<'_, '_>,
    config: &RouteConfig<'_>,
    host: &Value,
    findings: &mut Findings,
) {
    let shown = format!("{}: {}", config.name, virtual_host(host));
    if text(host, "require_tls") == Some("ALL") {
        findings.good(CHECK, format!("{shown} redirects to https"));
        return;
    }
    let is_ours = |route: &Route<'_>| !scene.ours.among(&route.goals()).is_empty();
    let routes: Vec<_> = Route::of(host, config.value).collect();
    let Some(last) = routes.iter().rposition(is_ours) else {
        findings.problem(
            CHECK,
            format!("{shown} has no route to Keptn's services: every request is refused, or is another's"),
            "apply routes.yaml; it inserts them for proxies from 1.26 on, where a route is named keptn-gateway-not-loaded",
        );
        return;
    };
    let (before, after) = routes.split_at(last);
    let before: Vec<_> = before.iter().filter(|route| !is_ours(route)).map(Route::short).collect();
    if !before.is_empty() {
        findings.problem(
            CHECK,
            format!("{shown}: before the last route to Keptn's services stands {}", few(before.iter().map(String::as_str))),
            "what it fits never reaches them: remove it, or give keptn-gateway-routes a higher priority than what inserts it",
        );
    }
    let after = after.get(1..).unwrap_or_default();
    let others: Vec<_> = after.iter().filter(|route| !route.is_not_loaded()).map(Route::short).collect();
    let refused = after.iter().any(Route::is_not_loaded);
    if !others.is_empty() {
        let others = few(others.iter().map(String::as_str));
        findings.note(
            CHECK,
            format!("{shown}: after the routes comes {others}, of somebody else (Keptn's own VirtualService is called api); without the filter it serves"),
        );
    } else if !refused && is_istio(scene) {
        findings.note(
            CHECK,
            format!("{shown}: the 503 {NOT_LOADED} is not there: without the filter it answers 404"),
        );
    } else if before.is_empty() {
        let end = if refused { format!("then the 503 {NOT_LOADED}") } else { "then nothing".to_owned() };
        findings.good(CHECK, format!("{shown}: our routes first, {end}"));
    }
}

/// The virtual host that a request for `host` gets, as Envoy looks for it.
fn serving<'a>(config: &'a Value, host: &str) -> Option<&'a Value> {
    let mut best: Option<((u8, usize), &Value)> = None;
    for candidate in items(config, "virtual_hosts") {
        for domain in items(candidate, "domains").iter().filter_map(Value::as_str) {
            let rank = match (domain.strip_prefix('*'), domain.strip_suffix('*')) {
                _ if canonical(domain) == host => Some((3, 0)),
                (Some(""), _) => Some((0, 0)),
                (Some(end), _) => host.ends_with(&end.to_ascii_lowercase()).then_some((2, end.len())),
                (None, Some(start)) => {
                    host.starts_with(&start.to_ascii_lowercase()).then_some((1, start.len()))
                }
                (None, None) => None,
            };
            if let Some(rank) = rank
                && best.is_none_or(|(known, _)| rank > known)
            {
                best = Some((rank, candidate));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// Whether a virtual host has this very host among its domains.
fn names(virtual_host: &Value, host: &str) -> bool {
    items(virtual_host, "domains").iter().filter_map(Value::as_str).any(|domain| canonical(domain) == host)
}
