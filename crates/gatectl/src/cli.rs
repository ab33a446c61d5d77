//! The arguments.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cert::CertArgs;
use crate::render::{DomainArgs, RenderArgs};
use crate::request::Answer;
use crate::style::Color;
use crate::validate::ValidateArgs;
use crate::verify::VerifyArgs;

/// Checks and explains keptn-gateway's configuration, with the code that decides inside Envoy; makes its manifests
/// and certificates.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Cli {
    /// When to use colours; auto is on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 900)]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Validate(ValidateArgs),
    Explain(ExplainArgs),
    Render(RenderArgs),
    Domain(DomainArgs),
    Cert(CertArgs),
    Verify(VerifyArgs),
}

/// Says what the gateway would do with a request, and why.
///
/// Nothing is sent anywhere. Header values are judged and never shown.
#[derive(Args, Debug)]
#[command(
    allow_missing_positional = true,
    after_help = "\
Exit codes:
  0  the request would be forwarded, answered with success, or left alone (its host is not ours)
  1  the request would be refused
  2  the configuration or the arguments cannot be read; why is on standard error

Examples:
  gatectl explain /swagger-ui/
  gatectl explain POST /v1/event -H \"x-token: $TOKEN\" --answer no
  gatectl explain DELETE http://api.keptn/v1/project/sockshop --config gateway.yaml"
)]
pub(crate) struct ExplainArgs {
    /// The request's method.
    #[arg(default_value = "GET")]
    pub(crate) method: OsString,

    /// The path with its query, as a client sends it, or a whole URL.
    #[arg(required = true)]
    pub(crate) target: Option<OsString>,

    /// A header line, such as `x-token: abc`; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<OsString>,

    /// The host that is asked for; a URL names one as well.
    #[arg(long)]
    pub(crate) host: Option<OsString>,

    /// The configuration, as in `validate`; without it all defaults hold.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// What api-service says to the token: yes, no, timeout, refused (there is nobody to ask), or an HTTP
    /// status such as 403 or 429.
    #[arg(long, default_value = "yes")]
    pub(crate) answer: Answer,
}
