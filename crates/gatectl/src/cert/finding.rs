//! What is to be said about a file.

use core::fmt;

use crate::style::{FAINT, HELP, LABEL, PROBLEM, WARNING};

/// A problem or a warning. Nothing of a key may get into it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) file: String,
    pub(super) is_warning: bool,
    pub(super) message: String,
    pub(super) help: String,
}

impl Finding {
    pub(super) fn problem(file: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { file: file.to_owned(), is_warning: false, message: message.into(), help: help.into() }
    }

    pub(super) fn warning(file: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { is_warning: true, ..Self::problem(file, message, help) }
    }
}

/// As whole lines.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, message, help, .. } = self;
        let (kind, style) = if self.is_warning { ("warning: ", WARNING) } else { ("", PROBLEM) };
        writeln!(f, "{LABEL}{file}:{LABEL:#} {style}{kind}{message}{style:#}")?;
        writeln!(f, "{FAINT}  ={FAINT:#} {HELP}help:{HELP:#} {help}")
    }
}
