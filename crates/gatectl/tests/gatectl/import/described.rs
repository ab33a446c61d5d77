//! Descriptions that are made up, and what they let in: decided here once more, in the plainest way.
#![allow(clippy::indexing_slicing, reason = "a missing key of JSON is added")]

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The service's operations, by path and method: whether each is public, and whether internal.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) base: &'static str,
    pub(super) paths: BTreeMap<Vec<Segment>, BTreeMap<&'static str, Operation>>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    /// The more specific one comes first.
    Literal(&'static str),
    Parameter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) is_public: bool,
    pub(super) is_internal: bool,
}

/// What stands beside an operation's `$ref`, and not where that leads.
#[derive(Clone, Copy, Debug)]
struct Beside {
    security: bool,
    mark: bool,
}

/// How a description says it.
#[derive(Clone, Copy, Debug)]
struct Form {
    is_swagger: bool,
    /// Security for all, and none where an operation is public; or each by itself.
    is_global: bool,
    /// Paths by `$ref`.
    has_references: bool,
    /// Operations by `$ref`, and what of them stands beside it.
    operations: Option<Beside>,
}

pub(super) const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
const LITERALS: [&str; 4] = ["a", "b", "a-b", "v1"];

pub(super) fn described() -> impl Strategy<Value = Described> {
    let segment =
        prop_oneof![3 => select(&LITERALS[..]).prop_map(Segment::Literal), 2 => Just(Segment::Parameter)];
    let operation = (any::<bool>(), any::<bool>())
        .prop_map(|(is_public, is_internal)| Operation { is_public, is_internal });
    let path = btree_map(select(&METHODS[..]), operation, 1..5);
    let beside = (any::<bool>(), any::<bool>()).prop_map(|(security, mark)| Beside { security, mark });
    let form = (any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::of(beside)).prop_map(
        |(is_swagger, is_global, has_references, operations)| Form {
            is_swagger,
            is_global,
            has_references,
            operations,
        },
    );
    (select(&["", "/v1", "/a/b"][..]), btree_map(vec(segment, 1..4), path, 1..10), form)
        .prop_map(|(base, paths, form)| Described { base, paths, form })
}

impl Described {
    /// The description itself.
    pub(super) fn document(&self) -> Value {
        let mut paths = json!({});
        let mut items = json!({});
        let mut operations = json!({});
        for (number, (segments, methods)) in self.paths.iter().enumerate() {
            let mut item: Value =
                methods.iter().map(|(method, operation)| self.operation(method, *operation)).collect();
            if let Some(beside) = self.form.operations {
                for (method, operation) in item.as_object_mut().unwrap() {
                    let mut here = json!({ "$ref": format!("#/x-operations/{number}{method}") });
                    let moved = [("security", beside.security), ("summary", beside.mark)];
                    for (key, _) in moved.into_iter().filter(|(_, is_beside)| *is_beside) {
                        if let Some(value) = operation.as_object_mut().unwrap().remove(key) {
                            here[key] = value;
                        }
                    }
                    operations[format!("{number}{method}")] = core::mem::replace(operation, here);
                }
            }
            // A path's own name has slashes, which a `$ref` writes in another way.
            let name = format!("{number}/~item");
            if self.form.has_references {
                items[&name] = item;
                let place = if self.form.is_swagger { "x-items" } else { "components/pathItems" };
                paths[template(segments)] = json!({ "$ref": format!("#/{place}/{number}~1~0item") });
            } else {
                paths[template(segments)] = item;
            }
        }
        let scheme = json!({ "key": { "type": "apiKey", "in": "header", "name": "x-token" } });
        let mut document = if self.form.is_swagger {
            json!({ "swagger": "2.0", "basePath": format!("{}/", self.base), "securityDefinitions": scheme, "x-items": items })
        } else {
            json!({
                "openapi": "3.1.0",
                "servers": [{ "url": format!("https://x.example{}", self.base) }],
                "components": { "securitySchemes": scheme, "pathItems": items },
            })
        };
        document["paths"] = paths;
        document["x-operations"] = operations;
        if self.form.is_global {
            document["security"] = json!([{ "key": [] }]);
        }
        document
    }

    fn operation(&self, method: &str, Operation { is_public, is_internal }: Operation) -> (String, Value) {
        let mut value = json!({ "responses": {} });
        match (is_public, self.form.is_global) {
            (true, true) => value["security"] = json!([]),
            (false, false) => value["security"] = json!([{ "key": [] }]),
            _ => {}
        }
        if is_internal {
            value["summary"] = json!("INTERNAL Endpoint: not for everybody");
        }
        (method.to_ascii_lowercase(), value)
    }

    /// What is described for a path without its base path, which may end in a slash: the methods of the most specific
    /// template; nothing if there is none.
    pub(super) fn find(&self, path: &str) -> Option<&BTreeMap<&'static str, Operation>> {
        let path = path.strip_prefix(self.base)?.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').collect();
        let matches = |template: &Vec<Segment>| {
            template.len() == segments.len()
                && template.iter().zip(&segments).all(|(segment, text)| match segment {
                    Segment::Literal(literal) => literal == text,
                    Segment::Parameter => !text.is_empty(),
                })
        };
        // They are sorted: literals come before parameters.
        let of_literals = |template: &Vec<Segment>| -> Vec<bool> {
            template.iter().map(|segment| *segment == Segment::Parameter).collect()
        };
        let all = self.paths.iter().filter(|(template, _)| matches(template));
        all.min_by_key(|(template, _)| of_literals(template)).map(|(_, methods)| methods)
    }
}

pub(super) fn template(segments: &[Segment]) -> String {
    let segments = segments.iter().enumerate().map(|(number, segment)| match segment {
        Segment::Literal(literal) => format!("/{literal}"),
        Segment::Parameter => format!("/{{p{number}}}"),
    });
    segments.collect()
}

/// Paths as clients ask for them: some that are described, and some that nearly are.
pub(super) fn asked() -> impl Strategy<Value = String> {
    let segment = select(&["a", "b", "a-b", "v1", "x", "A", "a%20b", ".a", "a%2Fb"][..]);
    (vec(segment, 0..6), any::<bool>()).prop_map(|(segments, has_slash)| {
        let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if has_slash || path.is_empty() { path + "/" } else { path }
    })
}
