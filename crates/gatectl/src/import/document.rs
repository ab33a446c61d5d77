//! From a description to its operations. Only the few fields that say what is let in are looked at.

use std::collections::{HashMap, HashSet};

use gate::request::Method;
use serde_json::Value;

use super::files::{At, Chain, Field, Fields, Files, Spot};
use super::security::{Access, Schemes};
use super::servers::{self, Base};
use super::template::{self, Template};
use crate::input::node::Data;
use crate::source::Note;

/// How Keptn's descriptions mark what is not meant for the public.
const MARK: &str = "INTERNAL Endpoint:";

/// What the arguments say of all descriptions.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Instead of what the descriptions say, without a slash at its end.
    pub(super) base_path: Option<String>,
    /// Parameters whose values may have slashes.
    pub(super) slashes: Vec<String>,
    /// Every operation asks for the token.
    pub(super) is_token_asked: bool,
}

/// One operation of a description.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    /// As the service sees it.
    pub(super) template: Template,
    pub(super) access: Access,
    pub(super) is_internal: bool,
    pub(super) is_deprecated: bool,
    /// Where its method stands.
    pub(super) spot: Spot,
}

/// What is read of a description.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) operations: Vec<Operation>,
    /// What most of their paths begin with, if that can be said.
    pub(super) base: Option<String>,
}

/// Reads a description.
///
/// # Errors
///
/// That this is none, with the place.
pub(super) fn read(files: &mut Files, top: &At, settings: &Settings) -> Result<Description, Note> {
    let version = Version::read(files, top)?;
    let fields = files.fields(top, "description");
    let (base, schemes) = match version {
        Version::Swagger => (
            servers::of_swagger(files, &fields),
            fields.get("securityDefinitions").map(|field| field.value.clone()),
        ),
        Version::OpenApi => {
            let base = match fields.get("servers") {
                // What they say is of no matter.
                Some(field) if settings.base_path.is_none() => servers::of_servers(files, &field.value),
                _ => Some(Base::default()),
            };
            let components = fields.get("components").map(|field| field.value.clone());
            let components = components.map(|components| files.fields(&components, "object of components"));
            (base, components.unwrap_or_default().get("securitySchemes").map(|field| field.value.clone()))
        }
    };
    let base = match (&settings.base_path, base) {
        (Some(path), base) => Some(Base { path: path.clone(), host: base.and_then(|base| base.host) }),
        (None, base) => base,
    };
    let schemes = Schemes::read(files, schemes.as_ref());
    let global = fields.get("security").map(|field| field.value.clone());
    let mut walk = Walk { files, settings, version, schemes, global, base, operations: Vec::new() };
    walk.paths(&fields, top);
    let (operations, base) = (walk.operations, walk.base.map(|base| base.path));
    if let Some(first) =
        operations.first().filter(|_| operations.iter().all(|it| it.access == Access::Public))
    {
        let spot = fields.get("paths").map_or_else(|| first.spot.clone(), |field| field.spot.clone());
        let message = "no operation of this description asks for a token: all of them are public";
        files.warning(&spot, message, "if they are not meant for everybody, --access token asks for it");
    }
    Ok(Description { operations, base })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Swagger,
    OpenApi,
}

impl Version {
    fn read(files: &mut Files, top: &At) -> Result<Self, Note> {
        let none = |at: &At, message: &str| Note {
            is_warning: false,
            span: at.node.opening(),
            message: message.to_owned(),
            help: Some(
                "write \"swagger\": \"2.0\", or \"openapi\": \"3.0.4\", \"3.1.2\" or \"3.2.0\"".to_owned(),
            ),
            quote: None,
        };
        let field = |key: &str| top.node.get(key).map(|node| At { file: top.file, node: node.clone() });
        let text = |at: &At| match &at.node.data {
            Data::Scalar { value: Value::String(text), .. } => text.clone(),
            Data::Scalar { value, .. } => value.to_string(),
            Data::List(_) | Data::Object(_) => String::new(),
        };
        match (field("swagger"), field("openapi")) {
            (Some(_), Some(openapi)) => {
                Err(none(&openapi, "this is two descriptions in one: Swagger and OpenAPI"))
            }
            (Some(swagger), None) if matches!(text(&swagger).as_str(), "2.0" | "2") => Ok(Self::Swagger),
            (None, Some(openapi)) => {
                let version = text(&openapi);
                match version.strip_prefix("3.").map(|rest| rest.split('.').next().unwrap_or_default()) {
                    Some("0" | "1" | "2") => Ok(Self::OpenApi),
                    Some(_) => {
                        let message = "this version is not known; the description is read as 3.2 is";
                        files.warning(&openapi.spot(), message, "");
                        Ok(Self::OpenApi)
                    }
                    None => Err(none(&openapi, "this version of OpenAPI is not read")),
                }
            }
            (Some(other), None) => Err(none(&other, "this version of Swagger is not read")),
            (None, None) => {
                Err(none(top, "this is no OpenAPI description: it has neither \"openapi\" nor \"swagger\""))
            }
        }
    }
}

struct Walk<'a> {
    files: &'a mut Files,
    settings: &'a Settings,
    version: Version,
    schemes: Schemes,
    /// `security` of all operations that have none of their own.
    global: Option<At>,
    base: Option<Base>,
    operations: Vec<Operation>,
}

/// What the operations of a path have in common.
struct Path<'a> {
    template: Option<&'a Template>,
    fields: &'a Fields,
    /// Its parameters that matter, by their names.
    parameters: HashMap<String, Parameter>,
    is_internal: bool,
}

/// A path parameter whose values are not simply one segment.
#[derive(Clone, Debug)]
struct Parameter {
    spot: Spot,
    oddity: Oddity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oddity {
    None,
    Matrix,
    Label,
    Slashes,
}

impl Walk<'_> {
    fn paths(&mut self, fields: &Fields, top: &At) {
        if let Some(webhooks) = fields.get("webhooks") {
            let message = "webhooks are calls that the service makes: no routes";
            self.files.warning(&webhooks.spot, message, "");
        }
        let Some(paths) = fields.get("paths") else {
            // A description of webhooks alone is a description.
            if fields.get("webhooks").is_none() && fields.get("components").is_none() {
                self.files.problem(&top.spot(), "there are no \"paths\" in this description", "add them");
            }
            return;
        };
        let Some(paths) = self.files.resolve(&paths.value) else { return };
        for field in self.files.fields(&paths, "object of paths").0 {
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
        let fields = self.item(&path.value);
        let mut parameters = HashMap::new();
        if let Some(field) = fields.get("parameters") {
            self.parameters(&field.value, &mut parameters);
        }
        let is_internal = self.flag(&fields, "x-internal");
        let path = Path { template: template.as_ref(), fields: &fields, parameters, is_internal };
        for field in &fields.0 {
            self.field(&path, field);
        }
    }

    /// The fields of a path, with those that its `$ref` leads to.
    fn item(&mut self, at: &At) -> Fields {
        let mut all = Fields::default();
        let mut chain = Chain::default();
        let mut next = Some(at.clone());
        while let Some(at) = next {
            for field in self.files.fields(&at, "object of operations").0 {
                match all.get(&field.key).map(|first| first.spot.clone()) {
                    _ if field.key == "$ref" => {}
                    None => all.0.push(field),
                    Some(first) => {
                        let message =
                            format!("\"{}\" stands beside the $ref and where that leads", field.key);
                        self.files.problem(&first, message, "keep one of them: this one is imported");
                    }
                }
            }
            next = if at.has_reference() { self.files.follow(&at, &mut chain) } else { None };
        }
        all
    }

    /// A field of a path.
    fn field(&mut self, path: &Path<'_>, field: &Field) {
        let key = field.key.as_str();
        match key {
            "summary" | "description" | "parameters" => {}
            "servers" if self.version == Version::OpenApi => {}
            "additionalOperations" => {
                for field in self.files.fields(&field.value, "object of operations").0 {
                    self.no_method(&field);
                }
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
        let Some(at) = self.files.resolve(&field.value) else { return };
        if !matches!(at.node.data, Data::Object(_)) {
            self.files.problem(
                &field.spot,
                "there is no operation here",
                "write an object, or leave the method away",
            );
            return;
        }
        let fields = self.files.fields(&at, "operation");
        if let Some(callbacks) = fields.get("callbacks") {
            let message = "callbacks are calls that the service makes: no routes";
            self.files.warning(&callbacks.spot, message, "");
        }
        let security =
            fields.get("security").map(|field| field.value.clone()).or_else(|| self.global.clone());
        let access = self.schemes.access(self.files, security.as_ref());
        let access = if self.settings.is_token_asked { Access::Token } else { access };
        let marked = |key| {
            let text =
                fields.get(key).and_then(|field| field.value.as_str()).unwrap_or_default().trim_start();
            text.get(..MARK.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(MARK))
        };
        let is_marked = marked("summary") || marked("description");
        let is_internal = self.flag(&fields, "x-internal") || is_marked || path.is_internal;
        let is_deprecated = self.flag(&fields, "deprecated");
        // All of it has been looked at by now: what is wrong is said even where the path itself cannot be written.
        let is_plain = self.are_parameters_plain(path, &fields);
        let base = self.base(path.fields, &fields);
        let (Some(template), true, Some(base)) = (path.template, is_plain, base) else { return };
        let template =
            Template { text: below(&base, &template.text), parameters: template.parameters.clone() };
        let spot = field.spot.clone();
        self.operations.push(Operation { method, template, access, is_internal, is_deprecated, spot });
    }

    /// Whether this is said to be so. Where it is not said plainly, it is.
    fn flag(&mut self, fields: &Fields, key: &str) -> bool {
        match fields.get(key).map(|field| &field.value) {
            None => false,
            Some(at) => match &at.node.data {
                Data::Scalar { value: Value::Bool(is_so), .. } => *is_so,
                _ => {
                    let spot = at.spot();
                    self.files.problem(&spot, format!("\"{key}\" is true or false"), "it is taken for true");
                    true
                }
            },
        }
    }

    /// The base path of an operation: its own, its path's, or the description's.
    fn base(&mut self, path: &Fields, operation: &Fields) -> Option<String> {
        let own = [operation, path].into_iter().find_map(|fields| fields.get("servers"));
        let (Some(own), Version::OpenApi) = (own, self.version) else {
            return self.base.as_ref().map(|base| base.path.clone());
        };
        let host = self.base.as_ref().and_then(|base| base.host.clone());
        let base = servers::of_servers(self.files, &own.value)?;
        if base.host.is_some() && base.host != host {
            let message = "this is on another host than the rest; its route leads to the same upstream";
            self.files.warning(&own.spot, message, "");
        }
        Some(self.settings.base_path.clone().unwrap_or(base.path))
    }

    /// Whether all parameters of the path's template stand for one segment each.
    fn are_parameters_plain(&mut self, path: &Path<'_>, operation: &Fields) -> bool {
        let mut parameters = path.parameters.clone();
        if let Some(field) = operation.get("parameters") {
            self.parameters(&field.value, &mut parameters);
        }
        let mut is_plain = true;
        let names: HashSet<&String> =
            path.template.iter().flat_map(|template| &template.parameters).collect();
        let mut odd: Vec<_> = parameters.iter().filter(|(name, _)| names.contains(name)).collect();
        odd.sort_by_key(|(_, parameter)| parameter.spot.span.start);
        for (name, Parameter { spot, oddity }) in odd {
            match oddity {
                Oddity::None => {}
                Oddity::Matrix => {
                    let message = "values of this style begin with a semicolon, which the gateway refuses";
                    self.files.problem(spot, message, "leave the style away, where the service allows it");
                    is_plain = false;
                }
                Oddity::Label => {
                    let message = "values of this style begin with a dot; the gateway lets others in as well";
                    self.files.warning(spot, message, "");
                }
                Oddity::Slashes if self.settings.slashes.contains(name) => {}
                Oddity::Slashes => {
                    let message = "values of this parameter may have slashes, and the route lets none in";
                    let help = format!("--slash {name} lets them in, written as %2F");
                    self.files.problem(spot, message, help);
                }
            }
        }
        is_plain
    }

    fn parameters(&mut self, at: &At, into: &mut HashMap<String, Parameter>) {
        for item in self.files.items(at, "parameters") {
            let Some(parameter) = self.files.resolve(&item) else { continue };
            let fields = self.files.fields(&parameter, "parameter");
            let text = |key| fields.get(key).and_then(|field| field.value.as_str());
            let (Some(name), Some("path")) = (text("name"), text("in")) else { continue };
            let is_set = |key| {
                let value = fields.get(key).map(|field| &field.value.node.data);
                matches!(value, Some(Data::Scalar { value: Value::Bool(true), .. }))
            };
            let (key, oddity) = match text("style") {
                Some("matrix") => ("style", Oddity::Matrix),
                Some("label") => ("style", Oddity::Label),
                _ if is_set("allowReserved") => ("allowReserved", Oddity::Slashes),
                _ if is_set("x-ms-skip-url-encoding") => ("x-ms-skip-url-encoding", Oddity::Slashes),
                _ => ("name", Oddity::None),
            };
            let spot = fields.get(key).map_or_else(|| parameter.spot(), |field| field.value.spot());
            into.insert(name.to_owned(), Parameter { spot, oddity });
        }
    }
}

fn is_lower(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// A template below a prefix, which has no slash at its end.
pub(super) fn below(prefix: &str, template: &str) -> String {
    match (prefix, template) {
        ("", template) => template.to_owned(),
        (prefix, "/") => prefix.to_owned(),
        (prefix, template) => [prefix, template].concat(),
    }
}
