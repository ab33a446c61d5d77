//! From a description to its operations. Only the few fields that say what is let in are looked at.

use gate::request::Method;
use serde_json::Value;

use super::files::Files;
use super::place::{At, Spot};
use super::security::{Access, Schemes};
use super::servers::{self, Base};
use super::template::Template;
use super::walk::Walk;
use crate::input::node::Data;
use crate::source::Note;

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

/// How a description is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
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
