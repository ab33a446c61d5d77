//! What a whole bootstrap says beyond the filter, as far as it is certain: nothing comes from a control plane.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Judged;
use super::envoy::{Filter, note};
use super::node::{Data, Node};
use crate::recognise::{KEY, SERVICES};
use crate::source::Note;

/// Keys under which routes come from somewhere else, or are chosen in another way than by a list.
const OTHER_ROUTES: [&str; 5] = ["rds", "scoped_routes", "scopedRoutes", "vhds", "matcher"];

/// A bootstrap without dynamic resources.
#[derive(Debug)]
pub(super) struct Bootstrap<'a> {
    clusters: BTreeSet<&'a str>,
    /// The verdicts that there are routes for; none where that is not certain.
    verdicts: Option<BTreeSet<&'a str>>,
}

impl<'a> Bootstrap<'a> {
    /// Nothing for parts of a bootstrap, and where more may come while Envoy runs.
    pub(super) fn of(document: &'a Node) -> Option<Self> {
        let resources = document.path(&["static_resources"])?;
        let clusters = resources.items("clusters");
        let is_whole = !clusters.is_empty() && !resources.items("listeners").is_empty();
        if !is_whole || document.entry("dynamic_resources").is_some_and(|entry| !entry.value.is_null()) {
            return None;
        }
        let mut verdicts = Some(BTreeSet::new());
        find_verdicts(document, &mut verdicts);
        Some(Self {
            clusters: clusters.iter().filter_map(|cluster| cluster.text("name")).collect(),
            verdicts,
        })
    }

    /// What the configuration of this filter needs and the bootstrap has not.
    pub(super) fn lacks(&self, judged: &Judged, filter: &Filter<'_>) -> Vec<Note> {
        if judged.config.is_none() {
            return Vec::new();
        }
        let around = filter.wasm.path(&["config"]).unwrap_or(filter.wasm).opening();
        let warn = |place: &str, message: String, help: &str| {
            let mark = judged.marks.iter().find(|mark| mark.message == place);
            let span = mark.map_or(around.clone(), |mark| mark.span.clone());
            let quote = mark.and_then(|mark| mark.quote.clone());
            Note { is_warning: true, quote, ..note(span, &message, help) }
        };
        let mut notes = Vec::new();
        let written = judged.value.pointer("/auth/cluster").and_then(Value::as_str);
        let cluster = written.unwrap_or("api-service");
        if !self.clusters.contains(cluster) {
            // It may be anything that was pasted there: it is not repeated.
            let message = match written {
                Some(_) => "auth.cluster: there is no cluster of this name here, so every token is refused"
                    .to_owned(),
                None => {
                    "auth.cluster: there is no cluster api-service here, so every token is refused".to_owned()
                }
            };
            let place = if written.is_some() { "auth.cluster" } else { "" };
            notes.push(warn(place, message, "name one of static_resources.clusters, or add it there"));
        }
        let Some(verdicts) = &self.verdicts else { return notes };
        let help = "add a route whose match has filter_state with that key and string_match: { exact: NAME }; `gatectl \
                    render` makes them";
        let missing: Vec<_> = SERVICES.into_iter().filter(|name| !verdicts.contains(name)).collect();
        if !missing.is_empty() {
            let message = format!("no route here demands {KEY} to be {}", missing.join(" or "));
            notes.push(warn("", message, help));
        }
        let upstreams = judged.value.get("upstreams").and_then(Value::as_array);
        for (index, upstream) in upstreams.into_iter().flatten().enumerate() {
            let name = upstream.get("name").and_then(Value::as_str);
            if name.is_some_and(|name| !verdicts.contains(name)) {
                let place = format!("upstreams[{index}].name");
                notes.push(warn(&place, format!("{place}: no route here demands {KEY} to be this"), help));
            }
        }
        notes
    }
}

/// Collects what routes demand of the verdict.
fn find_verdicts<'a>(node: &'a Node, verdicts: &mut Option<BTreeSet<&'a str>>) {
    if let Data::List(items) = &node.data {
        items.iter().for_each(|item| find_verdicts(item, verdicts));
    }
    for entry in node.entries() {
        if OTHER_ROUTES.contains(&&*entry.key) {
            *verdicts = None;
        }
        if matches!(&*entry.key, "filter_state" | "filterState")
            && let Data::List(matchers) = &entry.value.data
        {
            for matcher in matchers.iter().filter(|matcher| matcher.text("key") == Some(KEY)) {
                match (matcher.path(&["string_match", "exact"]).and_then(Node::as_str), &mut *verdicts) {
                    (Some(exact), Some(known)) => drop(known.insert(exact)),
                    // It may fit any.
                    _ => *verdicts = None,
                }
            }
        }
        find_verdicts(&entry.value, verdicts);
    }
}
