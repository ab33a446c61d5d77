//! The walk over a description's paths and operations.

use std::collections::HashMap;

use gate::request::Method;
use serde_json::Value;

use super::document::{Operation, Settings, Version};
use super::files::Files;
use super::merged::Merged;
use super::parameters::Parameter;
use super::place::{At, Field, Fields};
use super::security::{Access, Schemes};
use super::servers::{self, Base};
use super::template::{self, Template, below};
use crate::input::node::Data;
use crate::source::Note;

/// How Keptn's descriptions mark what is not meant for the public.
const MARK: &str = "INTERNAL Endpoint:";

/// What is known of a description while its paths are walked over.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) files: &'a mut Files,
    pub(super) settings: &'a Settings,
    pub(super) version: Version,
    pub(super) schemes: Schemes,
    /// `security` of all operations that have none of their own.
    pub(super) global: Option<At>,
    pub(super) base: Option<Base>,
    pub(super) operations: Vec<Operation>,
}

/// What the operations of a path have in common.
#[derive(Debug)]
pub(super) struct Path<'a> {
    pub(super) template: Option<&'a Template>,
    fields: &'a Fields,
    /// Its parameters that matter, by their names.
    pub(super) parameters: HashMap<String, Parameter>,
    is_internal: bool,
}

impl Walk<'_> {
    pub(super) fn paths(&mut self, fields: &Fields, top: &At) {
        if let Some(webhooks) = fields.get("webhooks") {
            let message = "webhooks are calls that the service makes: no routes";
            self.files.warning(&webhooks.spot, message, "");
        }
        if let Some(paths) = fields.get("x-ms-paths") {
            let message = "these paths are told apart by their queries, which the gateway never looks at";
            self.files.problem(&paths.spot, message, "describe them without, below \"paths\"");
        }
        let Some(paths) = fields.get("paths") else {
            // A description of webhooks alone is a description.
            if fields.get("webhooks").is_none() && fields.get("components").is_none() {
                self.files.problem(&top.spot(), "there are no \"paths\" in this description", "add them");
            }
            return;
        };
        let paths = self.files.merged(&paths.value, "object of paths");
        for field in paths.fields {
            if !field.key.starts_with("x-") {
                self.path(&field);
            }
        }
    }

    fn path(&mut self, path: &Field) {
        let settings = self.settings;
        let has_slash = |name: &str| settings.slashes.iter().any(|slash| slash == name);
        let (template, odd) = template::read(&path.key, &has_slash);
        for odd in odd {
            let (span, quote) = self.files.part(&path.spot, &path.key, odd.part);
            let help = (!odd.help.is_empty()).then(|| odd.help.to_owned());
            let note = Note { is_warning: odd.is_warning, span, message: odd.message, help, quote };
            self.files.note(path.spot.file, note);
        }
        let item = self.files.merged(&path.value, "object of operations");
        let mut parameters = HashMap::new();
        if let Some(field) = item.fields.get("parameters") {
            self.parameters(&field.value, &mut parameters);
        }
        let is_internal = self.is_internal(&item);
        let path = Path { template: template.as_ref(), fields: &item.fields, parameters, is_internal };
        for field in item.fields.iter() {
            self.field(&path, field);
        }
    }

    /// A field of a path.
    fn field(&mut self, path: &Path<'_>, field: &Field) {
        let key = field.key.as_str();
        match key {
            "summary" | "description" | "parameters" => {}
            "servers" if self.version == Version::OpenApi => {}
            "additionalOperations" => {
                for field in self.files.fields(&field.value, "object of operations") {
                    self.no_method(&field);
                }
            }
            "x-amazon-apigateway-any-method" => {
                let message = "this stands for all methods, of which nobody says which there are";
                self.files.problem(&field.spot, message, "write an operation for each");
            }
            _ if key.starts_with("x-") => {}
            "trace" | "query" => self.no_method(field),
            _ => match Method::parse(key.to_ascii_uppercase().as_bytes()).filter(|_| is_lower(key)) {
                Some(method) => self.operation(path, method, field),
                None => {
                    let message = format!("a path has no field \"{key}\"");
                    let methods: Vec<_> =
                        Method::ALL.iter().map(|method| method.name().to_ascii_lowercase()).collect();
                    let help = format!("its methods are {}", methods.join(", "));
                    self.files.problem(&field.spot, message, help);
                }
            },
        }
    }

    fn no_method(&mut self, field: &Field) {
        let message = format!("the gateway lets no method {} through", field.key.to_ascii_uppercase());
        let methods: Vec<_> = Method::ALL.into_iter().map(Method::name).collect();
        self.files.problem(&field.spot, message, format!("those that it knows are {}", methods.join(", ")));
    }

    fn operation(&mut self, path: &Path<'_>, method: Method, field: &Field) {
        if !matches!(field.value.node.data, Data::Object(_)) {
            self.files.problem(
                &field.spot,
                "there is no operation here",
                "write an object, or leave the method away",
            );
            return;
        }
        let merged = self.files.merged(&field.value, "operation");
        // What is missing might have asked for the token.
        if !merged.is_whole {
            return;
        }
        let fields = &merged.fields;
        if let Some(callbacks) = fields.get("callbacks") {
            let message = "callbacks are calls that the service makes: no routes";
            self.files.warning(&callbacks.spot, message, "");
        }
        let access = self.access(&merged);
        let is_internal = self.is_internal(&merged) || path.is_internal;
        let is_deprecated = self.flag(&merged, "deprecated");
        // All of it has been looked at by now: what is wrong is said even where the path itself cannot be written.
        let is_plain = self.are_parameters_plain(path, fields);
        let base = self.base(path.fields, fields);
        let (Some(template), true, Some(base)) = (path.template, is_plain, base) else { return };
        let template =
            Template { text: below(&base, &template.text), parameters: template.parameters.clone() };
        let spot = field.spot.clone();
        self.operations.push(Operation { method, template, access, is_internal, is_deprecated, spot });
    }

    /// Who is asked: of what the operation says in more than one place the stricter holds.
    fn access(&mut self, operation: &Merged) -> Access {
        let own = operation.all("security").map(|field| &field.value);
        let own = own.map(|at| self.schemes.access(self.files, Some(at))).max();
        let access = own.unwrap_or_else(|| self.schemes.access(self.files, self.global.as_ref()));
        if self.settings.is_token_asked { Access::Token } else { access }
    }

    /// Whether a path or an operation is not meant for the public.
    fn is_internal(&mut self, object: &Merged) -> bool {
        let is_mark = |field: &Field| {
            let text = field.value.as_str().unwrap_or_default().trim_start();
            text.get(..MARK.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(MARK))
        };
        let is_marked = ["summary", "description"].into_iter().any(|key| object.all(key).any(is_mark));
        self.flag(object, "x-internal") || is_marked
    }

    /// Whether this is said to be so, in one place at least. Where it is not said plainly, it is.
    fn flag(&mut self, object: &Merged, key: &str) -> bool {
        let mut is_so = false;
        for at in object.all(key).map(|field| &field.value) {
            is_so |= if let Data::Scalar { value: Value::Bool(is_so), .. } = at.node.data {
                is_so
            } else {
                let spot = at.spot();
                self.files.problem(&spot, format!("\"{key}\" is true or false"), "it is taken for true");
                true
            };
        }
        is_so
    }

    /// The base path of an operation: its own, its path's, or the description's.
    fn base(&mut self, path: &Fields, operation: &Fields) -> Option<String> {
        let own = [operation, path].into_iter().find_map(|fields| fields.get("servers"));
        // What servers say is of no matter where the arguments say something else.
        let own = own.filter(|_| self.settings.base_path.is_none() && self.version == Version::OpenApi);
        let Some(own) = own else {
            return self.base.as_ref().map(|base| base.path.clone());
        };
        let host = self.base.as_ref().and_then(|base| base.host.clone());
        let base = servers::of_servers(self.files, &own.value)?;
        if base.host.is_some() && base.host != host {
            let message = "this is on another host than the rest; its route leads to the same upstream";
            self.files.warning(&own.spot, message, "");
        }
        Some(base.path)
    }
}

fn is_lower(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_lowercase())
}
