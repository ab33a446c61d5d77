//! HTTP/2 with prior knowledge, over the `h2` crate.

use super::{Body, Headers, Request, Response, connect};
use crate::{Error, Result, wait};
use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use std::{
    future::poll_fn,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::task::JoinHandle;

/// One HTTP/2 connection. Streams may be open at the same time.
#[derive(Debug)]
pub struct H2 {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<()>,
    local: SocketAddr,
}

/// A request whose body is still open.
#[derive(Debug)]
pub struct H2Stream {
    response: ResponseFuture,
    body: SendStream<Bytes>,
}

impl H2 {
    /// Connects.
    ///
    /// # Errors
    /// The connection is refused, or the other end does not speak HTTP/2.
    pub async fn connect(target: SocketAddr) -> Result<Self> {
        Self::over(None, target).await
    }

    /// Connects from an address of this machine, such as 127.1.2.3.
    ///
    /// # Errors
    /// As [`H2::connect`], or `source` is no address of this machine.
    pub async fn connect_from(source: IpAddr, target: SocketAddr) -> Result<Self> {
        Self::over(Some(source), target).await
    }

    async fn over(source: Option<IpAddr>, target: SocketAddr) -> Result<Self> {
        let stream = connect(source, target).await?;
        let local = stream.local_addr().map_err(Error::during("connecting"))?;
        // Windows wide enough that a test's answer is never held back by its own client.
        let handshake = h2::client::Builder::new()
            .initial_window_size(16 << 20)
            .initial_connection_window_size(64 << 20)
            .enable_push(false)
            .handshake(stream);
        let (sender, connection) = handshake.await.map_err(Error::during("the HTTP/2 handshake"))?;
        let driver = tokio::spawn(async move {
            // Why a connection ended is told to its streams.
            let _ = connection.await;
        });
        Ok(Self { sender, driver, local })
    }

    /// This end's address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Sends the request and reads the answer. `transfer-encoding` and the like do not exist here: leave them out.
    ///
    /// # Errors
    /// No answer came (the stream was reset, the connection broke), or `h2` refuses to send the request: [`Frames`]
    /// sends it.
    ///
    /// [`Frames`]: super::Frames
    pub async fn send(&mut self, request: &Request) -> Result<Response> {
        if matches!(request.body, Body::None) {
            return self.start(request, true).await?.response().await;
        }
        let mut stream = self.open(request).await?;
        let chunks = match &request.body {
            Body::None => vec![],
            Body::Sized(bytes) => vec![bytes.clone()],
            Body::Chunks(chunks) => chunks.clone(),
        };
        for chunk in chunks {
            // The answer may come before the whole body is sent; then the rest of it is not wanted.
            if stream.data(chunk).await.is_err() {
                return stream.response().await;
            }
        }
        let _ = stream.end();
        stream.response().await
    }

    /// Sends the head and leaves the body open. A body of the request given by [`Request::body`] only sets its
    /// `content-length`.
    ///
    /// # Errors
    /// The connection broke, or `h2` refuses to send the request.
    pub async fn open(&mut self, request: &Request) -> Result<H2Stream> {
        self.start(request, false).await
    }

    async fn start(&mut self, request: &Request, end: bool) -> Result<H2Stream> {
        let head = self.head(request).await?;
        let mut sender =
            self.sender.clone().ready().await.map_err(Error::during("waiting for a free stream"))?;
        let (response, body) =
            sender.send_request(head, end).map_err(Error::during("sending the request"))?;
        Ok(H2Stream { response, body })
    }

    async fn head(&self, request: &Request) -> Result<http::Request<()>> {
        let refused = |what: &str| Error::new(format!("`h2` cannot send this {what}; client::Frames can"));
        let mut uri = http::Uri::builder();
        if let Some(authority) = request.authority() {
            uri = uri.scheme("http").authority(authority.as_slice());
        }
        let uri = uri.path_and_query(request.target.as_slice()).build().map_err(|_| refused("target"))?;
        let method = http::Method::from_bytes(&request.method).map_err(|_| refused("method"))?;
        let mut head = http::Request::builder().method(method).uri(uri).version(http::Version::HTTP_2);
        for (name, value) in request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"host")) {
            let value = http::HeaderValue::from_bytes(value).map_err(|_| refused("header value"))?;
            head = head.header(name.as_slice(), value);
        }
        if let Body::Sized(bytes) = &request.body
            && !request.has("content-length")
        {
            head = head.header("content-length", bytes.len());
        }
        let mut head = head.body(()).map_err(|_| refused("header name"))?;
        if let Some(protocol) = &request.protocol {
            // Known only once the other end's SETTINGS have come.
            let allowed = async || self.sender.is_extended_connect_protocol_enabled().then_some(());
            wait::until("SETTINGS_ENABLE_CONNECT_PROTOCOL of the other end", allowed).await?;
            head.extensions_mut().insert(h2::ext::Protocol::from(protocol.as_str()));
        }
        Ok(head)
    }
}

impl Drop for H2 {
    fn drop(&mut self) {
        // Streams that are still read keep it alive through their own handle; a dropped client means a dropped
        // connection, as for every other client here.
        self.driver.abort();
    }
}

impl H2Stream {
    /// Sends all of `bytes`, waiting for the other end's window.
    ///
    /// # Errors
    /// The stream was reset, or the window stays shut.
    pub async fn data(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        let mut bytes = bytes.into();
        while !bytes.is_empty() {
            let room = wait::within("room in the HTTP/2 window", self.room(bytes.len())).await??;
            let part = bytes.split_to(room.min(bytes.len()));
            self.body.send_data(part, false).map_err(Error::during("sending the body"))?;
        }
        Ok(())
    }

    /// Sends until all is sent or until the window has been shut for `patience`: how much went out. For filling
    /// buffers; how long the other end was slow is no result.
    ///
    /// # Errors
    /// The stream was reset.
    pub async fn pour(&mut self, bytes: impl Into<Bytes>, patience: Duration) -> Result<usize> {
        let mut bytes = bytes.into();
        let total = bytes.len();
        while !bytes.is_empty() {
            let Ok(room) = tokio::time::timeout(patience, self.room(bytes.len())).await else { break };
            let part = bytes.split_to(room?.min(bytes.len()));
            self.body.send_data(part, false).map_err(Error::during("sending the body"))?;
        }
        Ok(total - bytes.len())
    }

    /// Ends the body.
    ///
    /// # Errors
    /// The stream was reset.
    pub fn end(&mut self) -> Result<()> {
        self.body.send_data(Bytes::new(), true).map_err(Error::during("ending the body"))
    }

    /// Resets the stream: the client has lost interest.
    pub fn reset(mut self) {
        self.body.send_reset(h2::Reason::CANCEL);
    }

    /// Reads the answer. The body of the request may still be open.
    ///
    /// # Errors
    /// No answer came: the stream was reset (the error says with which code) or the connection broke.
    pub async fn response(self) -> Result<Response> {
        let Self { response, body: _open } = self;
        let response = wait::within("an answer over HTTP/2", response).await?;
        let response = response.map_err(Error::during("waiting for the answer"))?;
        let (head, stream) = response.into_parts();
        let headers: Headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()))
            .collect();
        let mut answer = Response {
            status: head.status.as_u16(),
            interim: Vec::new(),
            headers,
            body: Vec::new(),
            complete: false,
            reset: None,
        };
        wait::within("the answer's body", read_body(stream, &mut answer)).await?;
        Ok(answer)
    }

    async fn room(&mut self, wanted: usize) -> Result<usize> {
        self.body.reserve_capacity(wanted);
        loop {
            match poll_fn(|cx| self.body.poll_capacity(cx)).await {
                Some(Ok(0)) => {}
                Some(Ok(room)) => return Ok(room),
                Some(Err(error)) => return Err(Error::new(format!("sending the body: {error}"))),
                None => return Err(Error::new("sending the body: the stream is closed")),
            }
        }
    }
}

async fn read_body(mut stream: RecvStream, answer: &mut Response) {
    loop {
        match stream.data().await {
            Some(Ok(bytes)) => {
                let _ = stream.flow_control().release_capacity(bytes.len());
                answer.body.extend_from_slice(&bytes);
            }
            Some(Err(error)) => {
                answer.reset = error.reason().map(u32::from);
                // A whole early answer to an upload is followed by RST_STREAM(NO_ERROR), and `h2` forgets its end.
                let length = answer.header("content-length");
                let whole = length.is_none_or(|length| length == answer.body.len().to_string());
                answer.complete = whole && error.reason() == Some(h2::Reason::NO_ERROR);
                return;
            }
            None => {
                answer.complete = true;
                return;
            }
        }
    }
}
