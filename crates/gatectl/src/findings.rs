//! What checks have to say, each on a line of its own.

use core::fmt;
use core::time::Duration;

use anstyle::Style;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::source::visible;
use crate::style::{self, FAINT, GOOD, HELP, LABEL, PROBLEM, WARNING};

/// How wide the longest name of a level is.
const LEVEL: usize = 7;

/// How wide a time is, as in ` (1234 ms)`.
const TOOK: usize = 10;

/// On a narrower terminal than for this it is the terminal that breaks lines.
const NARROWEST: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Good,
    Note,
    Problem,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Problem => "PROBLEM",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Good => GOOD,
            Self::Note => WARNING,
            Self::Problem => PROBLEM,
        }
    }
}

#[derive(Debug)]
struct Finding {
    level: Level,
    check: &'static str,
    /// What was looked at, and what was seen.
    message: String,
    help: Option<String>,
    took: Option<Duration>,
}

/// All findings, in the order of the checks.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn good(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(Level::Good, check, message, None);
    }

    pub(crate) fn note(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(Level::Note, check, message, None);
    }

    pub(crate) fn problem(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Level::Problem, check, message, Some(help.into()));
    }

    pub(crate) fn add(
        &mut self,
        level: Level,
        check: &'static str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.0.push(Finding { level, check, message: message.into(), help, took: None });
    }

    /// How long that took which was found last.
    pub(crate) fn took(&mut self, took: Duration) {
        if let Some(last) = self.0.last_mut() {
            last.took = Some(took);
        }
    }

    pub(crate) fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// In a few words; `good` is the one for no problem at all.
    pub(crate) fn summary(&self, good: &str) -> String {
        let counted = |count, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let verdict = match self.count(Level::Problem) {
            0 => good.to_owned(),
            count => counted(count, "problem"),
        };
        match self.count(Level::Note) {
            0 => verdict,
            count => format!("{verdict}, {}", counted(count, "note")),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let one = |Finding { level, check, message, help, took }: &Finding| {
            let level = level.name().to_ascii_lowercase();
            let mut one = json!({ "level": level, "check": check, "message": message, "help": help });
            if let (Some(took), Some(object)) = (took, one.as_object_mut()) {
                object.insert(
                    "milliseconds".to_owned(),
                    took.as_millis().try_into().unwrap_or(u64::MAX).into(),
                );
            }
            one
        };
        self.0.iter().map(one).collect()
    }
}

/// As whole lines, and on a terminal none longer than it is wide.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
        let indent = width.saturating_add(LEVEL).saturating_add(4);
        let room = style::width().map_or(usize::MAX, |columns| columns.saturating_sub(indent).max(NARROWEST));
        for Finding { level, check, message, help, took } in &self.0 {
            let style = level.style();
            write!(f, "{style}{:<LEVEL$}{style:#}  {LABEL}{check:<width$}{LABEL:#}  ", level.name())?;
            let spared = if took.is_some() { TOOK } else { 0 };
            fold(f, message, indent, room.saturating_sub(spared))?;
            if let Some(took) = took {
                write!(f, " {FAINT}({} ms){FAINT:#}", took.as_millis())?;
            }
            writeln!(f)?;
            if let Some(help) = help {
                write!(f, "{:indent$}{HELP}help:{HELP:#} ", "")?;
                fold(f, help, indent.saturating_add(6), room.saturating_sub(6))?;
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Writes `text`, a new line before each word that would come to stand after `room` columns.
fn fold(f: &mut fmt::Formatter<'_>, text: &str, indent: usize, room: usize) -> fmt::Result {
    let mut used = 0_usize;
    for word in visible(text).split(' ') {
        let wide = word.width();
        let with_space = used.saturating_add(1).saturating_add(wide);
        if used == 0 {
            used = wide;
        } else if with_space <= room {
            used = with_space;
            f.write_str(" ")?;
        } else {
            used = wide;
            write!(f, "\n{:indent$}", "")?;
        }
        f.write_str(word)?;
    }
    Ok(())
}

/// The first few of these names.
pub(crate) fn few<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 4;
    let mut names: Vec<_> = names.into_iter().collect();
    let rest = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    match rest {
        0 => names.join(", "),
        rest => format!("{} and {rest} more", names.join(", ")),
    }
}
