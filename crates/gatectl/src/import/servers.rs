//! The base path: what every path of a description begins with.

use super::files::Files;
use super::place::{At, Fields, Spot};
use super::template;

/// Where the operations are that have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Base {
    /// Without a slash at its end; empty for none.
    pub(super) path: String,
    /// Host and port, if the description names any.
    pub(super) host: Option<String>,
}

const BASE_PATH: &str = "--base-path PATH says what the paths of the service begin with";

/// How many values of a server's variable are tried out.
const MAX_VALUES: usize = 100;

/// A base path as the gateway writes it, or why it is none.
pub(super) fn canonical(path: &str) -> Result<String, template::Odd> {
    let (template, odd) = template::read(path, &|_| false);
    match (template, odd.into_iter().find(|odd| !odd.is_warning)) {
        (Some(template), None) if template.parameters.is_empty() => {
            Ok(template.text.trim_end_matches('/').to_owned())
        }
        (_, Some(odd)) => Err(odd),
        (template, None) => Err(template::Odd {
            is_warning: false,
            part: 0..path.len(),
            message: match template {
                Some(_) => "there are parameters in the base path".to_owned(),
                None => "this is no base path".to_owned(),
            },
            help: BASE_PATH,
        }),
    }
}

/// That of Swagger 2.0; nothing where it is wrong.
pub(super) fn of_swagger(files: &mut Files, top: &Fields) -> Option<Base> {
    let host = top.get("host").and_then(|host| host.value.as_str()).map(str::to_owned);
    let Some(field) = top.get("basePath") else { return Some(Base { path: String::new(), host }) };
    let spot = field.value.spot();
    let Some(path) = field.value.as_str() else {
        files.problem(&spot, "this base path is no text", BASE_PATH);
        return None;
    };
    let path = if path.is_empty() { "/" } else { path };
    said(files, &spot, canonical(path)).map(|path| Base { path, host })
}

fn said<T>(files: &mut Files, spot: &Spot, path: Result<T, template::Odd>) -> Option<T> {
    path.map_err(|odd| {
        files.problem(spot, format!("the base path cannot be used: {}", odd.message), BASE_PATH)
    })
    .ok()
}

/// That of OpenAPI 3's `servers`; nothing where it is wrong. Of several the first holds, and that the others lead
/// elsewhere is said.
pub(super) fn of_servers(files: &mut Files, servers: &At) -> Option<Base> {
    let items = files.items(servers, "servers");
    let mut first: Option<Base> = None;
    for item in &items {
        let Some((base, spot)) = of_server(files, item) else {
            // The first must be good; what the others are matters less, but is said.
            first.as_ref()?;
            continue;
        };
        match &first {
            None => first = Some(base),
            Some(first) if first.path != base.path => {
                let message = format!(
                    "this server's paths begin with {}, the first one's with {}, which is what is imported",
                    shown(&base.path),
                    shown(&first.path)
                );
                files.problem(&spot, message, BASE_PATH);
            }
            Some(_) => {}
        }
    }
    Some(first.unwrap_or_default())
}

fn shown(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

fn of_server(files: &mut Files, server: &At) -> Option<(Base, Spot)> {
    let fields = files.fields(server, "server");
    let Some(url) = fields.get("url") else {
        files.problem(&server.spot(), "this server has no url", "add one, such as \"url\": \"/v1\"");
        return None;
    };
    let spot = url.value.spot();
    let Some(url) = url.value.as_str() else {
        files.problem(&spot, "this url is no text", "write one, such as /v1");
        return None;
    };
    let variables = match fields.get("variables") {
        Some(field) => variables(files, &field.value),
        None => Vec::new(),
    };
    let base = said(files, &spot, base_of(&filled(url, &variables, None)))?;
    for variable in &variables {
        // Would another value lead to another path?
        let with = |value: &str| base_of(&filled(url, &variables, Some((&variable.name, value)))).ok();
        if variable.values.is_empty() && with("\u{1}").is_none() {
            let message = format!(
                "any value may stand here; its default is taken, so paths begin with {}",
                shown(&base.path)
            );
            files.warning(&variable.spot, message, BASE_PATH);
        }
        if variable.values.len() > MAX_VALUES {
            let message = format!("of these values only the first {MAX_VALUES} are looked at");
            files.warning(&variable.spot, message, BASE_PATH);
        }
        let others = variable.values.iter().take(MAX_VALUES);
        if let Some(other) = others.filter_map(|value| with(value)).find(|other| other.path != base.path) {
            let message = format!(
                "with another value paths begin with {}, with the default, which is what is imported, with {}",
                shown(&other.path),
                shown(&base.path)
            );
            files.problem(&variable.spot, message, BASE_PATH);
        }
    }
    Some((base, spot))
}

#[derive(Debug)]
struct Variable {
    name: String,
    spot: Spot,
    default: String,
    /// Those that it may have; none: any.
    values: Vec<String>,
}

fn variables(files: &mut Files, variables: &At) -> Vec<Variable> {
    let mut found = Vec::new();
    for field in files.fields(variables, "object of variables") {
        let fields = files.fields(&field.value, "variable");
        let values = match fields.get("enum") {
            Some(values) => files.items(&values.value, "values"),
            None => Vec::new(),
        };
        let text = |at: &At| match &at.node.data {
            crate::input::node::Data::Scalar { value: serde_json::Value::String(text), .. } => {
                Some(text.clone())
            }
            // `default: 1`, which YAML takes for a number.
            crate::input::node::Data::Scalar { value, .. } if !value.is_null() => Some(value.to_string()),
            _ => None,
        };
        let Some(default) = fields.get("default").and_then(|default| text(&default.value)) else {
            files.problem(&field.spot, "this variable has no default", "add one: it is what is imported");
            continue;
        };
        let values = values.iter().filter_map(text).collect();
        found.push(Variable { name: field.key, spot: field.spot, default, values });
    }
    found
}

/// `url` with the variables' defaults in it, but for one that has this value.
fn filled(url: &str, variables: &[Variable], other: Option<(&str, &str)>) -> String {
    variables.iter().fold(url.to_owned(), |url, Variable { name, default, .. }| {
        let value = other.filter(|(of, _)| of == name).map_or(default.as_str(), |(_, value)| value);
        url.replace(&format!("{{{name}}}"), value)
    })
}

fn base_of(url: &str) -> Result<Base, template::Odd> {
    let after_scheme = url.split_once("://").map(|(_, rest)| rest).or_else(|| url.strip_prefix("//"));
    let (host, path) = match after_scheme {
        Some(rest) => {
            let (host, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "/"));
            (Some(host.to_owned()), path)
        }
        None if url.is_empty() || url == "." || url == "./" => (None, "/"),
        None if url.starts_with('/') => (None, url),
        None => {
            return Err(template::Odd {
                is_warning: false,
                part: 0..url.len(),
                message: "this url is relative to where the description is published".to_owned(),
                help: BASE_PATH,
            });
        }
    };
    Ok(Base { path: canonical(path)?, host })
}
