//! The arguments of `gatectl import`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Makes routes of what others have written down.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    pub(super) command: ImportCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    Openapi(OpenapiArgs),
}

/// Makes routes of OpenAPI descriptions: Swagger 2.0, OpenAPI 3.0, 3.1 and 3.2.
///
/// Operations without security become public routes, all others ask for the token. Those that the description marks
/// as internal (a summary or description that begins with "INTERNAL Endpoint:", or x-internal) are marked so.
/// A `$ref` may lead into other files; nothing is fetched. What the gateway cannot express is named on standard
/// error, with its place, and is not in the result; what is only warned about is in it.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  everything is in the result; there may be warnings, on standard error
  1  something cannot be expressed, or a description is wrong: it is named on standard error; the rest is
     printed, and written to a file only with --keep-going
  2  a file cannot be read or is no description, or the arguments make no sense; why is on standard error

Examples:
  gatectl import openapi carts.yaml --upstream carts --prefix /carts --strip --policy strict
  gatectl import openapi openapi.json --upstream shop --base-path /v2 -o routes.json
  gatectl import openapi api-service.yaml --format operations")]
pub(super) struct OpenapiArgs {
    /// The descriptions, as YAML or JSON; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// The upstream that the routes lead to; if it is none of the profile's, it is added.
    #[arg(long, value_name = "NAME")]
    pub(super) upstream: Option<String>,

    /// What clients write before the paths of the service, such as /carts.
    #[arg(long, value_name = "PATH")]
    pub(super) prefix: Option<String>,

    /// The service does not know the prefix: it is taken away before a request is sent on.
    #[arg(long, requires = "prefix")]
    pub(super) strip: bool,

    /// What the paths of the service begin with, instead of what the descriptions say.
    #[arg(long, value_name = "PATH")]
    pub(super) base_path: Option<String>,

    /// A parameter whose values may have slashes, written as %2F; may be repeated.
    #[arg(long, value_name = "PARAMETER")]
    pub(super) slash: Vec<String>,

    /// Who is asked: as the descriptions say, or always for the token.
    #[arg(long, value_enum, default_value_t = Asked::Described)]
    pub(super) access: Asked,

    /// The policy of all paths below the prefix, or below the base path where there is no prefix.
    #[arg(long, value_enum)]
    pub(super) policy: Option<Policy>,

    /// What to print: a configuration of the gateway, or a line for each path with its methods and access, as the
    /// service sees it.
    #[arg(long, value_enum, default_value_t = Format::Configuration)]
    pub(super) format: Format,

    /// The folder that a `$ref` must not lead out of; without it that of the description.
    #[arg(long, value_name = "FOLDER")]
    pub(super) root: Option<PathBuf>,

    /// Write the file even if something could not be expressed.
    #[arg(long, requires = "output")]
    pub(super) keep_going: bool,

    /// The file to write to, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Asked {
    // `security` of the descriptions.
    Described,
    // Whatever they say.
    Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Policy {
    Open,
    Strict,
}

impl Policy {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Strict => "strict",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Configuration,
    Operations,
}
