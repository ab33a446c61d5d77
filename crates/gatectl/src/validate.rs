//! `gatectl validate`.

use core::fmt::Write as _;

use crate::cli::ValidateArgs;
use crate::input;
use crate::outcome::{Exit, Outcome};
use crate::source::{Note, Source};

pub(crate) fn run(args: &ValidateArgs) -> Outcome {
    let mut outcome = Outcome::default();
    for path in &args.files {
        match Source::read(path).and_then(|source| Ok((input::judge(&source)?, source))) {
            Ok((judged, source)) => {
                let notes = judged.into_iter().flat_map(|judged| judged.notes).collect::<Vec<_>>();
                tell(&notes, &source, &mut outcome);
            }
            Err(why) => outcome.cannot_run(&why),
        }
    }
    outcome
}

fn tell(notes: &[Note], source: &Source, outcome: &mut Outcome) {
    for note in notes {
        outcome.stdout.push_str(&source.show(note));
        outcome.stdout.push('\n');
    }
    let sum = match notes.len() {
        0 => "good".to_owned(),
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(outcome.stdout, "{}: {sum}", source.name());
    if !notes.is_empty() {
        outcome.at_least(Exit::Bad);
    }
}
