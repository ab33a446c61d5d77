//! The arguments of `gatectl explain`.

use core::net::IpAddr;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::answer::Answer;

/// Says what the gateway would do with a request, and why.
///
/// Nothing is sent anywhere. Header values are judged and never shown. A whole curl line can stand in the request's
/// place: as it is, in quotes, or on standard input, which keeps a token out of the shell's history.
#[derive(Args, Debug)]
#[command(
    allow_missing_positional = true,
    disable_help_subcommand = true,
    subcommand_negates_reqs = true,
    override_usage = "gatectl explain [OPTIONS] [METHOD] <TARGET>\n       \
                      gatectl explain [OPTIONS] curl <CURL'S OWN ARGUMENTS>...\n       \
                      gatectl explain [OPTIONS] <'A WHOLE CURL LINE'|->",
    after_help = "\
Exit codes:
  0  the request would be forwarded, answered with success, or left alone (its host is not ours)
  1  the request would be refused
  2  the configuration or the arguments cannot be read; why is on standard error

Examples:
  gatectl explain /swagger-ui/
  gatectl explain POST /v1/event -H \"x-token: $TOKEN\" --answer no
  gatectl explain DELETE http://api.keptn/v1/project/sockshop --config gateway.yaml
  gatectl explain POST /v1/event -H 'x-token: any' --body 2000000 --client 192.0.2.7
  gatectl explain --json curl -si -X POST -H 'x-token: any' -d '{}' https://api.keptn.example.org/v1/event
  gatectl explain --config gateway.yaml - < copied-as-curl.txt"
)]
pub(crate) struct ExplainArgs {
    /// The request's method.
    #[arg(default_value = "GET")]
    pub(super) method: OsString,

    /// The path with its query, as a client sends it, or a whole URL.
    #[arg(required = true)]
    pub(super) target: Option<OsString>,

    /// A header line, such as `x-token: abc`; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(super) headers: Vec<OsString>,

    /// The host that is asked for; a URL names one as well.
    #[arg(long)]
    pub(super) host: Option<OsString>,

    /// The length of the request's body; it is declared, unless there is a `-H 'transfer-encoding: chunked'`.
    #[arg(long, value_name = "BYTES")]
    pub(super) body: Option<u64>,

    /// The client's address, IPv4 or IPv6.
    #[arg(long, value_name = "IP")]
    pub(super) client: Option<IpAddr>,

    /// The configuration, as in `validate`; without it all defaults hold.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// What api-service says to the token: yes, no, timeout, refused (there is nobody to ask), or an HTTP
    /// status such as 403 or 429.
    #[arg(long, default_value = "yes")]
    pub(super) answer: Answer,

    /// The Retry-After of that answer.
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(super) retry_after: Option<OsString>,

    /// Shows every route that came close, not the nearest five alone.
    #[arg(long)]
    pub(super) all: bool,

    /// Prints JSON: docs/gatectl.md names its fields.
    #[arg(long)]
    pub(super) json: bool,

    #[command(subcommand)]
    pub(super) line: Option<Line>,
}

/// A request that is written otherwise.
#[derive(Debug, Subcommand)]
pub(super) enum Line {
    /// The request that this curl line would send; gatectl's own options stand before the word `curl`.
    #[command(disable_help_flag = true)]
    Curl {
        /// What stands after the word `curl`.
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "CURL'S OWN ARGUMENTS"
        )]
        arguments: Vec<OsString>,
    },
}
