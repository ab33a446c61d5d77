//! What both stand-ins share: listening, recording, obeying orders.

use super::{
    answer::Answer,
    orders::Orders,
    records::{Outcome, Records},
    request::Request,
    tap::{Tap, Wire},
};
use crate::{Error, Result, client::Headers};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::{
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How a stand-in listens, and what it has at hand.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where. Port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// After this time without a request a connection is closed: 10 s, as go-swagger's servers do.
    pub idle_timeout: Duration,
    /// The folder of npm's swagger-ui-dist, which Swagger UI is made of. Without it, /swagger-ui/ is an empty page.
    pub swagger_ui: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            idle_timeout: Duration::from_secs(10),
            swagger_ui: None,
        }
    }
}

/// What a stand-in answers when it has no orders.
pub(super) trait Handler: Send + Sync + 'static {
    fn answer(&self, request: &Request) -> Answer;
}

/// A service under control.
pub struct StandIn {
    /// What it received.
    pub records: Records,
    /// What it is told to do wrong.
    pub orders: Orders,
    address: SocketAddr,
    /// Bound to the port and never listening: the port stays ours while nobody listens on it.
    _reservation: TcpSocket,
    listening: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) records: Records,
    pub(super) orders: Orders,
    idle_timeout: Duration,
    accepted: AtomicUsize,
    open: AtomicUsize,
    reset_new: AtomicBool,
    /// Connections end when it changes.
    epoch: watch::Sender<usize>,
}

fn bind(address: SocketAddr) -> Result<TcpSocket> {
    let during = || Error::during(format!("binding to {address}"));
    let socket =
        if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(during())?;
    socket.set_reuseaddr(true).map_err(during())?;
    socket.bind(address).map_err(during())?;
    Ok(socket)
}

impl StandIn {
    pub(super) fn start(handler: Arc<dyn Handler>, settings: &Settings) -> Result<Self> {
        let reservation = bind(settings.address)?;
        let address = reservation.local_addr().map_err(Error::during("binding"))?;
        let (records, orders) = (Records::new(), Orders::default());
        let shared = Shared {
            handler,
            records: records.clone(),
            orders: orders.clone(),
            idle_timeout: settings.idle_timeout,
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            reset_new: AtomicBool::new(false),
            epoch: watch::Sender::new(0),
        };
        let stand_in = Self {
            records,
            orders,
            address,
            _reservation: reservation,
            listening: Mutex::new(None),
            shared: Arc::new(shared),
        };
        stand_in.listen()?;
        Ok(stand_in)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Relaxed)
    }

    /// How many connections are open, WebSockets not counted.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Relaxed)
    }

    /// Refuses connections, and closes those that are open. The port stays reserved.
    pub async fn stop_listening(&self) {
        let task = self.listening.lock().unwrap().take();
        if let Some(task) = task {
            task.abort();
            // The socket is closed when the task is gone, not when it is told to go.
            let _ = task.await;
        }
        self.close_connections();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen(&self) -> Result<()> {
        let mut listening = self.listening.lock().unwrap();
        if listening.is_some() {
            return Ok(());
        }
        let listener = bind(self.address)?.listen(1024).map_err(Error::during("listening"))?;
        let shared = self.shared.clone();
        *listening = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.accept(stream);
            }
        }));
        Ok(())
    }

    /// Closes all open connections, also those with a request under way. WebSockets stay.
    pub fn close_connections(&self) {
        self.shared.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// From now on (or no longer) new connections are reset before anything is read.
    pub fn reset_new_connections(&self, reset: bool) {
        self.shared.reset_new.store(reset, Relaxed);
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(task) = self.listening.lock().unwrap().take() {
            task.abort();
        }
        self.close_connections();
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("address", &self.address).field("records", &self.records).finish()
    }
}

pub(super) struct Connection {
    pub(super) number: usize,
    pub(super) wire: Wire,
    /// How many requests are under way: 0 or 1.
    busy: watch::Sender<usize>,
}

/// While it lives, the connection is not idle.
pub(super) struct Busy(Arc<Connection>);

impl Busy {
    pub(super) fn new(connection: &Arc<Connection>) -> Self {
        connection.busy.send_modify(|busy| *busy += 1);
        Self(connection.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy -= 1);
    }
}

struct OpenCount(Arc<Shared>);

impl Drop for OpenCount {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, stream: TcpStream) {
        let number = self.accepted.fetch_add(1, Relaxed);
        if self.reset_new.load(Relaxed) {
            let _ = stream.set_zero_linger();
            return;
        }
        let _ = stream.set_nodelay(true);
        self.open.fetch_add(1, Relaxed);
        let count = OpenCount(self.clone());
        let (tap, wire) = Tap::new(stream);
        let connection = Arc::new(Connection { number, wire, busy: watch::Sender::new(0) });
        let shared = self.clone();
        tokio::spawn(async move {
            shared.run(&connection, tap).await;
            drop(count);
        });
    }

    async fn run(self: &Arc<Self>, connection: &Arc<Connection>, tap: Tap) {
        let service = service_fn(|request| {
            let (shared, connection) = (self.clone(), connection.clone());
            async move { shared.serve(&connection, request).await }
        });
        let http = hyper::server::conn::http1::Builder::new()
            // As Go writes them.
            .title_case_headers(true)
            .max_headers(256)
            .serve_connection(TokioIo::new(tap), service)
            .with_upgrades();
        let mut epoch = self.epoch.subscribe();
        tokio::select! {
            _ = http => {}
            () = idle(connection.busy.subscribe(), self.idle_timeout) => {}
            _ = epoch.changed() => {}
        }
        let unserved = connection.wire.unserved();
        if !unserved.is_empty() {
            // A test that counts requests must see also those that hyper refused.
            let line = unserved.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
            let mut recording = self.records.begin(connection.number, "", line, Headers::new());
            recording.body_chunk(&unserved);
            recording.body_end();
            recording.ends(Outcome::NotHttp);
        }
    }
}

/// Returns when no request has been under way for `timeout`.
async fn idle(mut busy: watch::Receiver<usize>, timeout: Duration) {
    loop {
        let _ = busy.wait_for(|busy| *busy == 0).await;
        tokio::select! {
            () = tokio::time::sleep(timeout) => return,
            // And not "greater than 0": a request may be over before anybody looks.
            _ = busy.changed() => {}
        }
    }
}
