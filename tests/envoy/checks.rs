//! The check: what api-service is asked, and what each of its answers means to the client.

use crate::support::{Bed, TOKEN, asking, get, honest, post};
use serde_json::json;
use std::collections::BTreeSet;
use testbed::{
    client::{Raw, Request},
    keptn::{Gate, Order, Outcome, Received, Reply, Scope},
};

/// All that a check may carry. The last three are Envoy's own.
const ALLOWED: [&str; 10] = [
    "host",
    "x-token",
    "x-forwarded-for",
    "traceparent",
    "tracestate",
    "x-request-id",
    "b3",
    "content-length",
    "x-envoy-internal",
    "x-envoy-expected-rq-timeout-ms",
];

/// What must hold for each check, whatever the client sent.
fn assert_is_in_form(check: &Received) {
    assert_eq!((check.method.as_str(), check.target.as_slice()), ("POST", &b"/v1/auth"[..]), "{check:?}");
    assert_eq!(check.header("host").unwrap(), "api-service", "{check:?}");
    assert!(check.body_len == 0 && (check.body_complete || check.outcome == Outcome::Broken), "{check:?}");
    assert_eq!(check.header("content-length").unwrap(), "0", "{check:?}");
    let names: Vec<_> = check.header_names().iter().map(|name| name.to_ascii_lowercase()).collect();
    let once: BTreeSet<_> = names.iter().map(String::as_str).collect();
    assert_eq!(once.len(), names.len(), "a header is there twice: {check:?}");
    let odd: Vec<_> = once.iter().filter(|name| !ALLOWED.contains(name)).collect();
    assert!(odd.is_empty(), "{odd:?} does not belong in a check: {check:?}");
}

#[tokio::test]
async fn api_service_is_asked_a_post_without_body_with_the_token_the_address_and_the_trace() {
    let bed = Bed::start().await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = post("/v1/event?x-token=forged")
        .header("X-Forwarded-For", "6.6.6.6, 7.7.7.7")
        .header("x-forwarded-for", "8.8.8.8")
        .header("x-real-ip", "6.6.6.6")
        .header("x-envoy-external-address", "6.6.6.6")
        .header("x-envoy-retry-on", "5xx")
        .header("x-envoy-max-retries", "7")
        .header("x-keptn-client", "admin")
        .header("Expect", "100-continue")
        .header("Connection", "keep-alive, x-hop")
        .header("x-hop", "1")
        .header("te", "trailers")
        .header("content-type", "application/json")
        .header("cookie", "a=b")
        .header("authorization", "Basic eDp5")
        .header("traceparent", traceparent)
        .header("tracestate", "vendor=1, other=2")
        .header("b3", "0")
        .chunked([r#"{"data":{},"source":"s","type":"t"}"#]);
    let mut client =
        Raw::connect_from("127.4.5.6".parse().unwrap(), bed.envoy.listener("gateway")).await.unwrap();
    let answer = client.send(&request).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");

    let checks = bed.api.records.checks();
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_is_in_form(&checks[0]);
    assert_eq!(checks[0].header("x-token").unwrap(), TOKEN);
    assert_eq!(checks[0].header("x-forwarded-for").unwrap(), "127.4.5.6");
    assert_eq!(checks[0].header("traceparent").unwrap(), traceparent);
    assert_eq!(checks[0].header("tracestate").unwrap(), "vendor=1, other=2");
    assert_eq!(checks[0].header("b3").unwrap(), "0");
    // The answer's id is the access log's and the check's: one question through all logs.
    assert_eq!(checks[0].header("x-request-id"), answer.header("x-request-id"));
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()));
}

#[tokio::test]
async fn no_client_can_spoil_its_check() {
    let bed = Bed::with(asking(json!({}))).await;
    let long = "a".repeat(513);
    let mut client = bed.connect().await;
    let odd: [(&str, &[u8]); 12] = [
        ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\xff"),
        ("traceparent", b"not a parent"),
        ("traceparent", &[b'0'; 5000]),
        ("tracestate", b"a=\xff\xfe"),
        ("tracestate", long.as_bytes()),
        ("b3", b"\x80"),
        ("b3", &[b'b'; 129]),
        ("x-request-id", b"\xc3\x28"),
        ("x-request-id", &[b'x'; 129]),
        ("x-forwarded-for", b"\xff, 127.0.0.1"),
        ("x-anything", b"\xff\xfe"),
        ("cookie", b"\xf0\x28\x8c\x28"),
    ];
    for (count, (name, value)) in odd.into_iter().enumerate() {
        let answer = client.send(&honest().header(name, value)).await.unwrap();
        assert_eq!(answer.status, 200, "{name}: {}: {answer:?}", value.escape_ascii());
        let checks = bed.api.records.checks();
        assert_eq!(checks.len(), count + 1, "{name}: {checks:?}");
        assert_is_in_form(&checks[count]);
        assert_eq!(checks[count].header("x-forwarded-for").unwrap(), "127.0.0.1", "{name}");
        // Envoy gives each request an id of its own, and drops the client's.
        let carried = name != "x-request-id" && name != "x-forwarded-for";
        assert!(!carried || checks[count].header(name).is_none(), "{name} is carried on: {checks:?}");
        assert!(!checks[count].all(name).contains(&value), "{name} is carried on as it came: {checks:?}");
    }
    assert_eq!(bed.configuration.records.count(), odd.len());
}

/// Orders for api-service's answer to checks, and what the client gets.
struct Case {
    orders: Vec<Order>,
    status: u16,
    reason: &'static str,
    retry_after: Option<&'static str>,
}

fn case(order: Order, status: u16, reason: &'static str) -> Case {
    let retry_after = (status == 503).then_some("1");
    Case { orders: order.into(), status, reason, retry_after }
}

fn answer(status: u16) -> Order {
    let reply = Reply::status(status).header("x-inner", "auth").header("www-authenticate", "Inner");
    let reply = reply.header("location", "http://inner/").header("set-cookie", "inner=1");
    Order::Answer(if matches!(status, 204 | 304) { reply } else { reply.body("text/plain", "inner words") })
}

#[tokio::test]
async fn every_2xx_is_a_yes() {
    let bed = Bed::with(asking(json!({}))).await;
    for status in [200, 201, 204, 206, 299] {
        bed.api.orders.set(Scope::Auth, answer(status));
        let answer = bed.send(&honest()).await;
        assert_eq!((answer.status, answer.header("x-inner")), (200, None), "{status}: {answer:?}");
        // A token that api-service does not know would be refused without the order.
        let unknown = format!("unknown-{status}");
        let answer = bed.send(&Request::post("/v1/auth").header("x-token", unknown)).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{status}: {answer:?}");
        assert_eq!(answer.header("x-inner"), None);
    }
    assert_eq!((bed.configuration.records.count(), bed.api.records.checks().len()), (5, 10));
}

#[tokio::test]
async fn what_is_no_yes_is_refused_by_its_meaning_and_never_forwarded() {
    let busy = |value: &[u8], passed_on| Case {
        orders: Order::Answer(Reply::status(429).header("retry-after", value)).into(),
        status: 429,
        reason: "busy",
        retry_after: Some(passed_on),
    };
    let mut cases = vec![
        case(answer(401), 401, "wrong_token"),
        case(answer(403), 403, "forbidden"),
        Case { retry_after: Some("1"), ..case(answer(429), 429, "busy") },
        busy(b"7", "7"),
        busy(b"60", "60"),
        busy(b"61", "1"),
        busy(b"-1", "1"),
        busy(b"", "1"),
        busy(b"Wed, 21 Oct 2026 07:28:00 GMT", "1"),
        busy(b"7\xff", "1"),
        // Each of these breaks the connection; Envoy asks once more by itself, and that one breaks as well.
        case(Order::ResetBeforeBody, 503, "auth_unavailable"),
        case(Order::Reset, 503, "auth_unavailable"),
        case(Order::Close, 503, "auth_unavailable"),
        case(Order::HalfHeader, 503, "auth_unavailable"),
        case(Order::Garbage(b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec()), 503, "auth_unavailable"),
        case(Order::Garbage(b"HTTP/1.1 2000 OK\r\n\r\n".to_vec()), 503, "auth_unavailable"),
        case(
            Order::Garbage(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort".to_vec()),
            503,
            "auth_unavailable",
        ),
        // One byte over what Envoy buffers of a callout's answer: it comes without headers, and without a status.
        case(Order::HugeBody((32 << 20) + 1), 503, "auth_unavailable"),
    ];
    for status in [300, 302, 304, 307, 400, 404, 405, 407, 418, 422, 499] {
        cases.push(case(answer(status), 503, "auth_contract_broken"));
    }
    for status in [500, 502, 503, 599] {
        cases.push(case(answer(status), 503, "auth_unavailable"));
    }
    cases.push(case(answer(504), 503, "auth_timeout"));

    let bed = Bed::with(asking(json!({}))).await;
    for (count, Case { orders, status, reason, retry_after }) in cases.into_iter().enumerate() {
        bed.api.orders.set(Scope::Auth, orders.clone());
        let answer = bed.refused(&post("/v1/event").body("{}"), status, reason).await;
        assert_eq!(answer.header("retry-after").as_deref(), retry_after, "{orders:?}: {answer:?}");
        assert_eq!(answer.json()["code"], status, "{orders:?}");
        // Nothing of the inner answer reaches the client.
        for name in ["x-inner", "location", "set-cookie"] {
            assert_eq!(answer.header(name), None, "{orders:?}: {answer:?}");
        }
        assert!(!answer.text().contains("inner"), "{orders:?}: {answer:?}");
        assert_ne!(answer.header("www-authenticate").as_deref(), Some("Inner"), "{orders:?}");

        bed.api.orders.clear();
        let next = bed.send(&honest()).await;
        assert_eq!(next.status, 200, "after {orders:?}: {next:?}");
        assert_eq!((bed.api.records.forwarded().len(), bed.configuration.records.count()), (0, count + 1));
    }
}

#[tokio::test]
async fn an_answer_of_32_mib_is_an_answer() {
    let bed = Bed::start().await;
    bed.api.orders.set(Scope::Auth, Order::HugeBody(32 << 20));
    let answer = bed.send(&honest()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn an_auth_service_that_does_not_answer_in_time_is_no_no() {
    let bed = Bed::with(json!({ "auth": { "timeout": "1s" } })).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let answer = bed.refused(&honest(), 503, "auth_timeout").await;
    assert_eq!(answer.header("retry-after").unwrap(), "1");
    // Envoy gives the check up: the service need not answer it any more.
    gate.wait_for(0).await.unwrap();
    assert_eq!(bed.api.records.checks().len(), 1, "a time-out is not asked again");
    bed.api.orders.clear();
    assert_eq!(bed.send(&honest()).await.status, 200);
    assert_eq!(bed.forwarded(), 1);
}

#[tokio::test]
async fn an_auth_service_that_is_not_there_is_no_no() {
    let bed = Bed::with(asking(json!({}))).await;
    bed.api.stop_listening().await;
    bed.refused(&honest(), 503, "auth_unavailable").await;
    bed.api.listen().unwrap();
    assert_eq!(bed.send(&honest()).await.status, 200);

    bed.api.close_connections();
    bed.api.reset_new_connections(true);
    bed.refused(&honest(), 503, "auth_unavailable").await;
    bed.api.reset_new_connections(false);
    assert_eq!(bed.send(&honest()).await.status, 200);
    assert_eq!(bed.forwarded(), 2);
}

#[tokio::test]
async fn a_check_that_envoy_refuses_to_send_is_no_no() {
    let bed = Bed::edited(|bootstrap| {
        let nobody = |auth: &str| json!({ "auth": { "cluster": auth } });
        let nowhere = "127.0.0.1:1".parse().unwrap();
        bootstrap
            .another_cluster("empty", nowhere)
            .edit(|json| {
                let clusters = json["static_resources"]["clusters"].as_array_mut().unwrap();
                let empty = clusters.iter_mut().find(|cluster| cluster["name"] == "empty").unwrap();
                empty["load_assignment"]["endpoints"] = json!([]);
            })
            .configuration(nobody("no-such-cluster"))
            .another_listener("empty", |listener| listener.configuration(nobody("empty")))
    })
    .await;
    bed.refused(&honest(), 503, "auth_unavailable").await;
    bed.refused(&get("/v1/auth"), 503, "auth_unavailable").await;
    // Nobody is asked about these, so they pass.
    assert_eq!(bed.send(&Request::get("/swagger.json")).await.status, 200);

    let before = bed.denials("auth_unavailable").await;
    let mut client = Raw::connect(bed.envoy.listener("empty")).await.unwrap();
    for count in 1..=2 {
        let answer = client.send(&honest()).await.unwrap();
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(bed.denials("auth_unavailable").await, before + count);
    }
    assert_eq!(client.send(&Request::get("/swagger.json")).await.unwrap().status, 200);
    assert_eq!(bed.configuration.records.count(), 0);
    assert_eq!(bed.api.records.checks().len(), 0);
}

#[tokio::test]
async fn a_check_on_a_connection_that_breaks_is_asked_once_more() {
    let bed = Bed::with(asking(json!({}))).await;
    assert_eq!(bed.send(&honest()).await.status, 200);
    bed.api.records.take();
    // Keptn's services close idle connections: the check that meets such a one was never read.
    for order in [Order::Close, Order::Reset, Order::ResetBeforeBody] {
        bed.api.orders.next(1, Scope::Auth, order.clone());
        let answer = bed.send(&honest()).await;
        assert_eq!(answer.status, 200, "{order:?}: {answer:?}");
        let checks = bed.api.records.take();
        assert_eq!(checks.len(), 2, "{order:?}: {checks:?}");
        for check in &checks {
            assert_is_in_form(check);
            assert_eq!(check.header("x-token").unwrap(), TOKEN);
        }
    }
    // Not more than once.
    bed.api.orders.set(Scope::Auth, Order::Close);
    bed.refused(&honest(), 503, "auth_unavailable").await;
    assert_eq!(bed.api.records.take().len(), 2);
}
