//! Labels and values, one below the other.

use core::fmt::{self, Write as _};

use crate::source::visible;
use crate::style::LABEL;

/// What is printed: labels and values, the values in one column.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<(&'static str, String)>);

impl Lines {
    pub(crate) fn add(&mut self, label: &'static str, value: impl Into<String>) {
        self.0.push((label, value.into()));
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let mut before = "";
        for (label, value) in &self.0 {
            let shown = if *label == before { "" } else { label };
            before = label;
            let mut line = String::new();
            write!(line, "{LABEL}{shown:width$}{LABEL:#}  {}", visible(value))?;
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
