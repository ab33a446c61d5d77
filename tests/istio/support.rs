//! The lab under a test's control.

use std::{
    env,
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use testbed::{
    Error, Result,
    client::{Raw, Request, Response},
    keptn::{ApiService, ConfigurationService, Settings},
    wait::until,
};
use tokio::sync::{Mutex, MutexGuard};

/// The token that api-service knows.
pub(crate) const TOKEN: &str = "c2VjcmV0LXNlY3JldA==";

/// The hosts of what is checked in.
pub(crate) const API: &str = "api.keptn.example.org";
/// Other applications of the gateway, see others.yaml.
pub(crate) const BRIDGE: &str = "bridge.keptn.example.org";
pub(crate) const CARTS: &str = "carts.sockshop-dev.example.org";

/// The gateway's ports.
pub(crate) const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
pub(crate) const HTTPS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 443);

/// How many lines of the agent's log an error has.
const LOG_TAIL: usize = 30;
/// Envoy's own.
pub(crate) const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 15000);

/// How the filter gets into the gateway: the overlays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    EnvoyFilter,
    EnvoyFilterHttp,
    WasmPlugin,
    TrafficExtension,
}

impl Mode {
    pub(crate) const ALL: [Self; 4] =
        [Self::EnvoyFilter, Self::EnvoyFilterHttp, Self::WasmPlugin, Self::TrafficExtension];

    pub(crate) fn overlay(self) -> &'static str {
        match self {
            Self::EnvoyFilter => "manifests/istio/overlays/envoyfilter",
            Self::EnvoyFilterHttp => "manifests/istio/overlays/envoyfilter-http",
            Self::WasmPlugin => "manifests/istio/overlays/wasmplugin",
            Self::TrafficExtension => "manifests/istio/overlays/trafficextension",
        }
    }

    /// The object that brings the filter.
    pub(crate) fn filter(self) -> &'static str {
        match self {
            Self::EnvoyFilter | Self::EnvoyFilterHttp => "envoyfilter/keptn-gateway",
            Self::WasmPlugin => "wasmplugin/keptn-gateway",
            Self::TrafficExtension => "trafficextension/keptn-gateway",
        }
    }
}

/// The lab, of which there is one, for one test at a time.
pub(crate) struct Lab {
    pub(crate) api: ApiService,
    pub(crate) configuration: ConfigurationService,
    /// Behind other hosts.
    pub(crate) carts: ApiService,
    pub(crate) bridge: ApiService,
    _alone: MutexGuard<'static, ()>,
}

impl Lab {
    /// An empty gateway, with Keptn's services and other applications behind it.
    pub(crate) async fn start() -> Result<Self> {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let lab = Self {
            api: api_service("LAB_API_SERVICE").await?,
            configuration: until("configuration-service's port", async || {
                ConfigurationService::start_with(&at("LAB_CONFIGURATION_SERVICE")).await.ok()
            })
            .await?,
            carts: api_service("LAB_CARTS").await?,
            bridge: api_service("LAB_BRIDGE").await?,
            _alone: alone,
        };
        lab.empty().await?;
        Ok(lab)
    }

    /// With the filter brought in this way, other applications beside it, and serving.
    pub(crate) async fn with(mode: Mode) -> Result<Self> {
        let lab = Self::start().await?;
        lab.apply("tests/istio/others.yaml").await?;
        lab.apply_mode(mode).await?;
        lab.serves().await?;
        Ok(lab)
    }

    /// Takes out whatever earlier tests put in.
    async fn empty(&self) -> Result<()> {
        let kinds = "gateways.networking.istio.io,virtualservices.networking.istio.io,destinationrules.networking.istio.io,\
                     serviceentries.networking.istio.io,envoyfilters.networking.istio.io,wasmplugins.extensions.istio.io,\
                     trafficextensions.extensions.istio.io,telemetries.telemetry.istio.io,authorizationpolicies.security.istio.io";
        self.kubectl(&["delete", kinds, "--all", "--all-namespaces", "--wait=true"]).await?;
        self.kubectl(&["-n", "keptn", "delete", "configmap", "keptn-domain", "--ignore-not-found"]).await?;
        for file in
            fs::read_dir(CERTIFICATES).map_err(Error::during("reading the certificates' folder"))?.flatten()
        {
            let folder = file.file_type().is_ok_and(|kind| kind.is_dir());
            if folder { fs::remove_dir_all(file.path()) } else { fs::remove_file(file.path()) }
                .map_err(Error::during("removing a certificate"))?;
        }
        self.until_dump("no listener on the gateway's ports", |dump| {
            listeners(dump).iter().all(|listener| listener.active.is_null() && listener.warming.is_null())
        })
        .await?;
        Ok(())
    }

    /// `kubectl apply`, of a folder with a kustomization or of a file; paths are the repository's.
    pub(crate) async fn apply(&self, path: &str) -> Result<String> {
        let how = if repository().join(path).is_dir() { "-k" } else { "-f" };
        self.kubectl(&["apply", how, path]).await
    }

    /// Applies manifests given as text.
    pub(crate) async fn apply_text(&self, text: &str) -> Result<String> {
        self.run("kubectl", &["apply", "-f", "-"], Some(text)).await
    }

    /// The overlay's manifests, with the place of this lab's plugin instead of the examples'.
    pub(crate) async fn manifests(&self, mode: Mode) -> Result<String> {
        Ok(with_plugin(mode, self.kubectl(&["kustomize", mode.overlay()]).await?))
    }

    /// Applies [`Lab::manifests`].
    pub(crate) async fn apply_mode(&self, mode: Mode) -> Result<String> {
        let manifests = self.manifests(mode).await?;
        self.apply_text(&manifests).await
    }

    /// `kubectl`; what it printed.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.run("kubectl", arguments, None).await
    }

    /// An object as the API has it.
    pub(crate) async fn object(&self, namespace: &str, name: &str) -> Result<Value> {
        let text = self.kubectl(&["-n", namespace, "get", name, "-o", "json"]).await?;
        serde_json::from_str(&text).map_err(Error::during("reading an object"))
    }

    /// Changes an object by a JSON Patch.
    pub(crate) async fn patch(&self, namespace: &str, name: &str, patch: &Value) -> Result<()> {
        let patch = patch.to_string();
        self.kubectl(&["-n", namespace, "patch", name, "--type", "json", "-p", &patch]).await.map(drop)
    }

    /// Changes the filter's configuration, which is in the EnvoyFilter that brings it. It is not yet in force then.
    pub(crate) async fn configure(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        const PLACE: &str = "/spec/configPatches/0/patch/value/typed_config/config/configuration/value";
        let object = self.object("istio-system", "envoyfilter/keptn-gateway").await?;
        let text = object.pointer(PLACE).and_then(Value::as_str).expect("the filter's configuration");
        let mut configuration = serde_json::from_str(text).expect("JSON");
        change(&mut configuration);
        let patch = json!([{ "op": "replace", "path": PLACE, "value": configuration.to_string() }]);
        self.patch("istio-system", "envoyfilter/keptn-gateway", &patch).await
    }

    /// Runs a program in the repository's folder; what it printed on standard output. Its failure is an error that has
    /// what it said.
    pub(crate) async fn run(&self, program: &str, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let output = output(program, arguments, input).await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::new(format!("{program} {}: {}: {said}", arguments.join(" "), output.status)))
    }

    /// Waits until a good token is good, and both services are reached. The filter alone would answer for the token: the
    /// routes come to the gateway by themselves, and often later.
    pub(crate) async fn serves(&self) -> Result<()> {
        let good = async |target: &str| send(&get(target)).await.ok().filter(|answer| answer.status == 200);
        until("the gateway to serve", async || {
            good("/v1/auth").await.filter(|answer| answer.body.is_empty())?;
            good("/swagger.json").await?;
            good("/configuration-service/v1/project").await.map(drop)
        })
        .await
        .map_err(|error| self.with_log(&error))?;
        self.api.records.take();
        self.configuration.records.take();
        Ok(())
    }

    /// Envoy's configuration as it is now.
    pub(crate) async fn dump(&self) -> Result<Value> {
        let response = Raw::connect(ADMIN).await?.send(&Request::get("/config_dump")).await?;
        serde_json::from_slice(&response.body).map_err(Error::during("reading Envoy's configuration"))
    }

    /// Waits until Envoy's configuration is such.
    pub(crate) async fn until_dump(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        until(what, async || self.dump().await.ok().filter(|dump| is_so(dump)))
            .await
            .map_err(|error| self.with_log(&error))
    }

    /// The error, with what Envoy and the agent said at last.
    fn with_log(&self, error: &Error) -> Error {
        let log = self.agent_log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n");
        Error::new(format!("{error}; the end of the agent's log:\n{tail}"))
    }

    /// What Envoy and Istio's agent have written so far.
    pub(crate) fn agent_log(&self) -> String {
        log("agent")
    }

    /// The access log's lines so far; at first those that a test has had written beside the agent's.
    pub(crate) fn access_log(&self) -> Vec<Value> {
        let logs = self.agent_log() + &log("access");
        let lines = logs.lines().filter(|line| line.starts_with("{\""));
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["client"].is_string())
            .collect()
    }

    /// What istiod has written so far.
    pub(crate) fn istiod_log(&self) -> String {
        log("istiod")
    }

    /// A value of Envoy's `/stats`; 0 as long as it is not there.
    pub(crate) async fn stat(&self, name: &str) -> Result<u64> {
        let response = Raw::connect(ADMIN).await?.send(&Request::get("/stats")).await?;
        let text = response.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok());
        Ok(value.unwrap_or(0))
    }

    /// Nothing has reached Keptn's services: no request, and no check either where the filter is out.
    pub(crate) fn nothing_arrived(&self) {
        for (service, received) in [
            ("api-service", self.api.records.forwarded()),
            ("configuration-service", self.configuration.records.all()),
        ] {
            assert!(received.is_empty(), "{service} has received {received:?}");
        }
    }
}

/// Where Istio's agent looks for the certificate that the Gateway names.
pub(crate) const CERTIFICATES: &str = "/etc/istio/ingressgateway-certs";

/// One listener of a config dump.
#[derive(Debug)]
pub(crate) struct Listener<'a> {
    pub(crate) name: &'a str,
    pub(crate) active: &'a Value,
    pub(crate) warming: &'a Value,
}

/// The gateway's listeners, those of the agent's own ports left out.
pub(crate) fn listeners<'a>(dump: &'a Value) -> Vec<Listener<'a>> {
    let all =
        section(dump, "ListenersConfigDump")["dynamic_listeners"].as_array().map_or(&[][..], Vec::as_slice);
    let one = |listener: &'a Value| {
        let (active, warming) =
            (&listener["active_state"]["listener"], &listener["warming_state"]["listener"]);
        Some(Listener { name: listener["name"].as_str()?, active, warming })
    };
    let mut listeners: Vec<_> = all.iter().filter_map(one).collect();
    // Envoy's order is any.
    listeners.sort_by_key(|listener| listener.name);
    listeners
}

/// The connection managers of the active listeners, by listener.
pub(crate) fn connection_managers(dump: &Value) -> Vec<(String, Value)> {
    let mut managers = Vec::new();
    for listener in listeners(dump) {
        for chain in listener.active["filter_chains"].as_array().into_iter().flatten() {
            for filter in chain["filters"].as_array().into_iter().flatten() {
                if filter["name"] == "envoy.filters.network.http_connection_manager" {
                    managers.push((listener.name.to_owned(), filter["typed_config"].clone()));
                }
            }
        }
    }
    managers
}

/// The names of the HTTP filters of each active listener.
pub(crate) fn chains(dump: &Value) -> Vec<(String, Vec<String>)> {
    let names = |manager: &Value| {
        let filters = manager["http_filters"].as_array().into_iter().flatten();
        filters.map(|filter| filter["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    connection_managers(dump).into_iter().map(|(listener, manager)| (listener, names(&manager))).collect()
}

/// The route configurations that are in use, by name.
pub(crate) fn route_configurations(dump: &Value) -> Vec<Value> {
    let routes = section(dump, "RoutesConfigDump");
    let dynamic = routes["dynamic_route_configs"].as_array().into_iter().flatten();
    let mut all: Vec<_> = dynamic.map(|entry| entry["route_config"].clone()).collect();
    all.sort_by_key(|configuration| configuration["name"].to_string());
    all
}

/// A part of a config dump, by the last word of its type's name.
pub(crate) fn section<'a>(dump: &'a Value, kind: &str) -> &'a Value {
    let configs = dump["configs"].as_array().map_or(&[][..], Vec::as_slice);
    let of_kind = |config: &&Value| {
        // All of the last word: there are ScopedRoutesConfigDump and RoutesConfigDump.
        config["@type"].as_str().is_some_and(|name| name.rsplit('.').next() == Some(kind))
    };
    configs.iter().find(of_kind).unwrap_or(&Value::Null)
}

/// Sends through port 80, on a connection of its own.
pub(crate) async fn send(request: &Request) -> Result<Response> {
    Raw::connect(HTTP).await?.send(request).await
}

/// A `GET` for the API's host without a token.
pub(crate) fn stranger(target: &str) -> Request {
    Request::get(target).header("host", API)
}

/// A `GET` for the API's host with a good token.
pub(crate) fn get(target: &str) -> Request {
    stranger(target).header("x-token", TOKEN)
}

/// A program's output, whatever its exit code.
pub(crate) async fn output(
    program: &str,
    arguments: &[&str],
    input: Option<&str>,
) -> Result<std::process::Output> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match input {
        None => command.stdin(Stdio::null()),
        Some(text) => command.stdin(input_file(text)?),
    };
    let what = format!("running {program}");
    let output = tokio::task::spawn_blocking(move || command.output()).await.map_err(Error::during(&what))?;
    output.map_err(Error::during(&what))
}

/// Not a pipe: who writes into one must not wait for the other end.
fn input_file(text: &str) -> Result<File> {
    let file = tempfile::NamedTempFile::new().map_err(Error::during("making a temporary file"))?;
    file.as_file().write_all(text.as_bytes()).map_err(Error::during("writing a temporary file"))?;
    file.reopen().map_err(Error::during("opening a temporary file"))
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What lab.sh says.
pub(crate) fn variable(name: &str) -> String {
    env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: `./build.sh istio` runs these tests, in its lab"))
}

/// An earlier test's stand-in may still be letting go of the port.
async fn api_service(name: &str) -> Result<ApiService> {
    until(format!("{name}'s port"), async || ApiService::start_with(TOKEN, &at(name)).await.ok()).await
}

fn at(name: &str) -> Settings {
    Settings { address: variable(name).parse().expect("an address and a port"), ..Settings::default() }
}

fn log(name: &str) -> String {
    let path = Path::new(&variable("LAB")).join(format!("{name}.log"));
    fs::read(&path).map_or_else(
        |error| format!("{}: {error}", path.display()),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// Manifests of this overlay, with the place of this lab's plugin instead of the examples'.
pub(crate) fn with_plugin(mode: Mode, text: String) -> String {
    match mode {
        Mode::EnvoyFilter => text,
        Mode::EnvoyFilterHttp => placed(
            &text,
            "https://downloads.example.org/keptn-gateway/plugin.wasm",
            &variable("LAB_PLUGIN_URL"),
            "LAB_PLUGIN_SHA256",
        ),
        Mode::WasmPlugin | Mode::TrafficExtension => {
            let example =
                text.split_whitespace().find(|word| word.starts_with("oci://")).expect("an image").to_owned();
            placed(&text, &example, &variable("LAB_IMAGE_URL"), "LAB_IMAGE_SHA256")
        }
    }
}

/// `text` with another place and SHA-256 of the plugin.
fn placed(text: &str, example: &str, url: &str, sha256: &str) -> String {
    assert!(text.contains(example), "{example} is not in the manifests");
    text.replace(example, url).replace(&"0".repeat(64), &variable(sha256))
}
