//! What is never shown: where a token's hash belongs people paste the token, and what is around a configuration may
//! have secrets of its own.
//!
//! The core repeats none of it; but here whole lines are shown. Three rules, the same for everything that is read: what
//! stands under a key that sounds like a secret ([`is_secret`]), what `tokens` does not take, and what looks like a
//! token wherever it stands ([`opaque`]).

mod unread;
mod words;

use core::ops::Range;

use gate::config::Step;
use serde_json::Value;

use super::node::{Data, Node};
pub(crate) use unread::unread;
pub(crate) use words::{masked, opaque};

/// The key of local tokens.
const TOKENS: &str = "tokens";

/// What their entries may have.
const OF_TOKENS: [&str; 5] = ["name", "sha256", "not_before", "not_after", "api"];

/// What keys of secrets have in them, in any case. Hashes are there for people who paste the token.
const PARTS: [&str; 10] = [
    "token",
    "secret",
    "passw",
    "key",
    "authorization",
    "cookie",
    "canary",
    "sha256",
    "inline_string",
    "inline_bytes",
];

/// What Kubernetes keeps of an object as it was applied.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether what stands under this key may be a secret. A path of an API is no such key.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !key.starts_with('/')
        && (PARTS.iter().any(|part| key.contains(part))
            || matches!(key.as_str(), "inlinestring" | "inlinebytes"))
}

/// Whether it is what our own keys take that sound like secrets: `token: keep`, `canary: 5m`.
fn is_harmless(text: &str) -> bool {
    matches!(text, "keep" | "remove" | "drop" | "true" | "false" | "null" | "~" | "apiKey")
        || (text.len() <= 8 && humantime::parse_duration(text).is_ok())
}

/// What is not to be shown of a document, whatever it is, besides opaque words.
pub(crate) fn of(document: &Node, text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    // It is nothing but the token, or tokens.
    match &document.data {
        Data::Scalar { value: Value::String(text), .. } if !text.contains('{') => {
            hidden.push(document.span.clone());
        }
        Data::List(items) => {
            let scalars = items.iter().filter(|item| matches!(item.data, Data::Scalar { .. }));
            hidden.extend(scalars.map(|item| item.span.clone()));
        }
        Data::Scalar { .. } | Data::Object(_) => {}
    }
    around(document, text, &mut hidden);
    hidden
}

/// All of it in a source: opaque words too, and the comments beside what is hidden.
pub(crate) fn all<'a>(documents: impl IntoIterator<Item = &'a Node>, text: &str) -> Vec<Range<usize>> {
    let mut hidden: Vec<_> = opaque(text).collect();
    hidden.extend(documents.into_iter().flat_map(|document| of(document, text)));
    with_comments(text, &mut hidden);
    hidden
}

/// Kubernetes' Secrets, what `kubectl apply` keeps of an object, Envoy's secrets, whose values are written down like
/// any other text, and tokens where no configuration should be.
fn around(node: &Node, source: &str, hidden: &mut Vec<Range<usize>>) {
    let holds_secrets = node.get("kind").and_then(|kind| kind.as_str()) == Some("Secret");
    for entry in node.entries() {
        match entry.key.as_str() {
            "data" | "stringData" if holds_secrets => hidden.push(entry.value.span.clone()),
            APPLIED => hidden.push(entry.value.span.clone()),
            TOKENS => tokens(&entry.value, hidden),
            key if is_secret(key) => everything(&entry.value, hidden),
            _ => around(&entry.value, source, hidden),
        }
    }
    match &node.data {
        Data::List(items) => items.iter().for_each(|item| around(item, source, hidden)),
        // A document in a text. A single word is told by its form.
        Data::Scalar { value: Value::String(text), .. } if text.contains([':', '{']) => {
            let start = node.span.start;
            let inner = unread::keyed(source.get(node.span.clone()).unwrap_or_default()).into_iter();
            hidden.extend(inner.map(|span| start.saturating_add(span.start)..start.saturating_add(span.end)));
        }
        Data::Scalar { .. } | Data::Object(_) => {}
    }
}

/// Everything below a key of secrets: it may be the key as well.
fn everything(node: &Node, hidden: &mut Vec<Range<usize>>) {
    match &node.data {
        Data::Scalar { value: Value::String(text), .. } if is_harmless(text) => {}
        Data::Scalar { value: Value::Bool(_) | Value::Null, .. } => {}
        Data::Scalar { .. } => hidden.push(node.span.clone()),
        Data::List(items) => items.iter().for_each(|item| everything(item, hidden)),
        Data::Object(object) => {
            for entry in object.iter() {
                hidden.push(entry.key_span.clone());
                everything(&entry.value, hidden);
            }
        }
    }
}

/// What the core does not take below `tokens`, the hashes, and comments.
fn tokens(node: &Node, hidden: &mut Vec<Range<usize>>) {
    let Data::List(items) = &node.data else { return everything(node, hidden) };
    for item in items {
        let Data::Object(object) = &item.data else {
            everything(item, hidden);
            continue;
        };
        for entry in object.iter() {
            if !OF_TOKENS.contains(&entry.key.as_str()) {
                hidden.push(entry.key_span.clone());
            }
            if !is_taken(&entry.key, &entry.value) {
                hidden.push(entry.value.span.clone());
            }
        }
    }
}

/// Whether the core takes this there, or it is so like it that it is no token.
fn is_taken(key: &str, node: &Node) -> bool {
    let Data::Scalar { value, .. } = &node.data else { return false };
    match (key, value) {
        (_, Value::Null) | ("api", Value::Bool(_)) => true,
        ("name", Value::String(name)) => {
            name.len() <= 64
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        }
        ("not_before" | "not_after", Value::String(time)) => {
            // A wrong one too: 2026-02-30.
            let is_year = time.get(..4).is_some_and(|year| year.bytes().all(|byte| byte.is_ascii_digit()));
            let is_date = time.get(4..5) == Some("-");
            is_year
                && is_date
                && time.len() <= 35
                && time.bytes().all(|byte| b"0123456789-:.+TZtz ".contains(&byte))
        }
        _ => false,
    }
}

/// A step that a message may name, or what comes after it may not be.
pub(super) fn is_known(steps: &[Step], at: usize) -> bool {
    let is_below = matches!(steps.first(), Some(Step::Key(key)) if key == TOKENS) && at > 0;
    match steps.get(at) {
        Some(Step::Key(key)) if is_below => OF_TOKENS.contains(&key.as_str()),
        _ => true,
    }
}

/// Whether a place is in `tokens`, or below a key of secrets: values there are not repeated.
pub(super) fn is_within(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Key(key) if is_secret(key)))
}

/// Adds the comments on lines that have something hidden: people note there what the value was.
pub(crate) fn with_comments(text: &str, hidden: &mut Vec<Range<usize>>) {
    let mut starts: Vec<_> = hidden.iter().map(|span| span.end).collect();
    starts.sort_unstable();
    let mut comments: Vec<Range<usize>> = Vec::new();
    let mut known = 0_usize;
    for at in starts {
        // One look at each line.
        if at < known {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let end = at.saturating_add(rest.find('\n').unwrap_or(rest.len()));
        known = end;
        let line = text.get(at..end).unwrap_or_default();
        if let Some(hash) = line.find('#') {
            comments.push(at.saturating_add(hash)..end);
        }
    }
    hidden.extend(comments);
}
