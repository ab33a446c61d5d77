//! The arguments.

use clap::{Parser, Subcommand};

use crate::cert::CertArgs;
use crate::completions::CompletionsArgs;
use crate::explain::ExplainArgs;
use crate::import::ImportArgs;
use crate::render::{DomainArgs, RenderArgs};
use crate::routes::RoutesArgs;
use crate::status::StatusArgs;
use crate::style::Color;
use crate::token::TokenArgs;
use crate::validate::ValidateArgs;
use crate::verify::VerifyArgs;

/// The version, and in a build by `./build.sh gatectl` the revision of the sources.
const VERSION: &str = match option_env!("GATECTL_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// Checks and explains keptn-gateway's configuration, with the code that decides inside Envoy; makes its manifests
/// and certificates.
#[derive(Debug, Parser)]
#[command(version = VERSION, arg_required_else_help = true, subcommand_required = true)]
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
    Routes(RoutesArgs),
    Import(ImportArgs),
    Render(RenderArgs),
    Domain(DomainArgs),
    Cert(CertArgs),
    Verify(VerifyArgs),
    Token(TokenArgs),
    Status(StatusArgs),
    Completions(CompletionsArgs),
}
