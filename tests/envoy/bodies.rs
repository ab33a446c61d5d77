//! Bodies: whole or not at all, and never longer than allowed.

use crate::support::{Bed, asking, get, honest, post};
use futures_util::future::join_all;
use serde_json::json;
use sha2::{Digest, Sha256};
use testbed::{
    client::{H2, Message, Request, Response, WebSocket, chunk_bytes},
    keptn::{Gate, Order, Outcome, Received, Reply, Scope},
};

const LIMIT: usize = 1 << 20;
const SIZES: [usize; 5] = [0, 1, 64 << 10, LIMIT - 1, LIMIT];

/// Bytes in which a lost, doubled or swapped piece shows.
fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Length {
    /// `content-length` says it.
    Declared,
    /// Nobody knows it before the end.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    Http1,
    Http2,
}

const WAYS: [(Version, Length); 4] = [
    (Version::Http1, Length::Declared),
    (Version::Http1, Length::Unknown),
    (Version::Http2, Length::Declared),
    (Version::Http2, Length::Unknown),
];

fn with_body(request: Request, length: Length, body: &[u8]) -> Request {
    match length {
        Length::Declared => request.body(body),
        Length::Unknown => request.chunked(body.chunks(10_000)),
    }
}

/// Sends it on a connection of its own.
async fn upload(bed: &Bed, version: Version, request: &Request) -> Response {
    match version {
        Version::Http1 => bed.send(request).await,
        Version::Http2 => {
            H2::connect(bed.envoy.listener("gateway")).await.unwrap().send(request).await.unwrap()
        }
    }
}

/// Both services answer 204 to everything but checks.
async fn bed_that_takes_everything(configuration: serde_json::Value) -> Bed {
    let bed = Bed::with(configuration).await;
    for orders in [&bed.api.orders, &bed.configuration.orders] {
        orders.set(Scope::NotAuth, Order::Answer(Reply::status(204)));
    }
    bed
}

fn assert_whole(received: &Received, body: &[u8]) {
    assert!(received.body_complete, "{received:?}");
    assert_eq!((received.body_len, &received.body_sha256), (body.len(), &sha256(body)), "{received:?}");
}

#[tokio::test]
async fn a_body_arrives_byte_for_byte() {
    // Those of a token that is known are never paused, the others are.
    let known = bed_that_takes_everything(json!({})).await;
    let asked = bed_that_takes_everything(asking(json!({}))).await;
    for bed in [&known, &asked] {
        for (size, (version, length)) in SIZES.into_iter().flat_map(|size| WAYS.map(|way| (size, way))) {
            let body = content(size);
            for target in ["/v1/event", "/v1/project/p/resource"] {
                let answer = upload(bed, version, &with_body(post(target), length, &body)).await;
                assert_eq!(answer.status, 204, "{size} {version:?} {length:?}: {answer:?}");
                let upstream =
                    if target == "/v1/event" { &bed.api.records } else { &bed.configuration.records };
                let received = upstream.forwarded().pop().unwrap();
                assert_eq!(received.path(), target);
                assert_whole(&received, &body);
            }
        }
    }
    assert_eq!((known.api.records.checks().len(), known.forwarded()), (1, 2 * SIZES.len() * WAYS.len()));
    assert_eq!(asked.api.records.checks().len(), asked.forwarded());
}

#[tokio::test]
async fn a_body_that_came_while_the_token_was_checked_arrives_byte_for_byte() {
    let bed = bed_that_takes_everything(json!({})).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let cases: Vec<_> = (SIZES.into_iter().enumerate())
        .flat_map(|(index, size)| {
            WAYS.map(|way| (way, content(size), format!("/v1/project/{index}{way:?}").replace(' ', "")))
        })
        .collect();
    let uploads = join_all(cases.iter().map(async |((version, length), body, target)| {
        let target = target.replace(['(', ')', ','], "-");
        let answer = upload(&bed, *version, &with_body(post(&target), *length, body)).await;
        assert_eq!(answer.status, 204, "{target}: {answer:?}");
        let received = bed.api.records.on_path(&target).pop().expect("it was forwarded");
        assert_whole(&received, body);
    }));
    let release = async {
        gate.wait_for(1).await.unwrap();
        bed.under_way(cases.len() as u64).await;
        // As much as Envoy takes of each: what fits in its buffers, which is more than the small ones have.
        let small = cases.iter().map(|(_, body, _)| body.len().min(64 << 10) as u64).sum::<u64>();
        let received = "http.gateway.downstream_cx_rx_bytes_total";
        bed.envoy.wait_for_counter(received, |bytes| bytes >= small).await.unwrap();
        assert_eq!(bed.forwarded(), 0, "forwarded without a yes");
        gate.open();
    };
    tokio::join!(uploads, release);
    assert_eq!(bed.api.records.checks().len(), 1);
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_and_nobody_is_asked() {
    let bed = bed_that_takes_everything(json!({})).await;
    let body = content(LIMIT + 1);
    for target in ["/v1/event", "/v1/project/p/resource", "/v1/auth", "/configuration-service/v1/x"] {
        for version in [Version::Http1, Version::Http2] {
            let answer = upload(&bed, version, &post(target).body(body.as_slice())).await;
            assert_eq!((answer.status, answer.complete), (413, true), "{version:?} {target}: {answer:?}");
            let expected = json!({ "code": 413, "message": "the request's body is too large" });
            assert_eq!(answer.json(), expected);
        }
    }
    // The length is believed before the body comes.
    let mut client = bed.connect().await;
    client.write(&post("/v1/event").body(body).head_bytes()).await.unwrap();
    assert_eq!(client.read_response(false).await.unwrap().status, 413);
    assert_eq!(bed.denials("body_too_large").await, 9);
    assert_eq!(bed.api.records.count() + bed.configuration.records.count(), 0, "somebody was asked");
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_refused_and_cut_at_the_service() {
    let bed = bed_that_takes_everything(json!({})).await;
    let mut h2 = H2::connect(bed.envoy.listener("gateway")).await.unwrap();
    for extra in [1, 3 << 20] {
        for version in [Version::Http1, Version::Http2] {
            let request = with_body(post("/v1/event"), Length::Unknown, &content(LIMIT + extra));
            let answer = match version {
                Version::Http1 => bed.send(&request).await,
                Version::Http2 => h2.send(&request).await.unwrap(),
            };
            assert_eq!((answer.status, answer.complete), (413, true), "{version:?} +{extra}: {answer:?}");
            assert_eq!(answer.json()["code"], 413);
            let ended = |list: &[Received]| {
                list.iter().any(|r| r.path() == "/v1/event" && r.outcome != Outcome::Open)
            };
            bed.api.records.wait_until("the service's copy to end", ended).await.unwrap();
            let cut = bed.api.records.forwarded().remove(0);
            assert_eq!((cut.outcome, cut.body_complete), (Outcome::Gone, false), "{cut:?}");
            assert!(cut.body_len <= LIMIT, "{cut:?}");
            bed.api.records.take();
        }
    }
    assert_eq!(bed.denials("body_too_large").await, 4);
    // Over HTTP/2 only the streams were reset (RFC 9113 section 8.1: NO_ERROR); their connection goes on.
    assert_eq!(h2.send(&honest()).await.unwrap().status, 204);
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_under_an_answer_ends_both() {
    let bed = bed_that_takes_everything(json!({ "max_body_bytes": 1000 })).await;
    let gate = Gate::new();
    let answer = Order::Answer(Reply::status(200).body("text/plain", "a long answer"));
    bed.api.orders.set(
        Scope::Path("/v1/event".to_owned()),
        vec![Order::AnswerBeforeBody, Order::HangInAnswer(gate.clone()), answer],
    );
    let mut client = bed.connect().await;
    client.write(&post("/v1/event").header("transfer-encoding", "chunked").head_bytes()).await.unwrap();
    client.write(&chunk_bytes(&content(1000))).await.unwrap();
    gate.wait_for(1).await.unwrap();
    // The head of the answer is with the client when the body outgrows its limit.
    bed.envoy.wait_for_counter("http.gateway.downstream_rq_2xx", |count| count == 1).await.unwrap();
    client.write(&chunk_bytes(b"x")).await.unwrap();
    let answer = client.read_response(false).await.unwrap();
    assert_eq!((answer.status, answer.complete), (200, false), "{answer:?}");
    let ended =
        |list: &[Received]| list.iter().any(|r| r.path() == "/v1/event" && r.outcome != Outcome::Open);
    bed.api.records.wait_until("the service's copy to end", ended).await.unwrap();
    let cut = bed.api.records.forwarded().remove(0);
    assert_eq!((cut.body_complete, cut.body_len), (false, 1000), "{cut:?}");
    assert_eq!(bed.denials("body_too_large").await, 1);
}

#[tokio::test]
async fn the_limit_is_the_configured_one_and_holds_on_public_routes_too() {
    let bed = bed_that_takes_everything(json!({ "max_body_bytes": 10 })).await;
    let mut number = 0;
    for (version, length) in WAYS {
        for path in ["/v1/event", "/swagger.json", "/configuration-service/swagger-ui/swagger.yaml"] {
            let upstream =
                if path.starts_with("/conf") { &bed.configuration.records } else { &bed.api.records };
            for (size, status) in [(0, 204), (10, 204), (11, 413), (100_000, 413)] {
                let body = content(size);
                let request = with_body(get(format!("{path}?{number}")), length, &body);
                let answer = upload(&bed, version, &request).await;
                assert_eq!(answer.status, status, "{path} {version:?} {length:?} {size}: {answer:?}");
                // What was cut may reach the service after its client has the answer, or not at all.
                let query = number.to_string();
                let mut received = upstream.all().into_iter().filter(|r| r.query().as_ref() == Some(&query));
                match (status, length) {
                    (204, _) => assert_whole(&received.next().unwrap(), &body),
                    (_, Length::Declared) => assert!(received.next().is_none()),
                    (_, Length::Unknown) => assert!(received.all(|received| !received.body_complete)),
                }
                number += 1;
            }
        }
    }
}

#[tokio::test]
async fn a_websocket_is_no_body() {
    let bed = Bed::with(json!({ "max_body_bytes": 1000 })).await;
    bed.api.echo_websockets(true);
    let request = || Request::get("/").header("token", bed.api.channel_token());
    let gateway = bed.envoy.listener("gateway");
    let large = Message::binary(content(5 << 20));
    for mut socket in [
        WebSocket::http1(bed.connect().await, request()).await.unwrap().open(),
        WebSocket::http2(gateway, request()).await.unwrap().open(),
    ] {
        socket.send(large.clone()).await.unwrap();
        assert!(socket.next().await.unwrap() == Some(large.clone()), "5 MiB came back changed");
    }
    assert_eq!(bed.denials("body_too_large").await, 0);
}
