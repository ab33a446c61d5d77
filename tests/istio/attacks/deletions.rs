//! Every subset of our objects taken out, while strangers keep trying.

use super::strangers::Strangers;
use crate::support::{
    CARTS, HTTP, Lab, Mode, chains, get, listeners, route_configurations, section, send, stranger,
};
use serde_json::Value;
use testbed::{
    Result,
    client::{Raw, Request},
    wait::until,
};

/// One of our objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    ApiRule,
    ConfigurationRule,
    Routes,
    Filter,
    VirtualService,
    Gateway,
}
use Object::{ApiRule, ConfigurationRule, Filter, Gateway, Routes, VirtualService};

impl Object {
    /// Namespace and name.
    fn of(self, mode: Mode) -> (&'static str, &'static str) {
        match self {
            ApiRule => ("keptn", "destinationrule/keptn-gateway-api-service"),
            ConfigurationRule => ("keptn", "destinationrule/keptn-gateway-configuration-service"),
            Routes => ("istio-system", "envoyfilter/keptn-gateway-routes"),
            Filter => ("istio-system", mode.filter()),
            VirtualService => ("keptn", "virtualservice/keptn-gateway"),
            Gateway => ("istio-system", "gateway/public-gateway"),
        }
    }

    /// Its manifest.
    fn manifest(self, mode: Mode, manifests: &str) -> String {
        let (kind, name) = self.of(mode).1.split_once('/').expect("a kind and a name");
        let is_it = |document: &&str| {
            let line = |wanted: &str| document.lines().any(|line| line.eq_ignore_ascii_case(wanted));
            line(&format!("kind: {kind}")) && line(&format!("  name: {name}"))
        };
        manifests.split("\n---\n").find(is_it).expect("it is in the manifests").to_owned()
    }
}

/// Takes out every subset of `objects`, each differing from the one before by one object (Gray's code), so the last of
/// `objects` is the one that changes least.
async fn every_subset(mode: Mode, objects: &[Object]) -> Result<()> {
    let lab = Lab::with(mode).await?;
    let manifests = lab.manifests(mode).await?;
    let strangers = Strangers::start().await?;
    let mut out: Vec<Object> = Vec::new();
    for step in 1_u32..1 << objects.len() {
        let object = objects[step.trailing_zeros() as usize];
        if let Some(index) = out.iter().position(|gone| *gone == object) {
            out.remove(index);
            lab.apply_text(&object.manifest(mode, &manifests)).await?;
        } else {
            out.push(object);
            let (namespace, name) = object.of(mode);
            lab.kubectl(&["-n", namespace, "delete", name]).await?;
        }
        closed_without(&lab, mode, &out, &strangers).await?;
    }
    for object in out {
        lab.apply_text(&object.manifest(mode, &manifests)).await?;
    }
    lab.serves().await?;
    strangers.stop(&lab).await;
    Ok(())
}

/// What must be while these objects are out.
async fn closed_without(lab: &Lab, mode: Mode, out: &[Object], strangers: &Strangers) -> Result<()> {
    let when = format!("{mode:?} without {out:?}");
    let is_in = |object: Object| !out.contains(&object);
    lab.until_dump(&when, |dump| is_without(dump, out)).await?;
    if !is_in(Gateway) {
        until("nobody to listen", async || Raw::connect(HTTP).await.err()).await?;
        strangers.stayed_out(lab, &when);
        return Ok(());
    }
    let (good, bad) = match (is_in(VirtualService), is_in(Routes), is_in(Filter)) {
        (true, true, true) => (200, 401),
        (true, false, true) => (503, 401),
        (true, _, false) => (503, 503),
        (false, _, true) => (404, 401),
        (false, _, false) => (404, 404),
    };
    // Envoy's worker learns a moment after its main thread.
    until(format!("{good} and {bad}, {when}"), async || {
        let honest = send(&get("/configuration-service/v1/project")).await.ok()?;
        let other = send(&stranger("/v1/event?stranger")).await.ok()?;
        ((honest.status, other.status) == (good, bad)).then_some(())
    })
    .await?;
    strangers.stayed_out(lab, &when);

    let targets = ["/v1/event", "/configuration-service/v1/project", "/swagger.json"];
    let websocket = stranger("/").header("connection", "upgrade").header("upgrade", "websocket");
    let websocket = websocket.header("token", lab.api.channel_token()).header("sec-websocket-version", "13");
    let websocket = websocket.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for request in targets.map(get).iter().chain([&websocket]) {
        let answer = send(request).await?;
        let arrived = lab.api.records.forwarded().len() + lab.configuration.records.count();
        let expected = usize::from(good == 200);
        assert_eq!(arrived, expected, "{when}: {request:?}: {answer:?}");
        assert!(good == 200 || answer.status == good, "{when}: {request:?}: {answer:?}");
        strangers.stayed_out(lab, &when);
    }
    strangers.keep_trying().await?;
    strangers.stayed_out(lab, &when);

    send(&Request::get("/carts").header("host", CARTS)).await?;
    assert_eq!(lab.carts.records.take().len(), 1, "{when}: another application");
    Ok(())
}

/// Envoy's configuration has everything but these.
fn is_without(dump: &Value, out: &[Object]) -> bool {
    let is_in = |object: Object| !out.contains(&object);
    let listeners = listeners(dump);
    let active = listeners.iter().filter(|listener| !listener.active.is_null()).count();
    if listeners.iter().any(|listener| !listener.warming.is_null()) || (active > 0) != is_in(Gateway) {
        return false;
    }
    let clusters = &section(dump, "ClustersConfigDump")["dynamic_active_clusters"];
    let has_rule = |service: &str| {
        let name = format!("outbound|8080||{service}.keptn.svc.cluster.local");
        let ours =
            clusters.as_array().into_iter().flatten().find(|cluster| cluster["cluster"]["name"] == *name);
        ours.is_some_and(|cluster| cluster["cluster"]["connect_timeout"] == "1s")
    };
    if has_rule("api-service") != is_in(ApiRule)
        || has_rule("configuration-service") != is_in(ConfigurationRule)
    {
        return false;
    }
    if !is_in(Gateway) {
        return true;
    }
    let is_ours = |name: &String| name.contains("keptn-gateway");
    let has_filter = |(_, names): &(String, Vec<String>)| names.iter().any(is_ours) == is_in(Filter);
    let routes = Value::from(route_configurations(dump)).to_string();
    let has_routes = |name: &str| routes.contains(&format!("\"name\":\"{name}\""));
    chains(dump).iter().all(has_filter)
        && has_routes("keptn-gateway-not-loaded") == is_in(VirtualService)
        && has_routes("keptn-gateway-api-service") == (is_in(VirtualService) && is_in(Routes))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_through_without_any_of_our_objects() -> Result<()> {
    let all = [ApiRule, ConfigurationRule, Routes, Filter, VirtualService, Gateway];
    every_subset(Mode::EnvoyFilter, &all).await
}

/// The rules have nothing to do with how the filter gets in.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_through_without_any_of_our_objects_in_the_other_modes() -> Result<()> {
    for mode in [Mode::EnvoyFilterHttp, Mode::WasmPlugin, Mode::TrafficExtension] {
        every_subset(mode, &[Routes, Filter, VirtualService, Gateway]).await?;
    }
    Ok(())
}
