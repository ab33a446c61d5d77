//! The list as a table of Markdown.

use core::fmt::Write as _;

use super::row::{Mark, Row, of_hosts, word};

pub(super) fn written(rows: &[&Row], hosts: &[&str]) -> String {
    let mut out = of_hosts(hosts, escaped).map(|line| line + "\n\n").unwrap_or_default();
    out.push_str("| access | methods | path | upstream | sent as | |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let sent =
            row.rewritten().map_or_else(|| if row.sent.is_some() { "as is" } else { "" }.to_owned(), code);
        let marks = row.marks().into_iter().map(Mark::word).map(str::to_owned);
        let marks: Vec<_> = marks.chain(row.shown_except().map(|except| escaped(&except))).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {sent} | {} |",
            word(row.access),
            row.shown_methods(),
            code(&row.path),
            escaped(row.shown_upstream()),
            marks.join(", ")
        );
    }
    out
}

/// A path: code, so that nothing in it is taken for more than a character. Canonical paths have no backticks.
fn code(path: &str) -> String {
    format!("`{}`", path.replace('|', "\\|"))
}

/// Text, with what Markdown would take for more escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_punctuation() && !matches!(character, '-' | '.' | ',' | '/' | ':') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
