//! Configurations that are changed while the gateway serves.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::agent::Agent;
use crate::support::{CARTS, HTTP, Lab, Mode, chains, get, send, stranger};
use testbed::{
    Error, Result,
    client::{H2, Raw, Request, Response},
    wait::until,
};
use tokio::{runtime::Handle, task::JoinHandle};

/// One value of the configuration that every mode has in the same words, and that shows in each check of a token.
const AUTHORITY: &str = "api-service.keptn:8080";
const VMS: &str = "wasm.envoy.wasm.runtime.v8.active";

/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(3);

/// A client of each kind: what is asked for goes round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Http1,
    Http2,
    Stranger,
}

/// A connection that is kept until the gateway says that it will close it, as honest clients do.
enum Connection {
    Http1(Raw),
    Http2(H2),
}

impl Connection {
    async fn to(kind: Kind) -> Result<Self> {
        Ok(match kind {
            Kind::Http2 => Self::Http2(H2::connect(HTTP).await?),
            Kind::Http1 | Kind::Stranger => Self::Http1(Raw::connect(HTTP).await?),
        })
    }

    async fn send(&mut self, request: &Request) -> Result<Response> {
        match self {
            Self::Http1(connection) => connection.send(request).await,
            Self::Http2(connection) => match connection.send(request).await {
                // After GOAWAY no stream begins: nothing has been sent.
                Err(error) if error.to_string().starts_with("waiting for a free stream") => {
                    *connection = H2::connect(HTTP).await?;
                    connection.send(request).await
                }
                answer => answer,
            },
        }
    }
}

/// Requests that go on and on.
struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answers: [AtomicUsize; 3],
    /// What was not as it should be, and how often.
    wrong: Mutex<BTreeMap<(Kind, String), usize>>,
}

impl Load {
    fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let client = |kind| {
            let shared = shared.clone();
            tokio::task::spawn_blocking(move || Handle::current().block_on(ask_on(kind, shared)))
        };
        let clients = [Kind::Http1, Kind::Http2, Kind::Stranger].map(client).into();
        Self { shared, clients }
    }

    /// Waits until each client has had some more answers.
    async fn goes_on(&self) -> Result<()> {
        let counts = || self.shared.answers.iter().map(|count| count.load(Relaxed)).collect::<Vec<_>>();
        let before = counts();
        // Longer than a round of what is asked for.
        let enough = || counts().iter().zip(&before).all(|(now, before)| *now >= before + 10);
        until("more answers", async || enough().then_some(())).await
    }

    async fn stop(self) -> Result<BTreeMap<(Kind, String), usize>> {
        self.shared.stop.store(true, Relaxed);
        for client in self.clients {
            client.await.map_err(Error::during("a client's work"))??;
        }
        Ok(std::mem::take(&mut *self.shared.wrong.lock().unwrap()))
    }
}

async fn ask_on(kind: Kind, shared: Arc<Shared>) -> Result<()> {
    let honest = ["/configuration-service/v1/project", "/v1/auth", "/swagger.json"];
    let strange = ["/configuration-service/v1/project", "/v1/event"];
    let mut connection = Connection::to(kind).await?;
    for turn in 0.. {
        if shared.stop.load(Relaxed) {
            break;
        }
        let (target, request) = match kind {
            Kind::Stranger => (strange[turn % 2], stranger(strange[turn % 2]).header("x-token", "d3Jvbmc=")),
            Kind::Http1 | Kind::Http2 => (honest[turn % 3], get(honest[turn % 3])),
        };
        let answer = connection.send(&request).await;
        let wrong = match (&answer, kind) {
            (Ok(answer), Kind::Stranger) => (!matches!(answer.status, 401 | 429)).then(|| told(answer)),
            (Ok(answer), _) => (answer.status != 200 || !answer.complete).then(|| told(answer)),
            (Err(error), _) => Some(error.to_string()),
        };
        if let Some(wrong) = wrong {
            let wrong = format!("{target}: {wrong}");
            *shared.wrong.lock().unwrap().entry((kind, wrong)).or_default() += 1;
        }
        if answer.map_or(true, |it| it.header("connection").as_deref() == Some("close")) {
            connection = Connection::to(kind).await?;
        }
        shared.answers[kind as usize].fetch_add(1, Relaxed);
        // The machine's other work goes on as well.
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn told(answer: &Response) -> String {
    format!("{} {}", answer.status, answer.text())
}

/// Applies the filter's configuration with another authority, and waits until a check of a token has it.
async fn change(lab: &Lab, mode: Mode, authority: &str) -> Result<()> {
    let text = lab.manifests(mode).await?.replace(AUTHORITY, authority);
    lab.apply_text(&text).await?;
    is_in_use(lab, authority).await
}

async fn is_in_use(lab: &Lab, authority: &str) -> Result<()> {
    until(format!("a check for {authority}"), async || {
        // `/v1/auth` is never answered from memory.
        send(&get("/v1/auth")).await.ok()?;
        let checks = lab.api.records.checks();
        checks.last()?.header("host").is_some_and(|host| host == authority).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_refused_and_the_last_one_serves() -> Result<()> {
    for mode in [Mode::EnvoyFilter, Mode::WasmPlugin] {
        let lab = Lab::with(mode).await?;
        change(&lab, mode, "first.keptn:8080").await?;
        let (agent, istiod) = (lab.agent_log().len(), lab.istiod_log().len());
        let bad = lab.manifests(mode).await?.replace(AUTHORITY, "api service");
        lab.apply_text(&bad).await?;
        // docs/istio.md says where to look, and for what.
        until("the filter's words in the gateway's log", async || {
            let log = lab.agent_log();
            let log = log.get(agent..)?;
            let told = [
                "refuses its configuration:",
                "auth.authority: no host has this",
                "Unable to create Wasm plugin",
            ];
            told.iter().all(|it| log.contains(it)).then_some(())
        })
        .await?;
        until("Envoy's refusal in istiod's log", async || {
            let log = lab.istiod_log();
            let lines = log.get(istiod..)?.lines();
            lines
                .into_iter()
                .any(|line| {
                    line.contains("ADS:ECDS: ACK ERROR istio-ingressgateway-0.istio-system")
                        && line.contains("Unable to create Wasm plugin")
                })
                .then_some(())
        })
        .await?;

        lab.api.records.take();
        is_in_use(&lab, "first.keptn:8080").await?;
        assert_eq!(send(&get("/configuration-service/v1/project")).await?.status, 200, "{mode:?}");
        assert_eq!(send(&stranger("/configuration-service/v1/project")).await?.status, 401, "{mode:?}");

        change(&lab, mode, "second.keptn:8080").await?;
        assert_eq!(send(&get("/configuration-service/v1/project")).await?.status, 200, "{mode:?}");
    }
    Ok(())
}

/// Whoever starts anew has no last configuration that could serve.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_starts_under_a_bad_configuration_harms_no_other_application() -> Result<()> {
    let mode = Mode::EnvoyFilter;
    let lab = Lab::with(mode).await?;
    let istiod = lab.istiod_log().len();
    let bad = lab.manifests(mode).await?.replace(AUTHORITY, "api service");
    lab.apply_text(&bad).await?;
    until("the refusal", async || {
        lab.istiod_log().get(istiod..)?.contains("ADS:ECDS: ACK ERROR").then_some(())
    })
    .await?;
    Agent::current()?.restarted(&lab, |_, value| value.to_owned(), &[]).await?;
    until("other applications", async || {
        let answer = send(&Request::get("/swagger.json").header("host", CARTS)).await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await?;
    lab.api.records.take();
    lab.configuration.records.take();
    for request in [get("/configuration-service/v1/project"), stranger("/configuration-service/v1/project")] {
        let answer = send(&request).await?;
        assert_eq!((answer.status, answer.json()["message"].as_str()), (503, Some("gateway not loaded")));
    }
    lab.nothing_arrived();
    change(&lab, mode, "good.keptn:8080").await?;
    assert_eq!(send(&get("/configuration-service/v1/project")).await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_changes_under_load_fail_nobody_and_leave_no_vm_behind() -> Result<()> {
    for mode in [Mode::EnvoyFilter, Mode::WasmPlugin] {
        let lab = Lab::with(mode).await?;
        let load = Load::start();
        load.goes_on().await?;
        let vms = lab.stat(VMS).await?;
        let text = filter_of(&lab, mode).await?;
        for number in 1..=20 {
            let authority = format!("number-{number}.keptn:8080");
            lab.apply_text(&text.replace(AUTHORITY, &authority)).await?;
            is_in_use(&lab, &authority).await?;
        }
        load.goes_on().await?;
        assert_eq!(load.stop().await?, BTreeMap::new(), "{mode:?}");
        until("no more VMs than before", async || lab.stat(VMS).await.ok().filter(|now| *now <= vms)).await?;
    }
    Ok(())
}

/// The filters of each port that are ours, until there are so many.
async fn until_filters(lab: &Lab, count: usize) -> Result<()> {
    let ours = |names: &Vec<String>| names.iter().filter(|name| name.contains("keptn-gateway")).count();
    let dump = lab.until_dump("filters", |dump| {
        let chains = chains(dump);
        !chains.is_empty() && chains.iter().all(|(_, names)| ours(names) == count)
    });
    dump.await.map(drop)
}

/// The object that brings the filter, alone.
async fn filter_of(lab: &Lab, mode: Mode) -> Result<String> {
    let text = lab.manifests(mode).await?;
    let is_filter = |object: &&str| {
        object.contains("\n  name: keptn-gateway\n") && !object.contains("kind: VirtualService")
    };
    Ok(text.split("\n---\n").find(is_filter).expect("the filter's object").to_owned())
}

/// Two objects cannot change at once. As long as both are there, what goes to configuration-service is refused: the first
/// filter takes the token away, as that service is not to see it, and the second one misses it.
#[tokio::test(flavor = "multi_thread")]
async fn from_one_mode_to_another_nothing_opens_and_little_is_refused() -> Result<()> {
    for (from, to) in [(Mode::EnvoyFilter, Mode::WasmPlugin), (Mode::TrafficExtension, Mode::EnvoyFilter)] {
        let lab = Lab::with(from).await?;
        let load = Load::start();
        load.goes_on().await?;
        lab.apply_text(&filter_of(&lab, to).await?).await?;
        until_filters(&lab, 2).await?;
        load.goes_on().await?;
        lab.kubectl(&["-n", "istio-system", "delete", from.filter()]).await?;
        until_filters(&lab, 1).await?;
        // Connections of before have their last answers from both.
        load.goes_on().await?;
        for (kind, wrong) in load.stop().await?.keys() {
            assert_ne!(*kind, Kind::Stranger, "{from:?}, {to:?}: {wrong}");
            let refused = "/configuration-service/v1/project: 401 ";
            assert!(wrong.starts_with(refused), "{from:?}, {to:?}: {kind:?}: {wrong}");
        }
        let load = Load::start();
        load.goes_on().await?;
        assert_eq!(load.stop().await?, BTreeMap::new(), "{from:?}, {to:?}");
    }
    Ok(())
}

/// They are the same object, which changes at once.
#[tokio::test(flavor = "multi_thread")]
async fn from_a_mounted_file_to_a_fetched_one_nobody_notices() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let load = Load::start();
    for to in [Mode::EnvoyFilterHttp, Mode::EnvoyFilter] {
        load.goes_on().await?;
        let authority = format!("{to:?}.keptn:8080").to_lowercase();
        change(&lab, to, &authority).await?;
    }
    load.goes_on().await?;
    assert_eq!(load.stop().await?, BTreeMap::new());
    Ok(())
}

const FILE: &str = "/etc/keptn-gateway/plugin.wasm";

/// Replaces a file as Kubernetes does: at once.
fn place(path: &str, bytes: &[u8]) -> Result<()> {
    let new = format!("{path}.new");
    fs::write(&new, bytes).map_err(Error::during("writing a plugin"))?;
    fs::rename(new, path).map_err(Error::during("replacing a plugin"))
}

/// How often Envoy has loaded a plugin that it did not have yet.
fn loaded(lab: &Lab) -> usize {
    lab.agent_log().matches("Base Wasm created").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plugin_is_loaded_when_the_configuration_changes() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let plugin = fs::read(FILE).map_err(Error::during("reading the plugin"))?;
    // A custom section, which says nothing to Envoy, makes it another plugin.
    let newer = [&plugin[..], b"\0\x05\x04test"].concat();
    let result = new_plugins(&lab, &newer).await;
    place(FILE, &plugin)?;
    result
}

async fn new_plugins(lab: &Lab, newer: &[u8]) -> Result<()> {
    let mode = Mode::EnvoyFilter;
    let before = loaded(lab);
    // The same file under another configuration is the same plugin.
    change(lab, mode, "first.keptn:8080").await?;
    assert_eq!(loaded(lab), before);

    // Another file with the same name: nobody looks, until the configuration changes.
    place(FILE, b"no plugin")?;
    lab.apply_text(&lab.manifests(mode).await?.replace(AUTHORITY, "first.keptn:8080")).await?;
    assert_eq!(send(&get("/swagger.json")).await?.status, 200);
    let log = lab.agent_log().len();
    lab.apply_text(&lab.manifests(mode).await?.replace(AUTHORITY, "second.keptn:8080")).await?;
    until("Envoy's refusal", async || {
        lab.agent_log().get(log..)?.contains("Unable to create Wasm plugin").then_some(())
    })
    .await?;
    lab.api.records.take();
    is_in_use(lab, "first.keptn:8080").await?;

    // What docs/istio.md says: a name of its own for each version.
    place(FILE, newer)?;
    let path = "/etc/keptn-gateway/plugin-2.wasm";
    place(path, newer)?;
    let before = loaded(lab);
    let load = Load::start();
    load.goes_on().await?;
    let text = lab.manifests(mode).await?.replace(AUTHORITY, "third.keptn:8080");
    assert!(text.contains(FILE), "{text}");
    lab.apply_text(&text.replace(FILE, path)).await?;
    is_in_use(lab, "third.keptn:8080").await?;
    load.goes_on().await?;
    assert_eq!(load.stop().await?, BTreeMap::new());
    assert_eq!(loaded(lab), before + 1);
    Ok(())
}
