//! Envoy's configuration: a bootstrap, resources in a file of their own, or a part of either in another document.

use core::ops::Range;
use std::collections::HashSet;

use super::bootstrap::Bootstrap;
use super::node::{Data, Node};
use super::{Judged, configuration, open, text};
use crate::recognise::{
    Failure, NAME, NO_STRUCT, NO_SUCH_TYPE, STRING_VALUE, STRUCT, WASM, WRITE_ROOT, WRITE_STRING_VALUE,
    is_ours, type_name,
};
use crate::source::{Note, Source};

/// Keys that stand at the top of Envoy's documents, and none of them in ours.
const TOP: [&str; 13] = [
    "@type",
    "admin",
    "bootstrap_extensions",
    "cluster_manager",
    "dynamic_resources",
    "layered_runtime",
    "node",
    "overload_manager",
    "resources",
    "static_resources",
    "stats_config",
    "stats_sinks",
    "tracing",
];

/// The filter that ends a chain.
const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";

/// One of Envoy's wasm filters, which is ours.
pub(super) struct Filter<'a> {
    /// Its message, which holds `config`.
    pub(super) wasm: &'a Node,
    /// What has its name.
    holder: Option<&'a Node>,
    /// Whether it stands after the router.
    is_late: bool,
}

/// Whether this is a document of Envoy's, or has a filter of ours.
pub(super) fn is_one(document: &Node) -> bool {
    TOP.iter().any(|key| document.entry(key).is_some()) || !filters(document).is_empty()
}

/// Judges the configurations of our filters in it.
pub(super) fn judge(document: &Node, source: &Source) -> Vec<Judged> {
    let bootstrap = Bootstrap::of(document);
    let judge = |filter: &Filter<'_>| {
        let mut judged = judge_filter(filter.wasm, source);
        judged.around = around(filter);
        if let Some(bootstrap) = &bootstrap {
            let lacking = bootstrap.lacks(&judged, filter);
            judged.around.extend(lacking);
        }
        judged
    };
    let mut judged: Vec<_> = filters(document).iter().map(judge).collect();
    if let Some(first) = judged.first_mut() {
        first.around.extend(open::routes(document));
    }
    judged
}

/// Our filters, each once: what an alias repeats is the same.
fn filters(document: &Node) -> Vec<Filter<'_>> {
    let mut found = Vec::new();
    find(document, None, false, &mut found);
    let mut seen = HashSet::new();
    found.retain(|filter| seen.insert(core::ptr::from_ref(filter.wasm)));
    found
}

fn find<'a>(node: &'a Node, holder: Option<&'a Node>, is_late: bool, found: &mut Vec<Filter<'a>>) {
    if let Data::List(items) = &node.data {
        items.iter().for_each(|item| find(item, None, is_late, found));
        return;
    }
    if let Some(wasm) = message(node, WASM)
        && is_named(wasm, holder)
    {
        found.push(Filter { wasm, holder, is_late });
        return;
    }
    for entry in node.entries() {
        if let ("http_filters" | "httpFilters", Data::List(chain)) = (&*entry.key, &entry.value.data) {
            let mut is_late = false;
            for filter in chain {
                find(filter, None, is_late, found);
                is_late |= filter.path(&["typed_config"]).is_some_and(|any| message(any, ROUTER).is_some());
            }
        } else {
            find(&entry.value, Some(node), is_late, found);
        }
    }
}

/// The message in this `Any`, if it is of that type. A `TypedStruct` is what it stands for.
fn message<'a>(any: &'a Node, of_type: &str) -> Option<&'a Node> {
    let is = |key: &str, kind: &dyn Fn(&str) -> bool| any.text(key).map(type_name).is_some_and(kind);
    if is("@type", &|kind| kind == of_type) {
        return Some(any);
    }
    if is("@type", &|kind| kind.ends_with(".TypedStruct")) && is("type_url", &|kind| kind == of_type) {
        return any.path(&["value"]);
    }
    None
}

fn is_named(wasm: &Node, holder: Option<&Node>) -> bool {
    let config = wasm.path(&["config"]);
    let of_config = |key| config.and_then(|config| config.text(key));
    is_ours(holder.and_then(|holder| holder.text("name")), of_config("name"), of_config("root_id"))
}

/// Judges what Envoy would hand over from this configuration of its wasm filter.
fn judge_filter(filter: &Node, source: &Source) -> Judged {
    let Some(any) = filter.path(&["config", "configuration"]).filter(|any| !any.is_null()) else {
        return Judged::defaults();
    };
    let kind = any.get("@type");
    let value = any.get("value");
    let of_kind = kind.map_or(any.opening(), |kind| kind.span.clone());
    let wrong = |span: &Range<usize>, message: &str| note(span.clone(), message, WRITE_STRING_VALUE);
    match (kind.and_then(|kind| kind.as_str()).map(type_name), value) {
        (Some(STRING_VALUE), None) => Judged::defaults(),
        (Some(STRING_VALUE), Some(value)) => match value.as_str() {
            Some(_) => text::handed_over(value, source),
            None => Judged::wrong(wrong(&value.span, "this is not text")),
        },
        (Some(STRUCT), value) => {
            let mut judged = value.map_or_else(Judged::default, |value| configuration::judge(value, source));
            judged.notes.push(wrong(&of_kind, NO_STRUCT));
            Judged { config: None, notes: configuration::in_order(judged.notes), ..judged }
        }
        _ => Judged::wrong(wrong(&of_kind, NO_SUCH_TYPE)),
    }
}

/// What is wrong, or may surprise, in how Envoy is told to run it.
fn around(filter: &Filter<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    let config = filter.wasm.path(&["config"]).unwrap_or(filter.wasm);
    let fail_open = config.entry("fail_open").filter(|entry| entry.value.to_value() == true);
    let policy = config.entry("failure_policy").map(|entry| &*entry.value);
    notes.extend(failure(
        fail_open.map(|entry| &*entry.value),
        policy,
        &["UNSPECIFIED", "FAIL_RELOAD", "FAIL_CLOSED", "FAIL_OPEN"],
        config,
    ));
    notes.extend(other_root(config.path(&["root_id"])));
    let holder = filter.holder;
    let name = holder.and_then(|holder| holder.path(&["name"])).unwrap_or(config).opening();
    if filter.is_late {
        let message = "the filter stands after the router, which must be the last";
        notes.push(Note { is_warning: true, ..note(name, message, "put it before the router") });
    }
    let disabled = holder.and_then(|holder| holder.path(&["disabled"]));
    if let Some(disabled) = disabled.filter(|disabled| disabled.to_value() == true) {
        let message = "the filter is disabled: where no route enables it every request is refused";
        let span = disabled.opening();
        notes.push(Note { is_warning: true, ..note(span, message, "remove `disabled`") });
    }
    notes
}

/// What to say about what happens when the plugin fails, by the keys that say it; `around` has them, or should.
pub(super) fn failure(
    fail_open: Option<&Node>,
    policy: Option<&Node>,
    known: &[&str],
    around: &Node,
) -> Option<Note> {
    let policy = policy.filter(|policy| !policy.is_null());
    let word = policy.and_then(Node::as_str);
    let span = fail_open.or(policy).unwrap_or(around).opening();
    if policy.is_some() && word.is_none_or(|word| !known.contains(&word)) {
        return Some(note(span, "there is no such way to fail", Failure::REMEDY));
    }
    // Istio calls it FAIL_CLOSE.
    let failure = Failure::of(fail_open.is_some(), word);
    let is_warning = failure != Failure::Open;
    (failure != Failure::Reload)
        .then(|| Note { is_warning, ..note(span, failure.message(), Failure::REMEDY) })
}

/// What to say about another root of a plugin of our name.
pub(super) fn other_root(root: Option<&Node>) -> Option<Note> {
    let root = root.filter(|root| root.as_str().is_none_or(|name| name != NAME && !name.is_empty()))?;
    (!root.is_null()).then(|| note(root.opening(), "this names another plugin", WRITE_ROOT))
}

pub(super) fn note(span: Range<usize>, message: &str, help: &str) -> Note {
    Note { is_warning: false, span, message: message.to_owned(), help: Some(help.to_owned()), quote: None }
}
