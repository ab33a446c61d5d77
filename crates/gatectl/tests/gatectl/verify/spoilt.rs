//! Dumps with one thing changed, and which checks see it.

use serde_json::{Value, json};

use super::edit::*;

/// A change, and the checks that find a problem; none: it is worth a note.
pub(super) type Spoilt = (&'static str, &'static [&'static str], fn(&mut Value));

const FILTER_STATE: &str = "filter_state";

pub(super) const ALL: &[Spoilt] = &[
    ("an older Envoy", &["version"], |dump| {
        node(dump)["user_agent_build_version"]["version"]["minor_number"] = json!(33);
    }),
    ("no version of Envoy", &["version"], |dump| node(dump)["user_agent_build_version"] = Value::Null),
    ("an older Istio", &["version"], |dump| node(dump)["metadata"]["ISTIO_VERSION"] = json!("1.25.4")),
    ("an unknown Istio", &[], |dump| node(dump)["metadata"]["ISTIO_VERSION"] = json!("unknown")),
    ("no filter", &["filter"], |dump| drop(filters(dump).remove(0))),
    ("two filters", &["filter"], |dump| {
        let mut second = discovered(dump).clone();
        second["name"] = json!("extensions.istio.io/wasmplugin/istio-system.keptn-gateway");
        filters(dump).push(second);
    }),
    ("a disabled filter", &["filter"], |dump| filters(dump)[0]["disabled"] = json!(true)),
    ("a filter that comes late", &["filter"], |dump| filters(dump).swap(0, 3)),
    ("a filter behind the router", &["filter"], |dump| filters(dump).rotate_left(1)),
    ("a filter that is not loaded", &["filter"], |dump| {
        section(dump, "Ecds")["ecds_filters"] = json!([]);
    }),
    ("the agent's refusal in its place", &["filter"], |dump| {
        discovered(dump)["typed_config"] = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {}, "rules_stat_prefix": "wasm-default-deny",
        });
    }),
    ("another filter in its place", &["filter"], |dump| {
        discovered(dump)["typed_config"] =
            json!({ "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors" });
    }),
    ("another plugin in its place", &["filter"], |dump| plugin(dump)["root_id"] = json!("other")),
    ("a filter before a redirect", &["filter"], |dump| host(dump)["require_tls"] = json!("ALL")),
    ("upgrades past the filter", &["filter"], |dump| {
        let router = filters(dump).last().unwrap().clone();
        manager(dump)["upgrade_configs"][0]["filters"] = json!([router]);
    }),
    ("open when it fails", &["plugin"], |dump| plugin(dump)["failure_policy"] = json!("FAIL_OPEN")),
    ("open when it fails, by the older word", &["plugin"], |dump| {
        plugin(dump)["failure_policy"] = Value::Null;
        plugin(dump)["fail_open"] = json!(true);
    }),
    ("closed for good when it fails", &[], |dump| plugin(dump)["failure_policy"] = json!("FAIL_CLOSED")),
    ("a wrong configuration", &["plugin"], |dump| {
        configure(
            dump,
            &json!({ "hosts": ["api.keptn"], "auth": { "timeout": "2 parsecs" }, "internl": "deny" }),
        );
    }),
    ("a configuration that is no JSON", &["plugin"], |dump| {
        plugin(dump)["configuration"]["value"] = json!("hosts: [api.keptn]");
    }),
    ("a configuration as Struct", &["plugin"], |dump| {
        let value = json!({ "hosts": ["api.keptn"] });
        plugin(dump)["configuration"] =
            json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": value });
    }),
    ("a configuration of another type", &["plugin"], |dump| {
        plugin(dump)["configuration"] = json!({ "@type": "type.googleapis.com/google.protobuf.BytesValue" });
    }),
    ("all hosts", &[], |dump| configure(dump, &json!({ "auth": { "cluster": API } }))),
    ("without the command line's host", &[], |dump| {
        configure(dump, &json!({ "hosts": ["api.keptn.example.org"], "auth": { "cluster": API } }));
    }),
    ("filter_state dropped, as by an old istiod", &["route"], |dump| {
        for route in routes(dump) {
            route["match"].as_object_mut().unwrap().remove(FILTER_STATE);
        }
    }),
    ("one open route", &["route"], |dump| routes(dump)[3]["match"][FILTER_STATE] = json!([])),
    ("another key", &["route"], |dump| {
        routes(dump)[3]["match"][FILTER_STATE][0]["key"] = json!("keptn.upstream")
    }),
    ("a verdict by expression", &["route"], |dump| {
        routes(dump)[3]["match"][FILTER_STATE][0]["string_match"] =
            json!({ "safe_regex": { "regex": ".*" } });
    }),
    ("a verdict by prefix", &["route"], |dump| {
        routes(dump)[3]["match"][FILTER_STATE][0]["string_match"] = json!({ "prefix": "" });
    }),
    ("a verdict inverted", &["route"], |dump| {
        routes(dump)[3]["match"][FILTER_STATE][0]["invert_match"] = json!(true);
    }),
    ("a verdict that is never said", &["route"], |dump| {
        routes(dump)[0]["match"][FILTER_STATE][0]["string_match"]["exact"] = json!("api");
    }),
    ("crossed verdicts", &["route"], |dump| routes(dump)[2]["route"]["cluster"] = json!(API)),
    ("a route of another application", &["route"], |dump| {
        foreign(dump)["route"]["cluster"] = json!(CONFIGURATION)
    }),
    ("a subset of the service", &["route"], |dump| {
        behind(dump, json!({ "name": "outbound|8080|v1|api-service.keptn.svc.cluster.local" }));
    }),
    ("a share of the traffic", &["route"], |dump| {
        foreign(dump)["route"] = json!({ "weighted_clusters": { "clusters": [
            { "name": "outbound|8080||bridge.keptn.svc.cluster.local", "weight": 99 },
            { "name": API, "weight": 1 },
        ] } });
    }),
    ("a cluster that a header names", &["route"], |dump| {
        foreign(dump)["route"] = json!({ "cluster_header": "x-cluster" });
    }),
    ("a cluster that a plugin names", &["route"], |dump| {
        foreign(dump)["route"] =
            json!({ "inline_cluster_specifier_plugin": { "extension": { "name": "lua" } } });
    }),
    ("copies", &["route"], |dump| {
        foreign(dump)["route"]["request_mirror_policies"] = json!([{ "cluster": API }]);
    }),
    ("copies of a virtual host", &["route"], |dump| {
        bridge(dump)["request_mirror_policies"] = json!([{ "cluster": API }]);
    }),
    ("copies to where a header says", &["route"], |dump| {
        config(dump)["request_mirror_policies"] = json!([{ "cluster_header": "x-cluster" }]);
    }),
    ("a matcher in the place of routes", &["route"], |dump| {
        bridge(dump)["routes"] = json!([]);
        bridge(dump)["matcher"] =
            json!({ "on_no_match": { "action": { "typed_config": { "route": { "cluster": API } } } } });
    }),
    ("connections as they are", &["route"], |dump| {
        network(dump).insert(
            0,
            json!({ "name": "tcp", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "tcp", "weighted_clusters": { "clusters": [{ "name": API, "weight": 1 }] },
        } }),
        );
    }),
    ("connections to where the handshake says", &["route"], |dump| {
        clusters(dump)
            .push(json!({ "cluster": { "name": "outbound_.8080_._.api-service.keptn.svc.cluster.local" } }));
        network(dump).insert(
            0,
            json!({ "name": "sni", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.sni_cluster.v3.SniCluster",
        } }),
        );
    }),
    ("somebody else's verdict", &["route"], |dump| {
        filters(dump).insert(
            1,
            json!({ "name": "set", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [{ "object_key": "wasm.keptn.upstream", "format_string": {
                "text_format_source": { "inline_string": "%REQ(x-upstream)%" },
            } }],
        } }),
        );
    }),
    ("switched off for the refusal", &["route"], |dump| {
        routes(dump)[4]["typed_per_filter_config"]["keptn-gateway"] =
            json!({ "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true });
    }),
    ("switched off for our hosts", &["route"], |dump| {
        host(dump)["typed_per_filter_config"]["keptn-gateway"] = json!({ "disabled": true });
    }),
    ("another name of the cluster", &["route"], |dump| {
        behind(
            dump,
            json!({ "name": "both", "cluster_type": {
            "name": "envoy.clusters.aggregate", "typed_config": { "clusters": ["other", API] },
        } }),
        );
    }),
    ("another name of the service", &["route"], |dump| {
        behind(
            dump,
            json!({ "name": "outbound|80||alias.example.org", "load_assignment": { "endpoints": [
            { "lb_endpoints": [{ "endpoint": { "address": { "socket_address": {
                "address": "configuration-service.keptn.svc.cluster.local", "port_value": 8080,
            } } } }] },
        ] } }),
        );
    }),
    ("another name of the service, in other letters", &["route"], |dump| {
        behind(
            dump,
            json!({ "name": "outbound|8080||shop.internal", "load_assignment": { "endpoints": [
            { "lb_endpoints": [{ "endpoint": { "address": { "socket_address": {
                "address": "Configuration-Service.keptn.svc.cluster.local.", "port_value": 8080,
            } } } }] },
        ] } }),
        );
    }),
    ("another name of the service's pods", &["route"], |dump| {
        let shop = "outbound|8080||shop.internal";
        let endpoints = [API, CONFIGURATION, shop].map(|name| {
            let address = if name == API { "10.9.0.2" } else { "10.9.0.3" };
            let endpoint = json!({ "address": { "socket_address": { "address": address, "port_value": 8080 } } });
            let config = json!({ "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }] });
            json!({ "endpoint_config": config })
        });
        dump["configs"].as_array_mut().unwrap().push(json!({
            "@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump", "dynamic_endpoint_configs": endpoints,
        }));
        behind(dump, json!({ "name": shop }));
    }),
    ("a service of one's own, once open", &["route"], |dump| {
        configure(
            dump,
            &json!({
                "hosts": ["api.keptn"], "auth": { "cluster": API }, "upstreams": [{ "name": "mine" }],
            }),
        );
        for index in 0..2 {
            let config = &mut section(dump, "Routes")["dynamic_route_configs"][index]["route_config"];
            config["virtual_hosts"][0]["routes"].as_array_mut().unwrap().insert(0, json!({
                "name": "mine",
                "match": { "prefix": "/", "filter_state": [{ "key": "wasm.keptn.upstream", "string_match": { "exact": "mine" } }] },
                "route": { "cluster": "outbound|80||mine.keptn.svc.cluster.local", "timeout": "60s" },
            }));
        }
        behind(dump, json!({ "name": "outbound|80||mine.keptn.svc.cluster.local" }));
    }),
    ("one service without a route", &["route"], |dump| drop(routes(dump).drain(2..4))),
    ("no routes at all", &["route", "order"], |dump| {
        for index in 0..2 {
            let config = &mut section(dump, "Routes")["dynamic_route_configs"][index]["route_config"];
            config["virtual_hosts"][0]["routes"].as_array_mut().unwrap().drain(0..4);
        }
    }),
    ("redirects that are followed", &[], |dump| {
        routes(dump)[0]["route"]["internal_redirect_policy"] = json!({ "max_internal_redirects": 1 });
    }),
    ("a POST that is repeated", &[], |dump| {
        routes(dump)[0]["route"]["retry_policy"]["retry_on"] = json!("connect-failure,unavailable");
    }),
    ("Envoy's own time limit", &[], |dump| routes(dump)[0]["route"]["timeout"] = Value::Null),
    ("another route before", &["order"], |dump| routes(dump).insert(0, route_of_keptn())),
    ("another route between", &["order"], |dump| {
        routes(dump).insert(
            3,
            json!({ "name": "hello", "match": { "prefix": "/hello" }, "direct_response": { "status": 200 } }),
        );
    }),
    ("another route after", &[], |dump| routes(dump).push(route_of_keptn())),
    ("no refusal after", &[], |dump| drop(routes(dump).pop())),
    ("our hosts without a virtual host", &["order"], |dump| {
        for index in 0..2 {
            let config = &mut section(dump, "Routes")["dynamic_route_configs"][index]["route_config"];
            config["virtual_hosts"][0]["domains"] = json!(["api.keptn.example.org"]);
        }
    }),
    ("a refused listener", &["update"], |dump| {
        listener(dump)["error_state"]["details"] = json!(
            "Failed to load certificate chain from <inline>,\n only P-256, P-384 or P-521 ECDSA certificates"
        );
    }),
    ("refused routes", &["update"], |dump| {
        section(dump, "Routes")["dynamic_route_configs"][0]["error_state"]["details"] =
            json!("route: unknown cluster");
    }),
    ("a listener that waits for its certificate", &["update"], |dump| {
        let state = listener(dump)["active_state"].take();
        listener(dump)["warming_state"] = state;
        section(dump, "Secrets")["dynamic_warming_secrets"] =
            json!([{ "name": "kubernetes://keptn-gateway-certificate" }]);
    }),
    ("a listener that waits, beside one that serves", &["update"], |dump| {
        let state = listener(dump)["active_state"].clone();
        listener(dump)["warming_state"] = state;
    }),
    ("a service that is not there", &["cluster"], |dump| {
        clusters(dump).retain(|cluster| cluster["cluster"]["name"] != CONFIGURATION);
    }),
    // Seen: a ServiceEntry with the Service's host in a namespace of others, while the Service was deleted.
    ("a service that somebody else is", &["cluster"], |dump| {
        let cluster = clusters(dump).iter_mut().find(|cluster| cluster["cluster"]["name"] == API).unwrap();
        let host = "api-service.keptn.svc.cluster.local";
        cluster["cluster"]["metadata"]["filter_metadata"]["istio"]["services"] =
            json!([{ "name": host, "namespace": "sockshop-dev", "host": host }]);
    }),
    ("tokens checked nowhere", &["cluster"], |dump| {
        configure(
            dump,
            &json!({ "hosts": ["api.keptn"], "auth": { "cluster": "outbound|80||api-service.keptn.svc.cluster.local" } }),
        );
    }),
    ("another application without its service", &[], |dump| {
        foreign(dump)["route"]["cluster"] = json!("gone")
    }),
    ("a cluster without a goal of its own", &[], |dump| {
        behind(
            dump,
            json!({ "name": "anywhere", "cluster_type": { "name": "envoy.clusters.dynamic_forward_proxy" } }),
        );
    }),
    ("half a dump", &["dump", "cluster"], |dump| {
        dump["configs"]
            .as_array_mut()
            .unwrap()
            .retain(|one| !one["@type"].as_str().unwrap().ends_with(".ClustersConfigDump"));
    }),
];
