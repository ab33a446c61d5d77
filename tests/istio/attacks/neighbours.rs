//! Other teams on the same gateway: what they put there opens nothing, and what they have is left alone.

use std::collections::BTreeSet;

use super::strangers::Strangers;
use crate::support::{CARTS, HTTP, Lab, Mode, send, stranger, variable};
use testbed::{
    Result,
    client::{Frames, Raw, Request, Response, WebSocket},
    keptn::Received,
    wait::until,
};

/// Carts for every host that nobody else has.
pub(super) const ANY_HOST: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: any, namespace: sockshop-dev }
spec:
  hosts: ['*']
  gateways: [istio-system/public-gateway]
  http: [{ route: [{ destination: { host: carts.sockshop-dev.svc.cluster.local, port: { number: 8080 } } }] }]
";

/// Lets everybody in, as far as Istio asks; and our own filter twice more, for another application's host, before ours
/// and behind it.
fn permissive() -> String {
    let plugin = |name: &str, phase: &str| {
        format!(
            "---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {{ name: {name}, namespace: istio-system }}
spec:
  selector: {{ matchLabels: {{ istio: ingressgateway }} }}
  url: {}
  sha256: {}
  pluginName: {name}
  phase: {phase}
  pluginConfig:
    hosts: [{CARTS}]
",
            variable("LAB_IMAGE_URL"),
            variable("LAB_IMAGE_SHA256"),
        )
    };
    let policy = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: everybody, namespace: istio-system }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  action: ALLOW
  rules: [{}]
";
    [policy, &plugin("theirs-before", "AUTHN"), &plugin("theirs-behind", "STATS")].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_into_the_gateway_opens_nothing() -> Result<()> {
    for mode in Mode::ALL {
        let lab = Lab::with(mode).await?;
        let strangers = Strangers::start().await?;
        lab.apply_text(&permissive()).await?;
        lab.until_dump("the others' filters", |dump| {
            let managers = crate::support::chains(dump);
            let has = |name: &str| {
                managers.iter().all(|(_, filters)| filters.iter().any(|filter| filter.contains(name)))
            };
            !managers.is_empty() && has("theirs-before") && has("theirs-behind") && has("rbac")
        })
        .await?;
        lab.serves().await?;
        strangers.keep_trying().await?;
        strangers.stayed_out(&lab, "beside others' filters");
        // For what is public their filters write the very state that our routes ask for. Their host has no such route.
        send(&Request::get("/swagger.json").header("host", CARTS)).await?;
        assert_eq!(lab.carts.records.take().len(), 1, "{mode:?}");
        assert_eq!(send(&stranger("/v1/event")).await?.status, 401, "{mode:?}");
        lab.nothing_arrived();
        strangers.stop(&lab).await;
    }
    Ok(())
}

/// What an application gets and what its client gets, for all that is odd.
async fn exchanges(lab: &Lab) -> Result<Vec<String>> {
    let mut seen = Vec::new();
    for request in odd_requests() {
        for over in ["HTTP/1.1", "HTTP/2"] {
            let request = request.clone().header("host", CARTS);
            let answer = match over {
                "HTTP/1.1" => Raw::connect(HTTP).await?.send(&request).await,
                _ => Frames::connect(HTTP).await?.send(&request).await,
            };
            let answer = answer.map_or_else(|_| "no answer".to_owned(), |answer| shown(&answer));
            let received: Vec<_> = lab.carts.records.take().iter().map(seen_by_carts).collect();
            seen.push(format!("{over}: {request:?}: {answer}; received: {received:?}"));
        }
    }
    let request = Request::get("/").header("host", CARTS).header("token", lab.carts.channel_token());
    let mut socket = WebSocket::http1(Raw::connect(HTTP).await?, request).await?.open();
    lab.carts.echo_websockets(true);
    socket.text("text").await?;
    seen.push(format!(
        "WebSocket: {:?}",
        lab.carts.records.take().iter().map(seen_by_carts).collect::<Vec<_>>()
    ));
    Ok(seen)
}

fn odd_requests() -> Vec<Request> {
    let paths: [&[u8]; 18] = [
        b"/carts?a=b&c=%2F;d",
        b"//carts//1",
        b"/carts%2F1",
        b"/carts;v=1/1",
        b"/carts/../admin",
        b"/carts/./1",
        b"/%2e%2e/carts",
        b"/carts\\1",
        b"/carts%5C1",
        b"/carts%00",
        b"/carts#fragment",
        b"/c%61rts",
        b"/swagger.json",
        b"/v1/auth",
        b"/configuration-service/v1/project",
        b"/v1/project/p/resource/.git",
        b"/carts\xff",
        b"*",
    ];
    let mut requests: Vec<_> = paths.iter().map(Request::get).collect();
    for method in ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"]
    {
        requests.push(Request::new(method, "/carts"));
    }
    requests.push(Request::new("CONNECT", CARTS));
    // In pieces, as HTTP/2 needs them.
    requests.push(Request::post("/carts").chunked(vec![vec![b'a'; 10_000]; 2]));
    requests.push(Request::post("/carts").body(vec![b'a'; 10_000]));
    let mut all = Request::get("/carts");
    for (name, value) in super::forged::FORGED {
        all = all.header(name, value);
    }
    requests.push(all);
    requests.push(Request::get("/carts").header("x-token", "a").header("x-token", "b"));
    requests.push(Request::get("/carts").header("x-any", b"\xff\xfe").header("x_real_ip", "1"));
    requests.push(Request::get("/carts").header("content-type", "application/grpc"));
    requests.push(Request::get("/carts").header("x-long", "a".repeat(8000)));
    requests
}

/// Without what differs from one time to the next.
fn shown(answer: &Response) -> String {
    let headers: BTreeSet<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| name != b"date" && name != b"x-envoy-upstream-service-time")
        .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
        .collect();
    format!("{} {headers:?} {}", answer.status, answer.text())
}

fn seen_by_carts(received: &Received) -> String {
    let headers: BTreeSet<_> = received
        .headers
        .iter()
        .filter(|(name, _)| name != b"x-request-id" && name != b"sec-websocket-key" && name != b"token")
        .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
        .collect();
    let target = received.target.escape_ascii();
    format!("{} {target} {headers:?} {} {}", received.method, received.body_len, received.body_sha256)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_application_is_what_it_is_without_us() -> Result<()> {
    let before = {
        let lab = Lab::start().await?;
        lab.apply("tests/istio/others.yaml").await?;
        lab.apply("manifests/istio/base/public-gateway.yaml").await?;
        until("carts", async || {
            send(&Request::get("/").header("host", CARTS)).await.ok()?;
            (!lab.carts.records.take().is_empty()).then_some(())
        })
        .await?;
        uploads(&lab).await?;
        exchanges(&lab).await?
    };
    for mode in Mode::ALL {
        let lab = Lab::with(mode).await?;
        uploads(&lab).await?;
        for (with, without) in exchanges(&lab).await?.iter().zip(&before) {
            assert_eq!(with, without, "{mode:?}");
        }
    }
    Ok(())
}

/// Bodies larger than ours may be, with and without a declared length.
async fn uploads(lab: &Lab) -> Result<()> {
    let big = vec![b'a'; 3 << 19];
    let post = || Request::post("/carts").header("host", CARTS);
    for request in [post().body(big.clone()), post().chunked([big.clone(), big.clone()])] {
        let answer = send(&request).await?;
        let [received] = &lab.carts.records.take()[..] else { panic!("not one upload: {answer:?}") };
        assert!(received.body_complete && received.body_len >= big.len(), "{received:?}");
        assert!(answer.complete && answer.status != 413, "{answer:?}");
    }
    Ok(())
}
