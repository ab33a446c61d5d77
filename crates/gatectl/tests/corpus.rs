//! The corpus through `gatectl explain --json`: what it says becomes of a request is what becomes of it.
//!
//! `crates/gate/tests/corpus.rs` runs the same files through the core itself, `tests/corpus_envoy.rs` through a real Envoy.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test equipment may panic"
)]

#[allow(dead_code, reason = "what Envoy does otherwise is for the other engine")]
#[path = "../../../tests/corpus/mod.rs"]
mod corpus;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use corpus::handed::as_envoy_hands_over;
use corpus::{Auth, Case, File, Lines, Outcome, judge, values};
use serde_json::Value;

/// All clients have it.
const ADDRESS: &str = "192.0.2.1";

#[test]
fn explain_says_what_each_case_says() {
    let files = corpus::read();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
    fs::create_dir_all(&folder).unwrap();
    let runs: Vec<_> = files
        .iter()
        .flat_map(|file| {
            let config = folder.join(format!("{}.json", file.name));
            fs::write(&config, file.config.to_string()).unwrap();
            file.cases.iter().map(move |case| Run { file, case, config: config.clone() })
        })
        .filter(|run| run.case.skip.gate.is_none() && run.case.skip.explain.is_none())
        .collect();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<_> = thread::scope(|scope| {
        let parts = runs.chunks(runs.len().div_ceil(workers));
        let threads: Vec<_> = parts
            .map(|part| scope.spawn(|| part.iter().filter_map(|run| run.judge().err()).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), runs.len(), failures.join("\n"));
}

struct Run<'a> {
    file: &'a File,
    case: &'a Case,
    config: PathBuf,
}

impl Run<'_> {
    fn judge(&self) -> Result<(), String> {
        self.outcome()
            .and_then(|(asked, outcome)| {
                if asked != self.case.expect.asked {
                    return Err(format!("the auth endpoint was{} asked", if asked { "" } else { " not" }));
                }
                judge(self.case, &self.case.expect, &outcome, &self.file.config)
            })
            .map_err(|error| format!("{}.toml: {}\n    {error}", self.file.name, self.case.name))
    }

    /// What it says: whether the auth endpoint is asked, and what becomes of the request.
    fn outcome(&self) -> Result<(bool, Outcome), String> {
        let lines = as_envoy_hands_over(self.case);
        let sent = Sent::from(self.case, &lines);
        let run = self.command(&sent);
        let output = run.stdout;
        let story: Value = serde_json::from_slice(&output)
            .map_err(|error| format!("no JSON: {error}\n{}", String::from_utf8_lossy(&run.stderr)))?;
        let code = run.status.code();
        let refused = story["verdict"] == "refused";
        if code != Some(i32::from(refused)) {
            return Err(format!("the exit code is {code:?}, and the verdict {}", story["verdict"]));
        }
        check(&story, &sent)?;
        let asked = story["check"]["asked"] == true;
        Ok((asked, outcome(&story, &sent)))
    }

    fn command(&self, sent: &Sent) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatectl"));
        command.args(["explain", "--json", "--client", ADDRESS, "--config"]).arg(&self.config);
        if let Some(host) = &sent.host {
            command.arg("--host").arg(word(host));
        }
        if let Some(length) = sent.body {
            command.arg("--body").arg(length.to_string());
        }
        for line in &sent.headers {
            command.arg("-H").arg(word(line));
        }
        // By default the endpoint knows one token.
        let token = values(&sent.lines, "x-token").concat();
        let by_token = || if token.trim_ascii() == b"good" { 200 } else { 401 };
        let status = self.case.auth.as_ref().map_or_else(by_token, Auth::status);
        command.arg("--answer").arg(status.to_string());
        if let Some(seconds) = self.case.auth.as_ref().and_then(Auth::retry_after) {
            command.arg("--retry-after").arg(word(&seconds));
        }
        command.arg(word(&sent.method)).arg(word(&sent.target));
        command.stdin(Stdio::null()).output().unwrap()
    }
}

fn word(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// A case's request, as the command line has it.
struct Sent {
    method: Vec<u8>,
    target: Vec<u8>,
    host: Option<Vec<u8>>,
    body: Option<usize>,
    /// What stands behind each `-H`.
    headers: Vec<Vec<u8>>,
    lines: Lines,
}

impl Sent {
    fn from(case: &Case, handed_over: &Lines) -> Self {
        let pseudo = |name| {
            let found = handed_over.iter().find(|(line, _)| line == name);
            found.map(|(_, value)| value.clone())
        };
        let (path, authority) = (pseudo(":path"), pseudo(":authority"));
        // A CONNECT's target is the host.
        let (target, host) = match path {
            Some(path) => (path, authority),
            None => (authority.unwrap_or_default(), None),
        };
        let is_header = |(name, _): &&(String, Vec<u8>)| {
            // The body says it.
            !(name.starts_with(':') || name == "content-length" && case.body.is_some())
        };
        let mut lines: Lines = handed_over.iter().filter(is_header).cloned().collect();
        if case.chunked.is_some() && values(&lines, "transfer-encoding").is_empty() {
            // Over HTTP/2 it needs no header.
            lines.push(("transfer-encoding".to_owned(), b"chunked".to_vec()));
        }
        let line = |(name, value): &(String, Vec<u8>)| [name.as_bytes(), b": ", value].concat();
        Self {
            method: pseudo(":method").unwrap_or_default(),
            target,
            host,
            body: case.body.or(case.chunked),
            headers: lines.iter().map(line).collect(),
            lines,
        }
    }

    /// The value of a header line in JSON.
    fn value(&self, header: &Value) -> Vec<u8> {
        if let Some(value) = header["value"].as_str() {
            return value.as_bytes().to_vec();
        }
        let origin = &header["as_sent"];
        match (origin.as_u64(), origin.as_str()) {
            (Some(number), _) => {
                let index = usize::try_from(number).unwrap() - 1;
                assert!(
                    self.lines[index].0.eq_ignore_ascii_case(header["name"].as_str().unwrap()),
                    "{header}"
                );
                self.lines[index].1.clone()
            }
            (_, Some("--host")) => self.host.clone().unwrap(),
            (_, Some("target")) => self.target.clone(),
            (_, Some("--body")) => self.body.unwrap().to_string().into_bytes(),
            _ => panic!("nobody knows what {header} is"),
        }
    }

    fn lines_of(&self, headers: &Value) -> Lines {
        let headers = headers.as_array().unwrap();
        headers
            .iter()
            .map(|header| (header["name"].as_str().unwrap().to_owned(), self.value(header)))
            .collect()
    }
}

/// What it says about the check.
fn check(story: &Value, sent: &Sent) -> Result<(), String> {
    let check = &story["check"];
    if check["asked"] != true {
        return match check["why_not"].as_str() {
            Some(_) => Ok(()),
            None => Err("it does not say why nobody is asked".to_owned()),
        };
    }
    let headers = sent.lines_of(&check["headers"]);
    let is = [
        check["method"] == "POST",
        check["path"] == "/v1/auth",
        values(&headers, "x-forwarded-for") == [ADDRESS.as_bytes()],
        values(&headers, "x-token") == values(&sent.lines, "x-token"),
    ];
    if is.contains(&false) { Err(format!("the check is {check}")) } else { Ok(()) }
}

fn outcome(story: &Value, sent: &Sent) -> Outcome {
    let text = |value: &Value| value.as_str().unwrap().as_bytes().to_vec();
    let forwarded = &story["forwarded"];
    match story["verdict"].as_str().unwrap() {
        "forwarded" | "foreign" => Outcome::Forwarded {
            upstream: forwarded["upstream"].as_str().map(str::to_owned),
            method: text(&forwarded["method"]),
            path: text(&forwarded["path"]),
            headers: sent.lines_of(&forwarded["headers"]),
        },
        _ => {
            let response = &story["response"];
            Outcome::Answer {
                status: response["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap(),
                details: response["details"].as_str().unwrap().to_owned(),
                headers: sent.lines_of(&response["headers"]),
                body: text(&response["body"]),
            }
        }
    }
}
