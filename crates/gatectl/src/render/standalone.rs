//! Envoy's configuration without Istio, as a template that is made from the `envoy.yaml` that is run and tested: what is
//! said there once is not said again, and cannot become different.
//!
//! `templates/envoy.yaml.edits` has the edits. Each must find its place exactly once, so a change of `envoy.yaml` that they
//! do not know is an error of a test, and never an installation with half of it.

use core::ops::Range;

const ENVOY_YAML: &str = include_str!("../../../../envoy.yaml");
const EDITS: &str = include_str!("../../templates/envoy.yaml.edits");

/// The template.
///
/// # Errors
///
/// An edit does not find its place, which tests rule out.
pub(crate) fn envoy_yaml() -> Result<String, String> {
    edited(ENVOY_YAML, EDITS)
}

fn edited(file: &str, edits: &str) -> Result<String, String> {
    let mut lines: Vec<&str> = file.lines().collect();
    // What stands before the first edit is for readers.
    for edit in edits.trim_end().split("\n@@ ").skip(1) {
        let (head, text) = edit.split_once('\n').unwrap_or((edit, ""));
        let range = place(&lines, head).map_err(|why| format!("envoy.yaml.edits: @@ {head}: {why}"))?;
        lines.splice(range, text.split('\n'));
    }
    Ok(lines.join("\n") + "\n")
}

/// The lines that an edit is about.
fn place(lines: &[&str], head: &str) -> Result<Range<usize>, String> {
    let words: Vec<&str> = head.split('"').collect();
    match *words.as_slice() {
        ["replace ", mark, ""] => one(lines, mark).map(|at| at..at.saturating_add(1)),
        ["replace ", mark, " below ", above, ""] => {
            let from = one(lines, above)?;
            first(lines, from, mark).map(|at| at..at.saturating_add(1))
        }
        ["replace ", mark, " until ", end, ""] => {
            let from = one(lines, mark)?;
            first(lines, from, end).map(|end| from..end)
        }
        ["replace ", mark, " until the end"] => one(lines, mark).map(|from| from..lines.len()),
        ["insert above ", mark, ""] => one(lines, mark).map(|at| at..at),
        _ => Err("there is no such edit".to_owned()),
    }
}

/// The only line that begins with the mark.
fn one(lines: &[&str], mark: &str) -> Result<usize, String> {
    let mut found = lines.iter().enumerate().filter(|(_, line)| line.starts_with(mark)).map(|(at, _)| at);
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (None, _) => Err(format!("no line of envoy.yaml begins with {mark:?}")),
        (Some(_), Some(_)) => Err(format!("more than one line of envoy.yaml begins with {mark:?}")),
    }
}

/// The first line from there on that begins with the mark.
fn first(lines: &[&str], from: usize, mark: &str) -> Result<usize, String> {
    let found = lines.iter().enumerate().skip(from).find(|(_, line)| line.starts_with(mark));
    found.map(|(at, _)| at).ok_or_else(|| format!("no line of envoy.yaml from there on begins with {mark:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "a: 1\nb: 2\n\nc: 3\n  b: 4\nb: 5\n";

    #[test]
    fn edits_are_made_where_they_say() {
        // Each is followed by another one, which does nothing.
        for (edit, expected) in [
            ("replace \"a\"\nx\ny", "x\ny\nb: 2\n\nc: 3\n  b: 4\nb: 5\n"),
            ("replace \"a\" until \"c\"\nx\n", "x\n\nc: 3\n  b: 4\nb: 5\n"),
            ("replace \"b\" below \"c\"\nx", "a: 1\nb: 2\n\nc: 3\n  b: 4\nx\n"),
            ("insert above \"c\"\nx\n", "a: 1\nb: 2\n\nx\n\nc: 3\n  b: 4\nb: 5\n"),
        ] {
            let edits = format!("For readers.\n\n@@ {edit}\n@@ replace \"  b\"\n  b: 4\n");
            assert_eq!(edited(FILE, &edits).as_deref(), Ok(expected), "{edit}");
        }
        let edits = "\n@@ replace \"c\" until the end\nx\n";
        assert_eq!(edited(FILE, edits).as_deref(), Ok("a: 1\nb: 2\n\nx\n"));
    }

    #[test]
    fn an_edit_that_does_not_find_its_place_is_an_error() {
        for (head, word) in [
            ("replace \"z\"", "no line"),
            ("replace \"b\"", "more than one line"),
            ("replace \"a\" until \"z\"", "from there on"),
            ("replace \"c\" until \"a\"", "from there on"),
            ("replace \"a\" below \"c\"", "from there on"),
            ("insert above \"b\"", "more than one line"),
            ("remove \"a\"", "no such edit"),
            ("replace a", "no such edit"),
        ] {
            let why = edited(FILE, &format!("\n@@ {head}\nx\n")).unwrap_err();
            assert!(why.contains(head) && why.contains(word), "{why}");
        }
    }

    #[test]
    fn nothing_of_the_stand_ins_is_left() {
        let template = envoy_yaml().unwrap();
        for word in ["stand-in", "STAND-IN", "demo-token"] {
            let left: Vec<_> = template.lines().filter(|line| line.contains(word)).collect();
            assert!(
                left.iter().all(|line| line.starts_with('#') && line.contains("without the stand-ins")),
                "{left:#?}"
            );
        }
    }
}
