//! Dead VMs and replaced configurations.

use crate::support::{Bed, TOKEN, asking, event, get, honest, patient, post, with_token};
use serde_json::json;
use std::{collections::BTreeMap, env, time::Duration};
use testbed::{
    Bootstrap, Envoy,
    client::{Frames, Headers, Request},
    envoy::Options,
    keptn::{ApiService, Gate, Order, Scope},
};

/// With a filter that any request can kill by `x-trap: 1`.
async fn mortal(edit: impl FnOnce(Bootstrap) -> Bootstrap) -> Bed {
    let plugin = env::var_os("PLUGIN_WASM_TRAP");
    let plugin =
        plugin.expect("PLUGIN_WASM_TRAP is not set: `./build.sh test` builds that plugin and sets it");
    Bed::edited(|bootstrap| edit(bootstrap).plugin(plugin)).await
}

fn deadly() -> Request {
    honest().header("x-trap", "1")
}

/// What Envoy says of its VMs.
async fn vms(envoy: &Envoy) -> BTreeMap<String, u64> {
    let stats = envoy.stats().await.unwrap();
    stats.into_iter().filter(|(name, _)| name.starts_with("wasm.")).collect()
}

/// Envoy makes a new VM 0.1 to 0.15 s after the last one at the earliest. A check that takes longer is the clock.
async fn outlive_the_backoff(bed: &Bed) {
    bed.api.orders.next(1, Scope::Auth, Order::Delay(Duration::from_millis(300)));
    let checks = bed.api.records.checks().len();
    assert_eq!(bed.send(&post("/v1/auth")).await.status, 200);
    assert_eq!(
        bed.api.records.checks().len(),
        checks + 1,
        "answered without a check: nothing has been waited for"
    );
}

#[tokio::test]
async fn after_a_request_that_kills_the_vm_the_next_one_is_served() {
    let bed = mortal(|bootstrap| bootstrap).await;
    for death in 1..=2 {
        outlive_the_backoff(&bed).await;
        let (checks, forwarded) = (bed.api.records.checks().len(), bed.forwarded());
        let answer = bed.send(&deadly()).await;
        assert_eq!((answer.status, bed.forwarded()), (503, forwarded), "{answer:?}");
        let answer = bed.send(&honest()).await;
        assert_eq!((answer.status, bed.forwarded()), (200, forwarded + 1), "{answer:?}");
        assert_eq!(bed.api.records.checks().len(), checks + 1, "what was remembered is lost, so it is asked");
        assert_eq!(bed.envoy.counter("wasm.keptn-gateway.vm_reload_success").await.unwrap(), death);
    }
}

#[tokio::test]
async fn a_dead_vm_lets_nothing_through() {
    // Too long for a new VM to come.
    let bed = mortal(|bootstrap| {
        bootstrap.listener("gateway", |mut listener| {
            listener.filter()["reload_config"]["backoff"]["base_interval"] = json!("600s");
            listener
        })
    })
    .await;
    let mut client = bed.connect().await;
    assert_eq!(client.send(&honest()).await.unwrap().status, 200);
    let received = (bed.api.records.count(), bed.forwarded());
    let websocket = Request::get("/").header("connection", "upgrade").header("upgrade", "websocket");
    for request in [
        deadly(),
        honest(),
        event(),
        post("/v1/auth"),
        Request::get("/swagger.json"),
        Request::get("/nowhere"),
        Request::get("/").header("keptn.upstream", "api-service").header("x-token", TOKEN),
        websocket.header("token", bed.api.channel_token()).header("sec-websocket-version", "13"),
    ] {
        let answer = bed.send(&request).await;
        assert_eq!(answer.status, 503, "{request:?}: {answer:?}");
    }
    // Nor on a connection that is older than its death.
    assert_eq!(client.send(&honest()).await.unwrap().status, 503);
    assert_eq!((bed.api.records.count(), bed.forwarded()), received);
}

/// The one exception to "never a hang": nothing can wake them, so Envoy's `request_timeout` has to end them.
#[tokio::test]
async fn requests_that_wait_in_a_vm_that_dies_end_at_the_request_timeout() {
    let bed = mortal(|bootstrap| {
        let edit = |manager: &mut serde_json::Value| manager["request_timeout"] = json!("2s");
        bootstrap
            .configuration(patient(asking(json!({}))))
            .listener("gateway", |listener| listener.edit_manager(edit))
    })
    .await;
    outlive_the_backoff(&bed).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let mut waiting = vec![bed.begin(&honest()).await];
    gate.wait_for(1).await.unwrap();
    waiting.push(bed.begin(&event()).await);
    bed.under_way(2).await;
    assert_eq!(bed.send(&deadly()).await.status, 503);

    // Others are served meanwhile.
    bed.api.orders.clear();
    assert_eq!(bed.send(&honest()).await.status, 200);
    let forwarded = bed.forwarded();
    for mut client in waiting {
        let answer = client.read_response(false).await.unwrap();
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    gate.open();
    assert_eq!(bed.send(&honest()).await.status, 200);
    assert_eq!(bed.forwarded(), forwarded + 1, "a yes that comes too late lets nothing through");
}

/// Requests that no honest client sends, one a connection.
fn odd_requests() -> Vec<Vec<u8>> {
    let long = |length: usize| "a".repeat(length);
    let head = |lines: &[&[u8]]| [&lines.join(&b"\r\n"[..])[..], b"\r\n\r\n"].concat();
    let mut odd: Vec<Vec<u8>> = [
        honest().header("x-any", b"\xff\xfe"),
        honest().header("x-token", "second"),
        honest().header("x-token", ""),
        Request::get("/v1/event").header("x-token", b"\xff\xfe"),
        Request::get("/v1/event").header("x-token", b"\xc3\x28"),
        Request::get("/v1/event").header("x-token", "a,b"),
        Request::get("/v1/event").header("x-token", long(5000)),
        Request::get("/v1/event").header("x-token", b"a\tb"),
        Request::get("/v1/event").header("x_token", TOKEN),
        Request::get("/v1/event").header("cookie", b"\xf0\x28\x8c\x28"),
        get("/v1/event").header("x-forwarded-for", b"\xff, 1.2.3.4, ,,"),
        get("/v1/event").header("x-forwarded-for", long(8000)),
        get("/v1/event").header("x-request-id", b"\xff"),
        get("/v1/event").header("traceparent", b"\x80"),
        get("/v1/event").header("content-type", "application/grpc"),
        Request::post("/v1/event").header("content-type", "application/grpc").body("x"),
        get("/v1/event").header("x-envoy-original-path", b"/\xff"),
        get("/v1/event").header("x-envoy-upstream-rq-timeout-ms", "0"),
        get("/").header("connection", "upgrade").header("upgrade", "foo"),
        get("/").header("connection", "upgrade").header("upgrade", b"websocket\xff"),
        get("/")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("token", b"\xff.\xff.\xff"),
        get("/")
            .header("connection", "upgrade, http2-settings")
            .header("upgrade", "h2c")
            .header("http2-settings", "AA"),
        get("/").header("connection", "upgrade").header("upgrade", "websocket").chunked(["x"]),
        Request::new("FOO", "/v1/event").header("x-token", TOKEN),
        Request::new("get", "/v1/event"),
        Request::new("TRACE", "/v1/event").header("x-token", TOKEN),
        Request::new("CONNECT", "api-service:8080"),
        Request::new("OPTIONS", "*"),
        get("http://\u{e9}/v1/event"),
        get("http://api.keptn/v1/event"),
        get("/\u{e9}"),
        get("/v1//event"),
        get("/v1/..;/event"),
        get("/v1/%2e%2e/event"),
        get("/v1/%252e%252e/event"),
        get("/v1/%00"),
        get("/v1/%"),
        get("/v1/%zz%f"),
        get("/v1/%ff%fe"),
        get("/v1/event#x"),
        get(r"/v1\event"),
        get("/v1/project/%2F..%2f.git/resource"),
        get(format!("/{}", long(9000))),
        get("/v1/event?\u{ff}"),
        get("v1/event"),
        get("/v1/event").no_host(),
        get("/v1/event").header("host", ""),
        get("/v1/event").header("host", "\u{e9}"),
        get("/v1/event").header("host", "a").header("host", "b"),
        post("/v1/event").header("content-length", "-1"),
        post("/v1/event").header("content-length", "99999999999999999999"),
        post("/v1/event").header("content-length", "1").header("content-length", "2"),
        post("/v1/event").header("content-length", "1").header("transfer-encoding", "chunked"),
        post("/v1/event").header("transfer-encoding", "gzip, chunked"),
        event().header("expect", "something"),
        post("/v1/event").header("content-length", "1048577"),
        (0..120).fold(get("/v1/event"), |request, count| request.header(format!("x-{count}"), "")),
        get("/v1/event").header("x-long", long(70_000)),
        get("/v1/event").header(b"x-\xff", "1"),
        get("/v1/event").header("", "1"),
        get("/v1/event").header("x-nul", b"a\0b"),
    ]
    .iter()
    .map(Request::bytes)
    .collect();
    odd.extend([
        head(&[b"GET /v1/event HTTP/1.0", b"x-token: a"]),
        head(&[b"GET /v1/event HTTP/3.0", b"host: a"]),
        head(&[b"GET /v1/event HTTP/1.1", b"host: a", b" folded: b"]),
        head(&[b"GET /v1/event HTTP/1.1", b"host : a"]),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no TLS here\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\nnonsense\r\n\r\n".to_vec(),
        b"POST /v1/event HTTP/1.1\r\nhost: a\r\nx-token: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
            .to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nno frames here, but more than enough bytes for one".to_vec(),
    ]);
    odd
}

/// Header blocks that only HTTP/2 can carry.
fn odd_headers() -> Vec<Headers> {
    let token = ("x-token", TOKEN.as_bytes());
    let usual: [(&str, &[u8]); 4] =
        [(":method", b"GET"), (":scheme", b"http"), (":path", b"/v1/event"), (":authority", b"a")];
    let with = |name: &str, value: &'static [u8]| {
        let mut lines: Vec<(&str, &[u8])> =
            usual.into_iter().map(|(n, v)| if n == name { (n, value) } else { (n, v) }).collect();
        lines.push(token);
        lines
    };
    let without = |name: &str| usual.into_iter().filter(|(n, _)| *n != name).collect::<Vec<_>>();
    let and = |lines: &[(&'static str, &'static [u8])]| [&usual[..], lines].concat();
    [
        with(":path", b"/\xff\xfe"),
        with(":path", b"/v1/\xc3\x28"),
        with(":path", b""),
        with(":path", b"*"),
        with(":path", b"/v1/event#x"),
        with(":path", b"http://a/v1/event"),
        with(":method", b"FOO"),
        with(":method", b"get"),
        with(":method", b"\xff"),
        with(":method", b""),
        with(":method", b"CONNECT"),
        with(":scheme", b"ftp"),
        with(":scheme", b"\xff"),
        with(":authority", b"\xff\xfe"),
        with(":authority", b""),
        with(":authority", b"a b"),
        without(":path"),
        without(":method"),
        without(":scheme"),
        without(":authority"),
        and(&[(":path", b"/v1/other")]),
        and(&[(":unknown", b"1")]),
        and(&[(":protocol", b"websocket")]),
        and(&[("X-Token", b"a")]),
        and(&[("x-token", b" a ")]),
        and(&[("x-token", b"a\0")]),
        and(&[("x-token", b"a\r\nx: b")]),
        and(&[("x-token", b"\xff")]),
        and(&[("x-token", b"a"), ("x-token", b"b")]),
        and(&[("connection", b"close")]),
        and(&[("transfer-encoding", b"chunked")]),
        and(&[("upgrade", b"websocket")]),
        and(&[("te", b"\xff")]),
        and(&[("host", b"b")]),
        and(&[("content-length", b"5")]),
        and(&[("content-length", b"\xff")]),
        and(&[("x-\u{e9}", b"1")]),
        and(&[("x any", b"1")]),
        and(&[("", b"1")]),
    ]
    .into_iter()
    .map(|lines| lines.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    .chain([vec![], vec![(b"x-\xff".to_vec(), b"1".to_vec())]])
    .collect()
}

#[tokio::test]
async fn no_odd_request_harms_the_vm() {
    // A second by default, for each HTTP/2 connection that Envoy gives up.
    let hasty = |manager: &mut serde_json::Value| manager["delayed_close_timeout"] = json!("0.01s");
    // Each request also makes a check, with what of its headers a check carries on.
    let bed = Bed::listener(|listener| listener.configuration(asking(json!({}))).edit_manager(hasty)).await;
    let gateway = bed.envoy.listener("gateway");
    let mut client = bed.connect().await;
    let before = vms(&bed.envoy).await;
    assert!(before.values().any(|count| *count > 0), "Envoy counts no VMs: {before:?}");

    for bytes in odd_requests() {
        let shown = bytes[..bytes.len().min(200)].escape_ascii().to_string();
        let mut odd = bed.connect().await;
        // Envoy may have refused it before all is written, and it may close without a word.
        let _ = odd.write(&bytes).await;
        if let Ok(answer) = odd.read_response(false).await {
            assert_ne!(answer.status, 503, "{shown}: {answer:?}");
        }
        let next = client.send(&honest()).await.unwrap();
        assert_eq!(next.status, 200, "after {shown}: {next:?}");

        // The same, by a client that leaves before the end, and by one that leaves without waiting.
        let mut leaves = bed.connect().await;
        let _ = leaves.write(&bytes[..bytes.len() - 3]).await;
        leaves.reset();
        let mut leaves = bed.connect().await;
        let _ = leaves.write(&bytes).await;
        drop(leaves);
        let next = client.send(&honest()).await.unwrap();
        assert_eq!(next.status, 200, "after clients that left: {shown}: {next:?}");
    }
    for lines in odd_headers() {
        for end in [true, false] {
            let mut odd = Frames::connect(gateway).await.unwrap();
            let stream = odd.headers(&lines, end).await.unwrap();
            if !end {
                let _ = odd.data(stream, b"x", true).await;
            }
            if let Ok(answer) = odd.response(stream).await {
                assert_ne!(answer.status, 503, "{lines:?}: {answer:?}");
            }
            let next = client.send(&honest()).await.unwrap();
            assert_eq!(next.status, 200, "after {lines:?}: {next:?}");
        }
    }
    assert_eq!(vms(&bed.envoy).await, before);
    assert_eq!(bed.denials("gateway_error").await, 0);
}

/// A gateway whose listeners can be replaced, and a second auth service with another token.
async fn replaceable() -> (Bed, Bootstrap, ApiService) {
    let other = ApiService::start("another-token").await.unwrap();
    let address = other.address();
    let mut bootstrap = None;
    // During a drain Envoy closes old connections after an answer, at random and the more the longer it lasts.
    let options = Options { drain_time_s: 100_000, ..Options::default() };
    let bed = Bed::start_with(&options, |first| {
        let first = first.another_cluster("other-api", address).dynamic_listeners();
        let first = first.configuration(patient(json!({})));
        bootstrap = Some(first.clone());
        first
    })
    .await;
    (bed, bootstrap.unwrap(), other)
}

#[tokio::test]
async fn a_new_configuration_is_for_new_connections() {
    let (mut bed, first, other) = replaceable().await;
    let mut old = bed.connect().await;
    assert_eq!(old.send(&honest()).await.unwrap().status, 200);
    let gate = Gate::new();
    bed.api.add_token("slow");
    bed.api.orders.next(1, Scope::Auth, Order::Hang(gate.clone()));
    let mut waiting = bed.begin(&with_token("slow")).await;
    gate.wait_for(1).await.unwrap();

    let second = first.configuration(patient(json!({ "auth": { "cluster": "other-api" } })));
    assert!(bed.envoy.replace_listeners(&second).await.unwrap());
    // New connections ask the other service, also while a request waits under the old configuration. What the old one
    // remembers is not believed.
    let mut new = bed.connect().await;
    assert_eq!(new.send(&with_token("another-token")).await.unwrap().status, 200);
    assert_eq!(new.send(&honest()).await.unwrap().status, 401);
    assert_eq!((bed.api.records.checks().len(), other.records.checks().len()), (2, 2));
    // A request that waited ends under the old one.
    gate.open();
    assert_eq!(waiting.read_response(false).await.unwrap().status, 200);
    // So do those on a connection that is older than the new one, until it is drained: with what was remembered, and
    // with checks.
    assert_eq!(old.send(&honest()).await.unwrap().status, 200);
    assert_eq!((bed.api.records.checks().len(), other.records.checks().len()), (2, 2));
    assert_eq!(old.send(&with_token("another-token")).await.unwrap().status, 401);
    assert_eq!((bed.api.records.checks().len(), other.records.checks().len()), (3, 2));
}

#[tokio::test]
async fn old_connections_end_when_they_are_drained() {
    let options = Options { drain_time_s: 1, ..Options::default() };
    let mut first = None;
    let mut bed = Bed::start_with(&options, |bootstrap| {
        let bootstrap = bootstrap.dynamic_listeners();
        first = Some(bootstrap.clone());
        bootstrap
    })
    .await;
    let mut old = bed.connect().await;
    assert_eq!(old.send(&honest()).await.unwrap().status, 200);
    let second = first.unwrap().configuration(json!({ "max_body_bytes": 3 }));
    assert!(bed.envoy.replace_listeners(&second).await.unwrap());
    assert_eq!(old.read_to_end().await.unwrap(), b"");
    assert_eq!(bed.send(&event()).await.status, 413);
}

#[tokio::test]
async fn a_refused_configuration_changes_nothing() {
    let (mut bed, first, _) = replaceable().await;
    let refused = "listener_manager.lds.update_rejected";
    let mut old = bed.connect().await;
    assert_eq!(old.send(&event()).await.unwrap().status, 200);
    assert_eq!(bed.envoy.counter(refused).await.unwrap(), 0);
    let before = vms(&bed.envoy).await["wasm.envoy.wasm.runtime.v8.active"];

    let broken = first.clone().configuration(json!({ "max_body_bytes": "three", "hots": [] }));
    assert!(!bed.envoy.replace_listeners(&broken).await.unwrap());
    assert_eq!(bed.envoy.counter(refused).await.unwrap(), 1);
    let log = bed.envoy.log();
    for words in ["refuses its configuration", "max_body_bytes: ", "hots: there is no such key", "\"hosts\""]
    {
        assert!(log.contains(words), "{words:?} is not in Envoy's log");
    }
    // The old listener goes on, for old and new connections; and no VM is left over from the attempt.
    assert_eq!(old.send(&event()).await.unwrap().status, 200);
    assert_eq!(bed.send(&event()).await.status, 200);
    bed.envoy.wait_for_counter("wasm.envoy.wasm.runtime.v8.active", |active| active == before).await.unwrap();
    // And it can be replaced by one that is right.
    let second = first.configuration(json!({ "max_body_bytes": 3 }));
    assert!(bed.envoy.replace_listeners(&second).await.unwrap());
    assert_eq!(bed.send(&event()).await.status, 413);
}
