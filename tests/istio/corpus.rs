//! The corpus through Istio's ingress gateway, on port 80, with the manifests as they are shipped but for what a file of
//! the corpus asks for: its configuration, its hosts, its own upstreams.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testbed::{
    Result,
    client::{Raw, Request},
    keptn::{ApiService, Received, Settings},
    wait::until,
};

use crate::{
    agent::Agent,
    corpus::{self, File, Proxy},
    engine::{ANOTHER_APPLICATION, HONEST, Runs, Setup, other_services, own_upstreams},
    support::{HTTP, Lab, Mode},
};

/// The hosts of a file that leaves the configuration's `hosts` at its default: all are ours, but Istio has to know them.
const ALL_HOSTS: [&str; 3] = ["gateway.test", "other.test", "10.0.0.1"];

/// A dead VM is counted when it is replaced.
const RELOADS: &str = "wasm.keptn-gateway.vm_reload_success";

/// A cluster of Istio's, by what the corpus calls the upstream.
fn cluster(upstream: &str) -> String {
    match upstream {
        "api-service" | "configuration-service" => {
            format!("outbound|8080||{upstream}.keptn.svc.cluster.local")
        }
        own => format!("outbound|80||{}", host(own)),
    }
}

/// The host of a service that is no service of Kubernetes.
fn host(upstream: &str) -> String {
    format!("{upstream}.example.org")
}

/// Each file as it is; then those that know foreign hosts once more, with a route for all of them.
fn setups(files: &[File]) -> Vec<Setup<'_>> {
    let alone = files.iter().map(|file| Setup::new(file, Proxy::Istio));
    alone.chain(files.iter().filter_map(|file| Setup::shared(file, Proxy::Istio))).collect()
}

/// Those that have most to do with what comes before the filter.
const SAMPLE: [&str; 3] = ["hosts", "public", "websocket"];

#[tokio::test(flavor = "multi_thread")]
async fn every_request_gets_what_its_case_says() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let agent = Agent::current()?;
    // What one case makes the filter remember, such as that nobody answers, the next one is to find.
    agent.with_one_worker(&lab).await?;
    lab.serves().await?;
    let result = run(&lab, &corpus::read(), HTTP).await;
    agent.restarted(&lab, |_, value| value.to_owned(), &[]).await?;
    result
}

/// Some of its files by another way to the gateway. Afterwards the manifests are no longer as shipped.
pub(crate) async fn sample(lab: &Lab, gateway: SocketAddr) -> Result<()> {
    let mut files = corpus::read();
    files.retain(|file| SAMPLE.contains(&file.name));
    assert_eq!(files.len(), SAMPLE.len());
    run(lab, &files, gateway).await
}

async fn run(lab: &Lab, files: &[File], gateway: SocketAddr) -> Result<()> {
    lab.api.add_token("good");
    let setups = setups(files);
    // Where a ServiceEntry's endpoint may be.
    let settings = Settings { address: "10.9.0.1:0".parse().expect("an address"), ..Settings::default() };
    let others = other_services(files, &settings).await?;
    lab.apply_text(&service_entries(&others)).await?;
    route_to_own_upstreams(lab, files).await?;
    lab.api.records.take();
    lab.configuration.records.take();

    let (earlier, reloads) = (lab.access_log().len(), lab.stat(RELOADS).await?);
    let mut runs = Runs::default();
    for setup in &setups {
        if setup.shared {
            lab.apply_text(&foreign_route()).await?;
        }
        configure(lab, setup).await?;
        runs.send(setup, gateway, &lab.api).await;
    }
    let log = until("a line of the access log for each request", async || {
        Some(lab.access_log().split_off(earlier)).filter(|lines| runs.are_all_in(lines))
    })
    .await?;
    lab.kubectl(&["-n", "keptn", "delete", "virtualservice", ANOTHER_APPLICATION, "--ignore-not-found"])
        .await?;
    let own = [("api-service", &lab.api.records), ("configuration-service", &lab.configuration.records)];
    let others = others.iter().map(|(name, other)| (name.as_str(), &other.records));
    let received = own.into_iter().chain(others);
    // Istio ends a cluster's name so where it is observed.
    let logged = |upstream: &str| format!("{};", cluster(upstream));
    // A listener of an earlier test that is still drained has a VM of its own, and that one may ask in the background about
    // the tokens it remembers. Nobody's address is with that.
    let is_somebodys = |received: &Received| !received.all("x-forwarded-for").is_empty();
    let received = received
        .map(|(name, records)| (name.to_owned(), records.take().into_iter().filter(is_somebodys).collect()));
    runs.judge(log, received, logged);
    assert_eq!(lab.stat(RELOADS).await?, reloads, "the VM has died");
    Ok(())
}

/// Puts the file's configuration and hosts in force.
async fn configure(lab: &Lab, setup: &Setup<'_>) -> Result<()> {
    let hosts: Vec<_> = match setup.file.config["hosts"].as_array() {
        None => ALL_HOSTS.map(str::to_owned).to_vec(),
        Some(hosts) => hosts.iter().filter_map(|host| for_istio(host.as_str()?)).collect(),
    };
    let of_hosts = json!([{ "op": "replace", "path": "/spec/hosts", "value": hosts }]);
    lab.patch("keptn", "virtualservice/keptn-gateway", &of_hosts).await?;

    lab.configure(|shipped| *shipped = configuration(setup, shipped)).await?;

    // So often that no worker is left out.
    let forced = async |host: &str, path: &str| {
        for _ in 0..16 {
            let request = Request::get(path).header("host", host).header("x-token", &setup.name);
            let response = Raw::connect_from(HONEST, HTTP).await.ok()?.send(&request).await.ok()?;
            if response.status != 200 {
                return None;
            }
        }
        Some(())
    };
    for host in &hosts {
        let what = format!("{} to be in force for {host}", setup.name);
        until(what, async || forced(host, "/configuration-service/v1/project").await).await?;
    }
    if setup.shared {
        until("the other application's route", async || forced("elsewhere.test", "/swagger.json").await)
            .await?;
    }
    Ok(())
}

/// The file's, with Istio's names from the manifest, and one more local token: that it is known shows that the
/// configuration is in force.
fn configuration(setup: &Setup<'_>, shipped: &Value) -> Value {
    let mut configuration = setup.file.config.clone();
    for key in ["cluster", "authority"] {
        configuration["auth"][key] = shipped["auth"][key].clone();
    }
    let sha256: String = Sha256::digest(&setup.name).iter().map(|byte| format!("{byte:02x}")).collect();
    let token = json!({ "name": "in-force", "sha256": sha256 });
    match configuration["tokens"].as_array_mut() {
        Some(tokens) => tokens.push(token),
        None => configuration["tokens"] = json!([token]),
    }
    configuration
}

/// A host as a VirtualService has it: it takes no address in brackets, and without them no request has it.
fn for_istio(host: &str) -> Option<String> {
    (!host.starts_with('[')).then(|| host.trim_end_matches('.').to_ascii_lowercase())
}

fn service_entries(others: &BTreeMap<String, ApiService>) -> String {
    let entry = |(name, other): (&String, &ApiService)| {
        let address = other.address();
        json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": { "name": name, "namespace": "keptn" },
            "spec": {
                "hosts": [host(name)],
                "location": "MESH_EXTERNAL",
                "resolution": "STATIC",
                "ports": [{ "number": 80, "name": "http", "protocol": "HTTP" }],
                "endpoints": [{ "address": address.ip(), "ports": { "http": address.port() } }],
            },
        })
        .to_string()
    };
    others.iter().map(entry).collect::<Vec<_>>().join("\n---\n")
}

/// A route for all hosts that nobody else has.
fn foreign_route() -> String {
    let destination = json!({ "host": host(ANOTHER_APPLICATION), "port": { "number": 80 } });
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": { "name": ANOTHER_APPLICATION, "namespace": "keptn" },
        "spec": {
            "hosts": ["*"],
            "gateways": ["istio-system/public-gateway"],
            "http": [{ "route": [{ "destination": destination }] }],
        },
    })
    .to_string()
}

/// Routes that are pinned to filter state, like that of `api-service`.
async fn route_to_own_upstreams(lab: &Lab, files: &[File]) -> Result<()> {
    let shown = lab.object("istio-system", "envoyfilter/keptn-gateway-routes").await?;
    let patches = shown["spec"]["configPatches"].as_array().expect("patches");
    let of_api_service = |patch: &&Value| patch["patch"]["value"]["name"] == "keptn-gateway-api-service";
    let route = patches.iter().find(of_api_service).expect("api-service's route").to_string();
    let added = files.iter().flat_map(own_upstreams).map(|upstream| {
        let route =
            route.replace(&cluster("api-service"), &cluster(&upstream)).replace("api-service", &upstream);
        let route: Value = serde_json::from_str(&route).expect("still JSON");
        json!({ "op": "add", "path": "/spec/configPatches/-", "value": route })
    });
    lab.patch("istio-system", "envoyfilter/keptn-gateway-routes", &added.collect()).await
}
