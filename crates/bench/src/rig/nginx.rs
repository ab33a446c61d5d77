//! One nginx process.

use std::{
    ffi::OsString,
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use testbed::{
    Error, Result,
    client::{Raw, Request},
    process,
    wait::until,
};

/// A running nginx. It ends when dropped, and with this process.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Nginx {
    /// Starts it with this configuration, in which `@LISTEN@` becomes an address, and awaits that it listens. The
    /// launcher is what it is started by.
    ///
    /// # Errors
    /// It is not there or refuses its configuration; with what it says.
    pub(crate) async fn start(configuration: &str, launcher: &[OsString]) -> Result<Self> {
        let address = free_address()?;
        let directory = tempfile::Builder::new().prefix("bench-nginx-").tempdir();
        let directory = directory.map_err(Error::during("making a temporary directory"))?;
        let file = directory.path().join("nginx.conf");
        fs::write(&file, configuration.replace("@LISTEN@", &address.to_string()))
            .map_err(Error::during("writing nginx's configuration"))?;
        let log = directory.path().join("log");
        let stderr = File::create(&log).map_err(Error::during("making nginx's log"))?;
        let mut words = launcher.iter().cloned().chain([OsString::from("nginx")]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg("-p").arg(directory.path()).args(["-e", "stderr", "-c"]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child =
            process::spawn(command).map_err(Error::during("starting nginx (Debian's package nginx)"))?;
        let mut this = Self { child, address, _directory: directory };
        let listens = until("nginx to listen", async || match this.child.try_wait() {
            Ok(None) => Raw::connect(address).await.ok().map(|_| Ok(())),
            _ => Some(Err(Error::new("nginx has ended"))),
        });
        let said = |error| {
            Error::new(format!("{error}; it says:\n{}", fs::read_to_string(&log).unwrap_or_default()))
        };
        listens.await.flatten().map_err(said)?;
        Ok(this)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many requests it has had, by its `/stub_status`; this one included.
    ///
    /// # Errors
    /// It has no such page.
    pub(crate) async fn requests(&self) -> Result<u64> {
        let page = Raw::connect(self.address).await?.send(&Request::get("/stub_status")).await?.text();
        // "server accepts handled requests", and below it the numbers.
        let numbers =
            page.lines().find(|line| line.starts_with(' ')).and_then(|line| line.split_whitespace().last());
        numbers
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| Error::new(format!("no stub_status: {page}")))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on. (nginx does not tell which port it got if it asked for any.)
pub(crate) fn free_address() -> Result<SocketAddr> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.map_err(Error::during("looking for a free port"))
}
