//! Of a text that cannot be read: its secrets by what its lines look like.

use core::ops::Range;

use super::{is_harmless, is_secret, opaque, with_comments};

/// What may be secrets in such a text: what follows keys that sound like it, and where Kubernetes' Secrets are all
/// values.
pub(crate) fn unread(text: &str) -> Vec<Range<usize>> {
    // Without a single key it may be nothing but the token.
    if !text.contains(':') {
        return core::iter::once(0..text.len()).collect();
    }
    let mut hidden = keyed(text);
    if has_secret(text) {
        hidden.extend(all_values(text));
    }
    hidden.extend(opaque(text));
    with_comments(text, &mut hidden);
    hidden
}

/// What follows keys that sound like secrets.
pub(super) fn keyed(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut start = 0_usize;
    // How far the key is indented whose block goes on.
    let mut block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let end = start.saturating_add(line.len());
        let indent = line.len().saturating_sub(line.trim_start_matches([' ', '\t']).len());
        if block.is_some_and(|of| indent > of || !is_key(line)) {
            hidden.push(start..end);
        } else {
            block = in_line(line, |from, to| {
                hidden.push(start.saturating_add(from)..start.saturating_add(to));
            })
            .then_some(indent);
        }
        start = end;
    }
    hidden
}

/// Whether a line begins with a key.
fn is_key(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(|first: char| first.is_alphabetic() || matches!(first, '"' | '\'')) && line.contains(':')
}

/// Hides what follows such keys in a line; whether it goes on in the next one.
fn in_line(line: &str, mut hide: impl FnMut(usize, usize)) -> bool {
    let mut at = 0_usize;
    let is_of_key = |character: char| character.is_ascii_alphanumeric() || "_.-/".contains(character);
    while let Some(begin) = line.get(at..).and_then(|rest| rest.find(is_of_key)) {
        let begin = at.saturating_add(begin);
        let rest = line.get(begin..).unwrap_or_default();
        let end = begin.saturating_add(rest.find(|character| !is_of_key(character)).unwrap_or(rest.len()));
        at = end;
        if !is_secret(line.get(begin..end).unwrap_or_default()) {
            continue;
        }
        let rest = line.get(end..).unwrap_or_default();
        let value = rest.trim_start_matches(['"', '\'', '\\', ':', ' ', '\t', '\r', '\n']);
        let from = end.saturating_add(rest.len().saturating_sub(value.len()));
        if value.is_empty() {
            return true;
        }
        let before = line.get(end..from).unwrap_or_default();
        let quote = before.rsplit(':').next().unwrap_or_default().chars().next_back();
        let is_open = quote.is_some_and(|quote| matches!(quote, '"' | '\'') && !value.contains(quote));
        if is_open || value.starts_with(['[', '{', '|', '>', '-', '&', '!']) {
            hide(from, line.len());
            return true;
        }
        let length = value.find([',', '}', '\r', '\n']).unwrap_or(value.len());
        let text = value.get(..length).unwrap_or_default();
        if !is_harmless(text.trim_end_matches(['"', '\'', '\\', ' '])) {
            hide(from, from.saturating_add(length));
        }
        at = from.saturating_add(length);
    }
    false
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
