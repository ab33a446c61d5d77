//! From a file to the configurations in it, and to what is wrong with them and where.

mod json;
pub(crate) mod node;
mod origins;
mod secrets;
mod yaml;

use core::ops::Range;
use std::rc::Rc;

use gate::config::{Config, Excerpt, Problem, Problems, Step};
use serde_json::Value;

use crate::source::{Note, Source};
use node::{Data, Node};
use origins::Origins;

/// The name of the http filter, of the plugin and of its root.
const NAME: &str = "keptn-gateway";

/// The end of the type's name that Envoy's wasm filter is configured with.
const WASM_FILTER: &str = "/envoy.extensions.filters.http.wasm.v3.Wasm";

/// Keys that stand at the top of an Envoy bootstrap, and none of them in ours.
const BOOTSTRAP: [&str; 8] = [
    "admin",
    "bootstrap_extensions",
    "dynamic_resources",
    "dynamicResources",
    "layered_runtime",
    "node",
    "static_resources",
    "staticResources",
];

/// One configuration of the gateway, found in a source, and judged.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// The configuration, if nothing is wrong with it.
    pub(crate) config: Option<Config>,
    /// What is wrong with it.
    pub(crate) notes: Vec<Note>,
    /// What is valid in it, but may surprise.
    pub(crate) warnings: Vec<Note>,
    /// What it says, as JSON.
    pub(crate) value: Value,
    /// Where `hosts` and the names of `upstreams` stand in it: their places, and notes without words. What
    /// becomes of these is not the core's to judge.
    pub(crate) marks: Vec<Note>,
    /// The bytes of the source that are not to be shown.
    secrets: Vec<Range<usize>>,
}

/// Judges the configurations in a source: at least one. From then on the source shows no secrets.
///
/// # Errors
///
/// Whole lines that say why there is nothing to judge.
pub(crate) fn judge(source: &mut Source) -> Result<Vec<Judged>, String> {
    match judge_all(source) {
        Ok(judged) => {
            let secrets = judged.iter().flat_map(|judged| judged.secrets.iter().cloned());
            source.hide(&secrets.collect::<Vec<_>>());
            Ok(judged)
        }
        Err(Unjudged::At(note)) => {
            source.hide(&secrets::unread(source.text()));
            Err(source.show(&note))
        }
        Err(Unjudged::Whole(why)) => Err(why),
    }
}

/// Why there is nothing to judge.
enum Unjudged {
    At(Note),
    Whole(String),
}

fn judge_all(source: &Source) -> Result<Vec<Judged>, Unjudged> {
    let documents = read(source).map_err(Unjudged::At)?;
    let top = match documents.as_slice() {
        [] => {
            let data = Data::Scalar { value: Value::Null, style: node::Style::Plain };
            return Ok(vec![judge_node(&Node { span: 0..0, data }, source)]);
        }
        [top] => top,
        [_, second, ..] => {
            let message = "there is more than one YAML document in this file".to_owned();
            let help = Some("give each a file of its own".to_owned());
            let span = second.span.clone();
            return Err(Unjudged::At(Note { is_warning: false, span, message, help, quote: None }));
        }
    };
    if BOOTSTRAP.iter().any(|key| top.get(key).is_some()) {
        let mut found = Vec::new();
        find(top, None, &mut found);
        if found.is_empty() {
            return Err(Unjudged::Whole(format!(
                "{}: this Envoy configuration has no http filter {NAME}\n  help: its type is the one that ends \
                 in {WASM_FILTER}, and it or its config is named {NAME}",
                source.name()
            )));
        }
        return Ok(found.into_iter().map(|filter| judge_filter(filter, source)).collect());
    }
    if top.get("apiVersion").is_some() && top.get("kind").is_some() {
        return Err(Unjudged::Whole(format!(
            "{}: this is a Kubernetes object, which is not looked into\n  help: give the plugin's configuration \
             in a file of its own",
            source.name()
        )));
    }
    Ok(vec![judge_node(top, source)])
}

/// The documents in a source: JSON where it is that, for YAML has other escapes.
///
/// # Errors
///
/// Where it is neither, and why.
pub(crate) fn read(source: &Source) -> Result<Vec<Rc<Node>>, Note> {
    if source.text().trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    match json::read(source) {
        Ok(node) => Ok(vec![Rc::new(node)]),
        Err(note) if source.name().ends_with(".json") => Err(note),
        Err(_) => yaml::read(source),
    }
}

/// Finds the configurations of Envoy's wasm filter that are meant for us; `name` is what the filter around
/// `node` is called.
fn find<'a>(node: &'a Node, name: Option<&str>, found: &mut Vec<&'a Node>) {
    match &node.data {
        Data::Scalar { .. } => {}
        Data::List(items) => items.iter().for_each(|item| find(item, None, found)),
        Data::Object(object) => {
            let is_wasm = node
                .get("@type")
                .and_then(|kind| kind.as_str())
                .is_some_and(|kind| kind.ends_with(WASM_FILTER));
            let config = node.get("config");
            let of_config = |key| config.and_then(|config| config.get(key)).and_then(|value| value.as_str());
            if is_wasm
                && [name, of_config("name"), of_config("root_id"), of_config("rootId")].contains(&Some(NAME))
            {
                found.push(node);
                return;
            }
            let name = node.get("name").and_then(|name| name.as_str());
            object.iter().for_each(|entry| find(&entry.value, name, found));
        }
    }
}

/// Judges what Envoy would hand over from this configuration of its wasm filter.
fn judge_filter(filter: &Node, source: &Source) -> Judged {
    let Some(any) = filter.get("config").and_then(|config| config.get("configuration")) else {
        return defaults();
    };
    let kind = any.get("@type");
    let value = any.get("value");
    let help =
        "write \"@type\": type.googleapis.com/google.protobuf.StringValue, and as its value text in JSON";
    let wrong = |span: &Range<usize>, message: &str| Note {
        is_warning: false,
        span: span.clone(),
        message: message.to_owned(),
        help: Some(help.to_owned()),
        quote: None,
    };
    match (kind.and_then(|kind| kind.as_str()).and_then(|kind| kind.rsplit('/').next()), value) {
        (Some("google.protobuf.StringValue"), None) => defaults(),
        (Some("google.protobuf.StringValue"), Some(value)) => match value.as_str() {
            Some(text) => judge_text(text, value, source),
            None => Judged { notes: vec![wrong(&value.span, "this is not text")], ..Judged::default() },
        },
        (Some("google.protobuf.Struct"), value) => {
            let mut judged = value.map_or_else(Judged::default, |value| judge_node(value, source));
            let span = kind.map_or(any.span.clone(), |kind| kind.span.clone());
            // Seen with Envoy 1.36 and 1.40.
            let message = "Envoy hands a Struct over as protobuf, which the filter does not read";
            judged.notes.push(wrong(&span, message));
            Judged { config: None, notes: in_order(judged.notes), ..judged }
        }
        _ => {
            let span = kind.map_or(any.span.clone(), |kind| kind.span.clone());
            let notes = vec![wrong(&span, "the filter reads no configuration of this type")];
            Judged { notes, ..Judged::default() }
        }
    }
}

fn defaults() -> Judged {
    Judged { config: Config::from_value(&Value::Null).ok(), ..Judged::default() }
}

/// Judges JSON that is a string of another document, as the filter does.
fn judge_text(text: &str, node: &Node, source: &Source) -> Judged {
    if text.trim_ascii().is_empty() {
        return defaults();
    }
    let origins = Origins::of(node, source.text());
    let mut inner = Source::new(source.name().to_owned(), text.to_owned());
    let (judged, secrets) = match json::read(&inner) {
        Ok(top) => {
            let mut judged = judge_node(&top, &inner);
            let secrets = core::mem::take(&mut judged.secrets);
            (judged, secrets)
        }
        Err(note) => {
            let help = Some("Envoy hands this text over as it is: write a JSON object".to_owned());
            let notes = vec![Note { help, ..note }];
            (Judged { notes, ..Judged::default() }, secrets::unread(text))
        }
    };
    inner.hide(&secrets);
    let outer = |note: Note| match origins.as_ref().and_then(|origins| origins.map(&note.span)) {
        Some(span) => Note { span, ..note },
        // Its own line, at least.
        None => {
            let (line, within) = inner.in_line(&note.span);
            let quote = note.quote.or_else(|| Some((line.to_owned(), within)));
            Note { span: node.span.clone(), quote, ..note }
        }
    };
    let origin = |span: &Range<usize>| origins.as_ref()?.map(span);
    let secrets = secrets.iter().map(|span| origin(span).unwrap_or(node.span.clone())).collect();
    Judged {
        notes: judged.notes.into_iter().map(outer).collect(),
        warnings: judged.warnings.into_iter().map(outer).collect(),
        marks: judged.marks.into_iter().map(outer).collect(),
        value: judged.value,
        config: judged.config,
        secrets,
    }
}

fn judge_node(top: &Node, source: &Source) -> Judged {
    let mut notes = Vec::new();
    repeated_keys(top, "", &mut notes);
    let value = top.to_value();
    let config = Config::from_value(&value);
    let problems = config.as_ref().err().into_iter().flat_map(Problems::iter);
    notes.extend(problems.map(|problem| note_of(problem, top, source)));
    let warnings = config.iter().flat_map(Config::warnings);
    let warnings = warnings.map(|problem| Note { is_warning: true, ..note_of(problem, top, source) });
    let warnings = in_order(warnings.collect());
    let (notes, marks, secrets) = (in_order(notes), marks(top), secrets::of(top));
    Judged { config: config.ok(), notes, warnings, value, marks, secrets }
}

fn marks(top: &Node) -> Vec<Note> {
    let key = |key: &str| Step::Key(key.to_owned());
    let upstreams = match top.get("upstreams").map(|upstreams| &upstreams.data) {
        Some(Data::List(items)) => items.len(),
        _ => 0,
    };
    let hosts = ("hosts".to_owned(), vec![key("hosts")]);
    let upstreams = (0..upstreams).map(|index| {
        (format!("upstreams[{index}].name"), vec![key("upstreams"), Step::Index(index), key("name")])
    });
    let mark = |(place, steps): (String, Vec<Step>)| Note {
        is_warning: false,
        span: top.follow(&steps).node.opening(),
        message: place,
        help: None,
        quote: None,
    };
    [hosts].into_iter().chain(upstreams).map(mark).collect()
}

/// In the order of the file; the core's is the places'.
fn in_order(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort_by_key(|note| note.span.start);
    notes.dedup();
    notes
}

/// The core never sees these: of two values it gets the last.
fn repeated_keys(node: &Node, place: &str, notes: &mut Vec<Note>) {
    match &node.data {
        Data::Scalar { .. } => {}
        Data::List(items) => {
            for (index, item) in items.iter().enumerate() {
                repeated_keys(item, &format!("{place}[{index}]"), notes);
            }
        }
        Data::Object(object) => {
            let below = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
            notes.extend(object.repeated.iter().map(|(key, span)| Note {
                is_warning: false,
                span: span.clone(),
                message: format!("{}: this key stands here twice", below(key)),
                help: Some("keep one of them".to_owned()),
                quote: None,
            }));
            for entry in object.iter() {
                repeated_keys(&entry.value, &below(&entry.key), notes);
            }
        }
    }
}

fn note_of(problem: &Problem, top: &Node, source: &Source) -> Note {
    let target = top.follow(problem.place.steps());
    let (span, quote) = match (&problem.excerpt, target.key_span) {
        (Some(Excerpt { text, span }), _) => {
            match Origins::of(target.node, source.text()).and_then(|origins| origins.map(span)) {
                Some(span) => (span, None),
                None => (target.node.span.clone(), Some((text.clone(), span.clone()))),
            }
        }
        (None, Some(key)) if problem.is_about_key => (key, None),
        (None, _) => (target.node.opening(), None),
    };
    Note {
        is_warning: false,
        span,
        message: format!("{}: {}", problem.place, problem.message),
        help: Some(problem.remedy.clone()),
        quote,
    }
}
