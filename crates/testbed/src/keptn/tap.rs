//! The socket under the HTTP server: it keeps the bytes of each request's head, and does what no HTTP server does.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Far above what a head may have; what comes beyond it is not HTTP and need not be kept.
const KEPT: usize = 256 << 10;

/// What the server and its socket know of each other.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Read since the last request's end: at the moment a request is served, its head. hyper lower-cases names and
    /// keeps them by name; the bytes tell order and case.
    seen: Vec<u8>,
    /// A body is under way: not kept here.
    in_body: bool,
    /// Written instead of the answer.
    instead: Option<Vec<u8>>,
    /// Close with a reset.
    reset: bool,
}

/// A handle to [`Line`].
#[derive(Clone, Debug, Default)]
pub(super) struct Wire(Arc<Mutex<Line>>);

impl Wire {
    /// The bytes of the request that hyper has just read. The Envoy in front never pipelines, so nothing else is among
    /// them but the begin of a body.
    pub(super) fn take_head(&self, has_body: bool) -> Vec<u8> {
        let mut line = self.0.lock().unwrap();
        line.in_body = has_body;
        std::mem::take(&mut line.seen)
    }

    /// What has come next belongs to the next request.
    pub(super) fn body_ended(&self) {
        self.0.lock().unwrap().in_body = false;
    }

    /// What came and was never served.
    pub(super) fn unserved(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap().seen)
    }

    /// Writes `bytes` in place of the next answer, and nothing after them.
    pub(super) fn write_instead(&self, bytes: Vec<u8>) {
        self.0.lock().unwrap().instead = Some(bytes);
    }

    /// When the connection is dropped, it is reset.
    pub(super) fn reset(&self) {
        self.0.lock().unwrap().reset = true;
    }
}

/// The socket.
#[derive(Debug)]
pub(super) struct Tap {
    stream: TcpStream,
    wire: Wire,
}

impl Tap {
    pub(super) fn new(stream: TcpStream) -> (Self, Wire) {
        let wire = Wire::default();
        (Self { stream, wire: wire.clone() }, wire)
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let mut line = self.wire.0.lock().unwrap();
        if !line.in_body && line.seen.len() < KEPT {
            line.seen.extend_from_slice(&buf.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut line = this.wire.0.lock().unwrap();
        let Some(instead) = &mut line.instead else {
            drop(line);
            return Pin::new(&mut this.stream).poll_write(cx, buf);
        };
        while !instead.is_empty() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(cx, instead))?;
            instead.drain(..written);
        }
        // The proper answer goes nowhere.
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if self.wire.0.lock().unwrap().reset {
            let _ = self.stream.set_zero_linger();
        }
    }
}
