//! Whether what the routes lead to is there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Scene;
use crate::findings::{Findings, few};
use crate::verify::json::{field, is_true, path, text};
use crate::verify::ours::namespaces;
use crate::verify::plugin::Plugin;
use crate::verify::route::{Goal, Route};

const CHECK: &str = "cluster";

pub(super) fn check(scene: &Scene<'_, '_>, findings: &mut Findings) {
    let known: BTreeSet<_> = scene.dump.clusters.iter().filter_map(|cluster| text(cluster, "name")).collect();
    let goals: Vec<_> = scene
        .dump
        .routes
        .iter()
        .flat_map(|config| Route::all(config.value))
        .flat_map(|route| route.goals())
        .collect();
    let named: BTreeSet<_> = goals
        .iter()
        .filter_map(|goal| match goal {
            Goal::Cluster { name, .. } => Some(*name),
            Goal::Anywhere(_) => None,
        })
        .collect();
    let asked = scene.plugins.iter().filter(|plugin| plugin.problems.is_empty());
    let asked: BTreeSet<_> =
        asked.map(|plugin| Plugin::auth_cluster(plugin).unwrap_or("api-service")).collect();

    let (ours, others): (Vec<_>, Vec<_>) = named.iter().partition(|name| scene.ours.has(name));
    let ours: BTreeSet<_> = ours.into_iter().copied().collect();
    let lacking = |names: &BTreeSet<&str>| {
        names.iter().filter(|name| !known.contains(*name)).map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    let missing: BTreeSet<_> = lacking(&ours).into_iter().chain(lacking(&asked)).collect();
    for name in &missing {
        let what =
            if ours.contains(name.as_str()) { "routes lead to it" } else { "tokens are checked there" };
        findings.problem(
            CHECK,
            format!("{name} is not there, and {what}"),
            "is the Service there, with that port? PILOT_FILTER_GATEWAY_CLUSTER_CONFIG in istiod keeps back clusters \
             that only an EnvoyFilter names",
        );
    }
    if missing.is_empty() && !ours.is_empty() {
        let all = ours.union(&asked).copied();
        findings.good(CHECK, format!("there are {}", few(all)));
    }
    for cluster in &scene.dump.clusters {
        let Some((name, (wanted, found))) = text(cluster, "name").zip(namespaces(cluster)) else { continue };
        if wanted != found && scene.ours.has(name) {
            findings.problem(
                CHECK,
                format!("{name} is made of something in the namespace {found}, not of the Service in {wanted}"),
                "whoever is behind it says which tokens are good: delete the ServiceEntry of that host in that \
                 namespace. It holds while the Service is not there",
            );
        }
    }
    let missing: Vec<_> = others.into_iter().copied().filter(|name| !known.contains(name)).collect();
    if !missing.is_empty() {
        findings
            .note(CHECK, format!("routes of other applications lead to what is not there: {}", few(missing)));
    }
    for cluster in scene.dump.clusters.iter().filter(|cluster| goes_anywhere(cluster)) {
        if let Some(name) = text(cluster, "name").filter(|name| named.contains(name)) {
            findings.note(
                CHECK,
                format!("{name} connects to where the request says: routes lead to it, and it may reach Keptn's services"),
            );
        }
    }
}

/// Whether the request decides where such a cluster connects to.
fn goes_anywhere(cluster: &Value) -> bool {
    let by_header = is_true(path(cluster, &["original_dst_lb_config"]), "use_http_header");
    let kind = text(field(cluster, "cluster_type"), "name");
    by_header || kind.is_some_and(|kind| kind.contains("dynamic_forward_proxy"))
}
