//! The closed loop: [wrk](https://github.com/wg/wrk), so many connections that ask again as soon as they have an answer.

use crate::rig::load::{Answers, Load, Token};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use testbed::{Error, Result, process};

const SCRIPT: &str = include_str!("configs/wrk.lua");

/// How wrk is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrk {
    /// At the same time.
    pub(crate) connections: u32,
    /// For how long, in whole seconds.
    pub(crate) seconds: u32,
    /// Sets this run's new tokens apart from other runs'.
    pub(crate) run: u32,
}

/// What it was answered, and in which time.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) answers: Answers,
    pub(crate) took: Duration,
}

impl Wrk {
    /// Runs it to its end. `directory` is for its files.
    ///
    /// # Errors
    /// wrk cannot be run, or says something else than its script makes it say. Wrong answers are none: see
    /// [`Answers::wrong`].
    pub(crate) fn run(&self, directory: &Path, target: SocketAddr, load: &Load) -> Result<Outcome> {
        let (script, template) = (directory.join("wrk.lua"), directory.join("request.http"));
        let write =
            |path: &Path, text: &str| fs::write(path, text).map_err(Error::during("writing wrk's files"));
        write(&script, SCRIPT)?;
        write(&template, &load.template())?;
        let (tokens, count) = match load.token {
            Token::Missing | Token::Fixed(_) => ("fixed", 0),
            Token::New | Token::NewWrong => ("new", 0),
            Token::InTurn(count) => ("turn", count),
        };
        let mut command = Command::new("wrk");
        command
            .args(["--threads", "1", "--timeout", "10s"])
            .args(["--connections", &self.connections.to_string()])
            .args(["--duration", &format!("{}s", self.seconds)])
            .arg("--script")
            .arg(script)
            .arg(format!("http://{target}"))
            .arg("--")
            .arg(template)
            .args([tokens, load.token.prefix(), &self.run.to_string(), &count.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = process::spawn(command).and_then(|child| child.wait_with_output());
        let output = output.map_err(Error::during("running wrk (Debian's package wrk)"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        outcome(&text).ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr);
            Error::new(format!("wrk ends with {}, and without a report:\n{text}{error}", output.status))
        })
    }
}

/// From the line that the script prints.
fn outcome(text: &str) -> Option<Outcome> {
    let json: Value = serde_json::from_str(text.lines().find(|line| line.starts_with('{'))?).ok()?;
    let status = |(status, count): (&String, &Value)| Some((status.parse().ok()?, count.as_u64()?));
    let statuses = json["statuses"].as_object()?.iter().map(status).collect::<Option<_>>()?;
    let answers = Answers { statuses, broken: json["broken"].as_u64()? };
    Some(Outcome { answers, took: Duration::from_micros(json["duration_us"].as_u64()?) })
}
