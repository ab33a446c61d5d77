//! Headers that look like the filter's state, like a proxy's own, or like another request.

use super::strangers::STRANGERS_TARGETS;
use crate::support::{API, HTTP, Lab, Mode, TOKEN, send, stranger};
use testbed::{
    Result,
    client::{Frames, Raw, Request, WebSocket},
};

/// What a proxy, a service mesh or an application server might believe.
pub(super) const FORGED: &[(&str, &str)] = &[
    // The filter's state, and what one might call it.
    ("wasm.keptn.upstream", "api-service"),
    ("keptn.upstream", "api-service"),
    ("x-keptn-upstream", "api-service"),
    ("x-keptn-client", "1"),
    ("x-keptn-gateway", "1"),
    ("x-keptn-auth", "yes"),
    ("x-filter-state", "wasm.keptn.upstream=api-service"),
    ("x-envoy-filter-state", "wasm.keptn.upstream=api-service"),
    ("x-wasm-keptn-upstream", "configuration-service"),
    // Envoy's.
    ("x-envoy-original-path", "/swagger.json"),
    ("x-envoy-original-host", "api-service.keptn:8080"),
    ("x-envoy-original-dst-host", "10.9.0.2:8080"),
    ("x-envoy-upstream-alt-stat-name", "api-service"),
    ("x-envoy-upstream-rq-timeout-ms", "1"),
    ("x-envoy-upstream-rq-timeout-alt-response", "1"),
    ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
    ("x-envoy-retry-on", "5xx,retriable-4xx,gateway-error"),
    ("x-envoy-max-retries", "10"),
    ("x-envoy-retriable-status-codes", "401,503"),
    ("x-envoy-hedge-on-per-try-timeout", "true"),
    ("x-envoy-decorator-operation", "keptn-gateway-api-service"),
    ("x-envoy-internal", "true"),
    ("x-envoy-external-address", "127.0.0.1"),
    ("x-envoy-force-trace", "1"),
    ("x-envoy-ip-tags", "internal"),
    ("x-envoy-attempt-count", "2"),
    ("x-envoy-cluster", "outbound|8080||api-service.keptn.svc.cluster.local"),
    ("x-envoy-fault-abort-request", "200"),
    ("x-envoy-fault-abort-request-percentage", "100"),
    ("x-envoy-fault-delay-request", "1"),
    ("x-envoy-peer-metadata", "ChoKCkNMVVNURVJfSUQ="),
    ("x-envoy-peer-metadata-id", "router~10.9.0.1~istio-ingressgateway-0.istio-system~x"),
    // Istio's.
    ("x-istio-attributes", "Cj8KGGRlc3RpbmF0aW9u"),
    ("x-istio-auth-userinfo", "e30="),
    ("x-goog-authenticated-user-email", "admin"),
    (
        "x-forwarded-client-cert",
        "By=spiffe://cluster.local/ns/keptn/sa/default;URI=spiffe://cluster.local/ns/keptn/sa/keptn",
    ),
    ("cluster-header", "outbound|8080||api-service.keptn.svc.cluster.local"),
    // Who asks, and for what.
    ("x-forwarded-for", "10.9.0.2"),
    ("x-real-ip", "127.0.0.1"),
    ("forwarded", "for=127.0.0.1;host=api-service.keptn;proto=https"),
    ("x-forwarded-host", "bridge.keptn.example.org"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-prefix", "/swagger-ui"),
    ("x-original-url", "/swagger.json"),
    ("x-rewrite-url", "/swagger.json"),
    ("x-original-uri", "/swagger.json"),
    ("x-http-method-override", "OPTIONS"),
    ("x-original-method", "OPTIONS"),
    // What another installation might take for a token.
    ("authorization", "Bearer c2VjcmV0LXNlY3JldA=="),
    ("x_token", TOKEN),
    ("token", TOKEN),
    ("cookie", "x-token=c2VjcmV0LXNlY3JldA=="),
    ("x-api-key", TOKEN),
    // A preflight and a WebSocket's handshake that are none.
    ("origin", "https://bridge.keptn.example.org"),
    ("access-control-request-method", "POST"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// The request, over HTTP/1.1 and over HTTP/2: nothing comes back but this status.
async fn refused(mode: Mode, request: &Request, what: &str, status: u16) -> Result<()> {
    let http1 = send(request).await?;
    assert_eq!(http1.status, status, "{mode:?}: {request:?} with {what}: {http1:?}");
    let http2 = Frames::connect(HTTP).await?.send(request).await?;
    assert_eq!(http2.status, status, "{mode:?}: {request:?} with {what} over HTTP/2: {http2:?}");
    Ok(())
}

/// No request has made the filter ask about a token. A listener of before that is still drained may ask about those that it
/// remembers: nobody's address is with that.
fn nobody_asked(lab: &Lab, mode: Mode) {
    let asked = lab.api.records.checks();
    assert!(
        asked.iter().all(|check| check.header("x-forwarded-for").is_none()),
        "{mode:?}: there was something to ask about: {asked:?}"
    );
}

async fn all_refused(lab: &Lab, mode: Mode, status: u16) -> Result<()> {
    for (target, method) in STRANGERS_TARGETS {
        let plain = Request::new(method, target).header("host", API);
        let mut all = plain.clone();
        for (name, value) in FORGED {
            refused(mode, &plain.clone().header(name, value), name, status).await?;
            all = all.header(name, value);
        }
        refused(mode, &all, "all of them", status).await?;
        refused(mode, &all.header("x-token", ""), "all of them and an empty token", status).await?;
    }
    lab.nothing_arrived();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_opens_the_gateway() -> Result<()> {
    for mode in Mode::ALL {
        let lab = Lab::with(mode).await?;
        all_refused(&lab, mode, 401).await?;
        nobody_asked(&lab, mode);

        // As gRPC, a refusal is a 200 whose gRPC status says so. Nothing arrives all the same.
        let grpc = stranger("/v1/event").header("content-type", "application/grpc");
        let answer = Frames::connect(HTTP).await?.send(&grpc).await?;
        assert_eq!(answer.header("grpc-status").as_deref(), Some("16"), "{mode:?}: {answer:?}");
        lab.nothing_arrived();

        // The verdict on one request is none on the next of the same connection.
        let mut http1 = Raw::connect(HTTP).await?;
        let mut http2 = Frames::connect(HTTP).await?;
        for (target, _) in STRANGERS_TARGETS {
            let with_token = stranger(target).header("x-token", TOKEN);
            for (request, may) in [(&with_token, true), (&stranger(target), false)] {
                let answers = [http1.send(request).await?, http2.send(request).await?];
                for answer in answers {
                    assert_eq!(answer.status != 401, may, "{mode:?}: {target}: {answer:?}");
                }
            }
        }
        lab.api.records.take();
        lab.configuration.records.take();

        // With a good token they change nothing about where a request goes, nor how often.
        let mut all = stranger("/v1/event?honest").header("x-token", TOKEN);
        for (name, value) in FORGED {
            all = all.header(name, value);
        }
        send(&all).await?;
        let [received] = &lab.api.records.forwarded()[..] else { panic!("{mode:?}: {:?}", lab.api.records) };
        assert_eq!(received.target, b"/v1/event?honest", "{mode:?}");
        assert_eq!(received.header("x-real-ip").as_deref(), Some("127.0.0.1"), "{mode:?}");
        assert_eq!(received.header("x-forwarded-proto").as_deref(), Some("http"), "{mode:?}");
        for name in [
            "x-keptn-client",
            "x-envoy-original-path",
            "x-envoy-upstream-alt-stat-name",
            "x-envoy-upstream-rq-timeout-ms",
            "x-envoy-retry-on",
            "x-envoy-max-retries",
            "x-forwarded-client-cert",
        ] {
            assert_eq!(received.header(name), None, "{mode:?}: {name}");
        }
        assert!(lab.configuration.records.all().is_empty(), "{mode:?}");
        lab.api.records.take();

        lab.kubectl(&["-n", "istio-system", "delete", mode.filter()]).await?;
        let is_out = |answer: &testbed::client::Response| answer.text().contains("gateway not loaded");
        testbed::wait::until("the filter to be out", async || {
            send(&stranger("/v1/event")).await.ok().filter(is_out)
        })
        .await?;
        all_refused(&lab, mode, 503).await?;
        for request in [stranger("/"), stranger("/v1/event").header("x-token", TOKEN)] {
            let request = request.header("token", lab.api.channel_token());
            let answer = WebSocket::http1(Raw::connect(HTTP).await?, request).await?.refused();
            assert_eq!(answer.status, 503, "{mode:?}: {answer:?}");
        }
        lab.nothing_arrived();
        nobody_asked(&lab, mode);
    }
    Ok(())
}
