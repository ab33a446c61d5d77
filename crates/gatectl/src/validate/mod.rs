//! `gatectl validate`.

mod files;
mod github;
mod gitlab;
mod json;
mod report;
#[cfg(test)]
mod tests;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::outcome::{Exit, Outcome};
use report::{Level, Report};

/// Says everything that is wrong with configurations, or will surprise, and where.
///
/// A FILE is the plugin's configuration as JSON or YAML, or has it in it, once or more: any Envoy bootstrap or resource
/// file, and Kubernetes' EnvoyFilter, WasmPlugin, TrafficExtension and ConfigMap, in several documents or a list as well.
/// Other filters and objects are left alone. Of a folder all .yaml, .yml and .json files are looked into.
///
/// No token, hash or Secret is shown.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  all configurations are good; there may be warnings
  1  problems were found; they are on standard output
  2  a file cannot be read, is neither JSON nor YAML, or nothing of ours is in it; why is on standard error, in the other
     formats with all the rest on standard output

Examples:
  gatectl validate gateway.json
  gatectl validate envoy.yaml manifests/
  kubectl get envoyfilters,wasmplugins -A -o yaml | gatectl validate -
  gatectl validate --format github manifests/                # in a GitHub workflow: shown at the lines of the change
  gatectl validate --format gitlab manifests/ > report.json  # in GitLab CI: artifacts:reports:codequality")]
pub(crate) struct ValidateArgs {
    /// The files and folders, judged in this order; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How it is said.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// Prints JSON: a list with an object for each file. The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// For whom it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with the lines and carets
    Text,
    /// A list with an object for each file
    Json,
    /// Workflow commands, which GitHub shows at the lines of a change
    Github,
    /// A Code Quality report, which GitLab shows at the lines of a change
    Gitlab,
}

pub(crate) fn run(args: &ValidateArgs) -> Outcome {
    outcome(&files::judge_all(&args.files), if args.json { Format::Json } else { args.format })
}

fn outcome(reports: &[Report], format: Format) -> Outcome {
    let mut outcome = Outcome::default();
    for finding in reports.iter().flat_map(|report| &report.findings) {
        outcome.at_least(match finding.level {
            Level::Warning => Exit::Good,
            Level::Problem => Exit::Bad,
            Level::Unread => Exit::CannotRun,
        });
    }
    outcome.stdout = match format {
        Format::Text => {
            outcome.stderr = text::errors(reports);
            text::output(reports)
        }
        Format::Json => json::output(reports),
        Format::Github => github::output(reports),
        Format::Gitlab => gitlab::output(reports),
    };
    outcome
}

/// How many findings of a level there are.
fn count(reports: &[Report], level: Level) -> usize {
    reports.iter().map(|report| report.count(level)).sum()
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
