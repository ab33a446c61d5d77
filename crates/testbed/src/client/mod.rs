//! Clients that can send what honest libraries cannot.
//!
//! [`Raw`] writes HTTP/1.1 byte for byte, [`H2`] speaks HTTP/2 with prior knowledge, [`Frames`] writes HTTP/2 frames
//! that the `h2` crate refuses to, [`WebSocket`] goes over both. All take the same [`Request`] and give the same
//! [`Response`].

mod frames;
mod h2;
mod raw;
mod websocket;

pub use self::{
    frames::Frames,
    h2::{H2, H2Stream},
    raw::Raw,
    websocket::{Handshake, Message, WebSocket},
};
use crate::{Error, Result};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};
use tokio::net::{TcpSocket, TcpStream};

/// Header lines: names and values as sent, in the order sent.
pub type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// The values of all headers called `name`, without case.
pub fn values<'a>(headers: &'a Headers, name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v.as_slice())
}

/// The request's body.
#[derive(Clone, Debug, Default)]
enum Body {
    #[default]
    None,
    /// With `content-length`.
    Sized(Vec<u8>),
    /// With `transfer-encoding: chunked` (HTTP/2: as many DATA frames).
    Chunks(Vec<Vec<u8>>),
}

/// A request, in exactly the bytes given: order and case of headers are kept, nothing is encoded.
///
/// `host` (HTTP/2: `:authority`) is `gateway.test` unless a header `host` is given or [`Request::no_host`] is called.
#[derive(Clone)]
pub struct Request {
    method: Vec<u8>,
    target: Vec<u8>,
    headers: Headers,
    body: Body,
    host: bool,
    protocol: Option<String>,
}

impl Request {
    /// Any method token and any target.
    pub fn new(method: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.as_ref().to_vec(),
            target: target.as_ref().to_vec(),
            headers: Vec::new(),
            body: Body::None,
            host: true,
            protocol: None,
        }
    }

    /// `GET target`.
    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    /// `POST target`.
    pub fn post(target: impl AsRef<[u8]>) -> Self {
        Self::new("POST", target)
    }

    /// One more header line.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sends neither `host` nor `:authority`.
    #[must_use]
    pub fn no_host(mut self) -> Self {
        self.host = false;
        self
    }

    /// A body with `content-length`.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Sized(bytes.into());
        self
    }

    /// A JSON body with its content type.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }

    /// A body without declared length, in these chunks.
    #[must_use]
    pub fn chunked<C: Into<Vec<u8>>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        self.body = Body::Chunks(chunks.into_iter().map(Into::into).collect());
        self
    }

    /// The `:protocol` of an extended CONNECT (RFC 8441). HTTP/2 only.
    #[must_use]
    pub fn protocol(mut self, protocol: &str) -> Self {
        self.protocol = Some(protocol.to_owned());
        self
    }

    fn has(&self, name: &str) -> bool {
        values(&self.headers, name).next().is_some()
    }

    /// The request as HTTP/1.1 writes it, body included.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.head_bytes();
        match &self.body {
            Body::None => {}
            Body::Sized(bytes) => out.extend_from_slice(bytes),
            Body::Chunks(chunks) => {
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    out.extend_from_slice(&chunk_bytes(chunk));
                }
                out.extend_from_slice(b"0\r\n\r\n");
            }
        }
        out
    }

    /// The request line and the headers as HTTP/1.1 writes them, with the empty line.
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut out = [&self.method, b" ".as_slice(), &self.target, b" HTTP/1.1\r\n"].concat();
        let mut line =
            |name: &[u8], value: &[u8]| out.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
        if self.host && !self.has("host") {
            line(b"host", DEFAULT_HOST.as_bytes());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        match &self.body {
            Body::Sized(bytes) if !self.has("content-length") => {
                line(b"content-length", bytes.len().to_string().as_bytes());
            }
            Body::Chunks(_) if !self.has("transfer-encoding") => line(b"transfer-encoding", b"chunked"),
            _ => {}
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    fn is_head(&self) -> bool {
        self.method == b"HEAD"
    }

    fn authority(&self) -> Option<Vec<u8>> {
        let given = values(&self.headers, "host").next().map(<[u8]>::to_vec);
        given.or_else(|| self.host.then(|| DEFAULT_HOST.into()))
    }
}

// By hand, and without values: a token in a header does not belong in a test's output.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.escape_ascii(), self.target.escape_ascii())
    }
}

const DEFAULT_HOST: &str = "gateway.test";

/// One chunk of a chunked body as HTTP/1.1 writes it.
pub fn chunk_bytes(chunk: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()
}

/// What came back.
#[derive(Clone)]
pub struct Response {
    /// The status of the final answer.
    pub status: u16,
    /// The statuses of interim answers (1xx) before it.
    pub interim: Vec<u16>,
    /// Names as received: over HTTP/2 always lower case, and without pseudo headers.
    pub headers: Headers,
    /// The body, decoded from chunks.
    pub body: Vec<u8>,
    /// The body ended as its framing says. False: the connection or the stream broke before.
    pub complete: bool,
    /// The error code of the RST_STREAM that ended the stream. `Some(0)`, with a complete answer, may come after an
    /// upload that was not wanted to its end.
    pub reset: Option<u32>,
}

impl Response {
    /// The value of the header `name`, if it is there exactly once. Bytes outside UTF-8 are replaced.
    ///
    /// # Panics
    /// The header is there twice: a test that reads one of the two would see half the truth.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut all = values(&self.headers, name);
        let first = all.next();
        assert!(all.next().is_none(), "the answer has more than one header {name}: {self:?}");
        first.map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The body as text; bytes outside UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// It is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body is not JSON ({error}): {self:?}"))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            write!(f, "\n{}: {}", name.escape_ascii(), value.escape_ascii())?;
        }
        let shown = &self.body[..self.body.len().min(1000)];
        write!(f, "\n\n{} ({} bytes", String::from_utf8_lossy(shown), self.body.len())?;
        write!(f, "{}", if self.complete { "" } else { ", cut" })?;
        self.reset.map_or(Ok(()), |code| write!(f, ", RST_STREAM {code}"))?;
        write!(f, ")")
    }
}

/// Connects, from `source` when given: all of 127.0.0.0/8 is this machine, so that each test can be a client with an
/// address of its own.
async fn connect(source: Option<IpAddr>, target: SocketAddr) -> Result<TcpStream> {
    let during = || Error::during(format!("connecting to {target}"));
    let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(during())?;
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0)).map_err(Error::during(format!("binding to {source}")))?;
    }
    let stream = socket.connect(target).await.map_err(during())?;
    stream.set_nodelay(true).map_err(during())?;
    Ok(stream)
}
