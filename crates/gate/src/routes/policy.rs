//! What a route that only dispatches lets through: everything, or what its upstream describes.

use std::rc::Rc;

use super::template::{Segment, Template, TemplateError};
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

impl Policy {
    const fn other(self) -> Self {
        match self {
            Self::Open => Self::Strict,
            Self::Strict => Self::Open,
        }
    }
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
        let mut start = 0_usize;
        for segment in text.split('/') {
            let span = start..start.saturating_add(segment.len());
            start = span.end.saturating_add(1);
            if segment.contains(['{', '}', '*']) || segment.starts_with(':') {
                let remedy = "end it before: it covers everything below it anyway";
                return error("a prefix has no parameters", remedy, span);
            }
        }
        if let Some(at) = text.to_ascii_uppercase().find("%2F") {
            let remedy = "end it before: it covers everything below it anyway";
            return error("a prefix has no slashes in its segments", remedy, at..at.saturating_add(3));
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

impl Prefix {
    /// Whether both are the beginning of the same paths.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.here.segments == other.here.segments
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
    pub(crate) fn new(elsewhere: Policy, mut prefixes: Vec<(Prefix, Policy)>) -> Self {
        // Prefixes that make no difference are not looked for.
        if prefixes.iter().all(|(_, policy)| *policy == elsewhere) {
            prefixes.clear();
        }
        let mut tree = Tree::default();
        for (prefix, policy) in &prefixes {
            tree.entry(&prefix.here).push(*policy);
            tree.entry(&prefix.below).push(*policy);
        }
        Self { elsewhere, prefixes, tree }
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.prefixes.iter().map(|(prefix, _)| &prefix.here)
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

    /// The prefix that decides for `path`, by its place in the list.
    pub(super) fn prefix_of(&self, path: &CanonicalPath<'_>) -> Option<(usize, String)> {
        let covers = |prefix: &Prefix| {
            [&prefix.here, &prefix.below].into_iter().any(|template| {
                let mut tree = Tree::default();
                tree.entry(template).push(());
                tree.find(path, |()| true).is_some()
            })
        };
        let covering = self.prefixes.iter().enumerate().filter(|(_, (prefix, _))| covers(prefix));
        let longest = covering.max_by_key(|(_, (prefix, _))| prefix.here.segments.len());
        longest.map(|(place, (prefix, _))| (place, prefix.here.to_string()))
    }

    /// Whether some of the paths of `template` are under the policy `strict`.
    pub(crate) fn are_strict_in(&self, template: &Template) -> bool {
        self.around(&template.segments) == Policy::Strict
            || self.begins(Policy::Strict, template).next().is_some()
    }

    /// Whether `open` holds for `template` because no prefix says anything else.
    pub(super) fn are_open_by_default_at(&self, template: &Template) -> bool {
        let covers = |(prefix, _): &(Prefix, Policy)| template.segments.starts_with(&prefix.here.segments);
        self.elsewhere == Policy::Open && !self.prefixes.iter().any(covers)
    }

    /// The parts of `template` where `policy` holds, each with the prefixes below which it does not.
    pub(super) fn parts(&self, template: &Template, policy: Policy) -> Vec<(Template, Vec<Rc<str>>)> {
        let part = |template: Template| {
            let except = self.begins(policy.other(), &template);
            let except = except.map(|prefix| Rc::from(prefix.here.to_string())).collect();
            (template, except)
        };
        let whole = (self.around(&template.segments) == policy).then(|| template.clone());
        let pieces = self.begins(policy, template).flat_map(|prefix| {
            [&prefix.here, &prefix.below].into_iter().filter_map(|piece| template.meet(piece))
        });
        whole.into_iter().chain(pieces).map(part).collect()
    }

    /// The prefixes inside of `template` at which `policy` begins to hold.
    fn begins<'a>(&'a self, policy: Policy, template: &'a Template) -> impl Iterator<Item = &'a Prefix> {
        let is_inside = |prefix: &Prefix| {
            let prefix = &prefix.here.segments;
            !template.segments.starts_with(prefix) && template.has_paths_below(prefix)
        };
        let is_new = move |(prefix, its): &(Prefix, Policy)| {
            let parent = prefix.here.segments.split_last().map_or(&[][..], |(_, parent)| parent);
            *its == policy && self.around(parent) != policy
        };
        let prefixes = self.prefixes.iter().filter(move |&entry| is_new(entry)).map(|(prefix, _)| prefix);
        prefixes.filter(move |&prefix| is_inside(prefix))
    }

    /// The policy for all paths that begin with `segments`, but for longer prefixes.
    fn around(&self, segments: &[Segment]) -> Policy {
        let covers = |(prefix, _): &&(Prefix, Policy)| segments.starts_with(&prefix.here.segments);
        let longest =
            self.prefixes.iter().filter(covers).max_by_key(|(prefix, _)| prefix.here.segments.len());
        longest.map_or(self.elsewhere, |(_, policy)| *policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Field;

    #[test]
    fn the_prefix_that_is_named_is_the_one_that_decides() {
        let prefix = |text| Prefix::parse(text).unwrap();
        let policies = Policies::new(
            Policy::Open,
            vec![
                (prefix("/a"), Policy::Strict),
                (prefix("/a/b/c"), Policy::Strict),
                (prefix("/a/b"), Policy::Open),
                (prefix("/x/a+b"), Policy::Strict),
            ],
        );
        for (path, named, policy) in [
            ("/", None, Policy::Open),
            ("/ab", None, Policy::Open),
            ("/a", Some("0 /a"), Policy::Strict),
            ("/a/", Some("0 /a"), Policy::Strict),
            ("/a/x/b", Some("0 /a"), Policy::Strict),
            ("/a/b", Some("2 /a/b"), Policy::Open),
            ("/a/b/x", Some("2 /a/b"), Policy::Open),
            ("/a/b/c/", Some("1 /a/b/c"), Policy::Strict),
            ("/x/a+b/y", Some("3 /x/a+b"), Policy::Strict),
            ("/x/a%2Bb/y", Some("3 /x/a+b"), Policy::Strict),
        ] {
            let path = CanonicalPath::read(Field::Once(path.as_bytes())).unwrap();
            let found = policies.prefix_of(&path).map(|(place, prefix)| format!("{place} {prefix}"));
            assert_eq!((found.as_deref(), policies.of(&path)), (named, policy), "{path:?}");
        }
    }
}
