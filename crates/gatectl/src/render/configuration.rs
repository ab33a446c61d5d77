//! The plugin's configuration: what the file says, and what only the installation knows.

use core::fmt::Write as _;
use std::path::{Path, PathBuf};

use gate::config::Config;
use gate::host::Hosts;
use gate::request::Field;
use serde_json::{Map, Value};

use crate::domain::{API, CLI};
use crate::input::{self, Judged};
use crate::outcome::{Exit, Outcome};
use crate::source::{Note, Source, visible};
use crate::style::WARNING;

/// What must agree with the file.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    /// The hosts that the domain makes ours, where the configuration is to have these and no others.
    pub(crate) hosts: Option<&'a [String]>,
    /// Whether hosts that another domain made give way to them.
    pub(crate) replaces_hosts: bool,
    /// The upstreams that there is an address of.
    pub(crate) upstreams: &'a [String],
    /// Whether every upstream must have one.
    pub(crate) needs_addresses: bool,
}

/// The configuration that all of these files have, or an empty one if there are none. What is wrong, and what may
/// surprise, is told on standard error.
pub(crate) fn read(files: &[PathBuf], given: &Given<'_>, outcome: &mut Outcome) -> Option<Value> {
    let mut own = Value::Null;
    for (index, file) in files.iter().enumerate() {
        let value = without_nulls(&of_file(file, given, outcome)?);
        if index > 0 && value != own {
            let names = files.iter().map(|file| visible(&file.to_string_lossy())).collect::<Vec<_>>();
            outcome.cannot_run(&format!(
                "gatectl: these have different configurations: {}\n  help: say which it is to be, with --config",
                names.join(", ")
            ));
            return None;
        }
        own = value;
    }
    let mut is_good = true;
    for name in given.upstreams {
        if !upstreams(&own).any(|known| known == Some(name)) {
            is_good = false;
            outcome.cannot_run(&format!(
                "gatectl: --upstream {name}=… is for no upstream of the configuration\n  help: name it under \
                 \"upstreams\" in a file for --config, or leave it away"
            ));
        }
    }
    is_good.then_some(own)
}

/// A configuration with what only the installation knows: the hosts, and the cluster that answers for tokens
/// with the `Host` of a check. The gate accepts what is returned.
pub(crate) fn complete(
    own: &Value,
    hosts: Option<&[String]>,
    auth: Option<(&str, &str)>,
    outcome: &mut Outcome,
) -> Option<Value> {
    let mut object = own.as_object().cloned().unwrap_or_default();
    if let Some(hosts) = hosts {
        object.insert("hosts".to_owned(), hosts.iter().map(String::as_str).collect());
    }
    if let Some((cluster, authority)) = auth {
        let auth = object.entry("auth").or_insert_with(|| Value::Object(Map::new()));
        if let Some(auth) = auth.as_object_mut() {
            auth.entry("cluster").or_insert_with(|| cluster.into());
            auth.entry("authority").or_insert_with(|| authority.into());
        }
    }
    let value = Value::Object(object);
    match Config::from_value(&value) {
        Ok(_) => Some(value),
        Err(problems) => {
            let _ = writeln!(outcome.stderr, "{problems}");
            outcome.at_least(Exit::Bad);
            None
        }
    }
}

fn of_file(file: &Path, given: &Given<'_>, outcome: &mut Outcome) -> Option<Value> {
    let judged = Source::read(file).and_then(|mut source| Ok((input::judge(&mut source)?, source)));
    let (judged, source) = match judged {
        Ok((judged, source)) => (judged, source),
        Err(why) => {
            outcome.cannot_run(&why);
            return None;
        }
    };
    let only = <[Judged; 1]>::try_from(judged);
    let Ok([Judged { mut value, notes, warnings, marks, .. }]) = only else {
        outcome.cannot_run(&format!("{}: there is more than one configuration in it", source.name()));
        return None;
    };
    if value.is_null() && notes.is_empty() {
        let _ = writeln!(
            outcome.stderr,
            "{WARNING}warning:{WARNING:#} {}: there is no configuration in it: all defaults hold",
            source.name()
        );
    }
    if given.replaces_hosts && are_of_a_domain(&value) {
        // What there was before: the new domain's come in their place.
        value.as_object_mut().and_then(|object| object.remove("hosts"));
    }
    let unmet = if notes.is_empty() { unmet(&value, given, &marks) } else { Vec::new() };
    for note in notes.iter().chain(&unmet).chain(&warnings) {
        let _ = writeln!(outcome.stderr, "{}", source.show(note));
    }
    if notes.is_empty() && unmet.is_empty() {
        return Some(value);
    }
    outcome.at_least(Exit::Bad);
    None
}

/// What the gate would take and the installation cannot. `marks` say where.
fn unmet(value: &Value, given: &Given<'_>, marks: &[Note]) -> Vec<Note> {
    let at = |place: &str| marks.iter().find(|mark| mark.message == place);
    let note = |place: &str, message: &str, help: String| {
        at(place).map(|mark| Note {
            message: format!("{place}: {message}"),
            help: Some(help),
            ..mark.clone()
        })
    };
    let others = given.hosts.filter(|hosts| !are_the_same(hosts, value));
    let hosts = others.map(|hosts| {
        let help = format!("--domain sets it, to {}: leave it away here", hosts.join(", "));
        note("hosts", "these are other hosts than the domain's", help)
    });
    let upstreams = upstreams(value).enumerate().filter_map(|(index, name)| {
        let is_unknown =
            |name: &&str| given.needs_addresses && !given.upstreams.iter().any(|known| known == name);
        let name = name.filter(is_unknown)?;
        let help = format!("--upstream {name}=HOST:PORT says it");
        Some(note(&format!("upstreams[{index}].name"), "nothing says where this upstream is", help))
    });
    hosts.into_iter().chain(upstreams).flatten().collect()
}

/// The names of the upstreams of one's own.
fn upstreams(value: &Value) -> impl Iterator<Item = Option<&str>> {
    let items = value.get("upstreams").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.get("name").and_then(Value::as_str))
}

/// Whether the configuration has no hosts of its own, or these, compared as the gate does.
fn are_the_same(hosts: &[String], value: &Value) -> bool {
    let Some(own) = value.get("hosts").and_then(Value::as_array).filter(|own| !own.is_empty()) else {
        return true;
    };
    let own: Vec<_> = own.iter().filter_map(Value::as_str).collect();
    let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
    let are_within = |some: &[&str], all: &[&str]| {
        let all = Hosts::new(all.iter().copied());
        some.iter().all(|host| all.are_ours(Field::Once(host.as_bytes())))
    };
    are_within(&own, &hosts) && are_within(&hosts, &own)
}

/// Whether the hosts are those that a domain makes, whichever it is.
fn are_of_a_domain(value: &Value) -> bool {
    let hosts = value.get("hosts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let hosts: Vec<_> = hosts.iter().filter_map(Value::as_str).collect();
    hosts.len() == 2 && hosts.contains(&CLI) && hosts.iter().any(|host| host.starts_with(API))
}

/// A key whose value is null counts as missing. Kubernetes may drop it, and would compare wrong with us.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let entries = object.iter().filter(|(_, value)| !value.is_null());
            entries.map(|(key, value)| (key.clone(), without_nulls(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        scalar => scalar.clone(),
    }
}
