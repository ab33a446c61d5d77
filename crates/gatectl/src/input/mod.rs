//! From a file to the configurations in it, and to what is wrong with them and where.
//!
//! Where it stands in another document, that is read as far as is needed to find it: [`envoy`], [`kubernetes`]; and
//! where it is text of that document, [`text`] turns places in the text into places in the file.

mod bootstrap;
mod configuration;
mod envoy;
mod json;
mod kubernetes;
pub(crate) mod node;
mod open;
mod origins;
pub(crate) mod secrets;
mod text;
mod yaml;

use core::ops::Range;
use std::path::Path;
use std::rc::Rc;

use gate::config::Config;
use serde_json::Value;

use crate::recognise::{NAME, WASM};
use crate::source::{Note, Source};
use kubernetes::Object;
use node::{Data, Node, Style};

/// How many objects are named where none of them is ours.
const NAMED: usize = 5;

/// One configuration of the gateway, found in a source, and judged.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// The object that it was found in, where a source has more than it: `ConfigMap keptn/gateway (document 2)`.
    pub(crate) object: Option<String>,
    /// The configuration, if nothing is wrong with it.
    pub(crate) config: Option<Config>,
    /// What is wrong with it.
    pub(crate) notes: Vec<Note>,
    /// What is valid in it, but may surprise.
    pub(crate) warnings: Vec<Note>,
    /// What is wrong, or may surprise, in how Envoy or Istio is told to run the filter.
    pub(crate) around: Vec<Note>,
    /// What it says, as JSON.
    pub(crate) value: Value,
    /// Where `hosts`, `auth.cluster` and the names of `upstreams` stand in it: their places, and notes without words.
    /// What becomes of these is not the core's to judge.
    pub(crate) marks: Vec<Note>,
    /// The bytes of the source that are not to be shown.
    secrets: Vec<Range<usize>>,
}

impl Judged {
    /// All defaults.
    fn defaults() -> Self {
        Self { config: Config::from_value(&Value::Null).ok(), ..Self::default() }
    }

    /// Something else stands in the place of a configuration.
    fn wrong(note: Note) -> Self {
        Self { notes: vec![note], ..Self::default() }
    }
}

/// What was found in a source.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the order of the source.
    pub(crate) judged: Vec<Judged>,
    /// The objects of Kubernetes' that have none of it.
    objects: Vec<String>,
    /// The plugins among them: somebody else's.
    pub(crate) plugins: Vec<String>,
}

/// Why there is nothing to judge.
#[derive(Debug)]
pub(crate) enum Unjudged {
    /// It cannot be read: where, and why.
    At(Note),
    /// Nothing of ours is in it: what else is, and where ours would be looked for.
    Nothing { message: String, help: String },
}

impl Unjudged {
    /// Whole lines.
    pub(crate) fn show(&self, source: &Source) -> String {
        match self {
            Self::At(note) => source.show(note),
            Self::Nothing { message, help } => format!("{}: {message}\n  help: {help}", source.name()),
        }
    }
}

/// Judges the configurations in a source: at least one. From then on the source shows no secrets.
///
/// # Errors
///
/// Whole lines that say why there is nothing to judge.
pub(crate) fn judge(source: &mut Source) -> Result<Vec<Judged>, String> {
    find(source, true).map(|found| found.judged).map_err(|why| why.show(source))
}

/// The one configuration in a file; without a file, all defaults.
///
/// # Errors
///
/// Whole lines that say why there is none, or what is wrong with it.
pub(crate) fn configuration(path: Option<&Path>) -> Result<Config, String> {
    let Some(path) = path else {
        return Config::from_value(&Value::Null).map_err(|problems| problems.to_string());
    };
    let mut source = Source::read(path)?;
    let mut judged = judge(&mut source)?;
    let notes: Vec<_> =
        judged.iter().flat_map(|judged| &judged.notes).map(|note| source.show(note)).collect();
    if !notes.is_empty() {
        return Err(notes.join("\n"));
    }
    match (judged.pop().and_then(|judged| judged.config), judged.is_empty()) {
        (Some(config), true) => Ok(config),
        _ => Err(format!("{}: there is more than one configuration in it", source.name())),
    }
}

/// Finds and judges the configurations in a source: at least one in what was `asked` for, where a document of no known
/// kind is meant to be one. From then on the source shows no secrets.
///
/// # Errors
///
/// Why there is nothing to judge.
pub(crate) fn find(source: &mut Source, asked: bool) -> Result<Found, Unjudged> {
    let documents = read(source).map_err(|note| {
        source.hide(&secrets::unread(source.text()));
        Unjudged::At(note.masked())
    })?;
    let mut hidden = secrets::all(documents.iter().map(|document| &**document), source.text());
    let mut found = find_all(&documents, source, asked);
    for judged in &mut found.judged {
        hidden.append(&mut judged.secrets);
        for notes in [&mut judged.notes, &mut judged.warnings, &mut judged.around] {
            *notes = core::mem::take(notes).into_iter().map(Note::masked).collect();
        }
    }
    secrets::with_comments(source.text(), &mut hidden);
    source.hide(&hidden);
    if asked && found.judged.is_empty() { Err(nothing(&found)) } else { Ok(found) }
}

fn find_all(documents: &[Rc<Node>], source: &Source, asked: bool) -> Found {
    let mut found = Found::default();
    let documents: Vec<_> = documents.iter().filter(|document| !document.is_null()).enumerate().collect();
    if documents.is_empty() && asked {
        let data = Data::Scalar { value: Value::Null, style: Style::Plain };
        found.judged.push(configuration::judge(&Node { span: 0..0, data }, source));
    }
    let is_known = |document: &Node| Object::is_one(document) || envoy::is_one(document);
    let unknown_is_ours = asked && !documents.iter().any(|(_, document)| is_known(document));
    let named = source.file_name().contains(NAME);
    let several = documents.len() > 1;
    for (index, document) in documents {
        let number = several.then(|| format!("document {}", index.saturating_add(1)));
        let objects = Object::all(document);
        objects.iter().for_each(|object| found.judge_object(object, number.as_deref(), source));
        let judged = if Object::is_one(document) {
            if objects.is_empty() {
                found.objects.push("an empty list".to_owned());
            }
            Vec::new()
        } else if envoy::is_one(document) {
            envoy::judge(document, source)
        } else if unknown_is_ours || configuration::is_ours(document, named) {
            vec![configuration::judge(document, source)]
        } else {
            Vec::new()
        };
        found.judged.extend(judged.into_iter().map(|judged| Judged { object: number.clone(), ..judged }));
    }
    found
}

impl Found {
    fn judge_object(&mut self, object: &Object<'_>, number: Option<&str>, source: &Source) {
        let number = number.map(|number| format!(" ({number})")).unwrap_or_default();
        let judged = object.judge(source);
        if judged.is_empty() {
            let name = format!("{object}{number}");
            if object.is_plugin() {
                self.plugins.push(name.clone());
            }
            self.objects.push(name);
        }
        self.judged.extend(judged.into_iter().map(|judged| {
            let part = judged.object.map(|part| format!(", {part}")).unwrap_or_default();
            Judged { object: Some(format!("{object}{part}{number}")), ..judged }
        }));
    }
}

fn nothing(found: &Found) -> Unjudged {
    if found.objects.is_empty() {
        return Unjudged::Nothing {
            message: format!("this Envoy configuration has no http filter {NAME}"),
            help: format!("its type is the one that ends in /{WASM}, and it or its config is named {NAME}"),
        };
    }
    let named = found.objects.iter().take(NAMED).map(|object| {
        let whose = if found.plugins.contains(object) { "somebody else's " } else { "" };
        format!("{whose}{object}")
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = found.objects.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Unjudged::Nothing {
        message: format!("nothing in it is {NAME}'s: {named}{more}"),
        help: format!(
            "it is looked for in wasm filters of Envoy's, in WasmPlugins and TrafficExtensions, where one of the names is \
             {NAME}, and in the texts of ConfigMaps"
        ),
    }
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
