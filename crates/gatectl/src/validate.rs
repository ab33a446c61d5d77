//! `gatectl validate`.

use core::fmt::Write as _;

use crate::cli::ValidateArgs;
use crate::input::{self, Judged};
use crate::outcome::{Exit, Outcome};
use crate::source::Source;

pub(crate) fn run(args: &ValidateArgs) -> Outcome {
    let mut outcome = Outcome::default();
    for path in &args.files {
        let judged = Source::read(path).and_then(|mut source| Ok((input::judge(&mut source)?, source)));
        match judged {
            Ok((judged, source)) => tell(judged, &source, &mut outcome),
            Err(why) => outcome.cannot_run(&why),
        }
    }
    outcome
}

fn tell(judged: Vec<Judged>, source: &Source, outcome: &mut Outcome) {
    let (mut problems, mut warnings) = (0_usize, 0_usize);
    for Judged { notes, warnings: surprises, .. } in judged {
        problems = problems.saturating_add(notes.len());
        warnings = warnings.saturating_add(surprises.len());
        for note in notes.iter().chain(&surprises) {
            outcome.stdout.push_str(&source.show(note));
            outcome.stdout.push('\n');
        }
    }
    let problems_told = if problems == 0 { "good".to_owned() } else { counted(problems, "problem") };
    let warnings_told =
        if warnings == 0 { String::new() } else { format!(", {}", counted(warnings, "warning")) };
    // Writing to a string cannot fail.
    let _ = writeln!(outcome.stdout, "{}: {problems_told}{warnings_told}", source.name());
    if problems > 0 {
        outcome.at_least(Exit::Bad);
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
