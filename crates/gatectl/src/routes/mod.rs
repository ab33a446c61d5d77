//! `gatectl routes`: what the gateway lets in.

mod html;
mod json;
mod markdown;
mod row;
mod text;

use core::str::FromStr;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gate::request::Method;
use gate::routes;

use crate::draft;
use crate::input;
use crate::outcome::{Exit, Outcome};
use crate::source::visible;
use crate::style::HELP;
use row::Row;

/// Lists what the gateway lets in.
///
/// Each line is paths and methods, who is asked before they pass, where they are sent, and the path that the upstream
/// sees. `open` marks what the gateway only passes on: there the service decides what it knows. `internal` marks
/// what is not meant for the public. Without filters, what is not listed is refused; where the
/// configuration has `hosts`, requests for others are left alone.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  there is something to list
  1  nothing is let in that all of the filters are for
  2  the configuration or the arguments cannot be read, or the file cannot be written; why is on standard error

Examples:
  gatectl routes --config gateway.yaml
  gatectl routes --access public
  gatectl routes --method DELETE --upstream configuration-service
  gatectl routes --config gateway.yaml -o routes.html")]
pub(crate) struct RoutesArgs {
    /// The configuration, as in `validate`; without it all defaults hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Only what this access is needed for.
    #[arg(long, value_enum)]
    access: Option<Access>,

    /// Only what is sent to this upstream.
    #[arg(long, value_name = "NAME")]
    upstream: Option<String>,

    /// Only what this method is for, such as DELETE.
    #[arg(long)]
    method: Option<Wanted>,

    /// Only what is marked as internal.
    #[arg(long)]
    internal: bool,

    /// How it is written; without it as the ending of the file to write to says, or as text.
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Short for --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// The file to write to, instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Access {
    /// Nobody is asked.
    Public,
    /// The gateway asks for the token.
    Token,
    /// The upstream asks by itself.
    Upstream,
}

impl Access {
    const fn is(self, access: routes::Access) -> bool {
        matches!(
            (self, access),
            (Self::Public, routes::Access::Public)
                | (Self::Token, routes::Access::Token)
                | (Self::Upstream, routes::Access::Upstream)
        )
    }
}

/// A method, in any case.
#[derive(Clone, Copy, Debug)]
struct Wanted(Method);

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Method::parse(text.to_ascii_uppercase().as_bytes()).map(Self).ok_or_else(|| {
            let all: Vec<_> = Method::ALL.into_iter().map(Method::name).collect();
            format!("write one of {}", all.join(", "))
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns, for a terminal.
    #[default]
    Text,
    /// A table.
    Markdown,
    /// For programs.
    Json,
    /// One page for a browser, with search and filters.
    Html,
}

impl Format {
    fn of(args: &RoutesArgs) -> Self {
        let of_ending = |path: &Path| match path.extension()?.to_str()? {
            "md" | "markdown" => Some(Self::Markdown),
            "json" => Some(Self::Json),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        };
        let json = args.json.then_some(Self::Json);
        json.or(args.format).or_else(|| of_ending(args.output.as_deref()?)).unwrap_or_default()
    }
}

/// `width` is the terminal's, if there is one.
pub(crate) fn run(args: &RoutesArgs, width: Option<usize>) -> Outcome {
    let mut outcome = Outcome::default();
    let config = match input::configuration(args.config.as_deref()) {
        Ok(config) => config,
        Err(why) => {
            outcome.cannot_run(&why);
            return outcome;
        }
    };
    let all = row::all(&config);
    let is_wanted = |row: &&Row| {
        args.access.is_none_or(|access| access.is(row.access))
            && args.upstream.as_ref().is_none_or(|name| row.upstream.as_ref() == Some(name))
            && args.method.is_none_or(|Wanted(method)| row.methods.contains(method))
            && (!args.internal || row.is_internal)
    };
    let rows: Vec<_> = all.iter().filter(is_wanted).collect();
    if rows.is_empty() {
        outcome.stderr.push_str("gatectl: nothing is let in that all of these filters are for\n");
        let upstreams: BTreeSet<_> = all.iter().filter_map(|row| row.upstream.as_deref()).collect();
        if args.upstream.as_deref().is_some_and(|name| !upstreams.contains(name)) {
            let upstreams = upstreams.into_iter().collect::<Vec<_>>().join(", ");
            outcome.stderr.push_str(&format!("  {HELP}help:{HELP:#} the upstreams are {upstreams}\n"));
        }
        outcome.at_least(Exit::Bad);
    }
    let hosts = config.hosts();
    let written = match Format::of(args) {
        Format::Text => Ok(text::written(&rows, &hosts, width.filter(|_| args.output.is_none()))),
        Format::Markdown => Ok(markdown::written(&rows, &hosts)),
        Format::Json => Ok(json::written(&rows, &hosts)),
        Format::Html => html::written(&rows, &hosts, rows.len() == all.len(), &name(args.config.as_deref())),
    };
    match (written, &args.output) {
        (Ok(text), None) => outcome.stdout = text,
        (Ok(text), Some(path)) => {
            let text = anstream::adapter::strip_str(&text).to_string();
            if let Err(why) = draft::write(path, text.as_bytes(), draft::Access::Everybody) {
                outcome.cannot_run(&why);
            }
        }
        (Err(why), _) => outcome.cannot_run(&why),
    }
    outcome
}

/// How people call the configuration: by its file alone. In which folder it is says nothing to whom the list is shown.
fn name(path: Option<&Path>) -> String {
    let Some(path) = path else { return "all defaults".to_owned() };
    let name = path.file_name().filter(|_| path != Path::new("-"));
    name.map_or("standard input".to_owned(), |name| visible(&name.to_string_lossy()))
}
