//! What is said of a file, whatever the format.

use std::collections::BTreeSet;
use std::path::Path;

use crate::input::{self, Found, Judged, Unjudged};
use crate::source::{Note, Place, Source, Unread, visible};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// It is no reason to refuse anything.
    Warning,
    Problem,
    /// There was nothing to judge.
    Unread,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Unread => "error",
        }
    }
}

#[derive(Debug)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// Where; nothing if it is about the file as a whole.
    pub(super) place: Option<Place>,
    /// The object that it is in.
    pub(super) object: Option<String>,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// All of it for people, as whole lines.
    pub(super) shown: String,
}

/// What is said of a file, or of a folder as a whole.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) file: String,
    pub(super) findings: Vec<Finding>,
    /// The objects that have configurations of ours.
    pub(super) objects: Vec<String>,
    /// Plugins that are somebody else's.
    pub(super) left_alone: Vec<String>,
    /// How many configurations are in it.
    pub(super) configurations: usize,
    /// Of a folder: how many of its files have configurations, and how many there are.
    pub(super) files: Option<(usize, usize)>,
}

impl Report {
    /// What is said of a file that was `asked` for, or was met in a folder.
    pub(super) fn of_file(path: &Path, asked: bool) -> Self {
        match Source::open(path) {
            Ok(source) => Self::of_source(source, asked),
            Err(Unread::Whole(name, why)) => Self::unread(name, why, None),
            Err(Unread::At(source, note)) => Self::at(&source, &note),
        }
    }

    pub(super) fn of_source(mut source: Source, asked: bool) -> Self {
        // A command before the pipe has failed, say: nobody means all defaults by this.
        if asked && source.text().trim_ascii().is_empty() {
            let help = "{} is a configuration that takes all defaults".to_owned();
            return Self::unread(source.name().to_owned(), "there is nothing in it".to_owned(), Some(help));
        }
        match input::find(&mut source, asked) {
            Ok(found) => Self::of(found, &source),
            Err(Unjudged::At(note)) => Self::at(&source, &note),
            Err(Unjudged::Nothing { message, help }) => {
                Self::unread(source.name().to_owned(), message, Some(help))
            }
        }
    }

    /// Of a file or folder that has nothing to judge.
    pub(super) fn unread(file: String, message: String, help: Option<String>) -> Self {
        let help_shown = help.iter().map(|help| format!("  help: {help}\n")).collect::<String>();
        let shown = visible_lines(&format!("{file}: {message}\n{help_shown}"));
        let finding = Finding { level: Level::Unread, place: None, object: None, message, help, shown };
        Self { file, findings: vec![finding], ..Self::default() }
    }

    fn at(source: &Source, note: &Note) -> Self {
        let finding = Finding { level: Level::Unread, ..finding(source, note, None, false) };
        Self { file: source.name().to_owned(), findings: vec![finding], ..Self::default() }
    }

    fn of(found: Found, source: &Source) -> Self {
        let Found { judged, plugins: left_alone, .. } = found;
        let objects: BTreeSet<_> = judged.iter().map(|judged| &judged.object).collect();
        let several = objects.len() > 1;
        let mut objects: Vec<String> = judged.iter().filter_map(|judged| judged.object.clone()).collect();
        objects.dedup();
        let configurations = judged.len();
        let mut findings = Vec::new();
        for Judged { object, notes, warnings, around, .. } in judged {
            let mut notes: Vec<_> = notes.into_iter().chain(warnings).chain(around).collect();
            // The problems of a configuration in the order of the file, and its warnings after them.
            notes.sort_by_key(|note| (note.is_warning, note.span.start));
            findings.extend(notes.iter().map(|note| finding(source, note, object.as_deref(), several)));
        }
        Self { file: source.name().to_owned(), findings, objects, left_alone, configurations, files: None }
    }

    pub(super) fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

fn finding(source: &Source, note: &Note, object: Option<&str>, several: bool) -> Finding {
    Finding {
        level: if note.is_warning { Level::Warning } else { Level::Problem },
        place: Some(source.place(&note.span)),
        object: object.map(str::to_owned),
        message: visible(&note.message),
        help: note.help.as_deref().map(visible),
        shown: source.show_in(note, object.filter(|_| several)),
    }
}

fn visible_lines(text: &str) -> String {
    text.lines().map(|line| visible(line) + "\n").collect()
}
