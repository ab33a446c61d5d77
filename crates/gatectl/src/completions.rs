//! `gatectl completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::outcome::Outcome;

/// Prints what a shell needs to complete gatectl's command lines.
///
/// It goes into a file that the shell reads at its start.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  it is printed
  2  the shell is not known; why is on standard error

Examples:
  gatectl completions bash >~/.local/share/bash-completion/completions/gatectl
  gatectl completions zsh >~/.zfunc/_gatectl      # ~/.zshrc: fpath+=~/.zfunc, before compinit
  gatectl completions fish >~/.config/fish/completions/gatectl.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "gatectl", &mut script);
    Outcome { stdout: String::from_utf8_lossy(&script).into_owned(), ..Outcome::default() }
}
