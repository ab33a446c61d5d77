//! What is never shown of a configuration: where a token's hash belongs people paste the token.
//!
//! The core repeats none of it; but here whole lines are shown.

use core::ops::Range;

use super::node::{Data, Node};

/// The key of local tokens.
const TOKENS: &str = "tokens";

/// What in their entries is no secret. Everything else may be one, under a mistaken key too.
const NO_SECRETS: [&str; 4] = ["name", "not_before", "not_after", "api"];

/// The secrets of a configuration.
pub(super) fn of(top: &Node) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    if let Data::Object(object) = &top.data {
        // Of keys that stand twice as well.
        object.iter().filter(|entry| entry.key == TOKENS).for_each(|entry| find(&entry.value, &mut secrets));
    }
    secrets
}

fn find(node: &Node, secrets: &mut Vec<Range<usize>>) {
    match &node.data {
        Data::Scalar { .. } => secrets.push(node.span.clone()),
        Data::List(items) => items.iter().for_each(|item| find(item, secrets)),
        Data::Object(object) => {
            let entries = object.iter().filter(|entry| !NO_SECRETS.contains(&entry.key.as_str()));
            entries.for_each(|entry| find(&entry.value, secrets));
        }
    }
}

/// What may be secrets in a text that cannot be read: what follows the key of hashes.
pub(super) fn unread(text: &str) -> Vec<Range<usize>> {
    const KEY: &str = "sha256";
    let ends = text.match_indices(KEY).map(|(at, key)| at.saturating_add(key.len()));
    ends.filter_map(|end| {
        let rest = text.get(end..)?;
        let value = rest.trim_start_matches(['"', '\'', '\\', ':', ' ', '\t', '\r', '\n']);
        let start = end.saturating_add(rest.len().saturating_sub(value.len()));
        let length = value.find([',', '}', '\r', '\n']).unwrap_or(value.len());
        Some(start..start.saturating_add(length))
    })
    .collect()
}
