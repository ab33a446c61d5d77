//! Keptn's secret in place of the client's token: on what the gateway has let through to api-service, nowhere else.

use super::{bed_with, mount::Mounted};
use crate::{
    document::Section,
    headers::both_ways,
    support::{Bed, TOKEN},
};
use serde_json::{Value, json};
use std::fs;
use testbed::{
    Bootstrap,
    client::{Request, WebSocket},
    keptn::{Order, Received, Reply, Scope},
    wait::until,
};

/// Known to api-service, but not its secret.
const COLLEAGUE: &str = "a-token-of-a-colleague";
/// The document's local token.
const LOCAL: &str = "ci-secret";
const REFUSED: (u16, &str) =
    (503, r#"{"code":503,"message":"the service behind the gateway is not available"}"#);

async fn bed(secret: &Mounted, edit: impl FnOnce(Bootstrap) -> Bootstrap) -> Bed {
    let section = Section::read("Local tokens at api-service");
    fs::write(secret.file(), secret.moved(section.file())).unwrap();
    let bed = bed_with(&section, |yaml| secret.moved(&yaml), edit).await;
    bed.api.add_token(COLLEAGUE);
    bed
}

fn with(token: &str, request: Request) -> Request {
    request.header("x-token", token)
}

fn event_with(token: &str) -> Request {
    let request = Request::post("/v1/event").header("content-type", "application/json");
    with(token, request.body(r#"{"data":{},"source":"s","type":"t"}"#))
}

/// The tokens that api-service received in its latest request that was no check.
fn latest(bed: &Bed) -> Vec<String> {
    let latest = bed.api.records.forwarded().pop().expect("a request was forwarded");
    tokens(&latest)
}

fn tokens(received: &Received) -> Vec<String> {
    received.all("x-token").into_iter().map(|token| String::from_utf8_lossy(token).into_owned()).collect()
}

fn checked(bed: &Bed) -> Vec<Vec<String>> {
    bed.api.records.checks().iter().map(tokens).collect()
}

#[tokio::test]
async fn what_was_let_through_carries_the_secret_and_the_check_the_clients_token() {
    let secret = Mounted::holding(TOKEN);
    let bed = bed(&secret, |bootstrap| bootstrap).await;
    for answer in both_ways(&bed, &event_with(COLLEAGUE)).await {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(latest(&bed), [TOKEN]);
    }
    // Whether it was asked once or twice: always about the client's token.
    let checks = checked(&bed);
    assert!(!checks.is_empty() && checks.iter().all(|tokens| tokens == &[COLLEAGUE]), "{checks:?}");
    assert_eq!(bed.api.records.forwarded().len(), 2);

    // It is the gateway that opens, not the secret.
    for (path, token) in [("/v1/event", Some("wrong")), ("/v1/event", None), ("/v1/auth", Some("wrong"))] {
        bed.api.records.take();
        let request = Request::post(path).body("{}");
        let request = token.map_or(request.clone(), |token| with(token, request));
        for answer in both_ways(&bed, &request).await {
            assert_eq!(answer.status, 401, "{path} with {token:?}: {answer:?}");
        }
        assert_eq!(bed.api.records.forwarded().len(), 0, "{path} with {token:?}");
        let checks = checked(&bed);
        assert_eq!(checks.is_empty(), token.is_none(), "{path} with {token:?}: {checks:?}");
        assert!(checks.iter().all(|tokens| tokens == &["wrong"]), "{path} with {token:?}: {checks:?}");
    }
    bed.api.records.take();
    assert_eq!(bed.send(&with(COLLEAGUE, Request::get("/v1/auth"))).await.status, 200);
    assert_eq!(checked(&bed), [[COLLEAGUE]]);
}

#[tokio::test]
async fn what_anybody_reaches_carries_no_secret() {
    let secret = Mounted::holding(TOKEN);
    let bed = bed(&secret, |bootstrap| bootstrap).await;
    for path in ["/swagger.json", "/swagger-ui/", "/v1/docs", "/v1/docs/"] {
        for token in [None, Some("wrong"), Some(COLLEAGUE)] {
            let request = token.map_or(Request::get(path), |token| with(token, Request::get(path)));
            for _ in both_ways(&bed, &request).await {
                assert_eq!(latest(&bed), token.as_slice(), "{path}");
            }
        }
    }
    assert_eq!(checked(&bed).len(), 0);
    // With a token only, but by the same route as the WebSocket.
    bed.send(&with(COLLEAGUE, Request::get("/"))).await;
    assert_eq!(latest(&bed), [COLLEAGUE]);

    let upgrade = Request::get("/").header("Connection", "Upgrade").header("Upgrade", "websocket");
    let upgrade =
        upgrade.header("Sec-WebSocket-Version", "13").header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let upgrade = upgrade.header("Token", bed.api.channel_token());
    let socket = WebSocket::http1(bed.connect().await, upgrade).await.unwrap().open();
    assert_eq!(latest(&bed), [""; 0]);
    socket.close().await.unwrap();

    assert_eq!(
        bed.send(&with(COLLEAGUE, Request::get("/configuration-service/v1/project"))).await.status,
        200
    );
    let received = bed.configuration.records.all();
    assert_eq!(tokens(&received[0]), [""; 0]);
}

#[tokio::test]
async fn a_local_token_opens_api_service() {
    let secret = Mounted::holding(TOKEN);
    let document = Section::read("Local tokens at api-service").configuration();
    let mut without_api: Value = document.clone();
    without_api["tokens"][0]["api"] = json!(false);
    let local = |configuration: &Value| {
        let configuration = configuration.clone();
        bed(&secret, |bootstrap| bootstrap.configuration(configuration))
    };

    let api = local(&document).await;
    for answer in both_ways(&api, &event_with(LOCAL)).await {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(latest(&api), [TOKEN]);
    }
    assert_eq!(api.send(&with(LOCAL, Request::get("/v1/auth"))).await.status, 200);
    assert_eq!(checked(&api).len(), 0, "nobody need be asked");
    // Others are asked about as ever.
    assert_eq!(api.send(&event_with("wrong")).await.status, 401);
    assert_eq!(checked(&api), [["wrong"]]);

    // Without `api: true` it is not said to be good for api-service, though it is.
    let other = local(&without_api).await;
    assert_eq!(other.send(&event_with(LOCAL)).await.status, 200);
    assert_eq!(latest(&other), [TOKEN]);
    assert_eq!(other.send(&with(LOCAL, Request::get("/v1/auth"))).await.status, 401);
    assert_eq!(checked(&other), [[LOCAL]]);

    // What it is all for.
    let shipped = Bed::with(document).await;
    let answer = shipped.send(&event_with(LOCAL)).await;
    assert_eq!((answer.status, latest(&shipped)), (401, vec![LOCAL.to_owned()]), "{answer:?}");
}

/// Awaits that the secret arrives. Until then it is the one before, never the client's token.
async fn until_it_is(bed: &Bed, after: &str, before: &str) {
    until(format!("{after:?} at api-service"), async || {
        let answer = bed.send(&event_with(COLLEAGUE)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let tokens = latest(bed);
        assert!(tokens == [after] || tokens == [before], "{tokens:?}");
        (tokens == [after]).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_new_secret_is_taken_over_without_a_restart() {
    let secret = Mounted::holding(TOKEN);
    let bed = bed(&secret, |bootstrap| bootstrap).await;
    bed.api.add_token("the-next-secret");
    let mut before = TOKEN;
    for after in ["the-next-secret", TOKEN] {
        secret.put(after);
        until_it_is(&bed, after, before).await;
        before = after;
    }
    // What vanishes leaves the last one in place.
    fs::remove_file(secret.path().join("..data")).unwrap();
    assert_eq!(bed.send(&event_with(COLLEAGUE)).await.status, 200);
    assert_eq!(latest(&bed), [TOKEN]);
}

async fn assert_refused(bed: &Bed) {
    let before = bed.api.records.forwarded().len();
    for answer in both_ways(bed, &event_with(COLLEAGUE)).await {
        assert_eq!((answer.status, answer.text().as_str()), REFUSED, "{answer:?}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
        assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    }
    assert_eq!(bed.api.records.forwarded().len(), before);
}

#[tokio::test]
async fn without_a_secret_nothing_goes_to_api_service_and_all_else_goes_on() {
    let bed = bed(&Mounted::new(), |bootstrap| bootstrap).await;
    assert_refused(&bed).await;
    bed.envoy
        .wait_for_access_log("why", |lines| {
            lines.iter().any(|line| line["details"] == "failed_to_inject_credential")
        })
        .await
        .unwrap();
    for request in
        [Request::get("/swagger.json"), with(COLLEAGUE, Request::get("/configuration-service/v1/project"))]
    {
        assert_eq!(bed.send(&request).await.status, 200);
    }
    // The mapper is for the injector's 401 alone.
    for (token, message) in
        [(None, "unauthenticated for invalid credentials"), (Some("wrong"), "incorrect api key auth")]
    {
        let request = Request::post("/v1/event").body("{}");
        let answer = bed.send(&token.map_or(request.clone(), |token| with(token, request))).await;
        assert_eq!((answer.status, &answer.json()["message"]), (401, &json!(message)), "{answer:?}");
    }
}

#[tokio::test]
async fn an_empty_secret_is_none() {
    let secret = Mounted::holding("");
    let bed = bed(&secret, |bootstrap| bootstrap).await;
    assert_refused(&bed).await;
    secret.put(TOKEN);
    until("the secret at api-service", async || {
        (bed.send(&event_with(COLLEAGUE)).await.status == 200).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(latest(&bed), [TOKEN]);
    secret.put("");
    until("the empty secret", async || (bed.send(&event_with(COLLEAGUE)).await.status == 503).then_some(()))
        .await
        .unwrap();
    assert_refused(&bed).await;
}

#[tokio::test]
async fn what_envoy_sends_once_more_carries_the_secret_again() {
    let secret = Mounted::holding(TOKEN);
    let bed = bed(&secret, |bootstrap| {
        bootstrap.listener("gateway", |listener| {
            listener.edit_manager(|manager| {
                let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
                let route = routes.iter_mut().find(|route| route["name"] == "api-service").unwrap();
                route["route"]["retry_policy"] = json!({ "retry_on": "reset", "num_retries": 1 });
            })
        })
    })
    .await;
    bed.api.orders.next(1, Scope::NotAuth, Order::Reset);
    assert_eq!(bed.send(&event_with(COLLEAGUE)).await.status, 200);
    let forwarded: Vec<_> = bed.api.records.forwarded().iter().map(tokens).collect();
    assert_eq!(forwarded, [[TOKEN], [TOKEN]]);
}

/// The first of the document's warnings, and the remedy beside it.
#[tokio::test]
async fn a_public_route_of_ones_own_needs_an_upstream_of_its_own() {
    let secret = Mounted::holding(TOKEN);
    let route =
        |path: &str, upstream: &str| json!({ "path": path, "upstream": upstream, "access": "public" });
    let bed = bed(&secret, |bootstrap| {
        bootstrap
            .configuration(json!({
                "upstreams": [{ "name": "api-service-public" }],
                "routes": [route("/warned", "api-service"), route("/remedied", "api-service-public")],
            }))
            .listener("gateway", |listener| {
                listener.edit_manager(|manager| {
                    let state = json!([{ "key": "wasm.keptn.upstream", "string_match": { "exact": "api-service-public" } }]);
                    let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
                    routes.push(json!({
                        "match": { "prefix": "/", "filter_state": state }, "route": { "cluster": "api-service" },
                    }));
                })
            })
    })
    .await;
    bed.api.orders.set(Scope::NotAuth, Order::Answer(Reply::status(204)));
    assert_eq!(bed.send(&Request::get("/remedied")).await.status, 204);
    assert_eq!(latest(&bed), [""; 0]);
    assert_eq!(bed.send(&Request::get("/warned")).await.status, 204);
    assert_eq!(latest(&bed), [TOKEN]);
}

/// The second: the secret on the checks.
#[tokio::test]
async fn the_canary_finds_a_secret_on_the_checks() {
    let secret = Mounted::holding(TOKEN);
    let on_the_checks = |canary: &str| {
        let auth = json!({ "cluster": "api-service-with-secret", "canary": canary });
        bed(&secret, move |bootstrap| bootstrap.configuration(json!({ "auth": auth })))
    };
    let open = on_the_checks("0s").await;
    assert_eq!(open.send(&event_with("wrong")).await.status, 200, "then the document need not warn any more");

    let guarded = on_the_checks("1s").await;
    until("the canary to be sent", async || {
        (guarded.send(&event_with("wrong")).await.status == 503).then_some(())
    })
    .await
    .unwrap();
    let before = guarded.api.records.forwarded().len();
    for token in ["wrong", "another", TOKEN] {
        guarded.refused(&event_with(token), 503, "canary_failed").await;
    }
    assert_eq!(guarded.api.records.forwarded().len(), before);
}
