//! Envoy's own words, as far as they are shown.

/// How much of them, in characters.
const WORDS: usize = 300;

/// Envoy's words on one line, cut where they grow long, and before the configuration that it sometimes repeats as a
/// whole, keys and all.
pub(super) fn words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let repeats = |marker: &str, keep: usize| Some(line.find(marker)?.saturating_add(keep));
    let invalid = line.contains("validation failed (").then(|| repeats("): ", 1)).flatten();
    let long = line.char_indices().nth(WORDS).map(|(at, _)| at);
    match [repeats("{", 0), invalid, long].into_iter().flatten().min() {
        Some(end) => format!("{}…", line.get(..end).unwrap_or_default().trim_end()),
        None => line,
    }
}
