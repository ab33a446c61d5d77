//! What is never shown: where a token's hash belongs people paste the token, and what is around a configuration may
//! have secrets of its own.
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

/// The secrets around configurations: Kubernetes' Secrets, what `kubectl apply` keeps of an object, and Envoy's
/// secrets, whose values are written down like any other text.
pub(super) fn around(node: &Node, secrets: &mut Vec<Range<usize>>) {
    let is_secret = node.get("kind").and_then(|kind| kind.as_str()) == Some("Secret");
    for entry in node.entries() {
        match entry.key.as_str() {
            "data" | "stringData" if is_secret => secrets.push(entry.value.span.clone()),
            "kubectl.kubernetes.io/last-applied-configuration" => secrets.push(entry.value.span.clone()),
            // Of hashes also where `tokens` is misspelt.
            "sha256" | "inline_string" | "inlineString" | "inline_bytes" | "inlineBytes" => {
                find(&entry.value, secrets);
            }
            _ => around(&entry.value, secrets),
        }
    }
    if let Data::List(items) = &node.data {
        items.iter().for_each(|item| around(item, secrets));
    }
}

/// What may be secrets in a text that cannot be read: what follows the keys of hashes and of Envoy's secrets, and where
/// Kubernetes' Secrets are all values.
pub(super) fn unread(text: &str) -> Vec<Range<usize>> {
    const KEYS: [&str; 5] = ["sha256", "inline_string", "inlineString", "inline_bytes", "inlineBytes"];
    let secret = if has_secret(text) { all_values(text) } else { Vec::new() };
    KEYS.iter().flat_map(|key| after(key, text)).chain(secret).chain(opaque(text)).collect()
}

/// What looks like a hash or a token, wherever it stands: keys may be misspelt.
pub(super) fn opaque(text: &str) -> impl Iterator<Item = Range<usize>> {
    const LEAST: usize = 32;
    let mut end = 0_usize;
    let words = text.split(|character: char| !character.is_ascii_alphanumeric()).map(move |word| {
        let start = end;
        end = start.saturating_add(word.len());
        let span = start..end;
        // What splits them is one character, but not one byte.
        end = text
            .get(end..)
            .and_then(|rest| rest.chars().next())
            .map_or(end, |next| end.saturating_add(next.len_utf8()));
        (word, span)
    });
    let is_opaque = |word: &str| word.len() >= LEAST && word.bytes().any(|byte| byte.is_ascii_digit());
    words.filter(move |(word, _)| is_opaque(word)).map(|(_, span)| span)
}

fn after(key: &str, text: &str) -> Vec<Range<usize>> {
    let ends = text.match_indices(key).map(|(at, key)| at.saturating_add(key.len()));
    ends.filter_map(|end| {
        let rest = text.get(end..)?;
        let value = rest.trim_start_matches(['"', '\'', '\\', ':', ' ', '\t', '\r', '\n']);
        let start = end.saturating_add(rest.len().saturating_sub(value.len()));
        let length = value.find([',', '}', '\r', '\n']).unwrap_or(value.len());
        Some(start..start.saturating_add(length))
    })
    .collect()
}

/// Whether a `kind: Secret` is in it, in YAML or JSON.
fn has_secret(text: &str) -> bool {
    text.match_indices("Secret").any(|(at, word)| {
        let (before, after) = text.split_at(at);
        let before = before.trim_end_matches([' ', '\t', '"', '\'', '\\', ':']);
        let next = after.chars().nth(word.len());
        before.ends_with("kind") && next.is_none_or(|next| !next.is_alphanumeric())
    })
}

/// What follows the first colon of each line, or the whole line.
fn all_values(text: &str) -> Vec<Range<usize>> {
    let mut start = 0_usize;
    let mut values = Vec::new();
    for line in text.split_inclusive('\n') {
        let end = start.saturating_add(line.len());
        let key = line.find(':').map_or(0, |colon| colon.saturating_add(1));
        values.push(start.saturating_add(key)..end);
        start = end;
    }
    values
}
