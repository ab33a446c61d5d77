//! `gatectl status`: whether a gateway can be reached, is who it says it is, and does its work.

mod bounded;
mod connection;
mod endpoint;
mod exchange;
mod judge;
mod progress;
mod questions;
mod trust;
mod visit;

use core::fmt::Write as _;
use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use serde_json::json;

use crate::cert;
use crate::findings::Level;
use crate::json::printed;
use crate::outcome::{Exit, Outcome};
use crate::secret::{self, Secret, VARIABLE};
use endpoint::Endpoint;
use trust::Roots;
use visit::Visit;

/// Says whether a gateway can be reached and trusted, keeps strangers out, and takes the token.
///
/// It sends three requests, which change nothing: POST /v1/auth without a token and with it, and GET
/// /configuration-service/v1/project without. The token is sent last, and not where the certificate is not trusted, nor
/// after a redirect, nor to what does not answer as Keptn's API does.
#[derive(Args, Debug)]
#[command(after_help = "\
The token is read from --token-file, else from the variable KEPTN_API_TOKEN, else it is asked for.

Checks:
  address      the host has one
  connect      somebody listens there, and speaks TLS if the endpoint is https
  certificate  somebody whom this machine trusts vouches for it, for this host, today and for 14 days
  gateway      what answers is Keptn's API, behind keptn-gateway
  strangers    a request without a token is refused
  token        the token is right

Exit codes:
  0  all is good; there may be notes
  1  something is wrong; what, and what to do, is on standard output
  2  the arguments make no sense, or there is no token; why is on standard error

Examples:
  gatectl status --endpoint https://api.keptn.example.org
  gatectl status --endpoint https://api.keptn.example.org --token-file keptn.token --cacert tls.crt
  gatectl status --endpoint https://api.keptn.example.org --connect-to 192.0.2.7:31390
  gatectl status --endpoint http://localhost:8080 --host api.keptn")]
pub(crate) struct StatusArgs {
    /// Where the gateway is, such as `https://api.keptn.example.org`; https is assumed.
    #[arg(long, value_name = "URL")]
    endpoint: String,

    /// The file with the token; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The `Host` to send, else the endpoint's; Keptn's CLI always sends `api.keptn`.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Connects there, and not where DNS leads; all else is as with the endpoint. The port may follow.
    #[arg(long, value_name = "ADDRESS")]
    connect_to: Option<String>,

    /// Certificates to trust besides the system's: a CA's, or the gateway's own.
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,

    /// Goes on whatever the certificate, as Keptn's CLI always does: anybody on the way can read the token then.
    #[arg(long)]
    insecure: bool,

    /// Sends the token over plain http to another machine: anybody on the way can read it.
    #[arg(long)]
    plain_http: bool,

    /// How long each step may take, such as 500ms or 10s.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = limit)]
    timeout: Duration,

    /// Prints JSON: an object with all findings.
    #[arg(long)]
    json: bool,

    // Here to be refused.
    #[arg(hide = true, value_hint = clap::ValueHint::Other)]
    refused: Vec<OsString>,
}

/// The shortest time that is worth waiting, and the longest.
const LIMITS: core::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);

fn limit(text: &str) -> Result<Duration, &'static str> {
    let limit = humantime::parse_duration(text).ok().filter(|limit| LIMITS.contains(limit));
    limit.ok_or("write a number and a unit (ms, s, m) from 1ms to 10m, such as 10s")
}

pub(crate) fn run(args: &StatusArgs, now: SystemTime) -> Outcome {
    let mut outcome = Outcome::default();
    match prepare(args, now) {
        Ok(visit) => match visit.make() {
            Ok(visit) => tell(&visit, args, &mut outcome),
            Err(why) => outcome.cannot_run(&format!("gatectl: {why}")),
        },
        Err(why) => outcome.cannot_run(&why.join("\n")),
    }
    outcome
}

/// Reads the arguments, and the token last: nobody is to type it in vain.
///
/// # Errors
///
/// All that is wrong with them.
fn prepare(args: &StatusArgs, now: SystemTime) -> Result<Visit, Vec<String>> {
    let instead = format!("give it in a file (--token-file), in the variable {VARIABLE}, or at the prompt");
    let mut wrong = Vec::new();
    let mut keep = |why| wrong.push(why);
    let _ = secret::no_argument(&args.refused, &instead).map_err(&mut keep);
    let endpoint = Endpoint::read(&args.endpoint).map_err(|why| {
        keep(format!("gatectl: --endpoint is not a URL: {why}; write it like https://api.keptn.example.org"));
    });
    let connect_to = args.connect_to.as_deref().map(connect_to);
    if matches!(connect_to, Some(None)) {
        keep(
            "gatectl: --connect-to is not where to connect to; write it like 192.0.2.7 or 192.0.2.7:31390"
                .to_owned(),
        );
    }
    let is_host = |host: &String| {
        !host.is_empty()
            && HeaderValue::from_str(host).is_ok()
            && host.is_ascii()
            && !host.contains(['/', '@', ' '])
    };
    if !args.host.as_ref().is_none_or(is_host) {
        keep("gatectl: --host is not a host's name; write it like api.keptn".to_owned());
    }
    let cacert = args.cacert.as_ref().map(|path| cert::certificates(path)).transpose().map_err(&mut keep);
    let (Ok(endpoint), Ok(cacert), []) = (endpoint, cacert, wrong.as_slice()) else { return Err(wrong) };
    let token = match &args.token_file {
        Some(path) => Secret::of_file(path),
        None => Secret::of_variable().or_else(Secret::of_prompt).unwrap_or_else(|| {
            Err(format!(
                "gatectl: there is no token: give it in a file (--token-file), in the variable {VARIABLE}, or call from \
                 a terminal and be asked"
            ))
        }),
    };
    Ok(Visit::new(
        endpoint,
        visit::How {
            host: args.host.clone(),
            connect_to: connect_to.flatten(),
            is_insecure: args.insecure,
            plain_http: args.plain_http,
            limit: args.timeout,
        },
        Roots::new(&cacert.unwrap_or_default()),
        token.map_err(|why| vec![why])?,
        now,
    ))
}

/// A host, and a port if one is given.
fn connect_to(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = endpoint::split_port(text).ok()?;
    ServerName::try_from(host).is_ok().then(|| (host.to_owned(), port))
}

fn tell(visit: &Visit, args: &StatusArgs, outcome: &mut Outcome) {
    let findings = &visit.findings;
    let is_good = findings.count(Level::Problem) == 0;
    if !is_good {
        outcome.at_least(Exit::Bad);
    }
    if args.json {
        let told = json!({
            "endpoint": visit.endpoint.to_string(),
            "good": is_good,
            "certificate": visit.certificate(),
            "findings": findings.to_json(),
        });
        outcome.stdout.push_str(&printed(&told));
    } else {
        // Writing to a string cannot fail.
        let _ = writeln!(outcome.stdout, "{findings}{}: {}", visit.endpoint, findings.summary("good"));
    }
}
