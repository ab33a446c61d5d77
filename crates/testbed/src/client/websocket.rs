//! WebSockets over HTTP/1.1 and over HTTP/2.

use super::{Headers, Raw, Request, Response, connect, values};
use crate::{
    Error, Result,
    wait::{until, within},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{fmt, net::SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role},
    },
};

pub use tokio_tungstenite::tungstenite::Message;

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The client's end of an open WebSocket. Pings are answered while [`WebSocket::next`] waits.
pub struct WebSocket(WebSocketStream<Box<dyn Io>>);

/// How the other end took the handshake.
#[derive(Debug)]
pub enum Handshake {
    /// It is open.
    Open(Box<WebSocket>),
    /// It was refused with this answer.
    Refused(Response),
}

impl Handshake {
    /// The open WebSocket.
    ///
    /// # Panics
    /// It was refused.
    pub fn open(self) -> WebSocket {
        match self {
            Self::Open(socket) => *socket,
            Self::Refused(response) => panic!("the WebSocket was refused: {response:?}"),
        }
    }

    /// The refusal.
    ///
    /// # Panics
    /// It is open.
    pub fn refused(self) -> Response {
        match self {
            Self::Open(_) => panic!("the WebSocket is open and should have been refused"),
            Self::Refused(response) => response,
        }
    }
}

impl WebSocket {
    /// Asks for a WebSocket on an HTTP/1.1 connection. `upgrade`, `connection` and `sec-websocket-*` are added where
    /// the request lacks them.
    ///
    /// # Errors
    /// No answer came, or 101 without the right `sec-websocket-accept`.
    pub async fn http1(mut connection: Raw, mut request: Request) -> Result<Handshake> {
        let key = BASE64_STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
        let needed = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", key.as_str()),
        ];
        for (name, value) in needed {
            if !request.has(name) {
                request = request.header(name, value);
            }
        }
        let response = connection.send(&request).await?;
        if response.status != 101 {
            return Ok(Handshake::Refused(response));
        }
        let sent = values(&request.headers, "sec-websocket-key").next().unwrap_or_default();
        if response.header("sec-websocket-accept") != Some(derive_accept_key(sent)) {
            return Err(Error::new(format!("101 with a wrong sec-websocket-accept: {response:?}")));
        }
        let (stream, early) = connection.into_parts();
        let stream: Box<dyn Io> = Box::new(stream);
        let socket = WebSocketStream::from_partially_read(stream, early, Role::Client, None).await;
        Ok(Handshake::Open(Box::new(Self(socket))))
    }

    /// Asks for a WebSocket on a new HTTP/2 connection, with an extended CONNECT (RFC 8441) to the request's target.
    ///
    /// # Errors
    /// No answer came, or the other end does not allow extended CONNECT.
    pub async fn http2(target: SocketAddr, request: Request) -> Result<Handshake> {
        let stream = TokioIo::new(connect(None, target).await?);
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .map_err(Error::during("the HTTP/2 handshake"))?;
        // Known only once the other end's SETTINGS have come.
        let allowed = async || connection.is_extended_connect_protocol_enabled().then_some(());
        until("SETTINGS_ENABLE_CONNECT_PROTOCOL of the other end", allowed).await?;
        // It ends when the WebSocket is dropped, which holds the last handle to it.
        tokio::spawn(connection);

        let uri = [b"http://", request.authority().unwrap_or_default().as_slice(), &request.target].concat();
        let mut head = http::Request::builder().method("CONNECT").uri(uri.as_slice());
        for (name, value) in request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"host")) {
            head = head.header(name.as_slice(), value.as_slice());
        }
        if !request.has("sec-websocket-version") {
            head = head.header("sec-websocket-version", "13");
        }
        let mut head = head.body(Empty::<Bytes>::new()).map_err(Error::during("building the request"))?;
        head.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
        let response = within("an answer to CONNECT", sender.send_request(head)).await?;
        let mut response = response.map_err(Error::during("waiting for the answer"))?;

        if response.status() != 200 {
            let status = response.status().as_u16();
            let headers: Headers = (response.headers().iter())
                .map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()))
                .collect();
            let body = within("the refusal's body", response.body_mut().collect()).await?;
            let (body, complete) = body.map_or((Vec::new(), false), |body| (body.to_bytes().to_vec(), true));
            return Ok(Handshake::Refused(Response {
                status,
                interim: vec![],
                headers,
                body,
                complete,
                reset: None,
            }));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(Error::during("taking over the stream"))?;
        let stream: Box<dyn Io> = Box::new(TokioIo::new(upgraded));
        Ok(Handshake::Open(Box::new(Self(
            WebSocketStream::from_raw_socket(stream, Role::Client, None).await,
        ))))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The WebSocket is closed or broken.
    pub async fn send(&mut self, message: Message) -> Result<()> {
        within("room to send a message", self.0.send(message))
            .await?
            .map_err(Error::during("sending a message"))
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// The WebSocket is closed or broken.
    pub async fn text(&mut self, text: &str) -> Result<()> {
        self.send(Message::text(text)).await
    }

    /// The next text or binary message; `None` when the other end has closed, with or without a closing handshake.
    ///
    /// # Errors
    /// Nothing came, or it was no WebSocket frame.
    pub async fn next(&mut self) -> Result<Option<Message>> {
        loop {
            match within("a WebSocket message", self.0.next()).await? {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Ok(None),
                Some(Ok(message)) => return Ok(Some(message)),
                Some(Err(tungstenite::Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                )))
                | Some(Err(tungstenite::Error::Io(_))) => return Ok(None),
                Some(Err(error)) => return Err(Error::new(format!("reading a message: {error}"))),
            }
        }
    }

    /// Closes it with this code, and returns the code with which the other end agrees; `None` when it sends none.
    ///
    /// # Errors
    /// It is already broken, or does not come to its end.
    pub async fn close_with(mut self, code: u16) -> Result<Option<u16>> {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.send(Message::Close(Some(frame))).await?;
        let mut answer = None;
        within("the other end to close", async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Close(frame) = message {
                    answer = frame.map(|frame| frame.code.into());
                }
            }
        })
        .await?;
        Ok(answer)
    }

    /// Closes it with a closing handshake.
    ///
    /// # Errors
    /// It is already broken.
    pub async fn close(mut self) -> Result<()> {
        within("room to close", self.0.close(None)).await?.map_err(Error::during("closing the WebSocket"))
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocket")
    }
}
