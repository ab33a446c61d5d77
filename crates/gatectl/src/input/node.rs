//! A document as a tree that knows where everything stands.

use core::ops::Range;
use std::collections::HashMap;
use std::rc::Rc;

use gate::config::Step;
use serde_json::{Map, Value};

/// How deep a document may be: as deep as the core's own JSON. What walks the tree may recurse.
pub(crate) const MAX_DEPTH: usize = 128;

/// A value and its bytes in the source.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) data: Data,
}

#[derive(Debug)]
pub(crate) enum Data {
    Scalar { value: Value, style: Style },
    List(Vec<Rc<Node>>),
    Object(Object),
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// YAML's `|`.
    Literal,
    /// YAML's `>`.
    Folded,
}

/// What stands under a key.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Rc<Node>,
}

#[derive(Debug, Default)]
pub(crate) struct Object {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
    /// Keys that stand there already.
    pub(crate) repeated: Vec<(String, Range<usize>)>,
}

impl Object {
    /// As for the core's JSON, the last of several values holds.
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.places.insert(entry.key.clone(), self.entries.len()).is_some() {
            self.repeated.push((entry.key.clone(), entry.key_span.clone()));
        }
        self.entries.push(entry);
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(*self.places.get(key)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

/// What a place of the configuration leads to.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub(crate) node: &'a Node,
    /// The key that it stands under, if it stands under one.
    pub(crate) key_span: Option<Range<usize>>,
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        match &self.data {
            Data::Object(object) => object.get(key).map(|entry| &entry.value),
            Data::Scalar { .. } | Data::List(_) => None,
        }
    }

    /// What stands under a key of Envoy's, which reads `fail_open` and `failOpen` alike.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        let Data::Object(object) = &self.data else { return None };
        object.get(key).or_else(|| object.get(&camel(key)))
    }

    /// What stands under keys of Envoy's, one in the other.
    pub(crate) fn path(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| Some(&*node.entry(key)?.value))
    }

    /// The text under a key of Envoy's.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.path(&[key])?.as_str()
    }

    /// The items of the list under a key of Envoy's.
    pub(crate) fn items(&self, key: &str) -> &[Rc<Node>] {
        match self.path(&[key]).map(|node| &node.data) {
            Some(Data::List(items)) => items,
            _ => &[],
        }
    }

    /// Its entries, if it is an object.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let object = match &self.data {
            Data::Object(object) => Some(object),
            Data::Scalar { .. } | Data::List(_) => None,
        };
        object.into_iter().flat_map(Object::iter)
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.data, Data::Scalar { value: Value::Null, .. })
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { value, .. } => value.as_str(),
            Data::List(_) | Data::Object(_) => None,
        }
    }

    /// What `steps` lead to, or as far as they lead: of a key that is missing, the object that lacks it.
    pub(crate) fn follow(&self, steps: &[Step]) -> Target<'_> {
        let mut target = Target { node: self, key_span: None };
        for step in steps {
            target = match (&target.node.data, step) {
                (Data::Object(object), Step::Key(key)) => match object.get(key) {
                    Some(entry) => Target { node: &entry.value, key_span: Some(entry.key_span.clone()) },
                    None => return target,
                },
                (Data::List(items), Step::Index(index)) => match items.get(*index) {
                    Some(item) => Target { node: item, key_span: None },
                    None => return target,
                },
                _ => return target,
            };
        }
        target
    }

    /// Its bytes, or the first of a list's or an object's: a caret under all of its lines shows nothing.
    pub(crate) fn opening(&self) -> Range<usize> {
        match self.data {
            Data::Scalar { .. } => self.span.clone(),
            Data::List(_) | Data::Object(_) => self.span.start..self.span.start,
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match &self.data {
            Data::Scalar { value, .. } => value.clone(),
            Data::List(items) => items.iter().map(|item| item.to_value()).collect(),
            Data::Object(object) => Value::Object(
                object
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()))
                    .collect::<Map<String, Value>>(),
            ),
        }
    }
}

/// `fail_open` as `failOpen`.
fn camel(key: &str) -> String {
    let mut parts = key.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut camel, part| {
        let mut characters = part.chars();
        camel.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(characters.as_str());
        camel
    })
}
