//! What our objects change in the gateway's configuration, and what not.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use crate::agent::Agent;
use crate::mount::deployment;
use crate::support::{
    API, BRIDGE, CARTS, CERTIFICATES, HTTP, Lab, Mode, connection_managers, get, listeners, output,
    repository, route_configurations, section, send, stranger, variable,
};
use serde_json::{Value, json};
use testbed::{
    Bootstrap, Error, Result,
    client::{H2, Raw, Request, WebSocket},
    wait::until,
};

const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15000);
const GATEWAY: &str = "manifests/istio/base/public-gateway.yaml";
pub(crate) const WIDE: &str = "manifests/istio/gateway-wide";
const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// An application that answers for every host that nobody else has.
const EVERYTHING: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: everything, namespace: sockshop-dev }
spec:
  hosts: ['*']
  gateways: [istio-system/public-gateway]
  http: [{ route: [{ destination: { host: carts.sockshop-dev.svc.cluster.local, port: { number: 8080 } } }] }]
";
const NAME_OF_EVERYTHING: &str = "virtualservice/everything";

/// What Envoy was told, by kind and name, without when and as which version.
#[derive(Debug)]
struct Told {
    listeners: BTreeMap<String, Value>,
    routes: BTreeMap<String, Value>,
    clusters: BTreeMap<String, Value>,
}

impl Told {
    fn of(dump: &Value) -> Self {
        let named = |value: Value| (value["name"].as_str().unwrap_or_default().to_owned(), value);
        let clusters = section(dump, "ClustersConfigDump")["dynamic_active_clusters"].as_array();
        Self {
            listeners: listeners(dump)
                .into_iter()
                .map(|it| (it.name.to_owned(), it.active.clone()))
                .collect(),
            routes: route_configurations(dump).into_iter().map(named).collect(),
            clusters: clusters.into_iter().flatten().map(|entry| named(entry["cluster"].clone())).collect(),
        }
    }
}

/// Both ports have come up, and wait for nothing.
pub(crate) fn listens(dump: &Value) -> bool {
    let all = listeners(dump);
    all.len() == 2 && all.iter().all(|one| one.active.is_object() && one.warming.is_null())
}

fn filters(manager: &Value) -> Vec<&str> {
    let filters = manager["http_filters"].as_array().into_iter().flatten();
    filters.filter_map(|filter| filter["name"].as_str()).collect()
}

fn is_ours(filter: &str) -> bool {
    filter.contains("keptn-gateway")
}

fn virtual_hosts(configuration: &Value) -> &[Value] {
    configuration["virtual_hosts"].as_array().map_or(&[], Vec::as_slice)
}

fn route_names(host: &Value) -> Vec<&str> {
    let routes = host["routes"].as_array().into_iter().flatten();
    routes.map(|route| route["name"].as_str().unwrap_or_default()).collect()
}

fn of_api(host: &Value) -> bool {
    host["domains"].as_array().is_some_and(|domains| domains.contains(&json!(API)))
}

/// In the order in which they are tried.
const ROUTES: [&str; 5] = [
    "keptn-gateway-api-service-open",
    "keptn-gateway-api-service",
    "keptn-gateway-configuration-service-open",
    "keptn-gateway-configuration-service",
    "keptn-gateway-not-loaded",
];

/// All of ours has come to Envoy.
fn has_all(dump: &Value) -> bool {
    let has_filter = |(_, manager): &(String, Value)| filters(manager).iter().any(|name| is_ours(name));
    let has_routes = |configuration: &Value| {
        virtual_hosts(configuration).iter().any(|host| of_api(host) && route_names(host) == ROUTES)
    };
    let clusters = Told::of(dump).clusters;
    let managers = connection_managers(dump);
    listens(dump)
        && managers.len() == 2
        && managers.iter().all(has_filter)
        && route_configurations(dump).iter().all(has_routes)
        && OUR_CLUSTERS.iter().all(|name| clusters.get(*name).is_some_and(|it| it["connect_timeout"] == "1s"))
}

const OUR_CLUSTERS: [&str; 2] = [
    "outbound|8080||api-service.keptn.svc.cluster.local",
    "outbound|8080||configuration-service.keptn.svc.cluster.local",
];

/// A certificate where the Gateway looks for it: port 443 comes up only then.
async fn certificate(lab: &Lab) -> Result<()> {
    let arguments = ["cert", "self-signed", "example.org", "--install", "compose", "-o", CERTIFICATES];
    lab.run("gatectl", &arguments, None).await.map(drop)
}

/// The Gateway and other applications, and nothing else of ours.
async fn without_ours() -> Result<(Lab, Told)> {
    let lab = Lab::start().await?;
    certificate(&lab).await?;
    lab.apply(GATEWAY).await?;
    lab.apply("tests/istio/others.yaml").await?;
    lab.apply_text(EVERYTHING).await?;
    let others = |dump: &Value| {
        let hosts = route_configurations(dump);
        listens(dump) && hosts.len() == 2 && hosts.iter().all(|it| virtual_hosts(it).len() == 3)
    };
    let dump = lab.until_dump("the other applications", others).await?;
    Ok((lab, Told::of(&dump)))
}

#[tokio::test(flavor = "multi_thread")]
async fn our_objects_change_nothing_but_what_is_ours() -> Result<()> {
    for mode in Mode::ALL {
        let (lab, before) = without_ours().await?;
        lab.apply_mode(mode).await?;
        let dump = lab.until_dump("all of ours", has_all).await?;
        let after = Told::of(&dump);

        assert_eq!(names(&before.listeners), names(&after.listeners), "{mode:?}");
        for (name, listener) in &after.listeners {
            assert_eq!(without_our_filter(listener), before.listeners[name], "{mode:?}: {name}");
        }

        assert_eq!(names(&before.routes), names(&after.routes), "{mode:?}");
        for (name, configuration) in &after.routes {
            let mut others = configuration.clone();
            let hosts = others["virtual_hosts"].as_array_mut().expect("virtual hosts");
            let ours: Vec<_> = hosts.extract_if(.., |host| of_api(host)).collect();
            assert_eq!(others, before.routes[name], "{mode:?}: {name}: other applications' routes");
            let [ours] = &ours[..] else { panic!("{mode:?}: {name}: {ours:#?}") };
            check_our_host(ours);
        }

        assert_eq!(names(&before.clusters), names(&after.clusters), "{mode:?}");
        for (name, cluster) in &after.clusters {
            let was = &before.clusters[name];
            if OUR_CLUSTERS.contains(&name.as_str()) {
                check_our_cluster(cluster, was);
            } else {
                assert_eq!(cluster, was, "{mode:?}: {name}");
            }
        }
    }
    Ok(())
}

fn names(map: &BTreeMap<String, Value>) -> Vec<&String> {
    map.keys().collect()
}

/// The listener without the filter, which must be there once.
fn without_our_filter(listener: &Value) -> Value {
    let mut listener = listener.clone();
    for chain in listener["filter_chains"].as_array_mut().into_iter().flatten() {
        for filter in chain["filters"].as_array_mut().into_iter().flatten() {
            if filter["name"] == MANAGER {
                let filters = filter["typed_config"]["http_filters"].as_array_mut().expect("filters");
                let ours = filters.extract_if(.., |it| it["name"].as_str().is_some_and(is_ours));
                assert_eq!(ours.count(), 1);
            }
        }
    }
    listener
}

/// Each way to a service demands the filter's verdict; the refusal is the last.
fn check_our_host(host: &Value) {
    assert_eq!(host["domains"], json!([API, "api.keptn"]));
    assert_eq!(route_names(host), ROUTES);
    let routes = host["routes"].as_array().expect("routes");
    let Some((refusal, ways)) = routes.split_last() else { panic!("no routes: {host:#}") };
    assert_eq!(refusal["direct_response"]["status"], 503);
    assert_eq!(refusal["match"], json!({ "prefix": "/" }));
    for way in ways {
        let name = way["name"].as_str().unwrap_or_default();
        let service =
            if name.contains("configuration-service") { "configuration-service" } else { "api-service" };
        let demand = json!([{ "key": "wasm.keptn.upstream", "string_match": { "exact": service } }]);
        assert_eq!(way["match"]["filter_state"], demand, "{name}");
        let route = &way["route"];
        assert_eq!(route["cluster"], format!("outbound|8080||{service}.keptn.svc.cluster.local"), "{name}");
        assert_eq!(route["timeout"], "60s", "{name}");
        let retries = json!({ "retry_on": "connect-failure,refused-stream", "num_retries": 1 });
        assert_eq!(route["retry_policy"], retries, "{name}");
        let priority = if name.ends_with("-open") { json!("HIGH") } else { Value::Null };
        assert_eq!(route["priority"], priority, "{name}");
        let header = &way["request_headers_to_add"][0];
        assert_eq!(
            header["header"],
            json!({ "key": "x-real-ip", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" })
        );
        assert_eq!(header["append_action"], "OVERWRITE_IF_EXISTS_OR_ADD");
    }
}

/// Only what the DestinationRules say. Both priorities keep their limits: Istio's (none) for what needs a token, and
/// Envoy's (1024 of everything) for what is open.
fn check_our_cluster(cluster: &Value, was: &Value) {
    let name = cluster["name"].as_str().unwrap_or_default();
    let options = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let idle = format!("{options}/common_http_protocol_options/idle_timeout");
    assert_eq!(cluster.pointer(&idle), Some(&json!("5s")), "{name}: {cluster:#}");
    assert_eq!(cluster["connect_timeout"], "1s", "{name}");
    let thresholds = cluster["circuit_breakers"]["thresholds"].as_array().expect("limits");
    let priorities: Vec<_> = thresholds.iter().map(|it| it["priority"].as_str()).collect();
    assert_eq!(priorities, [None], "{name}: only DEFAULT is limited explicitly");

    let (mut cluster, mut was) = (cluster.clone(), was.clone());
    for it in [&mut cluster, &mut was] {
        let it = it.as_object_mut().expect("a cluster");
        for changed in ["connect_timeout", "typed_extension_protocol_options"] {
            it.remove(changed);
        }
        // Where Istio says which object it is from.
        if let Some(istio) = it["metadata"].pointer_mut("/filter_metadata/istio") {
            istio.as_object_mut().expect("metadata").remove("config");
        }
    }
    assert_eq!(cluster, was, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_twice_changes_nothing() -> Result<()> {
    let lab = Lab::start().await?;
    certificate(&lab).await?;
    lab.apply("tests/istio/others.yaml").await?;
    for mode in Mode::ALL {
        lab.apply_mode(mode).await?;
        lab.apply(WIDE).await?;
        let dump = lab.until_dump("all of ours", |dump| has_all(dump) && is_wide(dump)).await?;
        // A change of somebody else's comes after all of ours: when it is there, nothing of ours is under way.
        lab.apply_text(EVERYTHING).await?;
        lab.until_dump("somebody else's change", |dump| hosts(dump) == 4).await?;
        let (before, pushes) = (Told::of(&dump), pushes(&lab).len());

        for said in [lab.apply_mode(mode).await?, lab.apply(WIDE).await?] {
            assert!(said.lines().count() >= 4, "{mode:?}: {said}");
            assert!(said.lines().all(|line| line.ends_with(" unchanged")), "{mode:?}: {said}");
        }
        lab.kubectl(&["-n", "sockshop-dev", "delete", NAME_OF_EVERYTHING]).await?;
        let dump = lab.until_dump("its end", |dump| hosts(dump) == 3).await?;
        let after = Told::of(&dump);
        assert_eq!(before.listeners, after.listeners, "{mode:?}");
        assert_eq!(before.clusters, after.clusters, "{mode:?}");
        assert_eq!(before.routes, after.routes, "{mode:?}");
        let pushes = &self::pushes(&lab)[pushes..];
        let [push] = pushes else { panic!("{mode:?}: not one push: {pushes:#?}") };
        assert!(push.contains(" 1 for config VirtualService/sockshop-dev/everything"), "{mode:?}: {push}");

        lab.kubectl(&["-n", "istio-system", "delete", mode.filter()]).await?;
    }
    Ok(())
}

/// How many hosts port 80 has.
fn hosts(dump: &Value) -> usize {
    route_configurations(dump)
        .iter()
        .find(|it| it["name"] == "http.80")
        .map_or(0, |it| virtual_hosts(it).len())
}

/// What istiod has sent for, a line for each time.
fn pushes(lab: &Lab) -> Vec<String> {
    lab.istiod_log().lines().filter(|line| line.contains("Push debounce stable")).map(Into::into).collect()
}

/// An Istio before 1.26 would drop `filter_state` and open the routes.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_too_old_gets_no_routes() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let object = lab.object("istio-system", "envoyfilter/keptn-gateway-routes").await?;
    let patches = object["spec"]["configPatches"].as_array().expect("patches");
    assert_eq!(patches.len(), ROUTES.len() - 1);
    for patch in patches {
        let versions = patch["match"]["proxy"]["proxyVersion"].as_str().expect("versions");
        for (version, fits) in [
            ("1.9.0", false),
            ("1.25.0", false),
            ("1.25.3", false),
            ("1.2.6", false),
            ("1.26.0", true),
            ("1.29.1-distroless", true),
            ("1.31.0-dev", true),
            ("1.100.0", true),
            ("2.0.0", true),
            ("0.126.0", false),
            ("11.26.0", false),
            ("unknown", false),
            ("", false),
        ] {
            // Go's expressions and these read this one alike.
            let found = output("grep", &["-cE", versions], Some(&format!("{version}\n"))).await?;
            assert_eq!(found.status.success(), fits, "{version:?} and {versions}");
        }
    }

    // The lab's own version taken out.
    let text = lab.manifests(Mode::EnvoyFilter).await?;
    let older = text.replace("[3-9][0-9]", "[4-9][0-9]");
    assert_ne!(text, older);
    lab.apply_text(&older).await?;
    let only_the_refusal = |dump: &Value| {
        let configurations = route_configurations(dump);
        !configurations.is_empty()
            && configurations.iter().all(|it| {
                let mut ours = virtual_hosts(it).iter().filter(|host| of_api(host));
                ours.all(|host| route_names(host) == ["keptn-gateway-not-loaded"])
            })
    };
    lab.until_dump("the routes' end", only_the_refusal).await?;
    lab.api.records.take();
    let answer = send(&get("/v1/event")).await?;
    assert_eq!((answer.status, answer.json()["message"].as_str()), (503, Some("gateway not loaded")));
    let answer = send(&stranger("/v1/event")).await?;
    assert_eq!(answer.status, 401);
    assert_eq!(lab.api.records.forwarded().len(), 0);
    Ok(())
}

/// Where `envoy.yaml` and gateway-wide/ say the same.
const MODEL: [&str; 8] = [
    "request_headers_timeout",
    "request_timeout",
    "stream_idle_timeout",
    "max_request_headers_kb",
    "common_http_protocol_options",
    "http_protocol_options",
    "http2_protocol_options",
    "always_set_request_id_in_response",
];
const BUFFERS: &str = "per_connection_buffer_limit_bytes";

/// The gateway's listener and connection manager as `envoy.yaml` has them.
fn model() -> (Value, Value) {
    let envoy = Bootstrap::shipped();
    let all = envoy.json()["static_resources"]["listeners"].as_array().expect("listeners");
    let listener = all.iter().find(|listener| listener["name"] == "gateway").expect("the gateway").clone();
    let manager = listener["filter_chains"][0]["filters"][0]["typed_config"].clone();
    assert_eq!(listener["filter_chains"][0]["filters"][0]["name"], MANAGER);
    (listener, manager)
}

/// All that gateway-wide/ sets has come to both ports.
fn is_wide(dump: &Value) -> bool {
    let (listener, manager) = model();
    let managers = connection_managers(dump);
    let same = |found: &Value| MODEL.iter().all(|key| found[key] == manager[key]);
    let buffers = listeners(dump).iter().all(|it| it.active[BUFFERS] == listener[BUFFERS]);
    listens(dump) && buffers && managers.len() == 2 && managers.iter().all(|(_, found)| same(found))
}

/// The connection managers and the listeners without what gateway-wide/ sets.
fn without_model(listener: &Value) -> Value {
    let mut listener = listener.clone();
    listener.as_object_mut().expect("a listener").remove(BUFFERS);
    for chain in listener["filter_chains"].as_array_mut().into_iter().flatten() {
        let manager = chain["filters"][0]["typed_config"].as_object_mut().expect("a connection manager");
        manager.retain(|key, _| !MODEL.contains(&key.as_str()));
    }
    listener
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_wide_is_what_envoy_yaml_says_and_nothing_else() -> Result<()> {
    let (lab, _) = without_ours().await?;
    lab.apply_mode(Mode::EnvoyFilter).await?;
    let before = Told::of(&lab.until_dump("all of ours", has_all).await?);
    lab.serves().await?;
    // What is missing without it: the files' tops say so.
    let offers = get("/swagger.json").header("connection", "upgrade").header("upgrade", "TLS/1.2");
    let answer = send(&offers).await?;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(send(&stranger("/v1/event")).await?.header("x-request-id"), None);

    lab.apply(WIDE).await?;
    let after = Told::of(&lab.until_dump("the values of envoy.yaml on both ports", is_wide).await?);
    assert_eq!((&before.routes, &before.clusters), (&after.routes, &after.clusters));
    assert_eq!(names(&before.listeners), names(&after.listeners));
    for (name, listener) in &after.listeners {
        assert_eq!(without_model(listener), without_model(&before.listeners[name]), "{name}");
    }

    // New connections may have the old listener for a moment.
    until("an offer to be dropped", async || {
        let answer = send(&offers).await.ok()?;
        (answer.status == 200 && answer.header("x-request-id").is_some()).then_some(())
    })
    .await?;
    let answer = H2::connect(HTTP).await?.send(&get("/swagger.json")).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let log_stream = stranger("/").header("token", lab.api.channel_token());
    WebSocket::http2(HTTP, log_stream).await?.open().close().await?;
    assert!(send(&stranger("/v1/event")).await?.header("x-request-id").is_some());

    // What asked for our hosts before they were ours.
    lab.carts.records.take();
    for (host, application) in [(CARTS, &lab.carts), (BRIDGE, &lab.bridge)] {
        let answer = send(&Request::get("/swagger.json").header("host", host)).await?;
        assert_eq!(answer.status, 200, "{host}");
        assert_eq!(application.records.take().len(), 1, "{host}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_is_that_of_envoy_yaml() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let logs = |dump: &Value| {
        let managers = connection_managers(dump);
        managers.into_iter().map(|(_, manager)| manager["access_log"].clone()).collect::<Vec<_>>()
    };
    // access-log.yaml says so: as long as the provider is not there, what mesh config asks for goes on.
    let before_it = logs(&lab.dump().await?);
    assert!(!before_it.is_empty() && before_it.iter().all(Value::is_array), "{before_it:?}");
    lab.apply(&format!("{WIDE}/access-log")).await?;
    until("istiod to know it", async || {
        let name = "for config Telemetry/istio-system/keptn-gateway-wide-access-log";
        pushes(&lab).iter().any(|push| push.contains(name)).then_some(())
    })
    .await?;
    assert_eq!(logs(&lab.dump().await?), before_it);

    let mesh = PathBuf::from(variable("LAB")).join("mesh.yaml");
    let before = fs::read_to_string(&mesh).map_err(Error::during("reading the mesh's configuration"))?;
    let values = repository().join(WIDE).join("access-log/mesh-config.yaml");
    let values = fs::read_to_string(values).map_err(Error::during("reading mesh-config.yaml"))?;
    let (_, provider) = values.split_once("\nmeshConfig:\n").expect("values");
    let provider: Vec<_> = provider.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let write =
        |text: &str| fs::write(&mesh, text).map_err(Error::during("writing the mesh's configuration"));
    write(&format!("{before}\n{}\n", provider.join("\n")))?;

    let (_, manager) = model();
    let fields = &manager["access_log"][0]["typed_config"]["log_format"]["json_format"];
    let result = async {
        let format = "/0/typed_config/log_format/json_format";
        lab.until_dump("the fields of envoy.yaml", |dump| {
            let logs = logs(dump);
            !logs.is_empty() && logs.iter().all(|log| log.pointer(format) == Some(fields))
        })
        .await?;
        until("the access log's line", async || {
            // A connection may still be the old listener's.
            send(&get("/v1/event?secret")).await.ok()?;
            let lines = lab.access_log();
            lines.into_iter().find(|line| line["path"] == "/v1/event" && line["upstream_host"].is_string())
        })
        .await
    }
    .await;
    write(&before)?;
    let line = result?;
    assert_eq!((&line["chosen"], &line["route"]), (&json!("api-service"), &json!(ROUTES[1])), "{line}");
    assert!(!line.to_string().contains("secret"), "{line}");
    Ok(())
}

/// What a pod of the gateway reads when it starts.
#[tokio::test(flavor = "multi_thread")]
async fn the_pods_know_the_proxies_before_them_and_label_the_reasons() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    // Without it a gateway that starts waits for 15 s.
    certificate(&lab).await?;
    lab.apply(&format!("{WIDE}/pods")).await?;
    lab.apply_text(&deployment().to_string()).await?;
    let patched = patch(&lab, "deployment", "deployment.yaml").await?;
    lab.kubectl(&["-n", "istio-system", "delete", "deployment", "istio-ingressgateway"]).await?;
    let template = &patched["spec"]["template"];
    let container = &template["spec"]["containers"][0];
    let path = container["env"].as_array().expect("environment").iter();
    let path = path.clone().find(|it| it["name"] == "ISTIO_BOOTSTRAP_OVERRIDE").expect("the place");
    let path = PathBuf::from(path["value"].as_str().expect("a path"));
    let named = |list: &Value| {
        let items = list.as_array().expect("a list").iter();
        items.clone().find(|item| item["name"] == "keptn-gateway-wide-bootstrap").expect("ours").clone()
    };
    assert_eq!(named(&container["volumeMounts"])["mountPath"].as_str().map(Path::new), path.parent());
    let volume = named(&template["spec"]["volumes"]);
    let map = format!("configmap/{}", volume["configMap"]["name"].as_str().expect("a ConfigMap"));
    let data = lab.object("istio-system", &map).await?["data"].clone();
    let file = path.file_name().and_then(|name| name.to_str()).expect("a file");

    lab.kubectl(&[
        "-n",
        "istio-system",
        "patch",
        "service",
        "istio-ingressgateway",
        "-p",
        r#"{"spec":{"type":"LoadBalancer"}}"#,
    ])
    .await?;
    let service = patch(&lab, "service", "service.yaml").await?;
    lab.kubectl(&[
        "-n",
        "istio-system",
        "patch",
        "service",
        "istio-ingressgateway",
        "-p",
        r#"{"spec":{"type":"ClusterIP"}}"#,
    ])
    .await?;
    assert_eq!(service["spec"]["externalTrafficPolicy"], "Local");

    // As a pod gets it: the file, and the annotation, which Istio puts into PROXY_CONFIG.
    let folder = PathBuf::from(variable("LAB")).join("custom-bootstrap");
    let file_here = folder.join(file);
    fs::create_dir_all(&folder).map_err(Error::during("making a folder"))?;
    fs::write(&file_here, data[file].as_str().expect("its text")).map_err(Error::during("writing"))?;
    let annotation = template["metadata"]["annotations"]["proxy.istio.io/config"].as_str().expect("a value");
    assert!(annotation.contains("\"numTrustedProxies\":0"), "{annotation}");
    let one = annotation.replace(":0", ":1");
    let one = one.strip_prefix('{').and_then(|it| it.strip_suffix('}')).expect("JSON");

    let agent = Agent::current()?;
    let result = async {
        agent
            .restarted(
                &lab,
                |name, value| match name {
                    "PROXY_CONFIG" => format!("{value}\n{}\n", one.replacen(':', ": ", 1)),
                    _ => value.to_owned(),
                },
                &[("ISTIO_BOOTSTRAP_OVERRIDE", &file_here.to_string_lossy())],
            )
            .await?;
        let dump = lab
            .until_dump("one proxy", |dump| {
                let managers = connection_managers(dump);
                !managers.is_empty()
                    && managers.iter().all(|(_, manager)| manager["xff_num_trusted_hops"] == 1)
            })
            .await?;
        let tags = section(&dump, "BootstrapConfigDump")["bootstrap"]["stats_config"]["stats_tags"].clone();
        let envoy = Bootstrap::shipped().json()["stats_config"]["stats_tags"].clone();
        assert!(tags.as_array().is_some_and(|tags| tags.contains(&envoy[0])), "{tags:#}");
        lab.serves().await?;
        send(&get("/v1/event").header("x-forwarded-for", "203.0.113.9, 198.51.100.7")).await?;
        let [received] = &lab.api.records.forwarded()[..] else { panic!("not one request") };
        assert_eq!(received.header("x-real-ip").as_deref(), Some("198.51.100.7"));
        send(&stranger("/v1/event")).await?;
        until("the reason as a label", async || {
            let mut admin = Raw::connect(ADMIN).await.ok()?;
            let metrics = admin.send(&Request::get("/stats/prometheus")).await.ok()?.text();
            metrics.contains("\nkeptn_gateway_refused{reason=\"no_token\"} 1\n").then_some(())
        })
        .await
    }
    .await;
    agent.restarted(&lab, |_, value| value.to_owned(), &[]).await?;
    result
}

/// The object as it would be with one of the patches of pods/.
async fn patch(lab: &Lab, kind: &str, file: &str) -> Result<Value> {
    let file = format!("{WIDE}/pods/{file}");
    let text = lab
        .kubectl(&[
            "-n",
            "istio-system",
            "patch",
            kind,
            "istio-ingressgateway",
            "--dry-run=server",
            "-o",
            "json",
            "--patch-file",
            &file,
        ])
        .await?;
    serde_json::from_str(&text).map_err(Error::during("reading what kubectl printed"))
}
