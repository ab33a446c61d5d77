//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cert::CertArgs;
use crate::explain::ExplainArgs;
use crate::render::{DomainArgs, RenderArgs};
use crate::style::Color;
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

/// Says everything that is wrong with configurations, or will surprise, and where.
///
/// A FILE is the plugin's configuration as JSON or YAML, or an Envoy bootstrap with the http filter
/// `keptn-gateway` in it, such as envoy.yaml. Other shapes are not looked into yet.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  all files are good; there may be warnings, on standard output
  1  problems were found; they are on standard output
  2  a file cannot be read, or is neither JSON nor YAML; why is on standard error")]
pub(crate) struct ValidateArgs {
    /// The files, judged in this order; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}
