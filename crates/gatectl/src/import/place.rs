//! Values of a description, the files that they stand in, and the fields of objects.

use core::ops::Range;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use crate::input::node::{Data, Node};

/// Bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) file: usize,
    pub(super) span: Range<usize>,
}

/// A value, and the file that it stands in.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) file: usize,
    pub(super) node: Rc<Node>,
}

/// A key of an object, and what stands under it.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) spot: Spot,
    pub(super) value: At,
}

/// An object's fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    all: Vec<Field>,
    places: HashMap<String, usize>,
}

impl Fields {
    pub(super) fn get(&self, key: &str) -> Option<&Field> {
        self.all.get(*self.places.get(key)?)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.all.iter()
    }

    /// Adds a field; one of the same key that is there already stays, and is handed back.
    pub(super) fn add(&mut self, field: Field) -> Result<(), &Field> {
        match self.places.entry(field.key.clone()) {
            Entry::Occupied(first) => self.all.get(*first.get()).map_or(Ok(()), Err),
            Entry::Vacant(place) => {
                place.insert(self.all.len());
                self.all.push(field);
                Ok(())
            }
        }
    }
}

impl IntoIterator for Fields {
    type Item = Field;
    type IntoIter = std::vec::IntoIter<Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl At {
    /// Its bytes, or the first of a list's or an object's.
    pub(super) fn spot(&self) -> Spot {
        Spot { file: self.file, span: self.node.opening() }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        self.node.as_str()
    }

    /// Its `$ref`, which YAML's `<<` may have merged in.
    pub(super) fn reference(&self) -> Option<Self> {
        if let Some(node) = self.node.get("$ref") {
            return Some(self.with(node));
        }
        let merged = self.with(self.node.get("<<")?);
        match &merged.node.data {
            Data::List(items) => items.iter().find_map(|item| merged.with(item).reference()),
            Data::Object(_) | Data::Scalar { .. } => merged.reference(),
        }
    }

    pub(super) fn with(&self, node: &Rc<Node>) -> Self {
        Self { file: self.file, node: Rc::clone(node) }
    }
}
