//! Envoy's configuration for a test, made from the `envoy.yaml` that users run.

use crate::{Error, Result, yaml};
use serde_json::{Value, json};
use std::{env, fs, net::SocketAddr, path::Path};

/// The plugin's place in the shipped file. Whoever still has it when Envoy starts gets `$PLUGIN_WASM`.
const SHIPPED_PLUGIN: &str = "/etc/envoy/plugin.wasm";
const GATEWAY: &str = "gateway";
const WASM_FILTER: &str = "keptn-gateway";

/// A bootstrap configuration, edited step by step.
///
/// # Panics
/// All methods panic when what they should change is not there: the shipped file and the test have parted.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    json: Value,
    dynamic: bool,
}

impl Bootstrap {
    /// The repository's `envoy.yaml`, with its listener and admin on loopback ports that the kernel chooses, and the
    /// plugin from `$PLUGIN_WASM`. All else is as shipped; the stand-ins inside Envoy serve until
    /// [`Bootstrap::cluster`] replaces them.
    pub fn shipped() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../envoy.yaml");
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
        Self::from_yaml(&text)
    }

    /// As [`Bootstrap::shipped`], from other YAML.
    pub fn from_yaml(text: &str) -> Self {
        Self::from_json(yaml::to_json(text))
    }

    /// As [`Bootstrap::shipped`], from JSON.
    pub fn from_json(json: Value) -> Self {
        let mut this = Self { json, dynamic: false };
        this.json["admin"]["address"] = socket_address(SocketAddr::from(([127, 0, 0, 1], 0)));
        for listener in this.listeners().iter_mut().filter(|listener| listener.get("address").is_some()) {
            listener["address"] = socket_address(SocketAddr::from(([127, 0, 0, 1], 0)));
        }
        this
    }

    /// The configuration as it is now.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Any edit.
    #[must_use]
    pub fn edit(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.json);
        self
    }

    /// Sets the value at a JSON pointer, whose parent must exist.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) =
            pointer.rsplit_once('/').unwrap_or_else(|| panic!("{pointer:?} is no JSON pointer"));
        let parent = self.json.pointer_mut(parent).unwrap_or_else(|| panic!("the bootstrap has no {parent}"));
        match parent {
            Value::Array(list) => list[key.parse::<usize>().expect("an index")] = value,
            parent => parent[key.replace("~1", "/").replace("~0", "~")] = value,
        }
        self
    }

    /// Edits the listener `name`.
    #[must_use]
    pub fn listener(mut self, name: &str, edit: impl FnOnce(Listener) -> Listener) -> Self {
        let listener = named(self.listeners(), name, "listener");
        *listener = edit(Listener(listener.take())).0;
        self
    }

    /// Adds a copy of the listener `gateway`, edited. Its filter runs in a VM of its own unless the edit sets the
    /// `vm_id` of another one.
    #[must_use]
    pub fn another_listener(mut self, name: &str, edit: impl FnOnce(Listener) -> Listener) -> Self {
        let mut listener = named(self.listeners(), GATEWAY, "listener").clone();
        listener["name"] = json!(name);
        let listener = Listener(listener);
        let listener = if listener.has_filter() { listener.vm_id(name) } else { listener };
        self.listeners().push(edit(listener).0);
        self
    }

    /// The filter's configuration on the listener `gateway`.
    #[must_use]
    pub fn configuration(self, configuration: Value) -> Self {
        self.listener(GATEWAY, |listener| listener.configuration(configuration))
    }

    /// Envoy's own path normalisation on the listener `gateway`: dots, `%41`, `\` and repeated slashes.
    #[must_use]
    pub fn normalize_path(self, on: bool) -> Self {
        self.listener(GATEWAY, |listener| listener.normalize_path(on))
    }

    /// Another plugin on every listener.
    #[must_use]
    pub fn plugin(mut self, path: impl AsRef<Path>) -> Self {
        for listener in self.listeners() {
            let edited = Listener(listener.take());
            *listener = if edited.has_filter() { edited.plugin(&path).0 } else { edited.0 };
        }
        self
    }

    /// Points the cluster `name` at `address`. Everything else about it stays; a stand-in inside Envoy that it was the
    /// last one to use is dropped.
    #[must_use]
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        let cluster = named(self.clusters(), name, "cluster");
        let before = point_at(cluster, address);
        if let Some(stand_in) = before["envoy_internal_address"]["server_listener_name"].as_str()
            && !self.json["static_resources"]["clusters"].to_string().contains(&format!("\"{stand_in}\""))
        {
            self.listeners().retain(|listener| listener["name"] != stand_in);
        }
        self
    }

    /// The names of the clusters that lead to the stand-in `name` inside Envoy.
    pub fn clusters_at(&self, name: &str) -> Vec<String> {
        let clusters = self.json["static_resources"]["clusters"].as_array();
        let leads_there = |cluster: &&Value| {
            let endpoint = cluster.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address");
            endpoint.is_some_and(|address| address["envoy_internal_address"]["server_listener_name"] == name)
        };
        let name = |cluster: &Value| cluster["name"].as_str().unwrap_or_default().to_owned();
        clusters.into_iter().flatten().filter(leads_there).map(name).collect()
    }

    /// Adds a cluster like `api-service` with another name.
    #[must_use]
    pub fn another_cluster(mut self, name: &str, address: SocketAddr) -> Self {
        let mut cluster = named(self.clusters(), "api-service", "cluster").clone();
        cluster["name"] = json!(name);
        point_at(&mut cluster, address);
        self.clusters().push(cluster);
        self
    }

    /// Removes the cluster `name`, so that a callout to it is refused at once.
    #[must_use]
    pub fn without_cluster(mut self, name: &str) -> Self {
        named(self.clusters(), name, "cluster");
        self.clusters().retain(|cluster| cluster["name"] != name);
        self
    }

    /// Listeners come from a file that [`crate::Envoy::replace_listeners`] replaces: for changes of configuration
    /// under way.
    #[must_use]
    pub fn dynamic_listeners(mut self) -> Self {
        self.dynamic = true;
        self
    }

    fn listeners(&mut self) -> &mut Vec<Value> {
        list(&mut self.json, "listeners")
    }

    fn clusters(&mut self) -> &mut Vec<Value> {
        list(&mut self.json, "clusters")
    }

    /// The file that Envoy reads, and the file of its listeners if they are dynamic.
    pub(crate) fn files(&self, listeners_path: &Path) -> Result<(Value, Option<Value>)> {
        let mut this = self.clone();
        if this.json.to_string().contains(SHIPPED_PLUGIN) {
            let plugin = env::var_os("PLUGIN_WASM").ok_or_else(|| {
                Error::new("PLUGIN_WASM is not set: it names the plugin to test. `./build.sh test` builds it and sets it")
            })?;
            this = this.plugin(plugin);
        }
        if !this.dynamic {
            return Ok((this.json, None));
        }
        let mut listeners = std::mem::take(this.listeners());
        for listener in &mut listeners {
            listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        }
        this.json["node"] = json!({ "id": "testbed", "cluster": "testbed" });
        let source =
            json!({ "path": listeners_path, "watched_directory": { "path": listeners_path.parent() } });
        this.json["dynamic_resources"] =
            json!({ "lds_config": { "resource_api_version": "V3", "path_config_source": source } });
        Ok((this.json, Some(json!({ "resources": listeners }))))
    }
}

/// One listener, edited step by step.
#[derive(Clone, Debug)]
pub struct Listener(Value);

impl Listener {
    /// The listener's JSON.
    pub fn json(&mut self) -> &mut Value {
        &mut self.0
    }

    /// The JSON of its HTTP connection manager.
    pub fn manager(&mut self) -> &mut Value {
        self.0
            .pointer_mut("/filter_chains/0/filters/0/typed_config")
            .expect("a listener with a connection manager")
    }

    /// The JSON of its wasm filter's `config`.
    pub fn filter(&mut self) -> &mut Value {
        let filters = self.manager()["http_filters"].as_array_mut().expect("a list of HTTP filters");
        &mut named(filters, WASM_FILTER, "HTTP filter")["typed_config"]["config"]
    }

    /// Listens there.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.0["address"] = socket_address(address);
        self
    }

    /// Any edit of the HTTP connection manager.
    #[must_use]
    pub fn edit_manager(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(self.manager());
        self
    }

    /// The filter's configuration, in the form that the listener has (Struct or StringValue).
    #[must_use]
    pub fn configuration(mut self, configuration: Value) -> Self {
        let place = &mut self.filter()["configuration"];
        let text = place["@type"].as_str().is_some_and(|kind| kind.ends_with("StringValue"));
        place["value"] = if text { json!(configuration.to_string()) } else { configuration };
        self
    }

    /// The filter's configuration as any text, which need not be JSON.
    #[must_use]
    pub fn configuration_text(mut self, text: &str) -> Self {
        self.filter()["configuration"] =
            json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": text });
        self
    }

    /// Which VM the filter runs in: filters with the same id and the same code share one.
    #[must_use]
    pub fn vm_id(mut self, id: &str) -> Self {
        self.filter()["vm_config"]["vm_id"] = json!(id);
        self
    }

    /// Which root context the filter has: filters of one VM with the same id and the same configuration share one, and with
    /// it all that it remembers.
    #[must_use]
    pub fn root_id(mut self, id: &str) -> Self {
        self.filter()["root_id"] = json!(id);
        self
    }

    /// Another plugin.
    #[must_use]
    pub fn plugin(mut self, path: impl AsRef<Path>) -> Self {
        self.filter()["vm_config"]["code"] = json!({ "local": { "filename": path.as_ref() } });
        self
    }

    /// Envoy's own path normalisation: dots, `%41`, `\` and repeated slashes.
    #[must_use]
    pub fn normalize_path(mut self, on: bool) -> Self {
        self.manager()["normalize_path"] = json!(on);
        self.manager()["merge_slashes"] = json!(on);
        self
    }

    /// Takes the wasm filter out.
    #[must_use]
    pub fn without_filter(mut self) -> Self {
        let filters = self.manager()["http_filters"].as_array_mut().expect("a list of HTTP filters");
        filters.retain(|filter| filter["name"] != WASM_FILTER);
        self
    }

    /// Replaces all routes.
    #[must_use]
    pub fn routes(mut self, routes: Value) -> Self {
        self.manager()["route_config"]["virtual_hosts"][0]["routes"] = routes;
        self
    }

    fn has_filter(&self) -> bool {
        let filters =
            self.0.pointer("/filter_chains/0/filters/0/typed_config/http_filters").and_then(Value::as_array);
        filters.is_some_and(|filters| filters.iter().any(|filter| filter["name"] == WASM_FILTER))
    }
}

fn list<'a>(json: &'a mut Value, what: &str) -> &'a mut Vec<Value> {
    let list = json["static_resources"][what].as_array_mut();
    list.unwrap_or_else(|| panic!("the bootstrap has no static_resources.{what}"))
}

fn named<'a>(list: &'a mut [Value], name: &str, what: &str) -> &'a mut Value {
    let found = list.iter_mut().find(|item| item["name"] == name);
    found.unwrap_or_else(|| panic!("the bootstrap has no {what} named {name}"))
}

fn socket_address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

/// Returns the address that the cluster had.
fn point_at(cluster: &mut Value, address: SocketAddr) -> Value {
    for key in ["cluster_type", "transport_socket", "dns_lookup_family", "dns_refresh_rate"] {
        cluster.as_object_mut().expect("a cluster").remove(key);
    }
    cluster["type"] = json!("STATIC");
    let name = cluster["name"].clone();
    cluster["load_assignment"]["cluster_name"] = name;
    let endpoint = cluster.pointer_mut("/load_assignment/endpoints/0/lb_endpoints/0/endpoint");
    let place = &mut endpoint.expect("a cluster with an endpoint")["address"];
    std::mem::replace(place, socket_address(address))
}
