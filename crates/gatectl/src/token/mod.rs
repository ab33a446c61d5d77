//! `gatectl token`: tokens, and what the configuration holds of them.

mod entry;
mod hash;
mod new;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};

use crate::outcome::Outcome;
use entry::EntryArgs;

/// Makes a token, or the configuration's entry for one.
///
/// The gateway holds of a token its SHA-256 alone, in `tokens` (docs/configuration.md), and asks nobody about it.
#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    New(NewArgs),
    Hash(HashArgs),
}

/// Makes a token, and its entry for `tokens`.
///
/// The token is 192 bits of the system's randomness as base64: 32 characters. It is shown once, and kept nowhere: the
/// gateway needs the entry alone.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  the token is made
  2  the arguments make no sense, or the file cannot be written; why is on standard error

Examples:
  gatectl token new --name ci --days 90
  gatectl token new --name ci --token-file ci.token >>entries.json
  gatectl token new --name ci --json | jq -r .token | gh secret set KEPTN_TOKEN")]
struct NewArgs {
    #[command(flatten)]
    entry: EntryArgs,

    /// Writes the token into this new file, which its owner alone may read, and prints the entry alone.
    ///
    /// There is no line break after it, so that `kubectl create secret --from-file` takes it as it is.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Prints JSON: an object with `token` and `entry`.
    #[arg(long, conflicts_with = "token_file")]
    json: bool,
}

/// Makes the entry for a token that there is.
///
/// The token is read from standard input, or asked for at a prompt that does not show it. One line break after it is
/// left away, and nothing else.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  the entry is printed
  1  what was read is no token; why is on standard error
  2  the arguments make no sense, or there is nothing to read; why is on standard error

Examples:
  gatectl token hash --name ci <ci.token
  kubectl get secret -n keptn keptn-api-token -o jsonpath='{.data.keptn-api-token}' | base64 --decode |
    gatectl token hash --name keptn --api")]
struct HashArgs {
    #[command(flatten)]
    entry: EntryArgs,

    /// Prints the 64 hex digits alone.
    #[arg(long, conflicts_with = "EntryArgs")]
    hash_only: bool,

    // Here to be refused.
    #[arg(hide = true, value_hint = clap::ValueHint::Other)]
    refused: Vec<OsString>,
}

pub(crate) fn run(args: &TokenArgs, now: SystemTime) -> Outcome {
    let mut outcome = Outcome::default();
    match &args.command {
        TokenCommand::New(args) => new::run(args, now, &mut outcome),
        TokenCommand::Hash(args) => hash::run(args, now, &mut outcome),
    }
    outcome
}
