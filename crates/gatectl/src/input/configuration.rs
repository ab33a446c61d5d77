//! Our own configuration: what the core says to it, and where.

use core::ops::Range;

use gate::config::{Config, Excerpt, Problem, Problems, Step};
use serde_json::{Map, Value};

use super::node::{Data, Node};
use super::origins::Origins;
use super::{Judged, secrets};
use crate::source::{Note, Source};

/// Whether an object that nobody says is ours is: it has more keys of ours than others. One that is `named` after us
/// has at least one, or is empty.
pub(super) fn is_ours(node: &Node, named: bool) -> bool {
    let Data::Object(_) = node.data else { return false };
    let keys: Map<_, _> = node.entries().map(|entry| (entry.key.clone(), Value::Null)).collect();
    let all = keys.len();
    // A key whose value is null counts as missing, but must be one that there is.
    let unknown = Config::from_value(&keys.into()).err().map_or(0, |problems| problems.iter().count());
    let known = all.saturating_sub(unknown);
    (known > 0 && (named || known >= unknown)) || (named && all == 0)
}

/// Judges a configuration.
pub(super) fn judge(top: &Node, source: &Source) -> Judged {
    let mut notes = Vec::new();
    let secrets = secrets::of(top, source.text());
    repeated_keys(top, &[], &mut notes);
    let value = top.to_value();
    let config = Config::from_value(&value);
    let problems = config.as_ref().err().into_iter().flat_map(Problems::iter);
    notes.extend(problems.map(|problem| note_of(problem, top, source, &secrets)));
    let warnings = config.iter().flat_map(|config| config.warnings().cloned().chain(config.openings()));
    let warnings =
        warnings.map(|problem| Note { is_warning: true, ..note_of(&problem, top, source, &secrets) });
    let warnings = in_order(warnings.collect());
    let (notes, marks) = (in_order(notes), marks(top));
    Judged { config: config.ok(), notes, warnings, value, marks, secrets, ..Judged::default() }
}

fn marks(top: &Node) -> Vec<Note> {
    let key = |key: &str| Step::Key(key.to_owned());
    let upstreams = match top.get("upstreams").map(|upstreams| &upstreams.data) {
        Some(Data::List(items)) => items.len(),
        _ => 0,
    };
    let hosts = ("hosts".to_owned(), vec![key("hosts")]);
    let cluster = ("auth.cluster".to_owned(), vec![key("auth"), key("cluster")]);
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
    [hosts, cluster].into_iter().chain(upstreams).map(mark).collect()
}

/// In the order of the file; the core's is the places'.
pub(super) fn in_order(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort_by_key(|note| note.span.start);
    notes.dedup();
    notes
}

/// The core never sees these: of two values it gets the last.
fn repeated_keys(node: &Node, place: &[Step], notes: &mut Vec<Note>) {
    let below = |step: Step| [place, &[step]].concat();
    match &node.data {
        Data::Scalar { .. } => {}
        Data::List(items) => {
            for (index, item) in items.iter().enumerate() {
                repeated_keys(item, &below(Step::Index(index)), notes);
            }
        }
        Data::Object(object) => {
            notes.extend(object.repeated.iter().map(|(key, span)| Note {
                is_warning: false,
                span: span.clone(),
                message: format!("{}: this key stands here twice", name_of(&below(Step::Key(key.clone())))),
                help: Some("keep one of them".to_owned()),
                quote: None,
            }));
            for entry in object.iter() {
                repeated_keys(&entry.value, &below(Step::Key(entry.key.clone())), notes);
            }
        }
    }
}

/// How a place is called: as the core does, but below `tokens` no further than the keys are known, since one that is
/// not may be the token.
fn name_of(steps: &[Step]) -> String {
    if steps.is_empty() {
        return "configuration".to_owned();
    }
    let mut name = String::new();
    for (at, step) in steps.iter().enumerate() {
        if !secrets::is_known(steps, at) {
            break;
        }
        match step {
            Step::Index(index) => name.push_str(&format!("[{index}]")),
            Step::Key(key) => {
                if at > 0 {
                    name.push('.');
                }
                name.push_str(if key.is_empty() { "\"\"" } else { key });
            }
        }
    }
    name
}

fn note_of(problem: &Problem, top: &Node, source: &Source, secrets: &[Range<usize>]) -> Note {
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
    // A quotation is not of the source, which hides them itself.
    let is_hidden =
        |span: &Range<usize>| secrets.iter().any(|it| it.start <= span.start && span.end <= it.end);
    let quote = quote.filter(|_| !is_hidden(&target.node.span));
    let steps = problem.place.steps();
    // Elsewhere the number is repeated.
    let message = match problem.message.strip_prefix("this is the number ") {
        Some(_) if secrets::is_within(steps) => "this is a number",
        _ => &problem.message,
    };
    let place = if secrets::is_within(steps) { name_of(steps) } else { problem.place.to_string() };
    Note {
        is_warning: false,
        span,
        message: format!("{place}: {message}"),
        help: Some(problem.remedy.clone()),
        quote,
    }
}
