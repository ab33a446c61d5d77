//! Places in a dump, for tests that change them.

use serde_json::{Value, json};

pub(super) const API: &str = "outbound|8080||api-service.keptn.svc.cluster.local";
pub(super) const CONFIGURATION: &str = "outbound|8080||configuration-service.keptn.svc.cluster.local";

/// What Envoy 1.40 said with the overlay `envoyfilter` in Istio 1.31, less what is not looked at.
pub(super) fn istio() -> Value {
    serde_json::from_str(include_str!("../../dumps/istio.json")).unwrap()
}

/// What it said with envoy.yaml, likewise.
pub(super) fn standalone() -> Value {
    serde_json::from_str(include_str!("../../dumps/standalone.json")).unwrap()
}

pub(super) fn section<'a>(dump: &'a mut Value, name: &str) -> &'a mut Value {
    let kind = format!("type.googleapis.com/envoy.admin.v3.{name}ConfigDump");
    let all = dump["configs"].as_array_mut().unwrap();
    all.iter_mut().find(|one| one["@type"] == kind).unwrap()
}

pub(super) fn node(dump: &mut Value) -> &mut Value {
    &mut section(dump, "Bootstrap")["bootstrap"]["node"]
}

/// The listener on port 80.
pub(super) fn listener(dump: &mut Value) -> &mut Value {
    &mut section(dump, "Listeners")["dynamic_listeners"][0]
}

/// Its chain's filters.
pub(super) fn network(dump: &mut Value) -> &mut Vec<Value> {
    listener(dump)["active_state"]["listener"]["filter_chains"][0]["filters"].as_array_mut().unwrap()
}

/// Its connection manager.
pub(super) fn manager(dump: &mut Value) -> &mut Value {
    &mut network(dump)[0]["typed_config"]
}

pub(super) fn filters(dump: &mut Value) -> &mut Vec<Value> {
    manager(dump)["http_filters"].as_array_mut().unwrap()
}

/// The filter's discovered configuration.
pub(super) fn discovered(dump: &mut Value) -> &mut Value {
    &mut section(dump, "Ecds")["ecds_filters"][0]["ecds_filter"]
}

pub(super) fn plugin(dump: &mut Value) -> &mut Value {
    &mut discovered(dump)["typed_config"]["config"]
}

/// Gives the plugin another configuration.
pub(super) fn configure(dump: &mut Value, own: &Value) {
    plugin(dump)["configuration"]["value"] = json!(own.to_string());
}

/// The routes for port 80.
pub(super) fn config(dump: &mut Value) -> &mut Value {
    &mut section(dump, "Routes")["dynamic_route_configs"][0]["route_config"]
}

/// The virtual host of our hosts.
pub(super) fn host(dump: &mut Value) -> &mut Value {
    &mut config(dump)["virtual_hosts"][0]
}

/// Its routes: two to api-service, two to configuration-service, the 503.
pub(super) fn routes(dump: &mut Value) -> &mut Vec<Value> {
    host(dump)["routes"].as_array_mut().unwrap()
}

/// The virtual host of another application.
pub(super) fn bridge(dump: &mut Value) -> &mut Value {
    &mut config(dump)["virtual_hosts"][1]
}

/// Its only route.
pub(super) fn foreign(dump: &mut Value) -> &mut Value {
    &mut bridge(dump)["routes"][0]
}

pub(super) fn clusters(dump: &mut Value) -> &mut Vec<Value> {
    section(dump, "Clusters")["dynamic_active_clusters"].as_array_mut().unwrap()
}

/// Adds a cluster, and makes the other application's route lead there.
pub(super) fn behind(dump: &mut Value, cluster: Value) {
    foreign(dump)["route"]["cluster"] = cluster["name"].clone();
    clusters(dump).push(json!({ "cluster": cluster }));
}

/// A route as istiod makes it of Keptn's own VirtualService.
pub(super) fn route_of_keptn() -> Value {
    json!({
        "match": { "prefix": "/" },
        "route": { "cluster": "outbound|80||bridge.keptn.svc.cluster.local" },
        "metadata": { "filter_metadata": { "istio": {
            "config": "/apis/networking.istio.io/v1/namespaces/keptn/virtual-service/api"
        } } }
    })
}
