//! `gatectl import`: what others have written down, as routes of the gateway.

mod arguments;
mod document;
mod files;
mod merged;
mod parameters;
mod place;
mod refs;
mod routes;
mod security;
mod servers;
mod template;
mod walk;

use core::fmt::Write as _;
use std::collections::BTreeSet;

use gate::config::Config;
use serde_json::json;

use crate::draft;
use crate::outcome::{Exit, Outcome};
use crate::source::visible;
use crate::style::{HELP, PROBLEM, WARNING};
pub(crate) use arguments::ImportArgs;
use arguments::{Asked, Format, ImportCommand, OpenapiArgs};
use document::{Operation, Settings};
use files::Files;
use routes::Way;
use security::Access;

pub(crate) fn run(args: &ImportArgs) -> Outcome {
    let ImportCommand::Openapi(args) = &args.command;
    let mut outcome = Outcome::default();
    if let (Some(settings), Some(way)) = (settings(args, &mut outcome), way(args, &mut outcome)) {
        import(args, &settings, &way, &mut outcome);
    }
    outcome
}

fn settings(args: &OpenapiArgs, outcome: &mut Outcome) -> Option<Settings> {
    let base_path = match &args.base_path {
        Some(path) => Some(path_of("--base-path", path, outcome)?),
        None => None,
    };
    let is_token_asked = args.access == Asked::Token;
    Some(Settings { base_path, slashes: args.slash.clone(), is_token_asked })
}

fn way(args: &OpenapiArgs, outcome: &mut Outcome) -> Option<Way> {
    if args.format == Format::Operations {
        let is_given = args.prefix.is_some() || args.policy.is_some() || args.upstream.is_some();
        if is_given {
            outcome.cannot_run(
                "gatectl: operations are as the service sees them: there is no place for --upstream, --prefix and \
                 --policy\n  help: leave them away, or --format operations",
            );
            return None;
        }
        return Some(Way::default());
    }
    let Some(upstream) = args.upstream.clone() else {
        outcome.cannot_run("gatectl: where do the routes lead to?\n  help: --upstream NAME says it");
        return None;
    };
    let is_known = |upstream: &str| {
        routes::is_of_profile(upstream)
            || Config::from_value(&json!({ "upstreams": [{ "name": upstream }] })).is_ok()
    };
    if !is_known(&upstream) {
        outcome.cannot_run(
            "gatectl: --upstream is no upstream's name\n  help: write letters, digits, - _ and .",
        );
        return None;
    }
    let prefix = match &args.prefix {
        Some(prefix) => path_of("--prefix", prefix, outcome)?,
        None => String::new(),
    };
    if args.prefix.is_some() && prefix.is_empty() {
        outcome.cannot_run("gatectl: --prefix has no segment\n  help: leave it away");
        return None;
    }
    Some(Way { upstream, prefix, strip: args.strip })
}

/// The value of an argument as a path without a slash at its end.
fn path_of(argument: &str, path: &str, outcome: &mut Outcome) -> Option<String> {
    servers::canonical(path)
        .map_err(|odd| {
            outcome.cannot_run(&format!(
                "gatectl: {argument}: {}\n  help: write a path, such as /carts",
                odd.message
            ));
        })
        .ok()
}

fn import(args: &OpenapiArgs, settings: &Settings, way: &Way, outcome: &mut Outcome) {
    let mut files = Files::default();
    let (mut operations, mut bases) = (Vec::new(), BTreeSet::new());
    for path in &args.files {
        let read = files.open(path, args.root.as_deref()).and_then(|top| {
            document::read(&mut files, &top, settings).map_err(|note| files.show(top.file, &note))
        });
        match read {
            Ok(description) => {
                operations.extend(description.operations);
                bases.extend(description.base);
            }
            Err(why) => outcome.cannot_run(&why),
        }
    }
    if outcome.exit == Exit::CannotRun {
        return;
    }
    check_slashes(&operations, settings, outcome);
    let counts = counts(&operations);
    let routes = routes::of(operations, way, &mut files);
    let (routes, text) = match args.format {
        Format::Operations => (routes.len(), routes::operations(&routes)),
        Format::Configuration => {
            let routes = routes::accepted(routes, way, &mut files);
            let prefixes = if way.prefix.is_empty() { bases } else { BTreeSet::from([way.prefix.clone()]) };
            if args.policy.is_some() && prefixes.contains("") {
                let _ = writeln!(
                    outcome.stderr,
                    "{WARNING}gatectl: warning{WARNING:#}: the policy is for all paths, Keptn's own API among them: there is neither \
                     a prefix nor a base path\n  {HELP}help:{HELP:#} --prefix PATH sets the service's paths apart"
                );
            }
            let policy = args.policy.map(|policy| (prefixes, policy.name()));
            (routes.len(), routes::configuration(&routes, way, policy.as_ref()))
        }
    };
    let problems = files.tell(outcome);
    let _ = writeln!(
        outcome.stderr,
        "{counts} as {}{}",
        counted(routes, "route"),
        match problems {
            0 => String::new(),
            problems =>
                format!("; {}: what they name is missing, or not quite so", counted(problems, "problem")),
        }
    );
    deliver(args, text, outcome);
}

/// Prints or writes the result.
fn deliver(args: &OpenapiArgs, text: String, outcome: &mut Outcome) {
    let Some(path) = &args.output else {
        outcome.stdout = text;
        return;
    };
    if outcome.exit != Exit::Good && !args.keep_going {
        let name = visible(&path.to_string_lossy());
        let _ = writeln!(
            outcome.stderr,
            "{name}: not written, because of the problems\n  {HELP}help:{HELP:#} --keep-going writes it all the same"
        );
        return;
    }
    if let Err(why) = draft::write(path, text.as_bytes(), draft::Access::Everybody) {
        outcome.cannot_run(&why);
    }
}

/// Every --slash must be of some use: a name that is not quite right would let nothing more in.
fn check_slashes(operations: &[Operation], settings: &Settings, outcome: &mut Outcome) {
    let names: BTreeSet<&String> =
        operations.iter().flat_map(|operation| &operation.template.parameters).collect();
    for (index, _) in settings.slashes.iter().enumerate().filter(|(_, slash)| !names.contains(slash)) {
        let names: Vec<_> = names.iter().map(|name| visible(name)).collect();
        let _ = writeln!(
            outcome.stderr,
            "{PROBLEM}gatectl: --slash number {} is no parameter of a path{PROBLEM:#}\n  {HELP}help:{HELP:#} there are: {}",
            index.saturating_add(1),
            names.join(", ")
        );
        outcome.at_least(Exit::Bad);
    }
}

/// How many operations there are, and of what kind.
fn counts(operations: &[Operation]) -> String {
    let count = |is: &dyn Fn(&Operation) -> bool| operations.iter().filter(|operation| is(operation)).count();
    let kinds = [
        (count(&|operation| operation.access == Access::Public), "public"),
        (count(&|operation| operation.is_internal), "internal"),
        (count(&|operation| operation.is_deprecated), "deprecated"),
    ];
    let kinds =
        kinds.into_iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}"));
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    let all = counted(operations.len(), "operation");
    if kinds.is_empty() { all } else { format!("{all} ({kinds})") }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
