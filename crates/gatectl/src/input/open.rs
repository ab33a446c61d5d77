//! Routes that open without the filter's verdict: beside one of these the filter guards nothing.

use std::collections::HashSet;

use super::envoy::note;
use super::node::{Data, Node};
use crate::recognise::{KEY, SERVICES};
use crate::source::Note;

/// Of each route to Keptn's services that demands no verdict, where it stands. What a control plane, a matcher or Lua
/// leads there is not seen: `gatectl verify` looks at what Envoy has made of it all.
pub(super) fn routes(document: &Node) -> Vec<Note> {
    let mut notes = Vec::new();
    find(document, &mut HashSet::new(), &mut notes);
    notes
}

fn find(node: &Node, seen: &mut HashSet<*const Node>, notes: &mut Vec<Note>) {
    // What an alias repeats is the same.
    if !seen.insert(core::ptr::from_ref(node)) {
        return;
    }
    if let Data::List(items) = &node.data {
        items.iter().for_each(|item| find(item, seen, notes));
    }
    if let (Some(demands), Some(action)) = (node.path(&["match"]), node.path(&["route"]))
        && let Some(service) = service(action)
        && !demands_verdict(demands)
    {
        let message = format!("this route opens {service} without the filter's verdict");
        let help = format!(
            "write filter_state: [{{ key: {KEY}, string_match: {{ exact: {service} }} }}] into its match"
        );
        notes.push(note(demands.opening(), &message, &help));
    }
    for entry in node.entries() {
        find(&entry.value, seen, notes);
    }
}

/// Which of Keptn's services a route leads to by the name of its cluster.
fn service(action: &Node) -> Option<&'static str> {
    let weighted = action.path(&["weighted_clusters"]).map(|weighted| weighted.items("clusters"));
    let names = weighted.unwrap_or_default().iter().filter_map(|cluster| cluster.text("name"));
    let mut names = action.text("cluster").into_iter().chain(names);
    names.find_map(|name| SERVICES.into_iter().find(|service| *service == name))
}

fn demands_verdict(demands: &Node) -> bool {
    demands.items("filter_state").iter().any(|matcher| {
        let inverts = matcher.path(&["invert"]).is_some_and(|invert| invert.to_value() == true);
        matcher.text("key") == Some(KEY) && matcher.path(&["string_match"]).is_some() && !inverts
    })
}
