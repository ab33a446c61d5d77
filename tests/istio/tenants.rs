//! Other teams that write Istio's objects: what they can do to Keptn's gateway, and the policy that keeps them from it.

use std::process::Command;

use serde_json::{Value, json};
use testbed::{
    Error, Result,
    client::{Raw, Request},
    wait::until,
};

use crate::support::{ADMIN, Lab, Mode, output, repository, send};

const POLICY: &str = "manifests/istio/tenants";
const SHOP: &str = "shop.example.org";

const HOST_IS_OURS: &str = "keptn-gateway: the host of Keptn's API belongs to the namespace keptn";
const NAME_IS_OURS: &str = "keptn-gateway: hosts of the namespace keptn belong to it";
const SERVICE_IS_OURS: &str = "keptn-gateway: only the namespace keptn leads to its services";
const OTHER_NAME: &str = "keptn-gateway: other names for hosts of the namespace keptn";
const PODS_ARE_OURS: &str =
    "keptn-gateway: Gateways on the ingress gateway's pods belong to the namespace istio-system";

/// The policy, which is no namespace's: no other test knows of it, and so it ends with this one, also when it fails.
struct Policy;

impl Drop for Policy {
    fn drop(&mut self) {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["delete", "--ignore-not-found", "-k", POLICY]).current_dir(repository());
        let ended = kubectl.status().is_ok_and(|status| status.success());
        assert!(ended || std::thread::panicking(), "the policy is still there");
    }
}

/// Another team's object.
fn theirs(version: &str, kind: &str, spec: Value) -> Value {
    json!({
        "apiVersion": version, "kind": kind, "spec": spec,
        "metadata": { "name": "theirs", "namespace": "sockshop-dev" },
    })
}

fn istio(kind: &str, spec: Value) -> Value {
    theirs("networking.istio.io/v1", kind, spec)
}

fn to(host: &str) -> Value {
    json!({ "destination": { "host": host, "port": { "number": 8080 } } })
}

/// Hosts on Keptn's Gateway, all of them for carts.
fn hosts(hosts: &[&str]) -> Value {
    routes("http", json!({ "route": [to("carts.sockshop-dev.svc.cluster.local")] }), hosts)
}

fn routes(protocol: &str, route: Value, hosts: &[&str]) -> Value {
    istio(
        "VirtualService",
        json!({ "hosts": hosts, "gateways": ["istio-system/public-gateway"], protocol: [route] }),
    )
}

fn gateway(selector: Value) -> Value {
    let server = json!({ "port": { "number": 80, "name": "http", "protocol": "HTTP" }, "hosts": ["*"] });
    istio("Gateway", json!({ "selector": selector, "servers": [server] }))
}

fn entry(host: &str, address: &str) -> Value {
    let port = json!({ "number": 8080, "name": "http", "protocol": "HTTP" });
    istio(
        "ServiceEntry",
        json!({ "hosts": [host], "ports": [port], "resolution": "DNS", "endpoints": [{ "address": address }] }),
    )
}

fn external_name(host: &str) -> Value {
    theirs("v1", "Service", json!({ "type": "ExternalName", "externalName": host }))
}

/// What is refused, and how.
fn attacks() -> Vec<(&'static str, Value)> {
    const CONFIGURATION: &str = "configuration-service.keptn.svc.cluster.local";
    let carts = "carts.sockshop-dev.svc.cluster.local";
    let mut all = Vec::new();
    for host in [
        CONFIGURATION,
        "configuration-service.keptn.svc.cluster.local.",
        "Configuration-Service.KEPTN.svc.Cluster.Local",
        "configuration-service.keptn.svc",
        "configuration-service.keptn",
        "configuration-service.keptn.",
        "configuration-service.keptn.svc.of.another.cluster",
        "api-service.keptn.svc.cluster.local",
        "mongodb-datastore.keptn.svc.cluster.local",
    ] {
        let half = |host| {
            let mut half = to(host);
            half["weight"] = 50.into();
            half
        };
        let route = json!({ "route": [half(carts), half(host)] });
        all.push((SERVICE_IS_OURS, routes("http", route, &[SHOP])));
    }
    let mirror = json!({ "route": [to(carts)], "mirror": { "host": CONFIGURATION } });
    let mirrors = json!({ "route": [to(carts)], "mirrors": [to(carts), to(CONFIGURATION)] });
    let tcp = json!({ "route": [to(CONFIGURATION)] });
    let tls = json!({ "match": [{ "port": 443, "sniHosts": [SHOP] }], "route": [to(CONFIGURATION)] });
    all.push((SERVICE_IS_OURS, routes("http", mirror, &[SHOP])));
    all.push((SERVICE_IS_OURS, routes("http", mirrors, &[SHOP])));
    all.push((SERVICE_IS_OURS, routes("tcp", tcp, &[SHOP])));
    all.push((SERVICE_IS_OURS, routes("tls", tls, &[SHOP])));
    for host in [
        "api.keptn.example.org",
        "API.keptn.Example.org",
        "api.keptn",
        "api.keptn.of.another.domain",
        "*",
        "*.org",
        "*.example.org",
        "*.keptn.example.org",
        "*.Keptn.example.org",
        "*.keptn",
    ] {
        // Istio takes no host beside a wildcard that covers it.
        let all_hosts = if host.starts_with('*') { vec![host] } else { vec![SHOP, host] };
        all.push((HOST_IS_OURS, hosts(&all_hosts)));
    }
    for host in [CONFIGURATION, "configuration-service.keptn", "*.keptn.svc.cluster.local"] {
        all.push((NAME_IS_OURS, hosts(&[host])));
        all.push((NAME_IS_OURS, entry(host, "carts.example.net")));
    }
    for host in ["*.svc.cluster.local", "*.local"] {
        all.push((NAME_IS_OURS, entry(host, "carts.example.net")));
    }
    for host in [CONFIGURATION, "Configuration-Service.keptn.svc", "configuration-service.keptn"] {
        all.push((OTHER_NAME, entry("shop.internal", host)));
        all.push((OTHER_NAME, istio("WorkloadEntry", json!({ "address": host }))));
    }
    all.push((OTHER_NAME, external_name(CONFIGURATION)));
    for selector in [
        json!({ "istio": "ingressgateway" }),
        json!({ "istio": "ingressgateway", "app": "shop" }),
        json!({ "app": "istio-ingressgateway" }),
        json!({}),
    ] {
        all.push((PODS_ARE_OURS, gateway(selector)));
    }
    all
}

/// What goes on as before.
fn applications() -> Vec<Value> {
    let carts = "carts.sockshop-dev.svc.cluster.local";
    let own = json!({ "hosts": ["*"], "gateways": ["theirs", "./theirs", "sockshop-dev/theirs"], "http": [{ "route": [to(carts)] }] });
    let copies =
        json!({ "route": [to(carts)], "mirror": { "host": "keptn.sockshop-dev.svc.cluster.local" } });
    let redirect = json!({ "redirect": { "authority": "api.keptn.example.org" } });
    vec![
        hosts(&[SHOP, "*.shop.example.org", "keptn.example.org", "api.keptnish.example.org"]),
        routes("http", copies, &[SHOP]),
        routes("http", redirect, &[SHOP]),
        istio("VirtualService", own),
        gateway(json!({ "istio": "shop" })),
        entry("*.example.net", "shop.example.net"),
        istio("WorkloadEntry", json!({ "address": "10.9.0.4" })),
        external_name("keptn.example.net"),
        theirs("v1", "Service", json!({ "ports": [{ "name": "http", "port": 8080 }] })),
    ]
}

/// What the API says of an object, which it does not keep.
async fn said(object: &Value) -> Result<(bool, String)> {
    let arguments = ["create", "--dry-run=server", "-f", "-"];
    let output = output("kubectl", &arguments, Some(&object.to_string())).await?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// What `gatectl verify` says to the gateway as it is, its endpoints included.
async fn verified() -> Result<String> {
    let dump = Raw::connect(ADMIN).await?.send(&Request::get("/config_dump?include_eds")).await?;
    let said = output("gatectl", &["verify", "--domain", "example.org", "-"], Some(&dump.text())).await?;
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_policy_another_team_goes_around_the_gateway_and_verify_finds_it() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let copied = json!({
        "match": [{ "uri": { "prefix": "/copied" } }],
        "route": [to("carts.sockshop-dev.svc.cluster.local")],
        "mirror": { "host": "configuration-service.keptn.svc.cluster.local", "port": { "number": 8080 } },
    });
    let straight = json!({ "route": [to("configuration-service.keptn.svc.cluster.local")] });
    let mut object = routes("http", copied, &[SHOP]);
    object["spec"]["http"].as_array_mut().expect("routes").push(straight);
    lab.apply_text(&object.to_string()).await?;

    for target in ["/v1/project", "/copied"] {
        until(format!("{target} at configuration-service"), async || {
            send(&Request::get(target).header("host", SHOP)).await.ok()?;
            lab.configuration.records.take().iter().any(|it| it.target == target.as_bytes()).then_some(())
        })
        .await?;
    }
    let found = verified().await?;
    for words in [
        "number 1 of virtual host shop.example.org:80: sends copies to ",
        "number 2 of virtual host shop.example.org:80: leads to ",
    ] {
        assert!(
            found.lines().any(|line| line.starts_with("PROBLEM") && line.contains(words)),
            "{words}:\n{found}"
        );
    }

    // By the pods' addresses, which the policy does not stop.
    lab.apply_text(&routes("http", json!({ "route": [to("shop.internal")] }), &[SHOP]).to_string()).await?;
    let mut entry = entry("shop.internal", "10.9.0.3");
    entry["spec"]["resolution"] = "STATIC".into();
    lab.apply_text(&entry.to_string()).await?;
    until("`gatectl verify` to find the pods' addresses", async || {
        let found = verified().await.ok()?;
        found.lines().any(|line| line.starts_with("PROBLEM") && line.contains("shop.internal")).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_policy_other_teams_are_refused_and_applications_are_not() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    // The API takes each of them as long as there is no policy: what refuses them below is the policy.
    let mut refused = Vec::new();
    for (_, object) in attacks() {
        let (taken, said) = said(&object).await?;
        refused.extend((!taken).then(|| format!("{object}: {said}")));
    }
    assert!(refused.is_empty(), "{refused:#?}");
    let _policy = Policy;
    lab.apply(POLICY).await?;
    let attacks = attacks();
    until("the policy to be in force", async || said(&attacks[0].1).await.ok().filter(|(taken, _)| !taken))
        .await?;
    for (message, object) in &attacks {
        let (taken, said) = said(object).await?;
        assert!(!taken && said.contains(message), "{object}: {said}");
    }
    for object in applications() {
        let (taken, said) = said(&object).await?;
        assert!(taken, "{object}: {said}");
    }

    // A change of what is there is judged as well.
    let change = json!([{ "op": "replace", "path": "/spec/hosts/0", "value": "api.keptn.example.org" }]);
    let refused = lab.patch("sockshop-dev", "virtualservice/carts", &change).await;
    let refused = refused.err().map(|error: Error| error.to_string()).unwrap_or_default();
    assert!(refused.contains(HOST_IS_OURS), "{refused}");

    let again = lab.apply(POLICY).await?;
    assert!(again.lines().count() == 2 && again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    lab.kubectl(&["delete", "-f", "tests/istio/others.yaml"]).await?;
    lab.kubectl(&["delete", "-k", Mode::EnvoyFilter.overlay()]).await?;
    lab.apply("tests/istio/others.yaml").await?;
    for mode in Mode::ALL {
        lab.apply_mode(mode).await?;
    }
    Ok(())
}
