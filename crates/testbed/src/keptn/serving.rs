//! One request: recorded, its orders obeyed, answered.

use super::{
    answer::Answer,
    orders::{Order, Reply},
    records::{Outcome, Recording},
    request::Request,
    sending::Sending,
    server::{Busy, Connection, Shared},
    tap::Wire,
};
use crate::client::Headers;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Response,
    body::{Body, Incoming},
};
use std::{fmt, sync::Arc};

impl Shared {
    pub(super) async fn serve(
        &self,
        connection: &Arc<Connection>,
        mut request: hyper::Request<Incoming>,
    ) -> Result<Response<Sending>, Broken> {
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
            wait(&orders).await;
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

        wait(&orders).await;
        for order in &orders {
            match order {
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
        // A handshake that is refused ends as any request: the connection has more to come.
        wire.body_ended();
        let (reply, sending) = obey(&orders, reply);
        recording.ends(Outcome::Answered(reply.status));
        Ok(respond(&reply, sending, busy, &orders))
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

async fn wait(orders: &[Order]) {
    for order in orders {
        match order {
            Order::Delay(time) => tokio::time::sleep(*time).await,
            Order::Hang(gate) => gate.pass().await,
            _ => {}
        }
    }
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
    let sending = huge.map_or_else(|| Sending::whole(reply.body.clone()), Sending::huge);
    match gate {
        Some(gate) => (reply, sending.halts_at(gate)),
        None => (reply, sending),
    }
}

fn respond(reply: &Reply, sending: Sending, busy: Busy, orders: &[Order]) -> Response<Sending> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value.as_slice());
    }
    let closing = |order: &Order| matches!(order, Order::CloseAfter | Order::HalfHeader | Order::Garbage(_));
    if orders.iter().any(closing) {
        response = response.header("connection", "close");
    }
    response
        .body(sending.keeps(busy))
        .expect("the stand-in was told to answer something that is no HTTP header")
}

fn reset(recording: Recording, wire: &Wire) -> Result<Response<Sending>, Broken> {
    wire.reset();
    broken(recording)
}

fn broken(recording: Recording) -> Result<Response<Sending>, Broken> {
    recording.ends(Outcome::Broken);
    Err(Broken)
}

/// Makes hyper drop the connection without an answer.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off on purpose")
    }
}

impl std::error::Error for Broken {}
