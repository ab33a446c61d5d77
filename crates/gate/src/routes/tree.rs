//! Look-up: a tree of segments, so that its cost depends on the path and not on the number of routes.
//!
//! matchit's tree would do for the shape, but it gives one best match and no way on to the next: here a
//! template may turn out to offer nothing for this request (a WebSocket route for a plain one).

use hashbrown::HashMap;

use super::template::{Segment, Template};
use crate::path::{CanonicalPath, folded};

/// Values filed under templates.
#[derive(Clone, Debug)]
pub(super) struct Tree<T> {
    root: Node<T>,
}

#[derive(Clone, Debug)]
struct Node<T> {
    literals: HashMap<Box<str>, Node<T>, foldhash::fast::FixedState>,
    parameter: Option<Box<Node<T>>>,
    /// Values of the templates that end here.
    here: Vec<T>,
    /// Values of the prefixes that end here.
    rest: Vec<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: HashMap::default(), parameter: None, here: Vec::new(), rest: Vec::new() }
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Tree<T> {
    /// The values filed under templates that match the same paths as `template`.
    pub(super) fn entry(&mut self, template: &Template) -> &mut Vec<T> {
        let mut node = &mut self.root;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                Segment::Parameter | Segment::SlashParameter => node.parameter.get_or_insert_default(),
            };
        }
        if template.is_prefix { &mut node.rest } else { &mut node.here }
    }

    /// The values of the most specific template that matches `path` and of which `fits` accepts one.
    ///
    /// At each segment a literal is more specific than a parameter, and either than a prefix's rest. A
    /// trailing slash belongs to a prefix that ends there, or else to the template without it.
    pub(super) fn find(&self, path: &CanonicalPath<'_>, fits: impl Fn(&T) -> bool) -> Option<&[T]> {
        self.root.find(path.segments(), &|values| values.iter().any(&fits))
    }
}

impl<T> Node<T> {
    fn find<'p>(
        &self,
        mut segments: impl Iterator<Item = &'p str> + Clone,
        fit: &impl Fn(&[T]) -> bool,
    ) -> Option<&[T]> {
        let accept = |values| fit(values).then_some(values);
        match segments.next() {
            None => accept(&self.here),
            Some("") => accept(&self.rest).or_else(|| accept(&self.here)),
            Some(segment) => self
                .literals
                .get(&*folded(segment))
                .and_then(|node| node.find(segments.clone(), fit))
                .or_else(|| self.parameter.as_ref()?.find(segments, fit))
                .or_else(|| accept(&self.rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Field;

    fn find(templates: &[&'static str], path: &str) -> Option<&'static str> {
        let mut tree = Tree::default();
        for &text in templates {
            tree.entry(&Template::parse(text).unwrap()).push(text);
        }
        let path = CanonicalPath::read(Field::Once(path.as_bytes())).unwrap();
        tree.find(&path, |_| true).map(|values| values[0])
    }

    #[test]
    fn the_most_specific_template_wins() {
        let templates = [
            "/{*rest}",
            "/",
            "/v1/{*rest}",
            "/v1/a",
            "/v1/{p}",
            "/v1/{p}/x",
            "/v1/a/y",
            "/docs",
            "/docs/{*rest}",
        ];
        for (path, expected) in [
            ("/", "/{*rest}"),
            ("/foo", "/{*rest}"),
            ("/v1", "/{*rest}"),
            ("/v1/", "/v1/{*rest}"),
            ("/v1/a", "/v1/a"),
            ("/v1/a/", "/v1/a"),
            ("/v1/b", "/v1/{p}"),
            // A literal that leads nowhere is given up for the parameter beside it.
            ("/v1/a/x", "/v1/{p}/x"),
            ("/v1/a/x/z", "/v1/{*rest}"),
            ("/docs", "/docs"),
            ("/docs/", "/docs/{*rest}"),
            ("/docs/a/b", "/docs/{*rest}"),
        ] {
            assert_eq!(find(&templates, path), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_literal_is_not_walked_round_by_its_escape() {
        let templates =
            ["/s/items:purge", "/s/{p}", "/s/all%40admin", "/s/a%20b%3B", "/t/a+b/{*rest}", "/{*rest}"];
        for (path, expected) in [
            ("/s/items:purge", "/s/items:purge"),
            ("/s/items%3Apurge", "/s/items:purge"),
            ("/s/items%3apurge/", "/s/items:purge"),
            ("/s/all@admin", "/s/all%40admin"),
            ("/s/all%40admin", "/s/all%40admin"),
            ("/s/a%20b%3b", "/s/a%20b%3B"),
            ("/t/a%2Bb/x", "/t/a+b/{*rest}"),
            ("/t/a+b/x", "/t/a+b/{*rest}"),
            // The escape of an escape is another name.
            ("/s/items%253Apurge", "/s/{p}"),
        ] {
            assert_eq!(find(&templates, path), Some(expected), "{path}");
        }
    }

    #[test]
    fn nothing_matches_by_halves() {
        assert_eq!(find(&["/v1/{p}/x"], "/v1/a"), None);
        assert_eq!(find(&["/v1/{p}"], "/v1/"), None);
        assert_eq!(find(&["/v1/a"], "/v1/ab"), None);
        assert_eq!(find(&["/v1/a"], "/V1/a"), None);
    }

    #[test]
    fn what_does_not_fit_is_passed_over() {
        let mut tree = Tree::default();
        tree.entry(&Template::parse("/").unwrap()).push("websocket");
        tree.entry(&Template::parse("/{*rest}").unwrap()).push("plain");
        let path = CanonicalPath::read(Field::Once(b"/")).unwrap();
        assert_eq!(tree.find(&path, |value| *value == "websocket"), Some(&["websocket"][..]));
        assert_eq!(tree.find(&path, |value| *value == "plain"), Some(&["plain"][..]));
    }
}
