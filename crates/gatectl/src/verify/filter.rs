//! Where our filter is in a connection manager.

use serde_json::Value;

use super::dump::{Dump, Manager};
use super::json::{field, items, text, typed};
use crate::recognise::{WASM, is_our_name, is_ours};

/// What our filter must come before, by the ends of the types' names.
const LATER: [(&str, &str); 3] =
    [(".fault.v3.HTTPFault", "fault"), (".cors.v3.Cors", "cors"), (".router.v3.Router", "router")];

/// One of our filters in a chain.
#[derive(Debug)]
pub(super) struct Gate<'a> {
    /// What it is called there.
    pub(super) name: &'a str,
    pub(super) is_disabled: bool,
    /// Those of [`LATER`] that stand before it.
    pub(super) before: Vec<&'static str>,
    pub(super) loaded: Loaded<'a>,
}

/// What is behind a filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loaded<'a> {
    /// The wasm filter's configuration.
    Wasm(&'a Value),
    /// It is to be discovered, and is not there.
    Nothing,
    /// A filter of another type.
    Other(&'a str),
}

/// Our filters in a chain, in its order.
pub(super) fn gates<'a>(manager: &Manager<'a>, dump: &Dump<'a>) -> Vec<Gate<'a>> {
    let mut before = Vec::new();
    let mut found = Vec::new();
    for filter in items(manager.value, "http_filters") {
        let name = text(filter, "name").unwrap_or_default();
        let loaded = load(filter, name, dump);
        let is_ours = match loaded {
            Loaded::Wasm(config) => is_ours(Some(name), text(config, "name"), text(config, "root_id")),
            Loaded::Nothing | Loaded::Other(_) => is_our_name(name),
        };
        if is_ours {
            let is_disabled = field(filter, "disabled").as_bool() == Some(true);
            found.push(Gate { name, is_disabled, before: before.clone(), loaded });
        }
        let (kind, _) = typed(field(filter, "typed_config"));
        before.extend(LATER.iter().filter(|(end, _)| kind.ends_with(end)).map(|(_, name)| *name));
    }
    found
}

fn load<'a>(filter: &'a Value, name: &str, dump: &Dump<'a>) -> Loaded<'a> {
    let any = if field(filter, "config_discovery").is_object() {
        let mut all = dump.discovered.iter().filter(|known| text(known, "name") == Some(name));
        match all.next() {
            Some(resource) => field(resource, "typed_config"),
            None => return Loaded::Nothing,
        }
    } else {
        field(filter, "typed_config")
    };
    match typed(any) {
        (WASM, value) => Loaded::Wasm(field(value, "config")),
        (kind, _) => Loaded::Other(kind),
    }
}
