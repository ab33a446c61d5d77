//! Labels and values, one below the other.

use core::fmt::{self, Write as _};

use anstyle::Style;

use crate::source::visible;
use crate::style::{self, LABEL};

/// What is printed: labels and values, the values in one column.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<Line>);

#[derive(Debug)]
struct Line {
    label: &'static str,
    /// What stands before the value, for the eye alone.
    indent: usize,
    style: Style,
    value: String,
    /// A value whose words stand where they do for a reason.
    is_fixed: bool,
}

impl Lines {
    pub(crate) fn add(&mut self, label: &'static str, value: impl Into<String>) {
        self.add_in(Style::new(), label, value);
    }

    /// With a style for the value.
    pub(crate) fn add_in(&mut self, style: Style, label: &'static str, value: impl Into<String>) {
        self.0.push(Line { label, indent: 0, style, value: value.into(), is_fixed: false });
    }

    /// A value that is not cut into lines, whatever the terminal's width.
    pub(crate) fn add_fixed(&mut self, label: &'static str, value: impl Into<String>) {
        self.0.push(Line { label, indent: 0, style: Style::new(), value: value.into(), is_fixed: true });
    }

    /// Carets under a part of the value before, which is fixed.
    pub(crate) fn mark(&mut self, style: Style, label: &'static str, before: usize, marked: usize) {
        let value = "^".repeat(marked.max(1));
        self.0.push(Line { label, indent: before, style, value, is_fixed: true });
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|line| line.label.len()).max().unwrap_or(0);
        // Less than that is no column.
        let room = style::width().map(|columns| columns.saturating_sub(width.saturating_add(2)).max(20));
        let mut before = "";
        for Line { label, indent, style, value, is_fixed } in &self.0 {
            let value = visible(value);
            let room = room.filter(|_| !is_fixed);
            for part in room.map_or_else(|| vec![value.clone()], |room| folded(&value, room)) {
                let shown = if *label == before { "" } else { label };
                before = label;
                let mut line = String::new();
                write!(line, "{LABEL}{shown:width$}{LABEL:#}  {:indent$}", "")?;
                write!(line, "{style}{part}{style:#}")?;
                writeln!(f, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

/// `text` in lines of at most `room` characters, where words are not longer than that.
fn folded(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line)
                if line.chars().count().saturating_add(word.chars().count()).saturating_add(1) <= room =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        assert_eq!(folded("a bc def g", 4), ["a bc", "def", "g"]);
        assert_eq!(folded("abcdefgh i", 4), ["abcdefgh", "i"]);
        assert_eq!(folded("", 4), [""]);
    }
}
