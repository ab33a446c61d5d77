//! `gatectl`: what the gateway thinks of a configuration and of a request, without running it.
//!
//! The same core decides here and inside Envoy. A run is a pure function from files and arguments to an
//! [`Outcome`]; this file alone prints.

mod cert;
mod cli;
mod completions;
mod domain;
mod draft;
mod explain;
mod findings;
mod import;
mod input;
mod json;
mod lines;
mod outcome;
mod recognise;
mod redact;
mod render;
mod routes;
mod secret;
mod source;
mod status;
mod style;
mod token;
mod validate;
mod verify;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use anstream::AutoStream;
use clap::Parser;
use cli::{Cli, Command};
use outcome::{Exit, Outcome};

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(Cli { color, command }) => {
            color.decide();
            run(&command)
        }
        Err(error) => redact::usage_error(error),
    };
    print(&outcome)
}

fn run(command: &Command) -> Outcome {
    match command {
        Command::Validate(args) => validate::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Routes(args) => routes::run(args, style::width()),
        Command::Import(args) => import::run(args),
        Command::Render(args) => render::render(args),
        Command::Domain(args) => render::domain(args),
        Command::Cert(args) => cert::run(args, SystemTime::now()),
        Command::Verify(args) => verify::run(args),
        Command::Token(args) => token::run(args, SystemTime::now()),
        Command::Status(args) => status::run(args, SystemTime::now()),
        Command::Completions(args) => completions::run(args),
    }
}

fn print(Outcome { stdout, stderr, exit, made }: &Outcome) -> ExitCode {
    let printed = write(AutoStream::auto(io::stdout().lock()), stdout);
    let left = made.as_deref().filter(|_| printed.is_err()).and_then(|path| {
        let name = source::visible(&path.to_string_lossy());
        let error = fs::remove_file(path).err()?;
        Some(format!("{name}: is of no use, and cannot be removed: {error}\n"))
    });
    // Where even that fails there is nobody left to tell.
    let told = write(AutoStream::auto(io::stderr().lock()), stderr);
    match printed.and(told) {
        Ok(()) => ExitCode::from(exit.code()),
        Err(error) => {
            let _ = write(
                AutoStream::auto(io::stderr().lock()),
                &format!("gatectl: cannot write the output: {error}\n{}", left.unwrap_or_default()),
            );
            ExitCode::from(Exit::CannotRun.code())
        }
    }
}

/// A reader that has seen enough (`gatectl … | head -1`) is no error.
fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
