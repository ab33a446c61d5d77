//! What the checks have to say.

use core::fmt;

use anstyle::Style;
use serde_json::{Value, json};

use crate::source::visible;
use crate::style::{GOOD, HELP, LABEL, PROBLEM, WARNING};

/// How much of Envoy's words is shown, in characters.
const WORDS: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
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
}

/// All findings, in the order of the checks.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Finding { level: Level::Good, check, message: message.into(), help: None });
    }

    pub(super) fn note(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Finding { level: Level::Note, check, message: message.into(), help: None });
    }

    pub(super) fn problem(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = Some(help.into());
        self.0.push(Finding { level: Level::Problem, check, message: message.into(), help });
    }

    pub(super) fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    pub(super) fn summary(&self) -> String {
        let counted = |count, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let verdict = match self.count(Level::Problem) {
            0 => "closed".to_owned(),
            count => counted(count, "problem"),
        };
        match self.count(Level::Note) {
            0 => verdict,
            count => format!("{verdict}, {}", counted(count, "note")),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let one = |Finding { level, check, message, help }: &Finding| {
            let level = level.name().to_ascii_lowercase();
            json!({ "level": level, "check": check, "message": message, "help": help })
        };
        self.0.iter().map(one).collect()
    }
}

/// As whole lines.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { level, check, message, help } in &self.0 {
            let style = level.style();
            writeln!(
                f,
                "{style}{:<7}{style:#}  {LABEL}{check:<7}{LABEL:#}  {}",
                level.name(),
                visible(message)
            )?;
            if let Some(help) = help {
                writeln!(f, "{:18}{HELP}help:{HELP:#} {}", "", visible(help))?;
            }
        }
        Ok(())
    }
}

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

/// The first few of these names.
pub(super) fn few<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 4;
    let mut names: Vec<_> = names.into_iter().collect();
    let rest = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    match rest {
        0 => names.join(", "),
        rest => format!("{} and {rest} more", names.join(", ")),
    }
}
