//! What both stand-ins share: listening, recording, obeying orders.

use super::{
    answer::Answer,
    orders::{Gate, Order, Orders, Reply},
    records::{Outcome, Recording, Records},
    request::Request,
    tap::{Tap, Wire},
};
use crate::{Error, Result, client::Headers};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Response,
    body::{Body, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How a stand-in listens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where. Port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// After this time without a request a connection is closed: 10 s, as go-swagger's servers do.
    pub idle_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), idle_timeout: Duration::from_secs(10) }
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

struct Shared {
    handler: Arc<dyn Handler>,
    records: Records,
    orders: Orders,
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

struct Connection {
    number: usize,
    wire: Wire,
    /// How many requests are under way: 0 or 1.
    busy: watch::Sender<usize>,
}

/// While it lives, the connection is not idle.
struct Busy(Arc<Connection>);

impl Busy {
    fn new(connection: &Arc<Connection>) -> Self {
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

    async fn serve(
        &self,
        connection: &Arc<Connection>,
        mut request: hyper::Request<Incoming>,
    ) -> std::result::Result<Response<Sending>, Broken> {
        let busy = Busy::new(connection);
        let wire = &connection.wire;
        let upgrade = request.headers().contains_key("upgrade");
        let head = wire.take_head(upgrade || !request.body().is_end_stream());
        let (method, target, headers) = read_head(&head);
        let mut recording = self.records.begin(connection.number, &method, &target, headers.clone());
        let mut request_seen = Request {
            method,
            target: String::from_utf8_lossy(&target).into_owned(),
            headers,
            body: Bytes::new(),
        };
        let orders = self.orders.take(request_seen.path());

        if orders.iter().any(|order| matches!(order, Order::ResetBeforeBody)) {
            return reset(recording, wire);
        }
        for order in &orders {
            if let Order::HangBeforeBody(gate) = order {
                gate.pass().await;
            }
        }
        let on_upgrade = hyper::upgrade::on(&mut request);
        if orders.iter().any(|order| matches!(order, Order::AnswerBeforeBody)) {
            let reply = match self.handler.answer(&request_seen) {
                Answer::Reply(reply) => reply,
                Answer::Panic | Answer::Upgrade(..) => Reply::status(200),
            };
            let (reply, sending) = obey(&orders, reply);
            let (connection, status) = (connection.clone(), reply.status);
            tokio::spawn(async move {
                let _ = read_body(request.into_body(), &mut recording).await;
                connection.wire.body_ended();
                recording.ends(Outcome::Answered(status));
            });
            return Ok(respond(&reply, sending, busy, &orders));
        }
        let Some(body) = read_body(request.into_body(), &mut recording).await else {
            // The record says that the client went away.
            drop(recording);
            return Err(Broken);
        };
        request_seen.body = body;
        if !upgrade {
            wire.body_ended();
        }

        for order in &orders {
            match order {
                Order::Delay(time) => tokio::time::sleep(*time).await,
                Order::Hang(gate) => gate.pass().await,
                Order::Reset => return reset(recording, wire),
                Order::Close => return broken(recording),
                Order::HalfHeader => wire.write_instead(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()),
                Order::Garbage(bytes) => wire.write_instead(bytes.clone()),
                _ => {}
            }
        }
        let reply = match self.handler.answer(&request_seen) {
            Answer::Reply(reply) => reply,
            // An answer of its own can still be ordered for what the real service does not survive.
            Answer::Panic if answers(&orders) => Reply::status(200),
            Answer::Panic => return broken(recording),
            Answer::Upgrade(reply, _) if answers(&orders) => reply,
            Answer::Upgrade(reply, task) => {
                recording.ends(Outcome::Answered(reply.status));
                tokio::spawn(async move {
                    if let Ok(stream) = on_upgrade.await {
                        task(stream).await;
                    }
                });
                return Ok(respond(&reply, Sending::whole(Bytes::new()), busy, &orders));
            }
        };
        let (reply, sending) = obey(&orders, reply);
        recording.ends(Outcome::Answered(reply.status));
        Ok(respond(&reply, sending, busy, &orders))
    }
}

/// Returns when no request has been under way for `timeout`.
async fn idle(mut busy: watch::Receiver<usize>, timeout: Duration) {
    loop {
        let _ = busy.wait_for(|busy| *busy == 0).await;
        tokio::select! {
            () = tokio::time::sleep(timeout) => return,
            _ = busy.wait_for(|busy| *busy > 0) => {}
        }
    }
}

fn read_head(bytes: &[u8]) -> (String, Vec<u8>, Headers) {
    let mut lines = [httparse::EMPTY_HEADER; 256];
    let mut head = httparse::Request::new(&mut lines);
    // hyper has accepted these bytes with the same parser.
    let _ = head.parse(bytes);
    let headers = head.headers.iter().map(|line| (line.name.into(), line.value.to_vec())).collect();
    (head.method.unwrap_or_default().into(), head.path.unwrap_or_default().into(), headers)
}

/// `None`: the client went away before the end.
async fn read_body(mut body: Incoming, recording: &mut Recording) -> Option<Bytes> {
    while let Some(frame) = body.frame().await {
        if let Some(chunk) = frame.ok()?.data_ref() {
            recording.body_chunk(chunk);
        }
    }
    Some(recording.body_end())
}

fn answers(orders: &[Order]) -> bool {
    orders.iter().any(|order| matches!(order, Order::Answer(_) | Order::HugeBody(_)))
}

fn obey(orders: &[Order], usual: Reply) -> (Reply, Sending) {
    let mut reply = usual;
    let mut huge = None;
    let mut gate = None;
    for order in orders {
        match order {
            Order::Answer(other) => reply = other.clone(),
            Order::HugeBody(length) => {
                reply = Reply::status(200);
                huge = Some(*length);
            }
            Order::HangInAnswer(at) => gate = Some(at.clone()),
            _ => {}
        }
    }
    let mut sending = huge.map_or_else(|| Sending::whole(reply.body.clone()), Sending::huge);
    sending.gate = gate.map(|gate| (sending.left / 2, gate.into()));
    (reply, sending)
}

fn respond(reply: &Reply, mut sending: Sending, busy: Busy, orders: &[Order]) -> Response<Sending> {
    sending.busy = Some(busy);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value.as_slice());
    }
    let closing = |order: &Order| matches!(order, Order::CloseAfter | Order::HalfHeader | Order::Garbage(_));
    if orders.iter().any(closing) {
        response = response.header("connection", "close");
    }
    response.body(sending).expect("the stand-in was told to answer something that is no HTTP header")
}

fn reset(recording: Recording, wire: &Wire) -> std::result::Result<Response<Sending>, Broken> {
    wire.reset();
    broken(recording)
}

fn broken(recording: Recording) -> std::result::Result<Response<Sending>, Broken> {
    recording.ends(Outcome::Broken);
    Err(Broken)
}

/// Makes hyper drop the connection without an answer.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off on purpose")
    }
}

impl std::error::Error for Broken {}

/// An answer's body.
struct Sending {
    body: Bytes,
    /// Bytes to send; beyond `body` they are filling.
    left: usize,
    /// With so many bytes left, wait here.
    gate: Option<(usize, Waiting)>,
    busy: Option<Busy>,
}

/// A gate, and later the passage through it.
enum Waiting {
    Gate(Gate),
    Passing(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl From<Gate> for Waiting {
    fn from(gate: Gate) -> Self {
        Self::Gate(gate)
    }
}

static FILLING: [u8; 64 << 10] = [b'x'; 64 << 10];

impl Sending {
    fn whole(body: Bytes) -> Self {
        Self { left: body.len(), body, gate: None, busy: None }
    }

    fn huge(left: usize) -> Self {
        Self { body: Bytes::new(), left, gate: None, busy: None }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        let mut most = self.left;
        if let Some((at, waiting)) = &mut self.gate {
            if most > *at {
                most -= *at;
            } else {
                if let Waiting::Gate(gate) = waiting {
                    let gate = gate.clone();
                    *waiting = Waiting::Passing(Box::pin(async move { gate.pass().await }));
                }
                if let Waiting::Passing(passing) = waiting {
                    ready!(passing.as_mut().poll(cx));
                }
                self.gate = None;
            }
        }
        if most == 0 {
            return Poll::Ready(None);
        }
        let chunk = if self.body.is_empty() {
            Bytes::from_static(&FILLING[..most.min(FILLING.len())])
        } else {
            let most = most.min(self.body.len());
            self.body.split_to(most)
        };
        self.left -= chunk.len();
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}
