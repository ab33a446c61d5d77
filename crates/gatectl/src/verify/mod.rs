//! `gatectl verify`: whether a gateway that runs is closed, from what its Envoy says of itself.
//!
//! A dump holds certificates, tokens' hashes and credentials. Nothing of it is printed but names, hosts, where the plugin
//! is from, and Envoy's own words about what it refused.

mod checks;
mod dump;
mod filter;
mod json;
mod ours;
mod plugin;
mod route;
mod words;

use core::fmt::Write as _;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::domain::Domain;
use crate::findings::{Findings, Level};
use crate::json::printed;
use crate::outcome::{Exit, Outcome};
use crate::source::Source;
use dump::Dump;

/// Says from what a running Envoy tells of itself whether the gate is closed.
///
/// FILE is Envoy's config dump, of Istio's ingress gateway or of an Envoy without Istio. All checks are made, always. No
/// certificate, token or hash in the dump is shown.
#[derive(Args, Debug)]
#[command(after_help = "\
Checks:
  version    Envoy, and Istio's agent, know filter state in routes
  filter     keptn-gateway is in every listener that leads to Keptn's services, once, enabled, before fault, cors and router
  plugin     it is loaded, never open when it fails, and its configuration is one that the gate accepts
  route      whatever leads to Keptn's services opens to the filter's verdict alone, and each service has a route
  order      under our hosts nothing stands before these routes, and a refusal after them
  update     no listener, cluster or route is refused or waits; whether the filter is, a dump does not say
  cluster    what the routes lead to is there

Exit codes:
  0  the gate is closed and complete; there may be notes
  1  there are problems
  2  a file cannot be read or is no config dump, or the arguments make no sense; why is on standard error

Examples:
  kubectl -n istio-system exec deploy/istio-ingressgateway -- pilot-agent request GET 'config_dump?include_eds' | gatectl verify -
  istioctl proxy-config all deploy/istio-ingressgateway.istio-system -o json | gatectl verify --domain example.org -
  curl -s 'localhost:9901/config_dump?include_eds' | gatectl verify -")]
pub(crate) struct VerifyArgs {
    /// The dumps, judged in this order; `-` is standard input.
    ///
    /// One may be 16 MiB long; `jq -c .` makes it half as long.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Keptn's domain, such as example.org: api.keptn.DOMAIN and api.keptn must be served.
    #[arg(long)]
    domain: Option<OsString>,

    /// Further clusters that must be shut, by Envoy's names; may be repeated.
    ///
    /// The one that tokens are checked with and those of api-service and configuration-service are known.
    #[arg(long, value_name = "NAME")]
    cluster: Vec<String>,

    /// Prints JSON: a list with an object for each FILE.
    #[arg(long)]
    json: bool,
}

/// What is to be looked for besides what the dump itself names.
#[derive(Debug)]
struct Wanted<'a> {
    /// Hosts that must be served.
    hosts: Vec<String>,
    clusters: &'a [String],
}

pub(crate) fn run(args: &VerifyArgs) -> Outcome {
    let mut outcome = Outcome::default();
    let hosts = match args.domain.as_deref().map(Domain::read).transpose() {
        Ok(domain) => domain.map_or_else(Vec::new, |domain| vec![domain.api_host(), "api.keptn".to_owned()]),
        Err(why) => {
            outcome.cannot_run(&why);
            return outcome;
        }
    };
    let wanted = Wanted { hosts, clusters: &args.cluster };
    let mut judged = Vec::new();
    for path in &args.files {
        match Source::read(path).and_then(|source| Ok((verify(&source, &wanted)?, source))) {
            Ok((findings, source)) => judged.push((source.name().to_owned(), findings)),
            Err(why) => outcome.cannot_run(&why),
        }
    }
    for (name, findings) in &judged {
        if findings.count(Level::Problem) > 0 {
            outcome.at_least(Exit::Bad);
        }
        if !args.json {
            // Writing to a string cannot fail.
            let _ = writeln!(outcome.stdout, "{findings}{name}: {}", findings.summary("closed"));
        }
    }
    if args.json {
        let all = judged.iter().map(|(name, findings)| {
            let closed = findings.count(Level::Problem) == 0;
            json!({ "file": name, "closed": closed, "findings": findings.to_json() })
        });
        outcome.stdout.push_str(&printed(&all.collect::<serde_json::Value>()));
    }
    outcome
}

/// # Errors
///
/// Whole lines that say why this is no config dump.
fn verify(source: &Source, wanted: &Wanted<'_>) -> Result<Findings, String> {
    let value = dump::parse(source)?;
    let dump = Dump::new(&value);
    let mut findings = Findings::default();
    checks::all(&dump, wanted, &mut findings);
    Ok(findings)
}
