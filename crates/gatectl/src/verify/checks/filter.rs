//! Whether the filter is in the chains, at its place.

use super::{Door, Scene};
use crate::recognise::{NAME, WRITE_ROOT, is_our_name};
use crate::verify::filter::{Gate, Loaded};
use crate::verify::finding::{Findings, few};
use crate::verify::json::{field, items, path, text};

const CHECK: &str = "filter";

/// What the agent puts in the place of a module that it cannot fetch.
const DENY: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";

pub(super) fn check(scene: &Scene<'_, '_>, findings: &mut Findings) {
    let mut looked = false;
    for door in &scene.doors {
        let should = scene.is_ours(door.manager);
        match door.gates.as_slice() {
            [] if should && scene.only_redirects(door.manager) => {
                findings.good(
                    CHECK,
                    format!("listener {}: not there, and all is redirected to https", door.chain.name),
                );
            }
            [] if should => {
                looked = true;
                missing(scene, door, findings);
            }
            [] => {}
            [gate] if should && scene.only_redirects(door.manager) => {
                looked = true;
                findings.problem(
                    CHECK,
                    format!(
                        "listener {}: {} stands before a redirect to https: it takes tokens in clear, and changes the \
                         path that clients are sent to",
                        door.chain.name, gate.name
                    ),
                    "apply your kustomization with components/credential-name again: what `gatectl render` and `gatectl \
                     domain` print puts the filter on port 80 as well",
                );
            }
            [gate] => {
                looked = true;
                one(door, gate, findings);
                upgrades(door, findings);
            }
            several => {
                looked = true;
                let names = few(several.iter().map(|gate| gate.name));
                findings.problem(
                    CHECK,
                    format!("listener {}: the filter is there {} times: {names}", door.chain.name, several.len()),
                    "keep one of the overlays, and delete the other object (EnvoyFilter, WasmPlugin, TrafficExtension)",
                );
            }
        }
    }
    if !looked {
        findings.problem(
            CHECK,
            "no listener has the filter, and none leads to Keptn's services",
            "install it, or take the dump of the gateway that has it",
        );
    }
}

fn missing(scene: &Scene<'_, '_>, door: &Door<'_, '_>, findings: &mut Findings) {
    let listener = &door.chain.name;
    let leads = door.manager.routes.iter().any(|config| scene.leads(*config));
    let what = if leads { "routes lead to Keptn's services" } else { "Keptn's hosts are served" };
    findings.problem(
        CHECK,
        format!("listener {listener}: {what}, and the filter is not there"),
        "apply the overlay's filter.yaml again; in Istio its object must be in the gateway's namespace, with labels \
         that select its pods",
    );
}

fn one(door: &Door<'_, '_>, gate: &Gate<'_>, findings: &mut Findings) {
    let listener = &door.chain.name;
    let mut wrong = false;
    let mut problem = |message: String, help: &str| {
        wrong = true;
        findings.problem(CHECK, format!("listener {listener}: {} {message}", gate.name), help);
    };
    if gate.is_disabled {
        problem(
            "is disabled".to_owned(),
            "remove `disabled` from the filter: until then every request is refused",
        );
    }
    if !gate.before.is_empty() {
        let before = gate.before.join(", ");
        problem(
            format!("stands after {before}"),
            "put it before fault, cors and router: what those answer is not judged; in Istio without a phase",
        );
    }
    match gate.loaded {
        Loaded::Wasm(config) => {
            let root = text(config, "root_id");
            if root.is_some_and(|root| root != NAME) {
                problem(format!("is another plugin, with root_id {}", root.unwrap_or_default()), WRITE_ROOT);
            }
        }
        Loaded::Nothing => problem(
            "is not loaded".to_owned(),
            "its configuration has not come, or was refused: look for its name in istiod's and the agent's log; the \
             EnvoyFilter keptn-gateway brings both the filter and its configuration",
        ),
        Loaded::Other(DENY) => problem(
            "could not be fetched: the agent refuses every request in its place".to_owned(),
            "see whether the image or file is where the manifest says and has that SHA-256 (`applying deny RBAC filter` \
             in the agent's log says why), then change an annotation of the object: nothing tries again by itself",
        ),
        Loaded::Other(kind) => {
            let kind = if kind.is_empty() { "nothing" } else { kind };
            problem(format!("is no wasm filter but {kind}"), "load keptn-gateway's plugin.wasm there");
        }
    }
    if !wrong {
        let place = match next(door, gate) {
            Some(next) => format!(", before {next}"),
            None => String::new(),
        };
        findings.good(CHECK, format!("listener {listener}: {}{place}", gate.name));
    }
}

fn next<'a>(door: &Door<'_, 'a>, gate: &Gate<'_>) -> Option<&'a str> {
    let mut after = items(door.manager.value, "http_filters").iter().map(|filter| text(filter, "name"));
    after.find(|name| *name == Some(gate.name))?;
    after.next()?
}

/// An upgrade may have filters of its own, instead of the chain's.
fn upgrades(door: &Door<'_, '_>, findings: &mut Findings) {
    for upgrade in items(door.manager.value, "upgrade_configs") {
        let filters = items(upgrade, "filters");
        let ours = filters.iter().any(|filter| {
            text(filter, "name").is_some_and(is_our_name)
                || text(path(filter, &["typed_config", "config"]), "root_id") == Some(NAME)
        });
        if !filters.is_empty() && !ours {
            let kind = field(upgrade, "upgrade_type").as_str().unwrap_or_default();
            findings.problem(
                CHECK,
                format!(
                    "listener {}: upgrades to {kind} have filters of their own, without ours",
                    door.chain.name
                ),
                "remove `filters` from that upgrade_configs entry, or put the filter there as well",
            );
        }
    }
}
