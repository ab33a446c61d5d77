//! Requests that are odd as HTTP: each gets a refusal or a proper answer, and the next honest request is served.

use crate::{
    headers::{both_ways, frames, vms},
    support::{Bed, TOKEN, get, honest, post},
};
use futures_util::future::join_all;
use serde_json::json;
use testbed::{
    client::{H2, Headers, Request},
    keptn::Gate,
    keptn::{Order, Reply, Scope},
};

async fn assert_unharmed(bed: &Bed, vms_before: u64) {
    assert_eq!(bed.send(&honest()).await.status, 200);
    assert_eq!(vms(bed).await, vms_before, "the VM died");
}

#[tokio::test]
async fn methods_that_keptn_does_not_know_are_refused() {
    let bed = Bed::start().await;
    let before = vms(&bed).await;
    // Over HTTP/2 Envoy lets any word through.
    let mut client = frames(&bed).await;
    for method in ["FOO", "get", "Post", "TRACE", "PROPFIND", "CONNECTED"] {
        let answer = client.send(&Request::new(method, "/v1/event").header("x-token", TOKEN)).await.unwrap();
        assert_eq!(answer.status, 400, "{method}: {answer:?}");
        assert_eq!(answer.json(), json!({ "code": 400, "message": "the request's method is not supported" }));
    }
    assert_eq!(bed.denials("bad_method").await, 6);
    for (method, target) in [("TRACE", "/v1/event"), ("PROPFIND", "/v1/event"), ("CONNECT", "evil.test:443")]
    {
        bed.refused(&Request::new(method, target).header("x-token", TOKEN), 400, "bad_method").await;
    }
    for method in ["FOO", "get", "G\u{e4}T"] {
        assert_eq!(bed.send(&Request::new(method, "/v1/event").header("x-token", TOKEN)).await.status, 400);
    }
    // A plain CONNECT over HTTP/2 has neither path nor scheme.
    let lines: [(&str, &str); 3] =
        [(":method", "CONNECT"), (":authority", "evil.test:443"), ("x-token", TOKEN)];
    let lines: Headers = lines.map(|(name, value)| (name.into(), value.into())).into();
    let stream = client.headers(&lines, false).await.unwrap();
    assert_eq!(client.response(stream).await.unwrap().status, 400);

    assert_eq!(bed.api.records.count(), 0, "somebody was asked");
    assert_unharmed(&bed, before).await;
}

#[tokio::test]
async fn paths_with_bytes_that_http2_lets_through_are_refused() {
    let bed = Bed::start().await;
    let before = vms(&bed).await;
    let mut client = frames(&bed).await;
    for path in [&b"/v1/\xc3\xa4"[..], b"/\xff", b"/v1/event?\xff", b"/configuration-service/v1/project\x80"]
    {
        let answer = client.send(&get(path)).await.unwrap();
        assert_eq!(answer.status, 400, "{}: {answer:?}", path.escape_ascii());
    }
    assert_eq!(bed.denials("bad_path").await, 4);
    // These are errors of the whole connection to Envoy.
    let odd = [&b"v1/event"[..], b"", b"*", b"http://gateway.test/v1/event", b"/v1/a b", b"/\x01", b"/\x7f"];
    join_all(odd.map(async |path| {
        let answer = frames(&bed).await.send(&get(path)).await;
        assert!(answer.is_err(), "{}: {answer:?}", path.escape_ascii());
    }))
    .await;
    assert_eq!(bed.api.records.count(), 0, "somebody was asked");
    assert_unharmed(&bed, before).await;
}

#[tokio::test]
async fn a_made_up_scheme_is_not_believed() {
    let bed = Bed::start().await;
    let before = vms(&bed).await;
    for scheme in ["https", "foo", "HTTP"] {
        let lines = [
            (":method", "GET"),
            (":scheme", scheme),
            (":path", "/configuration-service/v1/project"),
            (":authority", "gateway.test"),
            ("x-token", TOKEN),
        ];
        let lines: Headers = lines.map(|(name, value)| (name.into(), value.into())).into();
        let mut client = frames(&bed).await;
        let stream = client.headers(&lines, true).await.unwrap();
        assert_eq!(client.response(stream).await.unwrap().status, 200, "{scheme}");
        let received = bed.configuration.records.take().remove(0);
        assert_eq!(received.header("x-forwarded-proto").unwrap(), "http", "{scheme}");
    }
    assert_unharmed(&bed, before).await;
}

#[tokio::test]
async fn an_offer_of_tls_or_h2c_is_dropped_and_the_request_served() {
    let bed = Bed::start().await;
    let h2c = honest().header("http2-settings", "AAMAAABkAAQAAP__").header("upgrade", "h2c");
    for request in [
        honest().header("upgrade", "TLS/1.2").header("connection", "Upgrade"),
        h2c.header("connection", "Upgrade, HTTP2-Settings"),
        // Without `connection: upgrade` it offers nothing.
        honest().header("upgrade", "foo"),
    ] {
        let answer = bed.send(&request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let received = bed.configuration.records.take().remove(0);
        let names = received.header_names();
        assert!(!names.iter().any(|name| name == "upgrade" || name == "http2-settings"), "{names:?}");
    }
}

#[tokio::test]
async fn the_absolute_form_of_a_target_is_judged_by_its_own_host_and_path() {
    let bed = Bed::with(json!({ "hosts": ["gateway.test"] })).await;
    let before = vms(&bed).await;
    let project = "/configuration-service/v1/project";
    let answer = bed.send(&get(format!("http://gateway.test:80{project}?a=b"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let received = bed.configuration.records.take().remove(0);
    assert_eq!(received.header("host").unwrap(), "gateway.test:80");
    assert_eq!(received.target, b"/v1/project?a=b");

    // RFC 9112 section 3.2.2: the target's host is it, whatever `Host` says. So this one is foreign.
    let foreign = bed.send(&get(format!("http://evil.test{project}")).header("host", "gateway.test")).await;
    assert_eq!((foreign.status, foreign.header("content-type").as_deref()), (404, Some("application/json")));
    let ours = bed.send(&get(format!("http://gateway.test{project}")).header("host", "evil.test")).await;
    assert_eq!(ours.status, 200, "{ours:?}");
    bed.refused(&Request::get(format!("http://gateway.test{project}")), 401, "no_token").await;
    bed.refused(&get("http://gateway.test/a/../b"), 400, "dot_segment").await;
    bed.refused(&Request::get("http://gateway.test"), 401, "no_token").await;
    assert_eq!(bed.send(&get(format!("https://gateway.test{project}"))).await.status, 403);
    assert_eq!(bed.configuration.records.count(), 1);
    assert_unharmed(&bed, before).await;
}

#[tokio::test]
async fn a_denied_head_has_no_body_and_the_connection_goes_on() {
    let bed = Bed::start().await;
    let head = Request::new("HEAD", "/v1/event");
    let denial = bed.send(&Request::get("/v1/event")).await;
    let mut client = bed.connect().await;
    let mut h2 = H2::connect(bed.envoy.listener("gateway")).await.unwrap();
    for answer in [client.send(&head).await.unwrap(), h2.send(&head).await.unwrap()] {
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{answer:?}");
        assert_eq!(answer.header("content-length").unwrap(), denial.body.len().to_string());
        assert_eq!(answer.header("content-type"), denial.header("content-type"));
    }
    // A body's bytes would be taken for the next answer.
    assert_eq!(client.send(&honest()).await.unwrap().status, 200);
    assert_eq!(h2.send(&honest()).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_upload_that_waits_for_100_continue_gets_it_and_arrives() {
    let bed = Bed::start().await;
    bed.api.orders.set(Scope::NotAuth, Order::Answer(Reply::status(204)));
    let upload = || post("/v1/event").header("expect", "100-continue").body("a body");
    let head = upload().head_bytes();

    // Also while the token is being checked: Envoy itself says "continue".
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let mut client = bed.connect().await;
    client.write(&head).await.unwrap();
    gate.wait_for(1).await.unwrap();
    client.write(b"a body").await.unwrap();
    gate.open();
    let answer = client.read_response(false).await.unwrap();
    assert_eq!((answer.interim.as_slice(), answer.status), (&[100][..], 204), "{answer:?}");
    let received = bed.api.records.forwarded().remove(0);
    assert_eq!((&received.body[..], received.header("expect")), (&b"a body"[..], None));

    let denied = Request::post("/v1/event").header("expect", "100-continue").body("a body");
    let mut client = bed.connect().await;
    client.write(&denied.head_bytes()).await.unwrap();
    assert_eq!(client.read_response(false).await.unwrap().status, 401);
    assert_eq!(bed.forwarded(), 1);
}

/// Envoy turns local replies to what calls itself gRPC into gRPC's own form. Keptn has no gRPC; this is here so that
/// a change is seen, and to show that such a request is not forwarded either.
#[tokio::test]
async fn what_calls_itself_grpc_is_refused_in_grpcs_form_and_never_forwarded() {
    let bed = Bed::start().await;
    for kind in ["application/grpc", "application/grpc+proto"] {
        for (token, message) in
            [(None, "unauthenticated for invalid credentials"), (Some("wrong"), "incorrect api key auth")]
        {
            for target in ["/v1/event", "/configuration-service/v1/project", "/v1/auth"] {
                let mut request = Request::post(target).header("content-type", kind);
                if let Some(token) = token {
                    request = request.header("x-token", token);
                }
                for answer in both_ways(&bed, &request.body("x")).await {
                    assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
                    // 16 is UNAUTHENTICATED.
                    assert_eq!(answer.header("grpc-status").unwrap(), "16");
                    let json = format!(r#"{{"code":401,"message":"{message}"}}"#);
                    assert_eq!(answer.header("grpc-message").unwrap(), json);
                }
            }
        }
    }
    assert_eq!(bed.forwarded(), 0);
    // With a good token it is a request like any other.
    let answer = bed.send(&post("/v1/event").header("content-type", "application/grpc").body("x")).await;
    assert_eq!((answer.status, bed.forwarded()), (415, 1), "{answer:?}");
}
