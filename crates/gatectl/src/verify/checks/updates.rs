//! Whether Envoy has refused an update, or waits for something.

use super::Scene;
use crate::findings::{Findings, few};
use crate::verify::words::words;

const CHECK: &str = "update";

pub(super) fn check(scene: &Scene<'_, '_>, findings: &mut Findings) {
    for refused in &scene.dump.refused {
        findings.problem(
            CHECK,
            format!("Envoy has refused {}: {}", refused.what, words(refused.why)),
            "mend what Envoy names; until then what it had before stays, or nothing. On port 443 it is mostly the \
             certificate",
        );
    }
    let waiting: Vec<_> = scene.dump.listeners.iter().filter(|listener| listener.is_warming).collect();
    for listener in &waiting {
        let serves =
            scene.dump.listeners.iter().any(|other| !other.is_warming && other.name == listener.name);
        let state = if serves { "serves an older version" } else { "does not serve" };
        let message = format!("listener {} {state}: it waits", listener.name);
        match scene.dump.awaited.as_slice() {
            [] => findings.problem(
                CHECK,
                message,
                "dump again in a moment; if it stays, look for the listener's name in istiod's and the agent's log",
            ),
            awaited => findings.problem(
                CHECK,
                format!("{message} for the certificate {}", few(awaited.iter().copied())),
                "`gatectl cert` makes one; docs/istio.md says where the gateway's pods read it",
            ),
        }
    }
    if waiting.is_empty() && scene.dump.refused.is_empty() {
        let nothing = "no listener, cluster or route is refused or waits";
        // A discovered filter that Envoy has refused is listed like one that runs. One that is not discovered is a
        // part of its listener.
        findings.good(
            CHECK,
            match scene.dump.discovered.as_slice() {
                [] => nothing.to_owned(),
                _ => format!("{nothing}; of the filter a dump does not say it: see the gateway's log"),
            },
        );
    }
}
