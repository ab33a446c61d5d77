//! CORS: preflights and denials are the filter's, the services' answers Envoy's cors filter's.

use super::bed_with;
use crate::{
    document::Section,
    headers::both_ways,
    support::{Bed, event, get, honest, post},
};
use serde_json::{Value, json};
use testbed::{
    Bootstrap,
    client::{Request, Response, values},
    keptn::{Order, Reply, Scope},
};

const BRIDGE: &str = "https://bridge.example.org";
const PREVIEW: &str = "https://pr-7.preview.example.org";
const EXPOSED: &str = "allow, retry-after, www-authenticate, x-request-id";

async fn bed(edit: impl FnOnce(Bootstrap) -> Bootstrap) -> Bed {
    let section = Section::read("Browsers");
    let configuration = section.configuration();
    bed_with(&section, |yaml| yaml, |bootstrap| edit(bootstrap.configuration(configuration))).await
}

/// What the answer lets the scripts of `origin` read; each line must be there once.
fn assert_readable(answer: &Response, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin), "{answer:?}");
    assert_eq!(answer.header("access-control-expose-headers").as_deref(), Some(EXPOSED), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer:?}");
    assert_varies(answer);
}

fn assert_not_readable(answer: &Response) {
    let lines =
        answer.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with(b"access-control-"));
    assert_eq!(lines.count(), 0, "{answer:?}");
}

/// On every answer, or a cache hands one without CORS lines to a page.
fn assert_varies(answer: &Response) {
    let vary: Vec<_> =
        values(&answer.headers, "vary").flat_map(|line| line.split(|byte| *byte == b',')).collect();
    let origin = vary.iter().filter(|name| name.trim_ascii().eq_ignore_ascii_case(b"origin")).count();
    assert!(origin > 0, "{answer:?}");
}

#[tokio::test]
async fn the_services_answers_are_for_the_pages_that_are_named() {
    let bed = bed(|bootstrap| bootstrap).await;
    let documents =
        [Request::get("/swagger.json"), Request::get("/configuration-service/swagger-ui/swagger.yaml")];
    for request in documents.into_iter().chain([honest(), event()]) {
        for origin in [BRIDGE, PREVIEW] {
            for answer in both_ways(&bed, &request.clone().header("origin", origin)).await {
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_readable(&answer, origin);
            }
        }
        for other in
            ["https://evil.example", "null", "https://a.b.preview.example.org", "http://bridge.example.org"]
        {
            for answer in both_ways(&bed, &request.clone().header("origin", other)).await {
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_not_readable(&answer);
                assert_varies(&answer);
            }
        }
        for answer in
            both_ways(&bed, &request.clone().header("origin", BRIDGE).header("origin", PREVIEW)).await
        {
            assert_not_readable(&answer);
        }
        for answer in both_ways(&bed, &request).await {
            assert_not_readable(&answer);
            assert_varies(&answer);
        }
    }
}

#[tokio::test]
async fn for_all_pages_there_is_an_expression_that_leaves_null_out() {
    const ANY: &str = "[a-z][a-z0-9.+-]*://.+";
    assert!(Section::read("Browsers").mentions(&format!("{{ regex: \"{ANY}\" }}")));
    let bed = bed(|bootstrap| {
        bootstrap.configuration(json!({ "cors": { "origins": ["*"] } })).listener("gateway", |listener| {
            listener.edit_manager(|manager| {
                let host = &mut manager["route_config"]["virtual_hosts"][0];
                host["typed_per_filter_config"]["envoy.filters.http.cors"]["allow_origin_string_match"] =
                    json!([{ "safe_regex": { "regex": ANY } }]);
            })
        })
    })
    .await;
    for origin in ["https://anybody.example", "http://[::1]:8080", "moz-extension://x"] {
        assert_readable(&bed.send(&event().header("origin", origin)).await, origin);
        // The filter's word for the same.
        assert_readable(&bed.send(&Request::post("/v1/event").header("origin", origin)).await, "*");
    }
    for request in [event(), Request::post("/v1/event")] {
        assert_not_readable(&bed.send(&request.header("origin", "null")).await);
    }
}

#[tokio::test]
async fn what_a_service_says_about_cors_gives_way() {
    let bed = bed(|bootstrap| bootstrap).await;
    let own = Reply::status(200)
        .header("access-control-allow-origin", "*")
        .header("access-control-allow-credentials", "true")
        .header("access-control-expose-headers", "x-inner")
        .header("vary", "accept");
    bed.api.orders.set(Scope::NotAuth, Order::Answer(own));
    let answer = bed.send(&event().header("origin", BRIDGE)).await;
    assert_readable(&answer, BRIDGE);
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("accept")), "{answer:?}");
    assert_not_readable(&bed.send(&event().header("origin", "https://evil.example")).await);
}

#[tokio::test]
async fn what_the_filter_answers_has_its_lines_once() {
    let bed = bed(|bootstrap| bootstrap).await;
    let big = || vec![b'a'; (1 << 20) + 1];
    let cases = [
        (post("/v1/auth"), 200),
        (Request::post("/v1/event"), 401),
        (Request::post("/v1/event").header("x-token", "wrong"), 401),
        (get("/v1/project/p/../q"), 400),
        (Request::post("/swagger.json"), 405),
        (post("/v1/event").body(big()), 413),
        (post("/v1/event").chunked([big()]), 413),
    ];
    for (request, status) in cases {
        let answer = bed.send(&request.clone().header("origin", BRIDGE)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_readable(&answer, BRIDGE);
        let answer = bed.send(&request.header("origin", "https://evil.example")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_not_readable(&answer);
        assert_varies(&answer);
    }
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_filter_alone() {
    let bed = bed(|bootstrap| bootstrap).await;
    for path in ["/v1/event", "/swagger.json", "/configuration-service/v1/project", "/v1/auth", "/"] {
        let asks = Request::new("OPTIONS", path).header("access-control-request-method", "POST");
        // With a token it would be let through as any request.
        for asks in [asks.clone(), asks.header("x-token", crate::support::TOKEN)] {
            for answer in both_ways(&bed, &asks.clone().header("origin", BRIDGE)).await {
                assert_eq!(answer.status, 204, "{path}: {answer:?}");
                assert_eq!(
                    answer.header("access-control-allow-origin").as_deref(),
                    Some(BRIDGE),
                    "{path}: {answer:?}"
                );
                let methods = answer.header("access-control-allow-methods").unwrap();
                assert!(methods.contains("DELETE"), "{path}: {answer:?}");
                assert!(answer.header("access-control-max-age").is_some(), "{path}: {answer:?}");
                assert_varies(&answer);
            }
            for answer in both_ways(&bed, &asks.header("origin", "https://evil.example")).await {
                assert_eq!(answer.status, 403, "{path}: {answer:?}");
                assert_not_readable(&answer);
            }
        }
    }
    assert_eq!((bed.forwarded(), bed.api.records.checks().len()), (0, 0));
}

#[tokio::test]
async fn what_envoy_itself_answers_for_a_service_can_be_read() {
    let bed = bed(|bootstrap| bootstrap).await;
    bed.configuration.stop_listening().await;
    for answer in both_ways(&bed, &honest().header("origin", BRIDGE)).await {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_readable(&answer, BRIDGE);
    }
}

/// Why the document puts it behind: in front of ours no route is there yet, and the policy hangs on the routes.
#[tokio::test]
async fn in_front_of_ours_envoys_cors_filter_does_nothing() {
    let bed = bed(|bootstrap| {
        bootstrap.listener("gateway", |listener| {
            listener.edit_manager(|manager| {
                let filters = manager["http_filters"].as_array_mut().unwrap();
                let is = |filter: &Value| filter["name"] == json!("envoy.filters.http.cors");
                let at = filters.iter().position(is).unwrap();
                assert!(at > 0);
                let cors = filters.remove(at);
                filters.insert(0, cors);
            })
        })
    })
    .await;
    let answer = bed.send(&event().header("origin", BRIDGE)).await;
    assert_eq!(answer.status, 200);
    assert_not_readable(&answer);
}
