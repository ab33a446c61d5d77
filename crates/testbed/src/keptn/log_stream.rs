//! api-service's WebSocket: the log stream of a Keptn context.

use super::{
    answer::{Answer, Task},
    jwt,
    orders::Reply,
    request::Request,
};
use crate::client::values;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

/// api-service pings the readers so often.
const PING: Duration = Duration::from_millis(2700);

/// Who listens, and what waits for a listener.
#[derive(Default)]
pub(super) struct LogStream {
    channels: Mutex<HashMap<String, Channel>>,
    pub(super) echo: AtomicBool,
    pub(super) open: AtomicUsize,
}

#[derive(Default)]
struct Channel {
    waiting: Vec<String>,
    readers: Vec<mpsc::UnboundedSender<String>>,
}

impl LogStream {
    /// To the channel's readers, or kept until there is one.
    pub(super) fn publish(&self, channel: &str, text: &str) {
        let mut channels = self.channels.lock().unwrap();
        let channel = channels.entry(channel.to_owned()).or_default();
        channel.readers.retain(|reader| reader.send(text.to_owned()).is_ok());
        if channel.readers.is_empty() {
            channel.waiting.push(text.to_owned());
        }
    }

    fn subscribe(&self, channel: &str) -> mpsc::UnboundedReceiver<String> {
        let (reader, messages) = mpsc::unbounded_channel();
        let mut channels = self.channels.lock().unwrap();
        let channel = channels.entry(channel.to_owned()).or_default();
        for text in channel.waiting.drain(..) {
            let _ = reader.send(text);
        }
        channel.readers.push(reader);
        messages
    }

    /// Any request for `/`.
    pub(super) fn answer(self: &Arc<Self>, request: &Request, secret: &str) -> Answer {
        let tokens: Vec<_> = values(&request.headers, "token").collect();
        let good = matches!(tokens[..], [token] if jwt::verify(secret, &String::from_utf8_lossy(token)));
        if !good {
            return Reply::status(401).into();
        }
        if let Some(refusal) = not_a_handshake(request) {
            return refusal.into();
        }
        let key = request.header("sec-websocket-key").unwrap_or_default();
        let reply = Reply::status(101)
            .header("upgrade", "websocket")
            .header("connection", "Upgrade")
            .header("sec-websocket-accept", derive_accept_key(key.as_bytes()));
        let this = self.clone();
        let channel = request.header("keptn-ws-channel-id");
        let task = move |stream: Upgraded| -> Task {
            Box::pin(async move {
                let socket = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, None).await;
                this.open.fetch_add(1, Relaxed);
                match channel {
                    _ if this.echo.load(Relaxed) => echo(socket).await,
                    Some(channel) => this.read(socket, &channel).await,
                    None => this.produce(socket).await,
                }
                this.open.fetch_sub(1, Relaxed);
            })
        };
        Answer::Upgrade(reply, Box::new(task))
    }

    async fn read(&self, mut socket: Socket, channel: &str) {
        let mut messages = self.subscribe(channel);
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
        loop {
            let sent = tokio::select! {
                Some(text) = messages.recv() => socket.send(Message::text(text)).await,
                _ = ping.tick() => socket.send(Message::Ping(Default::default())).await,
                incoming = socket.next() => match incoming {
                    Some(Ok(_)) => Ok(()),
                    _ => return,
                },
            };
            if sent.is_err() {
                return;
            }
        }
    }

    async fn produce(&self, mut socket: Socket) {
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let event: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            if let Some(context) = event["shkeptncontext"].as_str() {
                self.publish(context, &text);
            }
        }
    }
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

async fn echo(mut socket: Socket) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// As gorilla/websocket refuses.
fn not_a_handshake(request: &Request) -> Option<Reply> {
    let refuse = |status, text: &str| {
        let reply = Reply::status(status).body("text/plain; charset=utf-8", format!("{text}\n"));
        Some(reply.header("sec-websocket-version", "13"))
    };
    let has = |name, token: &str| {
        let given = request.header(name).unwrap_or_default();
        given.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    if !has("connection", "upgrade") || !has("upgrade", "websocket") {
        return refuse(400, "Bad Request");
    }
    if request.method != "GET" {
        return refuse(405, "Method Not Allowed");
    }
    if !has("sec-websocket-version", "13") {
        return refuse(400, "Bad Request");
    }
    let host = request.header("host").unwrap_or_default();
    let foreign =
        |origin: String| origin.split_once("://").is_none_or(|(_, of)| !of.eq_ignore_ascii_case(&host));
    if request.header("origin").is_some_and(foreign) {
        return refuse(403, "Forbidden");
    }
    if request.header("sec-websocket-key").is_none_or(|key| key.is_empty()) {
        return refuse(400, "Bad Request");
    }
    None
}
