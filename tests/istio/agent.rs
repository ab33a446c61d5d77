//! Istio's agent in the gateway's pod, with Envoy as its child: a pod that starts anew.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::{Lab, variable};
use testbed::{
    Error, Result,
    client::{Raw, Request},
    wait::until,
};

const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15000);
/// Where Kubernetes asks whether the pod is ready.
const READY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15021);

/// How lab.sh started Istio's agent.
pub(crate) struct Agent {
    command: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
}

impl Agent {
    fn process() -> Result<PathBuf> {
        let id = fs::read_to_string(Path::new(&variable("LAB")).join("agent.pid"));
        let id = id.map_err(Error::during("reading the agent's process id"))?;
        Ok(Path::new("/proc").join(id.trim()))
    }

    /// The one that runs.
    pub(crate) fn current() -> Result<Self> {
        let process = Self::process()?;
        let parts = |file: &str| {
            let bytes =
                fs::read(process.join(file)).map_err(Error::during("reading how the agent was started"))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok::<Vec<String>, Error>(text.split_terminator('\0').map(Into::into).collect())
        };
        let environment = parts("environ")?;
        let environment = environment.iter().filter_map(|it| it.split_once('='));
        Ok(Self {
            command: parts("cmdline")?,
            environment: environment.map(|(name, value)| (name.into(), value.into())).collect(),
            folder: fs::read_link(process.join("cwd"))
                .map_err(Error::during("reading the agent's folder"))?,
        })
    }

    /// Starts it anew with one worker: what the filter remembers and counts is the worker's own. The lab has two.
    pub(crate) async fn with_one_worker(&self, lab: &Lab) -> Result<()> {
        let one = |name: &str, value: &str| match name {
            "PROXY_CONFIG" => {
                let one = value.replace("concurrency: 2", "concurrency: 1");
                assert_ne!(one, value);
                one
            }
            _ => value.to_owned(),
        };
        self.restarted(lab, one, &[]).await
    }

    /// Starts it anew in the place of the one that runs, as a pod would be, with another environment.
    pub(crate) async fn restarted(
        &self,
        lab: &Lab,
        edit: impl Fn(&str, &str) -> String,
        more: &[(&str, &str)],
    ) -> Result<()> {
        let process = Self::process()?;
        let id = process.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        lab.run("kill", &[&id], None).await?;
        // Whoever has ended may be left as a zombie, without a command line. The agent does not wait for Envoy.
        until("the agent's end, and Envoy's", async || {
            let is_gone = fs::read(process.join("cmdline")).map_or(true, |it| it.is_empty());
            (is_gone && Raw::connect(ADMIN).await.is_err()).then_some(())
        })
        .await?;
        let lab_folder = PathBuf::from(variable("LAB"));
        let log = || fs::File::options().append(true).open(lab_folder.join("agent.log"));
        let log = || log().map_err(Error::during("opening the agent's log"));
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).current_dir(&self.folder).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, edit(name, value))));
        command.envs(more.iter().copied());
        let started = command.stdin(Stdio::null()).stdout(log()?).stderr(log()?).spawn();
        let started = started.map_err(Error::during("starting the agent"))?;
        fs::write(lab_folder.join("agent.pid"), started.id().to_string())
            .map_err(Error::during("writing the agent's process id"))?;
        until("the gateway's configuration", async || {
            let mut ready = Raw::connect(READY).await.ok()?;
            let answer = ready.send(&Request::get("/healthz/ready")).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await?;
        Ok(())
    }
}
