//! What stands out, and how.
//!
//! Texts are made with these styles, always; what is printed where no terminal is, or where colours are not wanted
//! ([`Color`]), has none: `main.rs` takes them out. Whatever comes from elsewhere goes through
//! [`visible`](crate::source::visible) first and brings no styles of its own.
//!
//! `write!(out, "{PROBLEM}{text}{PROBLEM:#}")` begins and ends one.

use anstyle::{AnsiColor, Color as AnyColor, Style};
use clap::ValueEnum;

const fn of(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(AnyColor::Ansi(color)))
}

/// What is wrong, and a request that is refused.
pub(crate) const PROBLEM: Style = of(AnsiColor::Red).bold();
/// What may surprise.
pub(crate) const WARNING: Style = of(AnsiColor::Yellow).bold();
/// What is good, and a request that passes.
pub(crate) const GOOD: Style = of(AnsiColor::Green).bold();
/// What to do.
pub(crate) const HELP: Style = of(AnsiColor::Cyan);
/// What names a thing: a label, a column's head.
pub(crate) const LABEL: Style = Style::new().bold();
/// What is there for the eye alone, or matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    // On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    // In a pipe as well.
    Always,
    // Not at all.
    Never,
}

impl Color {
    /// Decides for everything that is printed from now on.
    pub(crate) fn decide(self) {
        match self {
            Self::Auto => colorchoice::ColorChoice::Auto,
            Self::Always => colorchoice::ColorChoice::Always,
            Self::Never => colorchoice::ColorChoice::Never,
        }
        .write_global();
    }
}

/// How wide the terminal is that standard output goes to, in columns; nothing where it goes elsewhere: what a
/// program reads is not cut into lines.
pub(crate) fn width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(std::io::stdout())?;
    Some(usize::from(columns))
}

/// `text` as it is printed where there are no colours.
#[cfg(test)]
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
