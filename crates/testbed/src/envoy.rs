//! A real Envoy under control.

use crate::{
    Bootstrap, Error, Result,
    client::{Raw, Request},
    process,
    wait::until,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fmt::{self, Display},
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
};
use tempfile::TempDir;

/// How much of the log is shown when a test fails.
const TAIL_LINES: usize = 60;

/// How Envoy is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program: `$ENVOY_BIN` by default.
    pub binary: Option<PathBuf>,
    /// How many worker threads.
    pub concurrency: usize,
    /// Envoy's log level.
    pub log_level: String,
    /// Log levels of components, such as `wasm:debug,router:debug`.
    pub component_log_level: String,
    /// How long old connections keep a replaced configuration.
    pub drain_time_s: u32,
    /// More arguments.
    pub arguments: Vec<OsString>,
    /// A program that becomes Envoy, and its arguments: `taskset -c 0`. None: Envoy is started by itself.
    pub launcher: Vec<OsString>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            binary: None,
            concurrency: 1,
            log_level: "warning".to_owned(),
            component_log_level: "wasm:debug".to_owned(),
            drain_time_s: 30,
            arguments: Vec::new(),
            launcher: Vec::new(),
        }
    }
}

/// A running Envoy. It is killed when dropped, and by the kernel when this process ends in any other way. Dropped by a
/// panic, it prints the end of its log.
pub struct Envoy {
    child: Mutex<Child>,
    directory: TempDir,
    binary: PathBuf,
    admin: SocketAddr,
    listeners: BTreeMap<String, SocketAddr>,
}

impl Envoy {
    /// Starts Envoy and awaits that it is ready.
    ///
    /// # Errors
    /// `$ENVOY_BIN` or `$PLUGIN_WASM` is not set, Envoy refuses the bootstrap, or does not become ready; with its log.
    pub async fn start(bootstrap: &Bootstrap) -> Result<Self> {
        Self::start_with(bootstrap, &Options::default()).await
    }

    /// As [`Envoy::start`], with other options.
    ///
    /// # Errors
    /// As [`Envoy::start`].
    pub async fn start_with(bootstrap: &Bootstrap, options: &Options) -> Result<Self> {
        let binary = match &options.binary {
            Some(path) => path.clone(),
            None => env::var_os("ENVOY_BIN").map(PathBuf::from).ok_or_else(|| {
                Error::new("ENVOY_BIN is not set: it names Envoy's program. `./build.sh test` finds or installs one and sets it")
            })?,
        };
        let directory = tempfile::Builder::new().prefix("testbed-envoy-").tempdir();
        let directory = directory.map_err(Error::during("making a temporary directory"))?;
        let (config, listeners) = bootstrap.files(&directory.path().join(LISTENERS))?;
        write_json(&directory.path().join("bootstrap.json"), &config)?;
        if let Some(listeners) = listeners {
            write_json(&directory.path().join(LISTENERS), &listeners)?;
        }
        let child = process::spawn(command(&binary, directory.path(), options)?);
        let child = child.map_err(Error::during(format!("starting {}", binary.display())))?;
        let mut envoy = Self {
            child: Mutex::new(child),
            directory,
            binary,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            listeners: BTreeMap::new(),
        };
        match envoy.become_ready().await {
            Ok(()) => Ok(envoy),
            Err(error) => Err(Error::new(format!("{error}\n{}", envoy.tail()))),
        }
    }

    async fn become_ready(&mut self) -> Result<()> {
        let address_file = self.directory.path().join(ADMIN);
        let admin = self.until("Envoy's admin address", async || {
            fs::read_to_string(&address_file).ok()?.trim().parse::<SocketAddr>().ok()
        });
        self.admin = admin.await?;
        self.until("Envoy to be ready", async || {
            let answer = Raw::connect(self.admin).await.ok()?.send(&Request::get("/ready")).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await?;
        self.read_listeners().await
    }

    async fn read_listeners(&mut self) -> Result<()> {
        let answer: Value = serde_json::from_str(&self.admin_get("/listeners?format=json").await?)
            .map_err(Error::during("reading /listeners"))?;
        let address = |status: &Value| {
            let name = status["name"].as_str()?.to_owned();
            let socket = &status["local_address"]["socket_address"];
            let ip = socket["address"].as_str()?.parse().ok()?;
            Some((name, SocketAddr::new(ip, u16::try_from(socket["port_value"].as_u64()?).ok()?)))
        };
        self.listeners =
            answer["listener_statuses"].as_array().into_iter().flatten().filter_map(address).collect();
        Ok(())
    }

    /// Where the listener `name` listens.
    ///
    /// # Panics
    /// There is no such listener.
    pub fn listener(&self, name: &str) -> SocketAddr {
        let found = self.listeners.get(name);
        *found.unwrap_or_else(|| panic!("Envoy has no listener {name}, but {:?}", self.listeners.keys()))
    }

    /// Where the admin interface listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Envoy's process id.
    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// The body of an admin page.
    ///
    /// # Errors
    /// Envoy does not answer with 200.
    pub async fn admin_get(&self, path: &str) -> Result<String> {
        self.admin_ask("GET", path).await
    }

    /// As [`Envoy::admin_get`], for the pages that change something.
    ///
    /// # Errors
    /// Envoy does not answer with 200.
    pub async fn admin_post(&self, path: &str) -> Result<String> {
        self.admin_ask("POST", path).await
    }

    async fn admin_ask(&self, method: &str, path: &str) -> Result<String> {
        let answer = Raw::connect(self.admin).await?.send(&Request::new(method, path)).await?;
        if answer.status != 200 {
            return Err(Error::new(format!("Envoy's admin answers {method} {path} with {answer:?}")));
        }
        Ok(answer.text())
    }

    /// All counters and gauges.
    ///
    /// # Errors
    /// Envoy does not answer.
    pub async fn stats(&self) -> Result<BTreeMap<String, u64>> {
        let text = self.admin_get("/stats").await?;
        // Histograms and text values have no number and fall out.
        let number =
            |line: &str| line.rsplit_once(": ").and_then(|(n, v)| Some((n.to_owned(), v.parse().ok()?)));
        Ok(text.lines().filter_map(number).collect())
    }

    /// One counter or gauge; 0 if Envoy has none of that name.
    ///
    /// # Errors
    /// Envoy does not answer.
    pub async fn counter(&self, name: &str) -> Result<u64> {
        Ok(self.stats().await?.get(name).copied().unwrap_or(0))
    }

    /// Awaits that a counter or gauge is as `enough` wants it, and returns it.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn wait_for_counter(&self, name: &str, enough: impl Fn(u64) -> bool) -> Result<u64> {
        let found = self.until(format!("the counter {name}"), async || {
            self.counter(name).await.ok().filter(|value| enough(*value))
        });
        found.await.map_err(|error| Error::new(format!("{error}\n{}", self.tail())))
    }

    /// The configuration as Envoy has understood it.
    ///
    /// # Errors
    /// Envoy does not answer.
    pub async fn config_dump(&self) -> Result<Value> {
        let text = self.admin_get("/config_dump").await?;
        serde_json::from_str(&text).map_err(Error::during("reading /config_dump"))
    }

    /// Replaces all listeners by those of `bootstrap`. Envoy has accepted or refused them when this returns: true,
    /// accepted. Ports stay for listeners that keep their name.
    ///
    /// # Errors
    /// Neither happens.
    ///
    /// # Panics
    /// Envoy was started without [`Bootstrap::dynamic_listeners`].
    pub async fn replace_listeners(&mut self, bootstrap: &Bootstrap) -> Result<bool> {
        const ACCEPTED: &str = "listener_manager.lds.update_success";
        const REFUSED: &str = "listener_manager.lds.update_rejected";
        let before = self.stats().await?;
        let count = |stats: &BTreeMap<String, u64>, name| stats.get(name).copied().unwrap_or(0);
        self.hand_over_listeners(bootstrap)?;
        let accepted = self.until("Envoy to take or refuse the new listeners", async || {
            let now = self.stats().await.ok()?;
            if count(&now, REFUSED) > count(&before, REFUSED) {
                return Some(false);
            }
            let warm = count(&now, "listener_manager.total_listeners_warming") == 0;
            (warm && count(&now, ACCEPTED) > count(&before, ACCEPTED)).then_some(true)
        });
        let accepted = accepted.await.map_err(|error| Error::new(format!("{error}\n{}", self.tail())))?;
        self.read_listeners().await?;
        Ok(accepted)
    }

    /// Puts the listeners of `bootstrap` in the place of all there are, and does not wait for what Envoy makes of them.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// # Panics
    /// Envoy was started without [`Bootstrap::dynamic_listeners`].
    pub fn hand_over_listeners(&self, bootstrap: &Bootstrap) -> Result<()> {
        let path = self.directory.path().join(LISTENERS);
        assert!(path.exists(), "Envoy was started without dynamic_listeners()");
        let (_, listeners) = bootstrap.clone().dynamic_listeners().files(&path)?;
        // Envoy watches the directory for moves: it never sees half a file.
        let new = self.directory.path().join("listeners.new");
        write_json(&new, &listeners.unwrap_or_default())?;
        fs::rename(new, path).map_err(Error::during("replacing the listeners' file"))
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    /// Envoy has ended.
    pub fn rss_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.map_err(Error::during("reading Envoy's memory"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        number.ok_or_else(|| Error::new("Envoy has ended: it has no memory any more"))
    }

    /// What `envoy --version` prints.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn version(&self) -> Result<String> {
        let output =
            Command::new(&self.binary).arg("--version").output().map_err(Error::during("envoy --version"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Envoy's log so far, the filter's lines included.
    pub fn log(&self) -> String {
        read_lossy(&self.directory.path().join(LOG))
    }

    /// Awaits that the log is as `enough` wants it, and returns it.
    ///
    /// # Errors
    /// It does not come to that; the error names `what` and shows the end of the log.
    pub async fn wait_for_log(&self, what: impl Display, enough: impl Fn(&str) -> bool) -> Result<String> {
        let found =
            self.until(format!("{what} in Envoy's log"), async || Some(self.log()).filter(|log| enough(log)));
        found.await.map_err(|error| Error::new(format!("{error}\n{}", self.tail())))
    }

    /// The access log's lines so far: what the bootstrap writes as JSON to standard output.
    pub fn access_log(&self) -> Vec<Value> {
        let text = read_lossy(&self.directory.path().join(ACCESS_LOG));
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Awaits that the access log is as `enough` wants it, and returns it.
    ///
    /// # Errors
    /// It does not come to that; the error names `what` and shows the access log.
    pub async fn wait_for_access_log(
        &self,
        what: impl Display,
        enough: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>> {
        let found = self.until(format!("{what} in the access log"), async || {
            Some(self.access_log()).filter(|lines| enough(lines))
        });
        found
            .await
            .map_err(|error| Error::new(format!("{error}; the access log is {:#?}", self.access_log())))
    }

    /// Where this Envoy's files are, for what a test wants to put beside them.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// As [`until`], and over at once when Envoy has ended.
    async fn until<T>(&self, what: impl Display, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
        until(what, async || match look().await {
            Some(found) => Some(Ok(found)),
            None => self.ended().map(Err),
        })
        .await?
    }

    fn ended(&self) -> Option<Error> {
        let status = self.child.lock().unwrap().try_wait().ok().flatten()?;
        Some(Error::new(format!("Envoy has ended with {status}")))
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        format!("--- the end of Envoy's log ---\n{}\n--- end ---", shown.join("\n"))
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
        if thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}

impl fmt::Debug for Envoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envoy").field("listeners", &self.listeners).field("admin", &self.admin).finish()
    }
}

const LISTENERS: &str = "listeners.json";
const ADMIN: &str = "admin-address";
const LOG: &str = "envoy.log";
const ACCESS_LOG: &str = "access.log";

fn command(binary: &Path, directory: &Path, options: &Options) -> Result<Command> {
    let file =
        |name: &str| File::create(directory.join(name)).map_err(Error::during(format!("making {name}")));
    let mut command = match options.launcher.split_first() {
        None => Command::new(binary),
        Some((launcher, arguments)) => {
            let mut command = Command::new(launcher);
            command.args(arguments).arg(binary);
            command
        }
    };
    command
        .arg("--config-path")
        .arg(directory.join("bootstrap.json"))
        .arg("--admin-address-path")
        .arg(directory.join(ADMIN))
        .args(["--concurrency", &options.concurrency.to_string()])
        .args(["--drain-time-s", &options.drain_time_s.to_string()])
        .args(["--log-level", &options.log_level])
        .args(["--component-log-level", &options.component_log_level])
        // Envoy's default holds access log lines back for ten seconds.
        .args(["--file-flush-interval-msec", "50"])
        // Without it each Envoy leaves shared memory behind when it is killed, and Envoys side by side need ids.
        .arg("--disable-hot-restart")
        .args(&options.arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(file(ACCESS_LOG)?)
        .stderr(file(LOG)?);
    Ok(command)
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    fs::write(path, value.to_string()).map_err(Error::during(format!("writing {}", path.display())))
}

fn read_lossy(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
