//! From operations to the gateway's routes.

use std::collections::{BTreeSet, HashMap};

use gate::config::{Config, Problems, Step};
use gate::request::Method;
use serde_json::json;

use super::document::Operation;
use super::files::Files;
use super::place::Spot;
use super::security::Access;
use super::template::below;

/// Where the routes lead to, and how clients reach them.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// The upstream's name.
    pub(super) upstream: String,
    /// What comes before the service's own paths, without a slash at its end.
    pub(super) prefix: String,
    /// The service does not know the prefix.
    pub(super) strip: bool,
}

/// A route: operations that differ in their methods alone.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) methods: Vec<Method>,
    pub(super) access: Access,
    pub(super) is_internal: bool,
    /// Where its operations stand.
    spots: Vec<Spot>,
}

/// Puts operations together, sorted by their paths.
pub(super) fn of(operations: Vec<Operation>, way: &Way, files: &mut Files) -> Vec<Route> {
    let operations = without_conflicts(operations, files);
    let mut places: HashMap<(String, Access, bool), usize> = HashMap::new();
    let mut routes: Vec<Route> = Vec::new();
    for Operation { method, template, access, is_internal, spot, .. } in operations {
        if way.strip && template.text == "/" {
            let message = "the gateway cannot strip a prefix that nothing follows";
            files.problem(&spot, message, "leave --strip away, or --prefix");
            continue;
        }
        let index = *places.entry((shape(&template.text, true), access, is_internal)).or_insert(routes.len());
        match routes.get_mut(index) {
            Some(route) => {
                route.methods.push(method);
                route.spots.push(spot);
            }
            None => {
                let (methods, spots) = (vec![method], vec![spot]);
                routes.push(Route {
                    path: below(&way.prefix, &template.text),
                    methods,
                    access,
                    is_internal,
                    spots,
                });
            }
        }
    }
    for route in &mut routes {
        route.methods.sort_by_key(|method| Method::ALL.iter().position(|known| known == method));
    }
    routes.sort_by(|a, b| (&a.path, a.access, a.is_internal).cmp(&(&b.path, b.access, b.is_internal)));
    routes
}

/// One operation for each path and method. Of two that the gateway cannot tell apart the stricter holds.
fn without_conflicts(operations: Vec<Operation>, files: &mut Files) -> Vec<Operation> {
    let mut places: HashMap<(String, &str), usize> = HashMap::new();
    let mut kept: Vec<Operation> = Vec::new();
    for operation in operations {
        let index = *places
            .entry((shape(&operation.template.text, false), operation.method.name()))
            .or_insert(kept.len());
        let Some(first) = kept.get_mut(index) else {
            kept.push(operation);
            continue;
        };
        let is_same = first.access == operation.access && first.is_internal == operation.is_internal;
        if first.template.text != operation.template.text || !is_same {
            let message =
                format!("the gateway cannot tell this from the operation at {}", files.place(&first.spot));
            let help = if is_same {
                "keep one of them"
            } else {
                "keep one of them; the stricter access is imported"
            };
            files.problem(&operation.spot, message, help);
        }
        first.access = first.access.max(operation.access);
        first.is_internal |= operation.is_internal;
    }
    kept
}

/// A template without its parameters' names, and without the sign of those with slashes unless that matters.
fn shape(template: &str, has_signs: bool) -> String {
    let segments = template.split('/').map(|segment| match segment.strip_prefix('{') {
        Some(name) if has_signs && name.starts_with('+') => "{+}",
        Some(_) => "{}",
        None => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The configuration that these routes and nothing else make, with a line for each; `policy` is for the paths below
/// these prefixes.
pub(super) fn configuration(
    routes: &[Route],
    way: &Way,
    policy: Option<&(BTreeSet<String>, &str)>,
) -> String {
    let mut fields = Vec::new();
    if !is_of_profile(&way.upstream) {
        fields.push(format!("\"upstreams\": [\n    {{ \"name\": {} }}\n  ]", json!(way.upstream)));
    }
    if let Some((prefixes, policy)) = policy {
        // The longest prefix decides, and none is the shortest.
        if prefixes.contains("") {
            fields.push(format!("\"policy\": {}", json!(policy)));
        } else {
            let entry =
                |prefix| format!("\n    {{ \"prefix\": {}, \"policy\": {} }}", json!(prefix), json!(policy));
            let entries: Vec<_> = prefixes.iter().map(entry).collect();
            fields.push(format!("\"policies\": [{}\n  ]", entries.join(",")));
        }
    }
    let routes = routes.iter().map(|route| {
        let methods: Vec<_> = route.methods.iter().map(|method| format!("\"{}\"", method.name())).collect();
        let strip = if way.strip { format!(", \"strip\": {}", json!(way.prefix)) } else { String::new() };
        let internal = if route.is_internal { ", \"internal\": true" } else { "" };
        format!(
            "\n    {{ \"path\": {}, \"methods\": [{}], \"upstream\": {}, \"access\": \"{}\"{strip}{internal} }}",
            json!(route.path),
            methods.join(", "),
            json!(way.upstream),
            route.access.name()
        )
    });
    let routes = routes.collect::<Vec<_>>().join(",");
    fields.push(format!("\"routes\": [{routes}\n  ]"));
    format!("{{\n  {}\n}}\n", fields.join(",\n  "))
}

/// Whether the profile has an upstream of this name.
pub(super) fn is_of_profile(name: &str) -> bool {
    Config::from_value(&json!({ "routes": [{ "path": "/x", "upstream": name }] })).is_ok()
}

/// Takes out what the core does not accept besides its profile, and says why.
pub(super) fn accepted(mut routes: Vec<Route>, way: &Way, files: &mut Files) -> Vec<Route> {
    loop {
        let text = configuration(&routes, way, None);
        let Err(problems) = Config::from_json(text.as_bytes()) else { return routes };
        let refused = refused(&problems, &routes, files);
        // What is wrong with the rest has been looked for before.
        if refused.is_empty() {
            return routes;
        }
        let mut index = 0_usize;
        routes.retain(|_| {
            let is_kept = !refused.contains(&index);
            index = index.saturating_add(1);
            is_kept
        });
    }
}

fn refused(problems: &Problems, routes: &[Route], files: &mut Files) -> Vec<usize> {
    let mut refused = Vec::new();
    for problem in problems.iter() {
        let [Step::Key(_), Step::Index(index), ..] = problem.place.steps() else { continue };
        for spot in routes.get(*index).iter().flat_map(|route| &route.spots) {
            files.problem(spot, problem.message.clone(), problem.remedy.clone());
        }
        refused.push(*index);
    }
    refused
}

/// A line for each route: what the core's profile is made of.
pub(super) fn operations(routes: &[Route]) -> String {
    let line = |route: &Route| {
        let methods: Vec<_> = route.methods.iter().map(|method| method.name()).collect();
        let internal = if route.is_internal { " internal" } else { "" };
        format!("{} {} {}{internal}\n", methods.join(","), route.path, route.access.name())
    };
    routes.iter().map(line).collect()
}
