//! `gatectl token hash`.

use core::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use super::HashArgs;
use crate::outcome::{Exit, Outcome};
use crate::secret::{self, Secret};
use crate::source::read_file;

pub(super) fn run(args: &HashArgs, now: SystemTime, outcome: &mut Outcome) {
    let instead = "give it on standard input (gatectl token hash <FILE), or call without it and be asked";
    if let Err(why) = secret::no_argument(&args.refused, instead) {
        return outcome.cannot_run(&why);
    }
    let entry = match args.entry.read(now, outcome) {
        Ok(entry) => entry,
        Err(why) => return outcome.cannot_run(&why),
    };
    let (name, bytes) = match secret::prompt().unwrap_or_else(|| read_file(Path::new("-"))) {
        Ok(read) => read,
        Err(why) => return outcome.cannot_run(&why),
    };
    let token = match Secret::read(bytes) {
        Ok(token) => token,
        Err(why) => {
            outcome.stderr.push_str(&format!("{name}: this is not a token: {why}\n"));
            return outcome.at_least(Exit::Bad);
        }
    };
    if let Some(what) = token.seems() {
        outcome.stderr.push_str(&format!("gatectl: note: {what}\n"));
    }
    let printed = if args.hash_only { token.sha256() } else { entry.to_json(&token) };
    // Writing to a string cannot fail.
    let _ = writeln!(outcome.stdout, "{printed}");
}
