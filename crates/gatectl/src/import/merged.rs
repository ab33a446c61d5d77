//! Objects that say a part of what they say elsewhere: beside a `$ref`, and where that leads.

use super::files::Files;
use super::place::{At, Field, Fields};
use super::refs::Chain;

/// Of these one may stand in each place: what they say of the operation counts wherever it stands.
const TEXTS: [&str; 2] = ["summary", "description"];

/// Of these the stricter counts.
const STRICTER: [&str; 2] = ["security", "x-internal"];

/// The fields of an object, with those that its `$ref` leads to.
#[derive(Debug)]
pub(super) struct Merged {
    /// Of each key the nearest.
    pub(super) fields: Fields,
    /// Those farther away that stand under the same keys.
    hidden: Vec<Field>,
    /// All of it could be read.
    pub(super) is_whole: bool,
}

impl Merged {
    /// All that is said under a key, the nearest first.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &Field> {
        self.fields.get(key).into_iter().chain(self.hidden.iter().filter(move |field| field.key == key))
    }
}

impl Files {
    /// The fields of an object, with those that its `$ref` leads to. What is said in two places is a problem.
    pub(super) fn merged(&mut self, at: &At, what: &str) -> Merged {
        let mut merged = Merged { fields: Fields::default(), hidden: Vec::new(), is_whole: true };
        let mut chain = Chain::default();
        let mut next = Some(at.clone());
        while let Some(at) = next {
            merged.is_whole &= self.is_readable(&at);
            for field in self.fields(&at, what) {
                if field.key == "$ref" {
                    continue;
                }
                let Err(first) = merged.fields.add(field.clone()) else { continue };
                if !TEXTS.contains(&field.key.as_str()) {
                    let message = format!("\"{}\" stands beside the $ref and where that leads", field.key);
                    let which =
                        if STRICTER.contains(&field.key.as_str()) { "the stricter" } else { "this one" };
                    self.problem(&first.spot, message, format!("keep one of them: {which} is imported"));
                }
                merged.hidden.push(field);
            }
            next = at.reference().and_then(|reference| {
                let target = self.follow(&reference, &mut chain);
                merged.is_whole &= target.is_some();
                target
            });
        }
        merged
    }
}
