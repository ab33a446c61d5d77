//! Path parameters that are not simply one segment.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::place::{At, Fields, Spot};
use super::walk::{Path, Walk};
use crate::input::node::Data;

/// A path parameter whose values are not simply one segment.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
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
    /// Whether all parameters of the path's template stand for one segment each.
    pub(super) fn are_parameters_plain(&mut self, path: &Path<'_>, operation: &Fields) -> bool {
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

    pub(super) fn parameters(&mut self, at: &At, into: &mut HashMap<String, Parameter>) {
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
