//! The closed loop: [wrk](https://github.com/wg/wrk), so many connections that ask again as soon as they have an answer.

use crate::rig::load::{Answers, Load, Token};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    io::Read,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use testbed::{Error, Result, process};

const SCRIPT: &str = include_str!("configs/wrk.lua");

/// The most that wrk runs if nobody ends it.
const AT_MOST: &str = "3600s";

/// A wrk at work. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Wrk {
    child: Child,
    _directory: TempDir,
}

impl Wrk {
    /// Starts it with so many connections. `run` sets new tokens apart from other runs'.
    ///
    /// # Errors
    /// There is no wrk, or no place for its files.
    pub(crate) fn start(target: SocketAddr, load: &Load, connections: u32, run: u32) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("bench-wrk-").tempdir();
        let directory = directory.map_err(Error::during("making a temporary directory"))?;
        let (script, template) = (directory.path().join("wrk.lua"), directory.path().join("request.http"));
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
            // A request's time goes on while wrk is stopped, and a time-out would count as a broken one.
            .args(["--threads", "1", "--timeout", "60s"])
            .args(["--connections", &connections.to_string()])
            .args(["--duration", AT_MOST])
            .arg("--script")
            .arg(script)
            .arg(format!("http://{target}"))
            .arg("--")
            .arg(template)
            .args([tokens, load.token.prefix(), &run.to_string(), &count.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = process::spawn(command).map_err(Error::during("starting wrk (Debian's package wrk)"))?;
        Ok(Self { child, _directory: directory })
    }

    /// Sends nothing more until it goes on.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Goes on after a stop.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Tells it to end, which takes it up to a tenth of a second, with requests as before. It must not be stopped.
    ///
    /// # Errors
    /// It has ended already.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.signal(Signal::INT)
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What came of it. Awaits its end.
    ///
    /// # Errors
    /// It says something else than its script makes it say. Wrong answers are none: see [`Answers::wrong`].
    pub(crate) fn answers(&mut self) -> Result<Answers> {
        let (text, errors) = (read(self.child.stdout.take())?, read(self.child.stderr.take())?);
        let status = self.child.wait().map_err(Error::during("waiting for wrk"))?;
        answers(&text).ok_or_else(|| {
            Error::new(format!("wrk ends with {status}, and without a report:\n{text}{errors}"))
        })
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.is_over() {
            let said = self.answers().map(|answers| format!("{answers:?}"));
            return Err(Error::new(format!(
                "wrk has ended before it should: {}",
                said.unwrap_or_else(|error| error.to_string())
            )));
        }
        kill_process(Pid::from_child(&self.child), signal).map_err(Error::during("telling wrk what to do"))
    }
}

impl Drop for Wrk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(pipe: Option<impl Read>) -> Result<String> {
    let mut text = String::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_string(&mut text).map_err(Error::during("reading what wrk says"))?;
    }
    Ok(text)
}

/// From the line that the script prints.
fn answers(text: &str) -> Option<Answers> {
    let json: Value = serde_json::from_str(text.lines().find(|line| line.starts_with('{'))?).ok()?;
    let status = |(status, count): (&String, &Value)| Some((status.parse().ok()?, count.as_u64()?));
    let statuses = json["statuses"].as_object()?.iter().map(status).collect::<Option<_>>()?;
    Some(Answers { statuses, broken: json["broken"].as_u64()? })
}
