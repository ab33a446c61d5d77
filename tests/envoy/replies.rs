//! What the gateway answers by itself, what Envoy answers, and what both leave behind in logs and counters.

use crate::{
    headers::frames,
    support::{Bed, TOKEN, asking, get, honest, post},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testbed::{
    client::{H2, Request, Response, chunk_bytes},
    envoy::Options,
    keptn::{Gate, Order, Reply, Scope},
};

/// The one form of a refusal: `{"code":N,"message":"…"}`, byte for byte.
#[track_caller]
fn assert_form(answer: &Response, status: u16) {
    assert_eq!((answer.status, answer.complete), (status, true), "{answer:?}");
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"), "{answer:?}");
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"), "{answer:?}");
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(!message.is_empty() && !message.contains(['\\', '"']), "{answer:?}");
    assert_eq!(answer.text(), format!(r#"{{"code":{status},"message":"{message}"}}"#));
}

fn assert_id(answer: &Response) {
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() >= 32), "{answer:?}");
}

#[tokio::test]
async fn every_denial_has_one_form_and_an_id() {
    let bed = Bed::with(asking(json!({ "internal": "deny" }))).await;
    let answer = |status| Order::Answer(Reply::status(status));
    let upgrade = || get("/").header("connection", "upgrade").header("upgrade", "foo");
    for (request, status, reason) in [
        (Request::get("/v1/event"), 401, "no_token"),
        (get("/v1/event").header("x-token", "b"), 401, "many_tokens"),
        (Request::get("/v1/event").header("x-token", "a b"), 401, "malformed_token"),
        (Request::get("/v1/event").header("x-token", "wrong"), 401, "wrong_token"),
        (get("/v1/../event"), 400, "dot_segment"),
        (upgrade(), 400, "upgrade_refused"),
        (Request::new("TRACE", "/v1/event"), 400, "bad_method"),
        (post("/swagger.json"), 405, "method_not_allowed"),
        (post("/configuration-service/v1/project").body("{}"), 403, "internal_operation"),
        (post("/v1/event").body(vec![0; (1 << 20) + 1]), 413, "body_too_large"),
        (post("/v1/event").chunked([vec![0; 1 << 20], vec![0]]), 413, "body_too_large"),
    ] {
        let answer = bed.refused(&request, status, reason).await;
        assert_form(&answer, status);
        assert_id(&answer);
    }
    for (check, status, reason) in [
        (answer(403), 403, "forbidden"),
        (answer(429), 429, "busy"),
        (answer(302), 503, "auth_contract_broken"),
        (answer(500), 503, "auth_unavailable"),
        (answer(504), 503, "auth_timeout"),
        (Order::Close, 503, "auth_unavailable"),
    ] {
        bed.api.orders.set(Scope::Auth, check);
        let answer = bed.refused(&get("/v1/event"), status, reason).await;
        assert_form(&answer, status);
        assert_id(&answer);
    }
}

#[tokio::test]
async fn what_envoy_refuses_by_itself_has_the_same_form() {
    let bed = Bed::edited(|bootstrap| {
        let bootstrap = bootstrap.configuration(json!({ "hosts": ["gateway.test"] }));
        bootstrap.listener("gateway", |mut listener| {
            let manager = listener.manager();
            manager["request_timeout"] = json!("1s");
            for route in manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap() {
                route["route"]["timeout"] = json!("1s");
            }
            listener
        })
    })
    .await;
    let foreign = bed.send(&get("/v1/event").header("host", "other.test")).await;
    assert_form(&foreign, 404);
    assert_id(&foreign);

    for (order, status) in [
        (Order::Reset, 503),
        (Order::Close, 503),
        (Order::HalfHeader, 502),
        (Order::Garbage(b"no http\r\n\r\n".to_vec()), 502),
        (Order::Hang(Gate::new()), 504),
    ] {
        bed.configuration.orders.next(1, Scope::All, order.clone());
        let answer = bed.send(&honest()).await;
        assert_form(&answer, status);
        assert_id(&answer);
        assert!(!answer.text().contains("127.0.0.1"), "{answer:?}");
    }
    bed.configuration.stop_listening().await;
    let refused = bed.send(&honest()).await;
    assert_form(&refused, 503);
    assert_id(&refused);

    let mut upload = bed.connect().await;
    upload.write(&post("/v1/event").header("content-length", "9").head_bytes()).await.unwrap();
    assert_form(&upload.read_response(false).await.unwrap(), 408);

    // Refused before there is a request: these have no id.
    let many = (0..200).fold(honest(), |request, n| request.header(format!("x-{n}"), "a"));
    assert_form(&bed.send(&many).await, 431);
    assert_form(&bed.send(&honest().header("x-large", vec![b'a'; 61 << 10])).await, 431);
    for (bytes, status) in [
        (&b"GET /v1/event HTTP/1.0\r\nhost: gateway.test\r\n\r\n"[..], 426),
        (b"no request\r\n\r\n", 400),
        (b"POST /v1/event HTTP/1.1\r\nhost: gateway.test\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
    ] {
        let mut client = bed.connect().await;
        client.write(bytes).await.unwrap();
        assert_form(&client.read_response(false).await.unwrap(), status);
    }
    // The exception: this one has been read, has no response flag and no body of Envoy's.
    let answer = bed.send(&honest().no_host()).await;
    assert_eq!((answer.status, answer.body.len()), (400, 0), "{answer:?}");
}

/// A part of Envoy's configuration that rewrites local replies must leave the filter's alone.
#[tokio::test]
async fn our_own_replies_are_the_same_without_local_reply_config() {
    let plain = Bed::listener(|listener| {
        listener.edit_manager(|manager| {
            manager.as_object_mut().unwrap().remove("local_reply_config").expect("it is shipped");
        })
    })
    .await;
    let shipped = Bed::start().await;
    for bed in [&plain, &shipped] {
        bed.api.orders.next(1, Scope::Auth, Order::Answer(Reply::status(500)));
    }
    for request in [
        // The first check is answered with 500.
        get("/v1/event"),
        post("/v1/auth"),
        Request::get("/v1/event"),
        get("/v1/../a"),
        post("/swagger.json"),
        post("/v1/event").body(vec![0; (1 << 20) + 1]),
        Request::new("TRACE", "/v1/event"),
        Request::new("CONNECT", "gateway.test:80"),
        Request::new("HEAD", "/v1/event"),
        post("/v1/event").header("content-type", "application/grpc").header("x-token", "b"),
    ] {
        let [one, other] = [plain.send(&request).await, shipped.send(&request).await].map(|mut answer| {
            answer.headers.retain(|(name, _)| name != b"date" && name != b"x-request-id");
            format!("{answer:?}")
        });
        assert_eq!(one, other, "{request:?}");
    }
    assert_eq!((plain.forwarded(), shipped.forwarded()), (0, 0), "an answer was not our own");
}

#[tokio::test]
async fn the_good_answer_of_v1_auth_is_empty() {
    let bed = Bed::start().await;
    for method in ["POST", "GET", "PUT", "HEAD"] {
        // The second answer is the first one's, repeated.
        bed.api.add_token(method);
        let request = Request::new(method, "/v1/auth").header("x-token", method);
        let http2 = H2::connect(bed.envoy.listener("gateway")).await.unwrap().send(&request).await.unwrap();
        for answer in [bed.send(&request).await, http2] {
            assert_eq!((answer.status, answer.body.len(), answer.complete), (200, 0, true), "{answer:?}");
            assert_eq!(answer.header("content-type"), None, "{answer:?}");
            assert!(answer.header("content-length").is_none_or(|length| length == "0"), "{answer:?}");
            assert_eq!(answer.header("cache-control").unwrap(), "no-store");
            assert_id(&answer);
        }
    }
    assert_eq!(bed.forwarded(), 0);
}

#[tokio::test]
async fn the_access_log_says_why() {
    let bed = Bed::start().await;
    let expected = [
        (Request::get("/v1/event?a=b"), "keptn_gateway.no_token", None),
        (Request::get("/v1/event").header("x-token", "wrong"), "keptn_gateway.wrong_token", None),
        (get("/v1/event/."), "keptn_gateway.dot_segment", None),
        (
            post("/v1/event").chunked([vec![0; 1 << 20], vec![0]]),
            "keptn_gateway.body_too_large",
            Some("api-service"),
        ),
        (post("/v1/auth"), "keptn_gateway.token_good", None),
        (honest(), "via_upstream", Some("configuration-service")),
    ];
    for (request, ..) in &expected {
        let answer = bed.send(request).await;
        let id = answer.header("x-request-id").unwrap();
        let has = |lines: &[Value]| lines.iter().any(|line| line["request_id"] == id.as_str());
        bed.envoy.wait_for_access_log("the request's line", has).await.unwrap();
    }
    let lines = bed.envoy.access_log();
    assert_eq!(lines.len(), expected.len());
    for (line, (request, details, upstream)) in lines.iter().zip(expected) {
        assert_eq!(line["details"], details, "{request:?}: {line}");
        assert_eq!(line["upstream"].as_str(), upstream, "{request:?}: {line}");
        assert_eq!(line["chosen"].as_str(), upstream, "{request:?}: {line}");
        assert!(!line["path"].as_str().unwrap().contains('?'), "{line}");
    }
}

#[tokio::test]
async fn each_denial_is_counted_once_and_each_internal_operation() {
    let bed = Bed::start().await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    // A denial at once, two after a check for both of its waiters, and one while the body comes.
    bed.send(&Request::get("/v1/event")).await;
    let wrong = Request::get("/v1/event").header("x-token", "wrong");
    let mut waiting = vec![bed.begin(&wrong).await, bed.begin(&wrong).await];
    bed.under_way(2).await;
    gate.open();
    for client in &mut waiting {
        assert_eq!(client.read_response(false).await.unwrap().status, 401);
    }
    bed.api.orders.clear();
    let mut long = bed.connect().await;
    long.write(&post("/v1/event").chunked([b""; 0]).head_bytes()).await.unwrap();
    long.write(&chunk_bytes(&vec![0; 1 << 20])).await.unwrap();
    long.write(&chunk_bytes(b"more")).await.unwrap();
    assert_eq!(long.read_response(false).await.unwrap().status, 413);

    for (method, path) in
        [("GET", "project"), ("GET", "project/p"), ("POST", "project"), ("DELETE", "project/p/")]
    {
        bed.send(&Request::new(method, format!("/configuration-service/v1/{path}")).header("x-token", TOKEN))
            .await;
    }
    // Of what is written together this is the last.
    bed.wait_for_count("internal", 2).await;
    let counted: BTreeMap<String, u64> = (bed.envoy.stats().await.unwrap().into_iter())
        .filter_map(|(name, value)| Some((name.strip_prefix("wasmcustom.keptn_gateway.")?.to_owned(), value)))
        .filter(|(_, value)| *value > 0)
        .collect();
    let expected = [
        ("refused.no_token", 1),
        ("refused.wrong_token", 2),
        ("refused.body_too_large", 1),
        // Two checks: of the wrong token, for both that waited, and of the good one.
        ("checks", 2),
        ("cache_miss", 3),
        ("coalesced", 1),
        ("cache_inserted", 2),
        ("denied", 2),
        // The one with the long body too: its token was good.
        ("ok", 5),
        ("cache_hit", 4),
        ("internal", 2),
    ];
    assert_eq!(counted, expected.map(|(name, value)| (name.to_owned(), value)).into());
    let prometheus = bed.envoy.admin_get("/stats/prometheus").await.unwrap();
    assert!(
        prometheus.contains(r#"keptn_gateway_refused{reason="wrong_token"} 2"#),
        "the reason is no label"
    );
}

#[tokio::test]
async fn no_token_is_written_down_anywhere() {
    // A word that nothing else contains, in tokens right and wrong.
    const SECRET: &str = "HushHush";
    let options = Options {
        log_level: "info".to_owned(),
        component_log_level: "wasm:debug".to_owned(),
        ..Options::default()
    };
    let bed = Bed::start_with(&options, |bootstrap| bootstrap).await;
    bed.api.add_token(SECRET);
    let event = || Request::get("/v1/event");
    let upgrade = || Request::get("/").header("connection", "upgrade").header("upgrade", "websocket");
    let requests = vec![
        event().header("x-token", SECRET),
        event().header("x-token", format!("{SECRET}-wrong")),
        event().header("x-token", SECRET).header("x-token", SECRET),
        event().header("x-token", format!("{SECRET},{SECRET}")),
        event().header("x-token", format!("{SECRET} {SECRET}")),
        event().header("x-token", [SECRET.as_bytes(), b"\xff"].concat()),
        event().header("x-token", SECRET.repeat(1000)),
        event().header("x_token", SECRET),
        event().header("token", SECRET),
        event().header("authorization", format!("Bearer {SECRET}")),
        event().header("cookie", SECRET),
        Request::get(format!("/v1/event?x-token={SECRET}")).header("x-token", "wrong"),
        Request::post("/v1/auth").header("x-token", SECRET),
        Request::get("/configuration-service/v1/project").header("x-token", SECRET),
        Request::post("/configuration-service/v1/project").header("x-token", SECRET),
        upgrade().header("token", SECRET),
        upgrade().header("token", format!("{SECRET}.{SECRET}.{SECRET}")),
        upgrade().header("token", SECRET).header("token", SECRET),
    ];
    for request in &requests {
        bed.send(request).await;
    }
    bed.api.orders.set(Scope::Auth, Order::Close);
    bed.send(&event().header("x-token", format!("{SECRET}-unanswered"))).await;
    let http2 = event().header("x-token", SECRET).header("x-token", SECRET);
    frames(&bed).await.send(&http2).await.unwrap();
    let enough = |lines: &[Value]| lines.len() >= requests.len() + 2;
    bed.envoy.wait_for_access_log("a line for each request", enough).await.unwrap();

    let found = |text: &str| text.to_lowercase().contains(&SECRET.to_lowercase());
    for (place, text) in [
        ("Envoy's log", bed.envoy.log()),
        ("the access log", format!("{:?}", bed.envoy.access_log())),
        ("/stats", bed.envoy.admin_get("/stats").await.unwrap()),
        ("/stats/prometheus", bed.envoy.admin_get("/stats/prometheus").await.unwrap()),
    ] {
        assert!(!text.is_empty());
        let line = text.lines().find(|line| found(line));
        assert_eq!(line, None, "a token is in {place}");
    }
    // The filter's own lines are there, so there was something to look at.
    assert!(bed.envoy.log().contains("refused: many_tokens"));
}
