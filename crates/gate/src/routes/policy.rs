//! What a route that only dispatches lets through: everything, or what its upstream describes.

use super::template::{Template, TemplateError};
use super::tree::Tree;
use crate::path::CanonicalPath;

/// What a dispatching route lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Everything: the upstream decides.
    #[default]
    Open,
    /// The operations that its upstream describes.
    Strict,
}

/// The beginning of paths: a path itself and everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// The path itself.
    pub(super) here: Template,
    /// Everything below it.
    pub(super) below: Template,
}

impl Prefix {
    /// Reads a prefix: whole segments of a canonical path.
    ///
    /// # Errors
    ///
    /// The first thing in it that is not a prefix, with its place.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let error = |message, remedy, span| Err(TemplateError { message, remedy, span });
        if !text.starts_with('/') {
            return error("a prefix must start with a slash", "write /…", 0..text.len().min(1));
        }
        if text == "/" {
            return error("this is every path", "set \"policy\" at the top instead", 0..1);
        }
        if let Some(at) = text.find(['{', '}', '*']) {
            let remedy = "end it before: it covers everything below it anyway";
            return error("a prefix has no parameters", remedy, at..at.saturating_add(1));
        }
        if text.ends_with('/') {
            let remedy = "leave it away: what is meant is this path and everything below it";
            return error(
                "a prefix must not end in a slash",
                remedy,
                text.len().saturating_sub(1)..text.len(),
            );
        }
        Ok(Self { here: Template::parse(text)?, below: Template::parse(&format!("{text}/{{*rest}}"))? })
    }
}

/// Which policy holds where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies {
    elsewhere: Policy,
    prefixes: Vec<(Prefix, Policy)>,
    tree: Tree<Policy>,
}

impl Policies {
    /// `elsewhere` holds where none of the prefixes' does; of several prefixes the longest decides.
    pub(crate) fn new(elsewhere: Policy, prefixes: Vec<(Prefix, Policy)>) -> Self {
        let mut tree = Tree::default();
        for (prefix, policy) in &prefixes {
            tree.entry(&prefix.here).push(*policy);
            tree.entry(&prefix.below).push(*policy);
        }
        Self { elsewhere, prefixes, tree }
    }

    /// The policy for `path`, as the client sends it.
    pub(super) fn of(&self, path: &CanonicalPath<'_>) -> Policy {
        // Who does not use prefixes does not pay for them.
        if self.prefixes.is_empty() {
            return self.elsewhere;
        }
        let here = self.tree.find(path, |_| true).and_then(<[_]>::first);
        here.copied().unwrap_or(self.elsewhere)
    }
}
