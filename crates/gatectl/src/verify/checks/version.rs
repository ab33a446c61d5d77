//! Whether Envoy and Istio know filter state in routes.

use serde_json::Value;

use super::Scene;
use crate::findings::Findings;
use crate::verify::json::{field, path, text};

const CHECK: &str = "version";

/// The first Envoy whose routes match on filter state: envoyproxy/envoy, changelogs/1.34.0.yaml.
const ENVOY: (u64, u64) = (1, 34);

/// The first Istio that is made of it, and whose istiod does not drop `filter_state`.
const ISTIO: (u64, u64) = (1, 26);

pub(super) fn check(scene: &Scene<'_, '_>, findings: &mut Findings) {
    let node = scene.dump.node;
    let build = path(node, &["user_agent_build_version", "version"]);
    let number = |key| field(build, key).as_u64();
    match (number("major_number"), number("minor_number").or(Some(0))) {
        (Some(major), Some(minor)) => {
            let patch = number("patch").unwrap_or(0);
            let message = format!("Envoy {major}.{minor}.{patch}");
            if (major, minor) < ENVOY {
                let help =
                    "take Envoy 1.34 or newer: older ones drop filter_state, and the routes stand open";
                findings.problem(CHECK, format!("{message} is older than 1.34"), help);
            } else {
                findings.good(CHECK, message);
            }
        }
        _ => findings.problem(
            CHECK,
            "Envoy's version is not in the dump (node.user_agent_build_version of the bootstrap)",
            "take the whole dump, with the bootstrap in it; Envoy must be 1.34 or newer",
        ),
    }
    let said = field(path(node, &["metadata"]), "ISTIO_VERSION");
    let Some(version) = said.as_str() else {
        if *said != Value::Null {
            findings.note(CHECK, "the node's ISTIO_VERSION is no text");
        }
        return;
    };
    match parse(version) {
        Some(version_number) if version_number < ISTIO => findings.problem(
            CHECK,
            format!("Istio's agent is {version}, older than 1.26"),
            "upgrade Istio, istiod first: an older one drops filter_state, and the routes stand open",
        ),
        Some(_) => findings.good(CHECK, format!("Istio's agent {version}")),
        None => findings.note(
            CHECK,
            format!("Istio's agent calls itself {version:?}: keptn-gateway-routes inserts routes from 1.26 on only"),
        ),
    }
}

/// Whether the dump is of an Istio.
pub(super) fn is_istio(scene: &Scene<'_, '_>) -> bool {
    text(field(scene.dump.node, "metadata"), "ISTIO_VERSION").is_some()
}

/// The first two numbers.
fn parse(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.splitn(3, '.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
