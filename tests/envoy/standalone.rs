//! `manifests/standalone`: the very configuration that pods run, the probes, and how a pod goes without losing a
//! request.

use crate::support::{Bed, TOKEN, event, honest, with_token};
use serde_json::{Value, json};
use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};
use testbed::{
    Bootstrap, Envoy,
    client::{Raw, Request, Response, values},
    envoy::Options,
    keptn::{ApiService, ConfigurationService, Gate, Order, Scope},
    wait::until,
};

const BASE: &str = "manifests/standalone/base";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(BASE).join(name)
}

fn read(name: &str) -> String {
    let path = path(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

/// As the pods have it, but for addresses, ports and the plugin's place.
fn bootstrap() -> Bootstrap {
    Bootstrap::from_yaml(&read("envoy.yaml"))
}

/// Envoy as deployment.yaml starts it.
fn options() -> Options {
    let deployment = read("deployment.yaml");
    for words in ["- --drain-strategy\n        - immediate\n", "- --drain-time-s\n        - \"30\"\n"] {
        assert!(deployment.contains(words), "deployment.yaml starts Envoy in another way: no {words:?}");
    }
    let arguments = ["--drain-strategy", "immediate"].map(Into::into).to_vec();
    Options { arguments, drain_time_s: 30, ..Options::default() }
}

async fn start(edit: impl FnOnce(Bootstrap) -> Bootstrap) -> Bed {
    let api = ApiService::start(TOKEN).await.unwrap();
    let configuration = ConfigurationService::start().await.unwrap();
    api.wire(&configuration);
    let envoy = before(&api, &configuration, edit).await;
    Bed { api, configuration, envoy }
}

async fn before(
    api: &ApiService,
    configuration: &ConfigurationService,
    edit: impl FnOnce(Bootstrap) -> Bootstrap,
) -> Envoy {
    let bootstrap = bootstrap()
        .cluster("api-service", api.address())
        .cluster("configuration-service", configuration.address());
    Envoy::start_with(&edit(bootstrap), &options()).await.unwrap()
}

/// A request as the Ingress passes it on: what the client wrote, and last the address that it saw.
fn through_ingress(request: Request, written: &str, client: &str) -> Request {
    let list = if written.is_empty() { client.to_owned() } else { format!("{written}, {client}") };
    request.header("x-forwarded-for", list)
}

#[tokio::test]
async fn the_gateway_is_the_one_of_envoy_yaml() {
    let bed = start(|bootstrap| bootstrap).await;
    let answer = bed.send(&honest()).await;
    assert_eq!((answer.status, bed.configuration.records.count()), (200, 1), "{answer:?}");
    let answer = bed.send(&event()).await;
    assert_eq!((answer.status, bed.api.records.forwarded().len()), (200, 1), "{answer:?}");
    let answer = bed.send(&Request::get("/swagger.json")).await;
    assert_eq!((answer.status, bed.api.records.forwarded().len()), (200, 2), "{answer:?}");

    let forwarded = bed.forwarded();
    bed.refused(&Request::get("/configuration-service/v1/project"), 401, "no_token").await;
    bed.refused(&with_token("guessed"), 401, "wrong_token").await;
    bed.refused(&honest().header("upgrade", "foo").header("connection", "upgrade"), 400, "upgrade_refused")
        .await;
    bed.refused(&Request::get("/v1/../v1/event").header("x-token", TOKEN), 400, "dot_segment").await;
    let too_large = event().header("content-length", "1048577");
    bed.refused(&too_large, 413, "body_too_large").await;
    // What the routes match on is no header.
    let forged = Request::get("/v1/event").header("wasm.keptn.upstream", "api-service");
    bed.refused(&forged, 401, "no_token").await;
    assert_eq!(bed.forwarded(), forwarded);
}

/// The throttle is per client: the client must be the one that the Ingress saw, whatever it wrote itself.
#[tokio::test]
async fn behind_an_ingress_clients_are_told_apart_and_cannot_choose_their_address() {
    let bed = start(|bootstrap| bootstrap).await;
    let guess = |count: usize, written: &str, client: &str| {
        through_ingress(with_token(&format!("guess-{client}-{count}")), written, client)
    };
    // The burst, with another forged entry each time.
    for count in 0..10 {
        let forged = format!("198.51.100.{count}");
        assert_eq!(bed.send(&guess(count, &forged, "203.0.113.9")).await.status, 401, "guess {count}");
    }
    assert_eq!(bed.send(&guess(10, "198.51.100.77, 192.0.2.1", "203.0.113.9")).await.status, 429);
    // Others who come through the same Ingress, one of them under an address that was forged before.
    assert_eq!(bed.send(&guess(0, "", "203.0.113.10")).await.status, 401);
    assert_eq!(bed.send(&guess(0, "203.0.113.9", "198.51.100.3")).await.status, 401);

    let answer = bed.send(&through_ingress(honest(), "6.6.6.6", "203.0.113.11")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let received = bed.configuration.records.all();
    assert_eq!(received[0].header("x-real-ip").as_deref(), Some("203.0.113.11"));
    let checked = bed.api.records.checks();
    assert_eq!(checked.last().unwrap().header("x-forwarded-for").as_deref(), Some("203.0.113.11"));
    let line = bed.envoy.wait_for_access_log("the last request", |lines| lines.len() == 14).await.unwrap();
    assert_eq!(line[13]["client"], "203.0.113.11");
}

async fn probe(envoy: &Envoy, path: &str) -> u16 {
    Raw::connect(envoy.listener("probes")).await.unwrap().send(&Request::get(path)).await.unwrap().status
}

#[tokio::test]
async fn a_gate_that_judges_is_ready_and_asks_nobody_for_it() {
    let api = ApiService::start(TOKEN).await.unwrap();
    let configuration = ConfigurationService::start().await.unwrap();
    let envoy = before(&api, &configuration, |bootstrap| bootstrap).await;
    assert_eq!((probe(&envoy, "/ready").await, probe(&envoy, "/live").await), (200, 200));
    // Nothing else is on that port: neither the API nor Envoy's admin interface.
    for path in
        ["/", "/swagger.json", "/v1/event", "/stats", "/config_dump", "/readyz", "/ready/x", "/live/x"]
    {
        assert_eq!(probe(&envoy, path).await, 404, "{path}");
    }
    assert_eq!((api.records.count(), configuration.records.count()), (0, 0));
    // Probes are not among what people watch.
    let stats = envoy.stats().await.unwrap();
    let refused: u64 =
        stats.iter().filter(|(name, _)| name.contains(".refused.")).map(|(_, count)| count).sum();
    assert_eq!(refused, 0);
    assert_eq!(envoy.access_log(), Vec::<Value>::new());
}

/// The services' ports with nobody behind them.
async fn nobody() -> SocketAddr {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    socket.local_addr().unwrap()
}

#[tokio::test]
async fn a_gate_without_services_is_ready_and_says_what_is_missing() {
    let (api, configuration) = (nobody().await, nobody().await);
    let bootstrap = bootstrap().cluster("api-service", api).cluster("configuration-service", configuration);
    let envoy = Envoy::start_with(&bootstrap, &options()).await.unwrap();
    assert_eq!(probe(&envoy, "/ready").await, 200);
    let gateway = envoy.listener("gateway");
    let answer = Raw::connect(gateway).await.unwrap().send(&honest()).await.unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text().contains("\"code\":503"), "{answer:?}");
}

#[tokio::test]
async fn names_that_nobody_knows_keep_nobody_waiting() {
    // `invalid` is no domain (RFC 6761): whoever is asked, if anybody can be, knows no such name.
    let text = read("envoy.yaml").replace(".keptn.svc.cluster.local", ".keptn.invalid");
    let envoy = Envoy::start_with(&Bootstrap::from_yaml(&text), &options()).await.unwrap();
    assert_eq!(probe(&envoy, "/ready").await, 200);
    let mut client = Raw::connect(envoy.listener("gateway")).await.unwrap();
    let answer = client.send(&Request::get("/swagger.json")).await.unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
}

#[tokio::test]
async fn without_a_plugin_or_with_one_that_refuses_its_configuration_envoy_does_not_start() {
    for (edited, words) in [
        (bootstrap().plugin("/nowhere/plugin.wasm"), "/nowhere/plugin.wasm"),
        (
            bootstrap().listener("gateway", |listener| listener.configuration(json!({ "max_body": 1 }))),
            "max_body",
        ),
        (
            bootstrap().listener("readiness", |listener| listener.configuration_text("no JSON")),
            "Unable to create Wasm",
        ),
    ] {
        let error = Envoy::start_with(&edited, &options()).await.unwrap_err().to_string();
        assert!(error.contains("Envoy has ended") && error.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn without_the_filter_it_is_not_ready() {
    let bed =
        start(|bootstrap| bootstrap.listener("readiness", testbed::bootstrap::Listener::without_filter))
            .await;
    assert_eq!((probe(&bed.envoy, "/ready").await, probe(&bed.envoy, "/live").await), (404, 200));
}

fn trap() -> impl AsRef<Path> {
    env::var_os("PLUGIN_WASM_TRAP")
        .expect("PLUGIN_WASM_TRAP is not set: `./build.sh test` builds that plugin and sets it")
}

/// The gateway's VM and the one that is probed are the same: a request to the gateway can kill it.
#[tokio::test]
async fn while_the_vm_is_dead_it_is_not_ready_but_lives() {
    let for_ever = |mut listener: testbed::bootstrap::Listener| {
        listener.filter()["reload_config"]["backoff"]["base_interval"] = json!("600s");
        listener
    };
    let bed = start(|bootstrap| {
        bootstrap.plugin(trap()).listener("gateway", for_ever).listener("readiness", for_ever)
    })
    .await;
    assert_eq!(probe(&bed.envoy, "/ready").await, 200);
    assert_eq!(bed.send(&honest().header("x-trap", "1")).await.status, 503);
    // The first who finds it dead gets a new one at once; who comes soon after that one's death must wait.
    assert_eq!(bed.send(&honest().header("x-trap", "1")).await.status, 503);
    assert_eq!((probe(&bed.envoy, "/ready").await, probe(&bed.envoy, "/live").await), (503, 200));
    assert_eq!(bed.send(&honest()).await.status, 503);
}

#[tokio::test]
async fn a_new_vm_is_ready_again() {
    let bed = start(|bootstrap| bootstrap.plugin(trap())).await;
    assert_eq!(bed.send(&honest().header("x-trap", "1")).await.status, 503);
    until("the gate to be ready", async || (probe(&bed.envoy, "/ready").await == 200).then_some(()))
        .await
        .unwrap();
    // Each listener waits for the back-off by itself.
    until("the gateway to serve", async || (bed.send(&honest()).await.status == 200).then_some(()))
        .await
        .unwrap();
}

/// What pods have as memory, this test has not: a limit that is always passed stands in for it.
#[tokio::test]
async fn short_of_memory_it_refuses_in_json_and_the_probes_are_answered() {
    let heap = "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig";
    let bed = start(|bootstrap| {
        bootstrap.set(
            "/overload_manager/resource_monitors/0/typed_config",
            json!({ "@type": heap, "max_heap_size_bytes": 1 }),
        )
    })
    .await;
    let full = "overload.envoy.overload_actions.stop_accepting_requests.active";
    bed.envoy.wait_for_counter(full, |active| active == 1).await.unwrap();
    let answer = bed.send(&honest()).await;
    assert_eq!((answer.status, bed.forwarded()), (503, 0), "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body, json!({ "code": 503, "message": "the gateway has too much to do" }));
    assert_eq!((probe(&bed.envoy, "/ready").await, probe(&bed.envoy, "/live").await), (200, 200));
}

/// How many connections envoy.yaml gives the probes.
const PROBES: usize = 500;
/// What they take at most, as envoy.yaml says.
const PROBES_KIB: u64 = 20 << 10;

/// A request for `/live` with so many bytes of headers, and without its end.
fn unfinished(bytes: usize) -> Vec<u8> {
    let line = format!("x: {}\r\n", "a".repeat(497));
    format!("GET /live HTTP/1.1\r\nhost: probes\r\n{}x: a", line.repeat(bytes / line.len())).into_bytes()
}

/// The probes' port is outside of what else limits connections and memory.
#[tokio::test]
async fn large_headers_are_refused_on_the_probes_port_and_take_no_memory() {
    const CLIENTS: usize = 600;
    let bed = start(|bootstrap| bootstrap).await;
    let head = unfinished(100 << 10);
    let before = bed.envoy.rss_kib().unwrap();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Raw::connect(bed.envoy.listener("probes")).await.unwrap();
        // It may be refused before all is written.
        let _ = client.write(&head).await;
        clients.push(client);
    }
    let refused = async || {
        let stats = bed.envoy.stats().await.ok()?;
        let count = |name: &str| stats.get(name).copied().unwrap_or(0);
        // 431, or one too many: not held until a time limit, which would be a 408 and as well a 4xx.
        let timed_out =
            count("http.probes.downstream_rq_header_timeout") + count("http.probes.downstream_rq_timeout");
        assert_eq!(timed_out, 0);
        let all =
            count("http.probes.downstream_rq_4xx") + count("connection_limit.probes.limited_connections");
        (all == CLIENTS as u64).then_some(())
    };
    until("all large headers to be refused", refused).await.unwrap();
    let grown = bed.envoy.rss_kib().unwrap().saturating_sub(before);
    // Measured are 7 to 12 MiB, as the sockets happen to be read; without a buffer limit 52, nearly all that is sent.
    assert!(grown < PROBES_KIB, "{grown} KiB more; all that was sent is {} KiB", CLIENTS * 100);
    // Envoy gives a client a moment to read its 431.
    let open = "connection_limit.probes.active_connections";
    bed.envoy.wait_for_counter(open, |count| count == 0).await.unwrap();
    assert_eq!((probe(&bed.envoy, "/ready").await, probe(&bed.envoy, "/live").await), (200, 200));
}

#[tokio::test]
async fn the_probes_port_has_a_limit_of_its_own_and_nobody_keeps_its_places() {
    // Longer than the test, so that all places are taken at the same time.
    let patient = start(|bootstrap| {
        bootstrap.listener("probes", |mut listener| {
            let manager = "/filter_chains/0/filters/1/typed_config";
            let manager = listener.json().pointer_mut(manager).expect("behind the limit");
            manager["request_headers_timeout"] = json!("600s");
            manager["request_timeout"] = json!("600s");
            listener
        })
    })
    .await;
    let head = unfinished(3500);
    let take_all = async |bed: &Bed| {
        let mut clients = Vec::new();
        for _ in 0..PROBES {
            let mut client = Raw::connect(bed.envoy.listener("probes")).await.unwrap();
            let _ = client.write(&head).await;
            clients.push(client);
        }
        clients
    };
    let before = patient.envoy.rss_kib().unwrap();
    let mut held = take_all(&patient).await;
    let read = async |bytes: u64| {
        let name = "http.probes.downstream_cx_rx_bytes_total";
        patient.envoy.wait_for_counter(name, |count| count >= bytes).await.unwrap()
    };
    read((PROBES * head.len()) as u64).await;
    let grown = patient.envoy.rss_kib().unwrap().saturating_sub(before);
    assert!(grown < PROBES_KIB, "{grown} KiB more for {PROBES} connections");
    // One more is closed without a word; who comes to the gateway does not notice.
    let mut more = Raw::connect(patient.envoy.listener("probes")).await.unwrap();
    assert_eq!(more.read_to_end().await.unwrap(), b"");
    assert_eq!(patient.envoy.counter("connection_limit.probes.limited_connections").await.unwrap(), 1);
    assert_eq!(patient.send(&honest()).await.status, 200);
    held.truncate(PROBES - 10);
    let open = "connection_limit.probes.active_connections";
    patient.envoy.wait_for_counter(open, |count| count == held.len() as u64).await.unwrap();
    assert_eq!(probe(&patient.envoy, "/live").await, 200);

    // As it is: all of them stay, and lose their places.
    let bed = start(|bootstrap| bootstrap).await;
    let _silent = Raw::connect(bed.envoy.listener("probes")).await.unwrap();
    let _held = take_all(&bed).await;
    bed.envoy.wait_for_counter(open, |count| count == 0).await.unwrap();
    assert_eq!((probe(&bed.envoy, "/ready").await, probe(&bed.envoy, "/live").await), (200, 200));
}

/// What Kubernetes runs before it ends the pod. It ends with the test.
struct PreStop(Child);

impl PreStop {
    fn run(envoy: &Envoy) -> Self {
        let mut command = Command::new("bash");
        command.arg(path("drain.sh")).args([envoy.admin().port().to_string(), "0".to_owned()]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().inspect(|status| assert!(status.success(), "drain.sh: {status}")).is_some()
    }

    async fn ended(mut self) {
        until("drain.sh to end", async || self.has_ended().then_some(())).await.unwrap();
    }
}

impl Drop for PreStop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As the kubelet does when preStop has ended.
async fn terminate(envoy: &Envoy) {
    let pid = rustix::process::Pid::from_raw(envoy.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let gateway = envoy.listener("gateway");
    until("Envoy to end", async || Raw::connect(gateway).await.err()).await.unwrap();
}

fn closes(answer: &Response) -> bool {
    values(&answer.headers, "connection").any(|value| value.eq_ignore_ascii_case(b"close"))
}

/// Clients that keep their connections and send one request after the other, to whom the Service sends them.
struct Load {
    /// Where new connections lead.
    service: Arc<Mutex<SocketAddr>>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(service: SocketAddr, clients: usize) -> Self {
        let service = Arc::new(Mutex::new(service));
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |_| tokio::spawn(Self::client(service.clone(), stop.clone(), answered.clone()));
        let clients = (0..clients).map(client).collect();
        Self { service, stop, answered, clients }
    }

    async fn client(
        service: Arc<Mutex<SocketAddr>>,
        stop: Arc<AtomicBool>,
        answered: Arc<AtomicUsize>,
    ) -> Vec<String> {
        let mut lost = Vec::new();
        let mut connection = None;
        while !stop.load(SeqCst) {
            let address = *service.lock().unwrap();
            let mut open = match connection.take() {
                Some(open) => open,
                None => match Raw::connect(address).await {
                    Ok(open) => open,
                    Err(error) => return vec![format!("connecting: {error}")],
                },
            };
            match open.send(&honest()).await {
                Ok(answer) if answer.status == 200 && answer.complete => {
                    answered.fetch_add(1, SeqCst);
                    if !closes(&answer) {
                        connection = Some(open);
                    }
                }
                Ok(answer) => lost.push(format!("{answer:?}")),
                Err(error) => lost.push(error.to_string()),
            }
        }
        lost
    }

    /// Until so many more are answered.
    async fn go_on(&self, count: usize) {
        let enough = self.answered.load(SeqCst) + count;
        until("requests to be answered", async || (self.answered.load(SeqCst) >= enough).then_some(()))
            .await
            .unwrap();
    }

    fn send_to(&self, address: SocketAddr) {
        *self.service.lock().unwrap() = address;
    }

    /// What was lost.
    async fn end(self) -> Vec<String> {
        self.stop.store(true, SeqCst);
        let mut lost = Vec::new();
        for client in self.clients {
            lost.extend(client.await.unwrap());
        }
        lost
    }
}

#[tokio::test]
async fn a_rolling_restart_loses_no_request() {
    let old = start(|bootstrap| bootstrap).await;
    let new = before(&old.api, &old.configuration, |bootstrap| bootstrap).await;
    let load = Load::start(old.envoy.listener("gateway"), 6);
    load.go_on(200).await;
    // One that is with the service when the pod is told to go, and stays there.
    let gate = Gate::new();
    old.api.orders.next(1, Scope::NotAuth, Order::Hang(gate.clone()));
    let mut slow = old.begin(&event()).await;
    gate.wait_for(1).await.unwrap();

    let mut pre_stop = PreStop::run(&old.envoy);
    // It takes a while until nobody is sent here any more: new connections are taken until then.
    let closing = "http.gateway.downstream_cx_drain_close";
    old.envoy.wait_for_counter(closing, |count| count > 20).await.unwrap();
    load.go_on(200).await;
    load.send_to(new.listener("gateway"));
    let open = "http.gateway.downstream_cx_active";
    old.envoy.wait_for_counter(open, |count| count == 1).await.unwrap();
    assert!(!pre_stop.has_ended(), "there is a request under way");
    gate.open();
    let answer = slow.read_response(false).await.unwrap();
    assert_eq!((answer.status, closes(&answer)), (200, true), "{answer:?}");
    pre_stop.ended().await;
    terminate(&old.envoy).await;

    load.go_on(200).await;
    assert_eq!(load.end().await, Vec::<String>::new());
}

/// Why drain.sh is there.
#[tokio::test]
async fn envoy_by_itself_loses_what_is_under_way_when_it_is_told_to_end() {
    let bed = start(|bootstrap| bootstrap).await;
    let gate = Gate::new();
    bed.api.orders.next(1, Scope::NotAuth, Order::Hang(gate.clone()));
    let mut slow = bed.begin(&event()).await;
    gate.wait_for(1).await.unwrap();
    terminate(&bed.envoy).await;
    assert!(slow.read_response(false).await.is_err());
}
