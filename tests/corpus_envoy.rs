//! The corpus through a real Envoy: the shipped `envoy.yaml`, its services replaced by stand-ins, and one listener for
//! each file and each way to set Envoy up that must not matter.

#[allow(dead_code, reason = "why the gate does not run a case is for the other engine")]
#[path = "corpus/mod.rs"]
mod corpus;
#[path = "corpus/engine.rs"]
mod engine;

use corpus::{File, Proxy};
use engine::{ANOTHER_APPLICATION, Runs, Setup, other_services, own_upstreams};
use serde_json::{Value, json};
use testbed::{
    Bootstrap, Envoy,
    bootstrap::Listener,
    keptn::{ApiService, ConfigurationService, Settings},
};

fn setups(files: &[File]) -> Vec<Setup<'_>> {
    let of_file = |file| {
        let ways = [Proxy::Plain, Proxy::Normalized].map(|proxy| Setup::new(file, proxy));
        ways.into_iter().chain(Setup::shared(file, Proxy::Plain))
    };
    files.iter().flat_map(of_file).collect()
}

fn listen(bootstrap: Bootstrap, setup: &Setup<'_>) -> Bootstrap {
    bootstrap.another_listener(&setup.name, |listener| {
        // One VM for all of them, and a root of its own for each: those of the same id and configuration would be
        // one, which remembers what `/v1/auth` was answered on another listener.
        let listener = listener.vm_id("corpus").root_id(&setup.name);
        let listener = listener.configuration(setup.file.config.clone());
        let listener = listener.normalize_path(setup.proxy == Proxy::Normalized);
        let listener = own_upstreams(setup.file).into_iter().fold(listener, route_to);
        if setup.shared { foreign_route(listener) } else { listener }
    })
}

fn routes(manager: &mut Value) -> &mut Vec<Value> {
    manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().expect("a list of routes")
}

/// One more route that is pinned to filter state, like that of `api-service`.
fn route_to(listener: Listener, upstream: String) -> Listener {
    listener.edit_manager(|manager| {
        let mut route =
            routes(manager).iter().find(|route| route["name"] == "api-service").expect("a route").clone();
        route["name"] = json!(upstream);
        route["match"]["filter_state"][0]["string_match"]["exact"] = json!(upstream);
        route["route"]["cluster"] = json!(upstream);
        routes(manager).push(route);
    })
}

fn foreign_route(listener: Listener) -> Listener {
    listener.edit_manager(|manager| {
        let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": ANOTHER_APPLICATION } });
        routes(manager).push(route);
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_gets_what_its_case_says() -> testbed::Result<()> {
    let files = corpus::read();
    let setups = setups(&files);

    let api = ApiService::start("good").await?;
    let configuration = ConfigurationService::start().await?;
    let others = other_services(&files, &Settings::default()).await?;
    let bootstrap = Bootstrap::shipped()
        .cluster("api-service", api.address())
        .cluster("configuration-service", configuration.address());
    let bootstrap = others
        .iter()
        .fold(bootstrap, |bootstrap, (name, other)| bootstrap.another_cluster(name, other.address()));
    let envoy = Envoy::start(&setups.iter().fold(bootstrap, listen)).await?;

    let mut runs = Runs::default();
    for setup in &setups {
        runs.send(setup, envoy.listener(&setup.name), &api).await;
    }
    let log = envoy.wait_for_access_log("a line for each request", |lines| runs.are_all_in(lines)).await?;
    let received =
        [("api-service", api.records.take()), ("configuration-service", configuration.records.take())]
            .map(|(name, records)| (name.to_owned(), records))
            .into_iter()
            .chain(others.into_iter().map(|(name, other)| (name, other.records.take())));
    runs.judge(log, received, str::to_owned);

    // No request has killed the VM: a dead one is counted when it is replaced.
    let stats = envoy.stats().await?;
    assert_eq!(stats.get("wasm.keptn-gateway.vm_reload_success"), Some(&0), "the VM has died");
    Ok(())
}
