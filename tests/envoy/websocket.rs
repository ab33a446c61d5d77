//! The WebSocket with Keptn's log stream: who may open one, and what flows.

use crate::{
    headers::frames,
    support::{Bed, TOKEN, get, post},
};
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{
    client::{Message, Request, WebSocket},
    keptn::{Gate, Order, Scope, sign_channel_token},
};
use tokio::io::AsyncReadExt;

/// A handshake without its `Token`.
fn upgrade(target: &str) -> Request {
    let request = Request::get(target).header("Connection", "Upgrade").header("Upgrade", "websocket");
    request.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

fn good(bed: &Bed) -> Request {
    Request::get("/").header("Token", bed.api.channel_token())
}

/// The same handshake over HTTP/1.1 and over HTTP/2; both open.
async fn open_both(bed: &Bed, request: &Request) -> [WebSocket; 2] {
    let gateway = bed.envoy.listener("gateway");
    let http1 = WebSocket::http1(bed.connect().await, request.clone()).await.unwrap();
    [http1.open(), WebSocket::http2(gateway, request.clone()).await.unwrap().open()]
}

#[tokio::test]
async fn messages_flow_both_ways_and_close_codes_pass() {
    let bed = Bed::start().await;
    bed.api.echo_websockets(true);
    // Nobody asks for an x-token.
    for (mut socket, code) in open_both(&bed, &good(&bed)).await.into_iter().zip([4001, 1001]) {
        for message in [Message::text("text \u{e4}"), Message::binary(vec![0, 255]), Message::text("")] {
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap(), Some(message));
        }
        // The stand-in agrees with the code that it received.
        assert_eq!(socket.close_with(code).await.unwrap(), Some(code));
    }
    assert_eq!(bed.api.records.checks().len(), 0, "a check was spent");
}

#[tokio::test]
async fn the_log_stream_of_a_context_reaches_its_readers() {
    let bed = Bed::start().await;
    let reader = good(&bed).header("Keptn-Ws-Channel-Id", "a-context");
    let mut readers = open_both(&bed, &reader).await;
    // Who produces names no channel.
    let mut producer = WebSocket::http1(bed.connect().await, good(&bed)).await.unwrap().open();
    let event = r#"{"shkeptncontext":"a-context","data":{"message":"done"}}"#;
    for socket in &mut readers {
        producer.text(event).await.unwrap();
        assert_eq!(socket.next().await.unwrap(), Some(Message::text(event)));
    }
    // The service sees a reader leave.
    let [http1, http2] = readers;
    http1.close().await.unwrap();
    drop(http2);
    testbed::wait::until("the readers to be gone", async || (bed.api.websockets() == 1).then_some(()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_token_of_the_wrong_form_is_refused_and_the_service_sees_nothing() {
    let bed = Bed::start().await;
    let token = bed.api.channel_token();
    let long = format!("{token}.{}", "a".repeat(4096));
    let two_parts = token.rsplit_once('.').unwrap().0;
    let wrong = [
        "",
        "a",
        two_parts,
        &format!("{token}.a"),
        &format!("{token}, {token}"),
        &format!("a {token}"),
        &long,
    ];
    let mut refused: Vec<Request> = wrong.iter().map(|token| upgrade("/").header("Token", token)).collect();
    refused.push(upgrade("/"));
    refused.push(upgrade("/").header("x-token", TOKEN));
    refused.push(upgrade("/").header("Token", [token.as_bytes(), b"\xff"].concat()));
    refused.push(upgrade("/").header("Token", &token).header("token", &token));
    for request in &refused {
        bed.refused(request, 401, "bad_channel_token").await;
    }
    for token in wrong {
        let request = Request::get("/").header("token", token);
        let answer = WebSocket::http2(bed.envoy.listener("gateway"), request).await.unwrap().refused();
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (401, Some(401)), "{answer:?}");
    }
    assert_eq!(bed.api.records.count(), 0);
}

#[tokio::test]
async fn a_wrong_signature_is_for_the_service_to_refuse_in_its_own_words() {
    let bed = Bed::start().await;
    let wrong = sign_channel_token("another secret");
    let http1 = bed.send(&upgrade("/").header("Token", &wrong)).await;
    let request = Request::get("/").header("token", &wrong);
    let http2 = WebSocket::http2(bed.envoy.listener("gateway"), request).await.unwrap().refused();
    for answer in [http1, http2] {
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{answer:?}");
        assert_eq!(answer.header("content-type"), None, "{answer:?}");
        assert_eq!(answer.header("www-authenticate"), None, "{answer:?}");
    }
    assert_eq!(bed.api.records.count(), 2);
}

#[tokio::test]
async fn no_other_upgrade_passes() {
    let bed = Bed::start().await;
    let token = bed.api.channel_token();
    let asks = |method: &str, target: &str, upgrades: &[&str]| {
        let request = Request::new(method, target).header("Connection", "Upgrade").header("Token", &token);
        let request = request.header("x-token", TOKEN).header("Sec-WebSocket-Version", "13");
        upgrades.iter().fold(request, |request, upgrade| request.header("Upgrade", upgrade))
    };
    let mut refused = vec![
        asks("GET", "/", &["foo"]),
        asks("GET", "/", &["websocket, foo"]),
        asks("GET", "/", &["foo, websocket"]),
        asks("GET", "/", &["websocket/13"]),
        asks("GET", "/", &["websocket", "websocket"]),
        asks("GET", "/", &["websocket", "foo"]),
        asks("POST", "/", &["websocket"]),
        asks("HEAD", "/", &["websocket"]),
        asks("GET", "/", &["websocket"]).body("a body"),
    ];
    for path in [
        "/v1/event",
        "/v1/auth",
        "/v1/project/p/resource",
        "/swagger-ui",
        "/swagger.json",
        "/configuration-service/",
        "/configuration-service/v1/project",
        "/configuration-service/swagger-ui/swagger.yaml",
        "/index.html",
    ] {
        refused.push(asks("GET", path, &["websocket"]));
        refused.push(asks("GET", path, &["foo"]));
    }
    for request in &refused {
        bed.refused(request, 400, "upgrade_refused").await;
    }
    for (target, protocol) in
        [("/", "foo"), ("/v1/event", "websocket"), ("/.well-known/masque/udp/192.0.2.1/443/", "connect-udp")]
    {
        let request = Request::new("CONNECT", target).protocol(protocol).header("token", &token);
        let answer = frames(&bed).await.send(&request.header("x-token", TOKEN)).await.unwrap();
        assert_eq!(answer.status, 400, "{protocol} {target}: {answer:?}");
    }
    assert_eq!(bed.api.records.count() + bed.configuration.records.count(), 0, "somebody was asked");

    // Envoy takes `transfer-encoding` from an upgrade before the filter sees it: what follows is the WebSocket's for
    // everybody, and nobody can take it for a body.
    assert_eq!(bed.send(&asks("GET", "/", &["websocket"]).chunked(["a body"])).await.status, 101);
    let received = bed.api.records.take().remove(0);
    assert_eq!((received.header("transfer-encoding"), received.header("content-length")), (None, None));

    // An honest client's spelling, with a length that says there is nothing.
    let request = upgrade("/").header("token", &token).header("Content-Length", "0");
    assert_eq!(bed.send(&request).await.status, 101);
    let request = good(&bed).header("connection", "keep-alive, Upgrade").header("upgrade", "WebSocket");
    WebSocket::http1(bed.connect().await, request).await.unwrap().open();
}

#[tokio::test]
async fn without_an_upgrade_the_root_is_a_path_like_any_other() {
    let bed = Bed::start().await;
    bed.refused(&good(&bed), 401, "no_token").await;
    assert_eq!(bed.api.records.count(), 0);
    let answer = bed.send(&get("/")).await;
    assert_eq!((answer.status, bed.api.records.count()), (401, 2), "{answer:?}");
}

#[tokio::test]
async fn a_channel_id_can_be_demanded() {
    let bed = Bed::with(json!({ "websocket": { "require_channel_id": true } })).await;
    let request = upgrade("/").header("Token", bed.api.channel_token());
    bed.refused(&request, 400, "no_channel_id").await;
    bed.refused(&request.clone().header("Keptn-Ws-Channel-Id", ""), 400, "no_channel_id").await;
    let two = request.clone().header("Keptn-Ws-Channel-Id", "a").header("keptn-ws-channel-id", "b");
    bed.refused(&two, 400, "no_channel_id").await;
    assert_eq!(bed.api.records.count(), 0);
    open_both(&bed, &good(&bed).header("Keptn-Ws-Channel-Id", "a")).await;
}

#[tokio::test]
async fn a_frame_sent_with_the_handshake_arrives() {
    let bed = Bed::start().await;
    bed.api.echo_websockets(true);
    let mut client = bed.connect().await;
    // "early", masked with zeros.
    let frame = [&[0x81, 0x85, 0, 0, 0, 0][..], b"early"].concat();
    let handshake = upgrade("/").header("Token", bed.api.channel_token()).head_bytes();
    client.write(&[handshake, frame].concat()).await.unwrap();
    let answer = client.read_response(false).await.unwrap();
    assert_eq!(answer.status, 101, "{answer:?}");
    let (mut stream, mut echo) = client.into_parts();
    let whole = async {
        while echo.len() < 7 {
            assert_ne!(stream.read_buf(&mut echo).await.unwrap(), 0, "closed after {echo:?}");
        }
    };
    testbed::wait::within("the frame to come back", whole).await.unwrap();
    assert_eq!(echo, b"\x81\x05early");
}

/// api-service pings its readers every 2.7 s, and producers are silent for as long as they like.
#[tokio::test]
async fn nothing_that_ends_a_slow_request_ends_a_websocket() {
    let bed = Bed::listener(|mut listener| {
        let manager = listener.manager();
        manager["request_timeout"] = json!("1s");
        for route in manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap() {
            route["route"]["timeout"] = json!("1s");
        }
        listener
    })
    .await;
    bed.api.echo_websockets(true);
    let mut sockets = open_both(&bed, &good(&bed)).await;
    // Both limits end requests that came after the WebSockets: so they have passed for these as well.
    bed.api.orders.set(Scope::NotAuth, Order::Hang(Gate::new()));
    assert_eq!(bed.send(&get("/v1/event")).await.status, 504);
    let mut upload = bed.connect().await;
    upload.write(&post("/v1/event").header("content-length", "9").head_bytes()).await.unwrap();
    assert_eq!(upload.read_response(false).await.unwrap().status, 408);
    for socket in &mut sockets {
        socket.text("still here").await.unwrap();
        assert_eq!(socket.next().await.unwrap(), Some(Message::text("still here")));
    }
}

fn seconds(duration: &Value) -> f64 {
    let text = duration.as_str().unwrap_or_else(|| panic!("{duration} is no duration"));
    text.strip_suffix('s').unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_quiet_websocket_is_left_alone() {
    let bed = Bed::start().await;
    let dump = bed.envoy.config_dump().await.unwrap().to_string();
    // The limits that would end it: each must be absent, or far above the service's pings.
    for limit in ["max_stream_duration", "max_connection_duration", "max_downstream_connection_duration"] {
        assert!(!dump.contains(limit), "{limit} is set");
    }
    let bootstrap = Bed::bootstrap(&bed.api, &bed.configuration);
    let manager =
        bootstrap.json().pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config");
    let manager = manager.unwrap();
    assert!(dump.contains(r#""stream_idle_timeout":"300s""#), "not what Envoy has understood");
    assert!(seconds(&manager["stream_idle_timeout"]) > 100.0 * Duration::from_millis(2700).as_secs_f64());
    for route in manager["route_config"]["virtual_hosts"][0]["routes"].as_array().unwrap() {
        assert_eq!(route["route"].get("idle_timeout"), None, "{route}");
    }
}
