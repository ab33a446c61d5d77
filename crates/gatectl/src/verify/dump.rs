//! Envoy's config dump, and what of it the checks look at.

use serde_json::Value;

use super::json::{field, items, path, text, typed};
use crate::source::Source;

const HELP: &str = "  help: it is what Envoy's admin interface answers at /config_dump?include_eds:\n        \
                    kubectl -n istio-system exec deploy/istio-ingressgateway -- pilot-agent request GET 'config_dump?include_eds'";

/// Reads a dump.
///
/// # Errors
///
/// Whole lines that say why it is none. Nothing of the text is in them: it may be a key.
pub(super) fn parse(source: &Source) -> Result<Value, String> {
    let name = source.name();
    if source.text().trim_ascii().is_empty() {
        return Err(format!("{name}: this is empty, not a config dump\n{HELP}"));
    }
    let value: Value = serde_json::from_str(source.text()).map_err(|error| {
        let full = error.to_string();
        let why = full.rsplit_once(" at line ").map_or(full.as_str(), |(why, _)| why);
        let cut = if error.is_eof() { "; it is cut off" } else { "" };
        format!("{name}:{}:{}: this is not JSON: {why}{cut}\n{HELP}", error.line(), error.column())
    })?;
    let has = |key| value.get(key).is_some();
    if has("static_resources") || has("dynamic_resources") {
        return Err(format!(
            "{name}: this is a configuration for Envoy, not what a running one says of itself\n{HELP}\n        \
             and `gatectl validate` judges the filter's configuration in this file"
        ));
    }
    let sections = items(&value, "configs");
    if sections.iter().any(|section| section_name(section).is_some()) {
        return Ok(value);
    }
    Err(format!("{name}: this is JSON, but not a config dump\n{HELP}"))
}

/// What a section of the dump is about, such as `Listeners`.
fn section_name(section: &Value) -> Option<&str> {
    typed(section).0.strip_prefix("envoy.admin.v3.")?.strip_suffix("ConfigDump")
}

#[derive(Debug)]
pub(super) struct Dump<'a> {
    /// The node of the bootstrap.
    pub(super) node: &'a Value,
    pub(super) listeners: Vec<Listener<'a>>,
    pub(super) routes: Vec<RouteConfig<'a>>,
    pub(super) clusters: Vec<&'a Value>,
    /// The clusters' addresses that were discovered; none if the dump was not asked for them.
    pub(super) endpoints: Vec<&'a Value>,
    /// The filters that were discovered.
    pub(super) discovered: Vec<&'a Value>,
    /// Certificates that Envoy waits for.
    pub(super) awaited: Vec<&'a str>,
    /// What Envoy refused.
    pub(super) refused: Vec<Refused<'a>>,
    /// Sections that every dump has and this one has not.
    pub(super) missing: Vec<&'static str>,
}

/// One version of a listener: one that serves, or one that will.
#[derive(Debug)]
pub(super) struct Listener<'a> {
    /// For people.
    pub(super) name: String,
    /// It does not serve yet.
    pub(super) is_warming: bool,
    pub(super) chains: Vec<Chain<'a>>,
}

#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// For people.
    pub(super) name: String,
    pub(super) managers: Vec<Manager<'a>>,
    /// What is no HTTP connection manager.
    pub(super) others: Vec<&'a Value>,
}

/// An HTTP connection manager.
#[derive(Debug)]
pub(super) struct Manager<'a> {
    pub(super) value: &'a Value,
    /// Its route configurations: indices into [`Dump::routes`].
    pub(super) routes: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct RouteConfig<'a> {
    /// For people.
    pub(super) name: String,
    pub(super) value: &'a Value,
}

/// An update that Envoy refused.
#[derive(Debug)]
pub(super) struct Refused<'a> {
    /// Such as `the listener 0.0.0.0_443`.
    pub(super) what: String,
    pub(super) why: &'a str,
}

impl<'a> Dump<'a> {
    pub(super) fn new(value: &'a Value) -> Self {
        let all = items(value, "configs");
        let sections = |name: &'static str| all.iter().filter(move |one| section_name(one) == Some(name));
        let listed =
            |name, key: &'static str| sections(name).flat_map(move |one| items(one, key)).collect::<Vec<_>>();
        let clusters = ["static_clusters", "dynamic_active_clusters", "dynamic_warming_clusters"];
        let clusters: Vec<_> = clusters.iter().flat_map(|key| listed("Clusters", key)).collect();
        let dynamic_listeners = listed("Listeners", "dynamic_listeners");
        let static_listeners = listed("Listeners", "static_listeners");
        let discovered = listed("Ecds", "ecds_filters");
        let mut dump = Self {
            node: sections("Bootstrap").next().map_or(&Value::Null, |one| path(one, &["bootstrap", "node"])),
            listeners: Vec::new(),
            routes: Vec::new(),
            clusters: clusters.iter().map(|entry| field(entry, "cluster")).collect(),
            endpoints: ["static_endpoint_configs", "dynamic_endpoint_configs"]
                .iter()
                .flat_map(|key| listed("Endpoints", key))
                .map(|entry| field(entry, "endpoint_config"))
                .collect(),
            discovered: discovered.iter().map(|entry| field(entry, "ecds_filter")).collect(),
            awaited: listed("Secrets", "dynamic_warming_secrets")
                .into_iter()
                .filter_map(|secret| text(secret, "name"))
                .collect(),
            refused: Vec::new(),
            missing: ["Bootstrap", "Clusters", "Listeners", "Routes"]
                .into_iter()
                .filter(|name| sections(name).next().is_none())
                .collect(),
        };
        for entry in &dynamic_listeners {
            dump.refused(format!("the listener {}", text(entry, "name").unwrap_or("without a name")), entry);
        }
        for (key, entries) in [("ecds_filter", &discovered), ("cluster", &clusters)] {
            let what = if key == "cluster" { "the cluster" } else { "the filter" };
            for entry in entries {
                let name = text(field(entry, key), "name").unwrap_or("without a name");
                dump.refused(format!("{what} {name}"), entry);
            }
        }
        for entry in listed("Routes", "dynamic_route_configs") {
            let value = field(entry, "route_config");
            let name = text(value, "name").unwrap_or("routes without a name").to_owned();
            dump.refused(format!("the routes {name}"), entry);
            dump.routes.push(RouteConfig { name, value });
        }
        for (listener, is_warming) in static_listeners
            .iter()
            .map(|entry| (field(entry, "listener"), false))
            .chain(dynamic_listeners.iter().flat_map(|entry| {
                let state = |key| path(entry, &[key, "listener"]);
                [(state("active_state"), false), (state("warming_state"), true)]
            }))
            .filter(|(listener, _)| listener.is_object())
        {
            let listener = dump.listener(listener, is_warming);
            dump.listeners.push(listener);
        }
        // The listeners' own are here once more.
        for entry in listed("Routes", "static_route_configs") {
            let value = field(entry, "route_config");
            if !dump.routes.iter().any(|known| is_same(known.value, value)) {
                let name = text(value, "name").unwrap_or("routes without a name").to_owned();
                dump.routes.push(RouteConfig { name, value });
            }
        }
        dump
    }

    fn refused(&mut self, what: String, entry: &'a Value) {
        if let Some(why) = text(field(entry, "error_state"), "details") {
            self.refused.push(Refused { what, why });
        }
    }

    fn listener(&mut self, value: &'a Value, is_warming: bool) -> Listener<'a> {
        let name = text(value, "name").map_or_else(|| address(value), str::to_owned);
        let shown = if is_warming { format!("{name} (waiting)") } else { name.clone() };
        let chains = items(value, "filter_chains")
            .iter()
            .chain([field(value, "default_filter_chain")].into_iter().filter(|chain| chain.is_object()));
        let mut chains: Vec<_> = chains.map(|chain| items(chain, "filters")).collect();
        let api = path(value, &["api_listener", "api_listener"]);
        if api.is_object() {
            chains.push(&[]);
        }
        let several = chains.len() > 1;
        let mut found = Vec::new();
        for (index, filters) in chains.into_iter().enumerate() {
            let name = match several {
                true => format!("{shown}, chain {}", index.saturating_add(1)),
                false => shown.clone(),
            };
            let mut chain = Chain { name, managers: Vec::new(), others: Vec::new() };
            let configs: Vec<_> = match filters {
                [] => vec![api],
                filters => filters.iter().map(|filter| field(filter, "typed_config")).collect(),
            };
            for config in configs {
                match typed(config) {
                    (kind, value) if kind.ends_with(".http_connection_manager.v3.HttpConnectionManager") => {
                        let routes = self.routes_of(value, &chain.name);
                        chain.managers.push(Manager { value, routes });
                    }
                    _ => chain.others.push(config),
                }
            }
            found.push(chain);
        }
        Listener { name, is_warming, chains: found }
    }

    /// The route configurations of a connection manager; one that is its own is added.
    fn routes_of(&mut self, manager: &'a Value, chain: &str) -> Vec<usize> {
        let own = field(manager, "route_config");
        if own.is_object() {
            let name = text(own, "name").map_or_else(|| format!("the routes of {chain}"), str::to_owned);
            let known = self.routes.iter().position(|known| is_same(known.value, own));
            return vec![known.unwrap_or_else(|| {
                self.routes.push(RouteConfig { name, value: own });
                self.routes.len().saturating_sub(1)
            })];
        }
        let wanted = text(field(manager, "rds"), "route_config_name");
        let indexed = || self.routes.iter().enumerate();
        match wanted {
            Some(name) => indexed().filter(|(_, known)| known.name == name).map(|(index, _)| index).collect(),
            // Which ones it takes depends on the request.
            None if field(manager, "scoped_routes").is_object() => {
                indexed().map(|(index, _)| index).collect()
            }
            None => Vec::new(),
        }
    }
}

/// Whether two route configurations are the same; a dump adds the type to one of them.
fn is_same(one: &Value, other: &Value) -> bool {
    ["name", "virtual_hosts", "request_mirror_policies"]
        .iter()
        .all(|key| field(one, key) == field(other, key))
}

fn address(listener: &Value) -> String {
    let address = path(listener, &["address", "socket_address"]);
    match (text(address, "address"), field(address, "port_value").as_u64()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => "without a name".to_owned(),
    }
}
