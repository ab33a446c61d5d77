//! Which service a request reaches: the filter's verdict decides, and nothing that a client sends.

use crate::{
    headers::both_ways,
    support::{Bed, TOKEN, asking, get, honest, post},
};
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{
    Envoy,
    client::{Raw, Request},
    keptn::{ApiService, ConfigurationService, Gate, Order, Reply, Scope, Settings},
};

fn routes(dump: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    let mut rest = vec![dump];
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(list) => rest.extend(list),
            Value::Object(map) => {
                if let Some(list) = map.get("routes").and_then(Value::as_array) {
                    found.extend(list);
                }
                rest.extend(map.values());
            }
            _ => {}
        }
    }
    found
}

#[tokio::test]
async fn without_the_filter_no_request_reaches_anybody() {
    let bed = Bed::listener(|listener| listener.without_filter()).await;
    let forged = |request: Request| {
        [
            "keptn.upstream",
            "wasm.keptn.upstream",
            "x-keptn-upstream",
            "x-envoy-original-path",
            "x-keptn-client",
        ]
        .into_iter()
        .fold(request, |request, name| request.header(name, "api-service"))
    };
    for target in
        ["/", "/v1/event", "/v1/docs", "/configuration-service/v1/project", "/v1/project/p/resource"]
    {
        for request in [get(target), forged(get(target)), forged(post(target).body("a body"))] {
            for answer in both_ways(&bed, &request).await {
                assert_eq!(answer.status, 404, "{target}: {answer:?}");
                assert_eq!(answer.header("content-type").unwrap(), "application/json");
                assert_eq!(answer.json()["code"], 404);
            }
        }
        let upgrade = get(target).header("connection", "upgrade").header("upgrade", "websocket");
        let answer = bed.send(&forged(upgrade).header("token", bed.api.channel_token())).await;
        assert!(matches!(answer.status, 403 | 404), "{answer:?}");
    }
    assert_eq!(bed.api.records.count() + bed.configuration.records.count(), 0);
}

fn own_upstream() -> Value {
    json!({
        "upstreams": [{ "name": "my-service" }],
        "routes": [{ "path": "/my-service/{*rest}", "upstream": "my-service", "strip": "/my-service" }],
    })
}

#[tokio::test]
async fn an_upstream_that_envoy_has_no_route_to_is_404() {
    let bed = Bed::with(own_upstream()).await;
    let answer = bed.send(&get("/my-service/a")).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(answer.text(), r#"{"code":404,"message":"nothing is served at this address"}"#);
    assert_eq!(bed.forwarded(), 0);
    bed.refused(&Request::get("/my-service/a"), 401, "no_token").await;
    assert_eq!(bed.send(&honest()).await.status, 200);
}

#[tokio::test]
async fn an_upstream_of_ones_own_is_reached_by_its_filter_state() {
    let own = ConfigurationService::start().await.unwrap();
    own.orders.set(Scope::All, Order::Answer(Reply::status(204)));
    let address = own.address();
    let bed = Bed::edited(|bootstrap| {
        let bootstrap = bootstrap.configuration(own_upstream()).another_cluster("my-service", address);
        bootstrap.listener("gateway", |mut listener| {
            let routes = &mut listener.manager()["route_config"]["virtual_hosts"][0]["routes"];
            let routes = routes.as_array_mut().unwrap();
            let mut route = routes.iter().find(|route| route["name"] == "api-service").unwrap().clone();
            route["name"] = json!("my-service");
            route["match"]["filter_state"][0]["string_match"]["exact"] = json!("my-service");
            route["route"]["cluster"] = json!("my-service");
            routes.push(route);
            listener
        })
    })
    .await;
    assert_eq!(bed.send(&get("/my-service/a?b=c")).await.status, 204);
    let received = own.records.take().remove(0);
    assert_eq!((&received.target[..], received.header("x-token")), (&b"/a?b=c"[..], None));
    assert_eq!(bed.forwarded(), 0);
}

#[tokio::test]
async fn the_path_that_was_judged_is_the_path_that_is_sent() {
    let bed = Bed::start().await;
    for (sent, api, configuration) in [
        ("/v1/event", "/v1/event", ""),
        ("/v1/event/", "/v1/event/", ""),
        ("//v1//%65vent?a=//%7e/../b&c=%zz;d", "/v1/event?a=//%7e/../b&c=%zz;d", ""),
        ("/v1/event?", "/v1/event?", ""),
        ("/v1/event??a", "/v1/event??a", ""),
        ("/v1/project/a%20b/x%3by", "/v1/project/a%20b/x%3By", ""),
        ("/configuration-service", "/configuration-service", ""),
        ("/configuration-servicex/a", "/configuration-servicex/a", ""),
        ("/configuration-service/", "", "/"),
        ("/configuration-service/?a=%2F", "", "/?a=%2F"),
        (
            "/configuration-service//v1/project/?x=/configuration-service/",
            "",
            "/v1/project/?x=/configuration-service/",
        ),
        ("/configuration-service/configuration-service/v1", "", "/configuration-service/v1"),
        ("/v1/project/p/resource/a%2fb.yaml?x", "", "/v1/project/p/resource/a%2Fb.yaml?x"),
        ("/configuration-service/v1/project/p/resource/a%2fb%7e", "", "/v1/project/p/resource/a%2Fb~"),
    ] {
        bed.send(&get(sent)).await;
        let [to_api, to_configuration] = [&bed.api.records, &bed.configuration.records].map(|records| {
            let forwarded = records.take().into_iter().filter(|r| r.path() != "/v1/auth");
            forwarded.map(|r| String::from_utf8(r.target).unwrap()).collect::<String>()
        });
        assert_eq!((to_api.as_str(), to_configuration.as_str()), (api, configuration), "{sent}");
    }
}

/// A request that needs no other change: api-service's token stays, the path is canonical. Envoy looked for a route
/// before the verdict and found none; it must look again, for requests that waited as well.
#[tokio::test]
async fn a_request_of_which_nothing_is_changed_finds_its_route() {
    let bed = Bed::start().await;
    bed.api.orders.set(Scope::NotAuth, Order::Answer(Reply::status(204)));
    assert_eq!(bed.send(&Request::get("/v1/docs")).await.status, 204);
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let mut leader = bed.begin(&get("/v1/event")).await;
    gate.wait_for(1).await.unwrap();
    let mut follower = bed.begin(&get("/v1/event")).await;
    bed.under_way(2).await;
    gate.open();
    for client in [&mut leader, &mut follower] {
        let answer = client.read_response(false).await.unwrap();
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    assert_eq!(bed.forwarded(), 3);
}

#[tokio::test]
async fn envoy_closes_idle_connections_before_the_services_do() {
    let bed = Bed::start().await;
    let dump = bed.envoy.config_dump().await.unwrap();
    let clusters = dump["configs"].as_array().unwrap().iter().filter_map(|c| c["static_clusters"].as_array());
    let clusters: Vec<_> = clusters.flatten().map(|cluster| &cluster["cluster"]).collect();
    assert_eq!(clusters.len(), 2, "{clusters:?}");
    for cluster in clusters {
        let options = &cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
        let idle = &options["common_http_protocol_options"]["idle_timeout"];
        assert_eq!(idle, "5s", "{cluster}: Keptn's services close after 10 s");
    }
    for route in routes(&dump) {
        let retries = &route["route"]["retry_policy"];
        assert_eq!(retries["retry_on"], "connect-failure,refused-stream", "{route}");
    }
}

#[tokio::test]
async fn no_post_is_lost_around_the_moment_when_a_service_closes() {
    const SERVICE_CLOSES: Duration = Duration::from_millis(400);
    let settings = Settings { idle_timeout: SERVICE_CLOSES, ..Settings::default() };
    let api = ApiService::start_with(TOKEN, &settings).await.unwrap();
    let configuration = ConfigurationService::start_with(&settings).await.unwrap();
    // Checks are POSTs as well.
    let mut bootstrap = Bed::bootstrap(&api, &configuration).configuration(asking(json!({})));
    for cluster in 0..2 {
        let options =
            "typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let idle = format!(
            "/static_resources/clusters/{cluster}/{options}/common_http_protocol_options/idle_timeout"
        );
        bootstrap = bootstrap.set(&idle, json!("0.05s"));
    }
    let envoy = Envoy::start(&bootstrap).await.unwrap();
    api.orders.set(Scope::NotAuth, Order::Answer(Reply::status(204)));
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Raw::connect(envoy.listener("gateway")).await.unwrap());
    }
    let request = post("/v1/event").body("a body");
    for round in 0..5 {
        let answers = clients.iter_mut().map(async |client| client.send(&request).await.unwrap().status);
        let answers = futures_util::future::join_all(answers).await;
        assert_eq!(answers, [204; 10], "round {round}");
        // The stimulus itself: a little before the service would close, at it, and a little after.
        tokio::time::sleep(SERVICE_CLOSES - Duration::from_millis(4) + Duration::from_millis(2 * round))
            .await;
    }
    assert_eq!(api.records.forwarded().len(), 50);
    assert!(envoy.counter("cluster.api-service.upstream_cx_idle_timeout").await.unwrap() > 0);
}

#[tokio::test]
async fn what_a_service_may_have_done_is_not_asked_of_it_twice() {
    let bed = Bed::start().await;
    for order in [Order::Reset, Order::Close, Order::ResetBeforeBody, Order::Answer(Reply::status(503))] {
        for method in ["POST", "GET", "DELETE"] {
            for (target, records, orders) in [
                ("/v1/event", &bed.api.records, &bed.api.orders),
                ("/configuration-service/v1/x", &bed.configuration.records, &bed.configuration.orders),
            ] {
                orders.set(Scope::NotAuth, order.clone());
                let answer =
                    bed.send(&Request::new(method, target).header("x-token", TOKEN).body("a body")).await;
                assert_eq!(answer.status, 503, "{order:?}: {answer:?}");
                assert_eq!(records.forwarded().len(), 1, "{method} {target} with {order:?}");
                records.take();
            }
        }
    }
}
