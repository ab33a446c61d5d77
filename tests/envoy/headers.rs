//! Header lines: what kills nothing, what is believed, what never reaches a service.

use crate::support::{Bed, TOKEN, asking, get, honest, post};
use futures_util::future::join_all;
use serde_json::json;
use std::{net::IpAddr, time::Duration};
use testbed::{
    client::{Frames, Headers, Raw, Request, Response},
    keptn::{Order, Received, Reply, Scope},
};

/// Over HTTP/2, by hand: any bytes are sent.
pub(crate) async fn frames(bed: &Bed) -> Frames {
    Frames::connect(bed.envoy.listener("gateway")).await.unwrap()
}

/// Over HTTP/1.1 and over HTTP/2. Names must be in lower case.
pub(crate) async fn both_ways(bed: &Bed, request: &Request) -> [Response; 2] {
    [bed.send(request).await, frames(bed).await.send(request).await.unwrap()]
}

/// How many VMs Envoy has made so far.
pub(crate) async fn vms(bed: &Bed) -> u64 {
    let created = bed.envoy.counter("wasm.envoy.wasm.runtime.v8.created").await.unwrap();
    assert!(created > 0, "Envoy counts its VMs under another name now");
    created
}

/// What a service received of the latest request that was forwarded to it.
fn latest(records: &testbed::keptn::Records) -> Received {
    records.forwarded().pop().expect("a request was forwarded")
}

#[tokio::test]
async fn a_value_that_is_not_utf_8_kills_nothing_and_arrives_as_it_is() {
    let bed = Bed::with(asking(json!({}))).await;
    let before = vms(&bed).await;
    let value = b"\xff\xfe\x80";
    for name in [
        "x-any",
        "cookie",
        "user-agent",
        "accept",
        "x-request-id",
        "traceparent",
        "tracestate",
        "b3",
        "token",
        "keptn-ws-channel-id",
        "x-forwarded-for",
        "x-real-ip",
        "x-envoy-max-retries",
        "origin",
    ] {
        for answer in both_ways(&bed, &honest().header(name, value)).await {
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
        }
        if matches!(name, "x-any" | "cookie" | "accept" | "token") {
            assert_eq!(latest(&bed.configuration.records).all(name), [value], "{name}");
        }
    }
    assert_eq!(vms(&bed).await, before, "the VM died");
}

#[tokio::test]
async fn a_value_that_is_not_utf_8_is_no_token_no_host_and_no_upgrade() {
    let bed = Bed::with(json!({ "hosts": ["gateway.test"] })).await;
    let before = vms(&bed).await;
    let project = "/configuration-service/v1/project";
    let upgrade = || get("/").header("connection", "upgrade").header("upgrade", b"websocket\xff");
    bed.refused(&Request::get(project).header("x-token", b"\xff"), 401, "malformed_token").await;
    bed.refused(&upgrade(), 400, "upgrade_refused").await;
    // Envoy has its own rules for these two. If it lets such a host through, it is nobody's.
    let host = bed.send(&honest().header("host", b"gateway.test\xff")).await;
    assert!(matches!(host.status, 400 | 404), "{host:?}");
    assert_eq!(bed.send(&post(project).header("content-length", b"\xff")).await.status, 400);

    let mut client = frames(&bed).await;
    let answer = client.send(&Request::get(project).header("x-token", b"\xff")).await.unwrap();
    assert_eq!((answer.status, bed.denials("malformed_token").await), (401, 2), "{answer:?}");
    assert_eq!(bed.api.records.count() + bed.configuration.records.count(), 0, "somebody was asked");

    assert_eq!(bed.send(&honest()).await.status, 200);
    assert_eq!(vms(&bed).await, before, "the VM died");
}

#[tokio::test]
async fn envoy_itself_refuses_names_that_are_no_names() {
    let bed = Bed::start().await;
    let before = vms(&bed).await;
    for name in [&b"x-\xff"[..], b"x any", b"", b":foo", b"x-a\t", b"x(a)"] {
        let answer = bed.send(&honest().header(name, "a")).await;
        assert_eq!(answer.status, 400, "{}: {answer:?}", name.escape_ascii());
    }
    // Over HTTP/2 that is an error of the whole connection. Each has one of its own.
    let odd: [(&[u8], &[u8]); 14] = [
        (b"X-Token", b"a"),
        (b"x-\xff", b"a"),
        (b"x any", b"a"),
        (b"", b"a"),
        (b"x-a:b", b"a"),
        (b"x-a\n", b"a"),
        (b":foo", b"a"),
        (b":path", b"/v1/auth"),
        (b":method", b"POST"),
        (b"connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"websocket"),
        (b"x-nul", b"\0"),
        (b"x-lines", b"a\r\nx-b: c"),
    ];
    join_all(odd.map(async |(name, value)| {
        let mut client = frames(&bed).await;
        let lines: [(&[u8], &[u8]); 6] = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":path", b"/configuration-service/v1/project"),
            (b":authority", b"gateway.test"),
            (b"x-token", TOKEN.as_bytes()),
            (name, value),
        ];
        let lines: Headers = lines.map(|(name, value)| (name.to_vec(), value.to_vec())).into();
        let stream = client.headers(&lines, true).await.unwrap();
        let answer = client.response(stream).await;
        assert!(answer.is_err(), "{}: {answer:?}", name.escape_ascii());
    }))
    .await;
    assert_eq!(bed.forwarded(), 0);
    assert_eq!(bed.send(&honest()).await.status, 200);
    assert_eq!(vms(&bed).await, before, "the VM died");
}

#[tokio::test]
async fn of_two_tokens_none_is_believed() {
    let bed = Bed::start().await;
    let (good, wrong) = (TOKEN.as_bytes(), &b"wrong"[..]);
    let pairs = [(good, wrong), (wrong, good), (good, good), (good, b""), (b"", good), (good, b"\xff")];
    for target in ["/v1/event", "/configuration-service/v1/project", "/v1/auth"] {
        for (first, second) in pairs {
            for names in [["x-token", "x-token"], ["X-Token", "x-token"], ["x-token", "X-TOKEN"]] {
                let request = Request::get(target).header(names[0], first).header("x-between", "a");
                bed.refused(&request.header(names[1], second), 401, "many_tokens").await;
            }
            let request = Request::get(target).header("x-token", first).header("x-token", second);
            assert_eq!(frames(&bed).await.send(&request).await.unwrap().status, 401);
        }
        // As HTTP joins lines.
        let joined = Request::get(target).header("x-token", format!("{TOKEN},wrong"));
        bed.refused(&joined, 401, "many_tokens").await;
    }
    assert_eq!(bed.api.records.count() + bed.configuration.records.count(), 0, "somebody was asked");
}

/// Gateway-owned headers, each under names that some server reads alike.
const OWNED: [&str; 17] = [
    "x-real-ip",
    "X-Real-IP",
    "x_real_ip",
    "X_Real-Ip",
    "x-keptn-client",
    "X_KEPTN_CLIENT",
    "x-envoy-max-retries",
    "X-Envoy-Max-Retries",
    "x_envoy_max_retries",
    "x-envoy-retry-on",
    "X_Envoy_Retry_On",
    "x-envoy-retry-grpc-on",
    "x-envoy-upstream-rq-timeout-ms",
    "x_envoy-upstream_rq-per-try-timeout-ms",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-original-path",
];

fn with_owned_headers(mut request: Request) -> Request {
    for name in OWNED {
        // Twice, and apart: all lines of a name have to go.
        request = request.header(name, "6.6.6.6").header("x-between", name).header(name, "7.7.7.7");
    }
    request
}

/// Envoy itself removes some of these from strangers' requests. A client with a trusted address shows the filter alone.
fn trusting(mut listener: testbed::bootstrap::Listener) -> testbed::bootstrap::Listener {
    let loopback = json!([{ "address_prefix": "127.0.0.0", "prefix_len": 8 }]);
    listener.manager()["internal_address_config"] = json!({ "cidr_ranges": loopback });
    listener
}

#[tokio::test]
async fn a_client_cannot_set_what_only_the_gateway_may() {
    let client: IpAddr = "127.3.1.4".parse().unwrap();
    let asking = |listener: testbed::bootstrap::Listener| listener.configuration(asking(json!({})));
    for bed in [Bed::listener(asking).await, Bed::listener(|listener| trusting(asking(listener))).await] {
        let gateway = bed.envoy.listener("gateway");
        for target in ["/v1/docs", "/v1/event", "/v1//event", "/configuration-service/v1/project"] {
            let mut connection = Raw::connect_from(client, gateway).await.unwrap();
            connection.send(&with_owned_headers(get(target))).await.unwrap();
            let upstream =
                if target.starts_with("/conf") { &bed.configuration.records } else { &bed.api.records };
            let received = latest(upstream);
            assert_eq!(received.all("x-between").len(), OWNED.len(), "{target}: not the request meant");
            let owned = |name: &String| {
                let name = name.to_ascii_lowercase();
                OWNED.iter().any(|owned| owned.eq_ignore_ascii_case(&name))
            };
            let names: Vec<_> = received.header_names().into_iter().filter(owned).collect();
            assert_eq!(names, ["x-real-ip"], "{target}");
            assert_eq!(received.header("x-real-ip").unwrap(), client.to_string());
        }
        let checks = bed.api.records.checks();
        assert_eq!(checks.len(), 3, "one for each that is not public: {checks:?}");
        for check in checks {
            assert!(!check.header_names().iter().any(|name| name.contains("real")), "{check:?}");
            assert_eq!(check.header("x-forwarded-for").unwrap(), client.to_string());
        }
    }
}

#[tokio::test]
async fn a_client_cannot_steer_envoys_retries_and_timeouts() {
    for bed in [Bed::start().await, Bed::listener(trusting).await] {
        let steered = |request: Request| {
            let request =
                request.header("x-envoy-retry-on", "5xx,reset,gateway-error,retriable-status-codes");
            let request =
                request.header("X-Envoy-Max-Retries", "10").header("x-envoy-upstream-rq-timeout-ms", "1");
            request
                .header("x-envoy-retriable-status-codes", "503")
                .header("x-envoy-retriable-header-names", "date")
        };
        for order in [Order::Answer(Reply::status(503)), Order::Reset, Order::Close] {
            bed.api.orders.set(Scope::NotAuth, order.clone());
            for method in ["GET", "POST"] {
                let answer =
                    bed.send(&steered(Request::new(method, "/v1/event").header("x-token", TOKEN))).await;
                assert_eq!(answer.status, 503, "{order:?}: {answer:?}");
                assert_eq!(bed.api.records.forwarded().len(), 1, "{method} with {order:?}");
                bed.api.records.take();
            }
        }
        bed.api.orders.set(
            Scope::NotAuth,
            vec![Order::Delay(Duration::from_millis(100)), Order::Answer(Reply::status(204))],
        );
        assert_eq!(
            bed.send(&steered(get("/v1/event"))).await.status,
            204,
            "the client's timeout was believed"
        );
    }
}

#[tokio::test]
async fn a_forged_x_forwarded_for_is_not_who_the_client_is() {
    let bed = Bed::start().await;
    let client: IpAddr = "127.2.7.1".parse().unwrap();
    let mut connection = Raw::connect_from(client, bed.envoy.listener("gateway")).await.unwrap();
    let request = get("/v1/event").header("X-Forwarded-For", "6.6.6.6").header("x-forwarded-for", "7.7.7.7");
    let request = request.header("x-envoy-external-address", "6.6.6.6").header("x-forwarded-proto", "https");
    connection.send(&request.header("x-envoy-internal", "true")).await.unwrap();

    let check = bed.api.records.checks().remove(0);
    assert_eq!(check.header("x-forwarded-for").unwrap(), "127.2.7.1");
    // What the client says stays visible, before what Envoy saw.
    let received = latest(&bed.api.records);
    assert_eq!(received.header("x-forwarded-for").unwrap(), "6.6.6.6,7.7.7.7,127.2.7.1");
    assert_eq!(received.header("x-real-ip").unwrap(), "127.2.7.1");
    assert_eq!(received.header("x-envoy-external-address").unwrap(), "127.2.7.1");
    assert_eq!(received.header("x-envoy-internal"), None);
    assert_eq!(received.header("x-forwarded-proto").unwrap(), "http");
}

#[tokio::test]
async fn the_token_goes_to_api_service_and_to_nobody_else() {
    let bed = Bed::start().await;
    for target in ["/v1/event", "/v1/project/p", "/swagger.json", "/v1/docs"] {
        bed.send(&Request::get(target).header("X-Token", TOKEN)).await;
        let received = latest(&bed.api.records);
        assert_eq!((received.path().as_str(), received.header("x-token").as_deref()), (target, Some(TOKEN)));
    }
    for target in [
        "/configuration-service/v1/project",
        "/configuration-service/swagger-ui/swagger.yaml",
        "/v1/project/p/resource",
        "/v1/project/p/stage/s/resource/a%2Fb",
    ] {
        bed.send(&Request::get(target).header("X-Token", TOKEN)).await;
        let received = latest(&bed.configuration.records);
        assert_eq!(received.header("x-token"), None, "{target}");
        for (name, value) in &received.headers {
            assert!(
                !value.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()),
                "{}",
                name.escape_ascii()
            );
        }
    }
    // A public document is nobody's secret: also two tokens, which nobody judges here, go no further.
    bed.send(&get("/configuration-service/swagger-ui/swagger.yaml").header("X-TOKEN", "other")).await;
    assert_eq!(latest(&bed.configuration.records).all("x-token").len(), 0);
}

#[tokio::test]
async fn a_header_that_the_client_has_removed_by_connection_counts_as_not_sent() {
    let bed = Bed::start().await;
    let request = honest().header("connection", "x-token, close");
    bed.refused(&request, 401, "no_token").await;
    assert_eq!(bed.api.records.count(), 0);
    // What Envoy itself needs to know who the client is cannot be removed so.
    assert_eq!(bed.send(&honest().header("connection", "x-forwarded-for")).await.status, 400);
    assert_eq!(bed.configuration.records.count(), 0);
    assert_eq!(bed.send(&honest().header("connection", "keep-alive, x-real-ip")).await.status, 200);
    let received = latest(&bed.configuration.records);
    assert_eq!(received.header("x-real-ip").unwrap(), "127.0.0.1");
}

#[tokio::test]
async fn services_see_the_host_with_its_port_and_the_real_scheme() {
    let bed = Bed::start().await;
    for host in ["api.keptn.example.org:8443", "API.keptn", "127.0.0.1:80"] {
        for answer in both_ways(&bed, &honest().header("host", host)).await {
            assert_eq!(answer.status, 200, "{answer:?}");
            let received = latest(&bed.configuration.records);
            assert_eq!(received.header("host").unwrap(), host);
            assert_eq!(received.header("x-forwarded-proto").unwrap(), "http");
        }
    }
}
