//! The equipment itself: a real Envoy with the shipped listener, plain routes in place of the filter.

use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use testbed::{
    Bootstrap, Envoy, Error, Result,
    client::{Frames, H2, Message, Raw, Request, WebSocket},
    envoy::Options,
    keptn::{ApiService, ConfigurationService, Gate, Order, Outcome, Reply, Scope, Settings},
};

const TOKEN: &str = "c2VjcmV0LXNlY3JldA==";

/// The stand-ins behind an Envoy that forwards everything.
struct Bed {
    api: ApiService,
    configuration: ConfigurationService,
    envoy: Envoy,
}

fn plain_routes() -> Value {
    json!([
        {
            "match": { "prefix": "/configuration-service/" },
            "route": { "cluster": "configuration-service", "prefix_rewrite": "/" }
        },
        { "match": { "connect_matcher": {} }, "route": { "cluster": "api-service" } },
        { "match": { "prefix": "/" }, "route": { "cluster": "api-service" } },
    ])
}

impl Bed {
    fn bootstrap(api: &ApiService, configuration: &ConfigurationService) -> Bootstrap {
        Bootstrap::shipped()
            .cluster("api-service", api.address())
            .cluster("configuration-service", configuration.address())
            .listener("gateway", |listener| listener.without_filter().routes(plain_routes()))
    }

    async fn start() -> Self {
        let api = ApiService::start(TOKEN).await.unwrap();
        let configuration = ConfigurationService::start().await.unwrap();
        api.wire(&configuration);
        let bootstrap = Self::bootstrap(&api, &configuration);
        assert!(
            !bootstrap.json().to_string().contains("stand-in-"),
            "the stand-ins inside Envoy are replaced"
        );
        let envoy = Envoy::start(&bootstrap).await.unwrap();
        Self { api, configuration, envoy }
    }

    async fn connect(&self) -> Raw {
        Raw::connect(self.envoy.listener("gateway")).await.unwrap()
    }

    async fn send(&self, request: Request) -> testbed::client::Response {
        self.connect().await.send(&request).await.unwrap()
    }
}

#[tokio::test]
async fn a_request_goes_through_and_is_recorded() {
    let bed = Bed::start().await;

    let request = Request::post("/v1/auth").header("X-Token", TOKEN).header("b", [0xff]).header("A", "1");
    let source = "127.4.5.6".parse().unwrap();
    let mut client = Raw::connect_from(source, bed.envoy.listener("gateway")).await.unwrap();
    let answer = client.send(&request).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice(), answer.header("content-type")), (200, &b""[..], None));
    // The connection is kept.
    let answer = client.send(&Request::post("/v1/auth").header("x-token", "wrong")).await.unwrap();
    assert_eq!(answer.status, 401);
    assert_eq!(answer.text(), r#"{"code":401,"message":"incorrect api key auth"}"#);
    assert_eq!(answer.header("content-type").unwrap(), "application/json");

    let received = bed.api.records.take();
    assert_eq!(received.len(), 2, "{received:?}");
    assert_eq!((received[0].method.as_str(), received[0].path().as_str()), ("POST", "/v1/auth"));
    assert_eq!(received[0].all("b"), [&[0xff]]);
    assert_eq!(received[0].header("x-forwarded-for").unwrap(), "127.4.5.6");
    assert_eq!(received[0].outcome, Outcome::Answered(200));
    assert_eq!(received[0].connection, received[1].connection, "Envoy keeps its connection");

    let lines = bed.envoy.wait_for_access_log("two lines", |lines| lines.len() == 2).await.unwrap();
    assert_eq!(lines[1]["status"], 401);
    assert_eq!(bed.envoy.counter("cluster.api-service.upstream_rq_completed").await.unwrap(), 2);
    assert!(bed.envoy.rss_kib().unwrap() > 1000);
    assert!(bed.envoy.version().unwrap().contains("version"));
}

#[tokio::test]
async fn what_a_client_stores_it_can_read_back() {
    let bed = Bed::start().await;
    let project = json!({ "name": "sockshop", "shipyard": "c3RhZ2VzOgotIG5hbWU6IGRldgo=" });
    let created = bed.send(Request::post("/v1/project").header("x-token", TOKEN).json(&project)).await;
    assert_eq!(created.status, 200, "{created:?}");
    assert!(created.json()["keptnContext"].is_string() && created.json()["token"].is_string());
    assert_eq!(bed.configuration.projects(), ["sockshop"]);

    let base = "/configuration-service/v1/project/sockshop/stage/dev/resource";
    let resources = json!({ "resources": [{ "resourceURI": "a/b c.yaml", "resourceContent": "eA==" }] });
    assert_eq!(bed.send(Request::post(base).json(&resources)).await.status, 201);
    let read = bed.send(Request::get(format!("{base}/a%2Fb%20c.yaml"))).await;
    assert_eq!(read.json(), json!({ "resourceURI": "a/b c.yaml", "resourceContent": "eA==" }));
    let received = bed.configuration.records.on_path("/v1/project/sockshop/stage/dev/resource");
    assert_eq!((received[0].body_len, received[0].body_complete), (resources.to_string().len(), true));

    for (method, path, status, body) in [
        ("GET", "/v1/auth", 405, r#"{"code":405,"message":"method GET is not allowed, but [POST] are"}"#),
        ("GET", "/v1/x", 404, r#"{"code":404,"message":"path /v1/x was not found"}"#),
        ("POST", "/v1/auth/", 401, r#"{"code":401,"message":"unauthenticated for invalid credentials"}"#),
        (
            "DELETE",
            "/configuration-service/v1/project/sockshop/stage/dev/",
            501,
            "\"operation stage.DeleteProjectProjectNameStageStageName has not yet been implemented\"\n",
        ),
    ] {
        let answer = bed.send(Request::new(method, path)).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{method} {path}");
    }
    let none = bed.send(Request::get("/v1/event?keptnContext=c&type=t").header("x-token", TOKEN)).await;
    assert_eq!(
        (none.status, none.json()["message"].as_str().unwrap()),
        (500, "No t event found for Keptn context: c")
    );
}

#[tokio::test]
async fn a_resources_name_is_unescaped_once() {
    let bed = Bed::start().await;
    bed.configuration.add_project("p", &["dev"], &["carts"]);
    let base = "/configuration-service/v1/project/p/resource";
    for (escaped, name) in [("p%2525.txt", "p%25.txt"), ("100%25", "100%"), ("a+b", "a+b")] {
        let path = format!("{base}/{escaped}");
        let resource = json!({ "resourceURI": name, "resourceContent": "eA==" });
        assert_eq!(bed.send(Request::new("PUT", &path).json(&resource)).await.status, 201, "{path}");
        assert_eq!(bed.send(Request::get(&path)).await.json(), resource, "{path}");
        let list = bed.send(Request::get(base)).await.json();
        assert_eq!(list["resources"], json!([{ "resourceURI": name }]), "{path}");
        assert_eq!(bed.send(Request::new("DELETE", &path)).await.status, 204, "{path}");
        let gone = bed.send(Request::new("DELETE", &path)).await;
        assert_eq!(
            (gone.status, gone.text().as_str()),
            (500, r#"{"code":500,"message":"Could not delete file"}"#)
        );
    }
    for (level, kind) in [("", "Project"), ("/stage/dev", "Stage"), ("/stage/dev/service/carts", "Service")] {
        let path = format!("/configuration-service/v1/project/p{level}/resource/a");
        let none = bed.send(Request::get(&path)).await;
        let message = format!(r#"{{"code":404,"message":"{kind} resource not found"}}"#);
        assert_eq!((none.status, none.text()), (404, message), "{path}");
        let nameless = bed.send(Request::new("PUT", &path).json(&json!({ "resourceContent": "eA==" }))).await;
        let message = r#"{"code":602,"message":"resourceURI in body is required"}"#;
        assert_eq!((nameless.status, nameless.text().as_str()), (422, message), "{path}");
    }
}

/// What Swagger UI shows and what the stand-ins do: the same methods for each path, and what is not implemented says so.
#[tokio::test]
async fn the_descriptions_are_true() {
    let bed = Bed::start().await;
    for (prefix, base, described) in
        [("", "/v1", 7), ("/configuration-service", "/configuration-service/v1", 39)]
    {
        let page = bed.send(Request::get(format!("{prefix}/swagger-ui/swagger.yaml"))).await.text();
        assert!(page.contains(&format!("\nbasePath: {base}\n")) && page.contains("name: x-token"), "{page}");
        let document = bed.send(Request::get(format!("{prefix}/swagger.json"))).await.json();
        assert_eq!(document["basePath"], "/v1");
        let mut operations = 0;
        for (template, item) in document["paths"].as_object().unwrap() {
            let path = template.replace("{projectName}", "p").replace("{stageName}", "dev");
            let path = path.replace("{serviceName}", "carts").replace("{resourceURI}", "a%2Fb");
            let path = format!("{prefix}/v1{path}");
            let methods: Vec<_> = item
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, _)| *name != "parameters")
                .map(|(method, operation)| (method.to_uppercase(), operation))
                .collect();
            let names: Vec<&str> = methods.iter().map(|(name, _)| name.as_str()).collect();
            let other = bed.send(Request::new("PATCH", &path)).await;
            assert_eq!((other.status, other.header("allow").unwrap()), (405, names.join(",")), "{path}");
            for (method, operation) in &methods {
                let answer = bed.send(Request::new(method, &path).header("x-token", TOKEN)).await;
                let missing = operation["responses"].get("501").is_some();
                assert_eq!(answer.status == 501, missing, "{method} {path}: {answer:?}");
                assert!(!matches!(answer.status, 401 | 405), "{method} {path}: {answer:?}");
                assert!(!answer.text().contains("was not found"), "{method} {path}: {answer:?}");
            }
            operations += methods.len();
        }
        assert_eq!(operations, described, "{prefix}");
    }
}

#[tokio::test]
async fn orders_are_seen_through_envoy() {
    let bed = Bed::start().await;
    let ask = || Request::post("/v1/auth").header("x-token", TOKEN);
    let orders = &bed.api.orders;

    for (order, status) in [
        (Order::Reset, 503),
        (Order::ResetBeforeBody, 503),
        (Order::Close, 503),
        (Order::HalfHeader, 502),
        (Order::Garbage(b"no http\r\n\r\n".to_vec()), 502),
        (Order::Answer(Reply::status(429).header("retry-after", "7")), 429),
        (Order::CloseAfter, 200),
        (Order::Delay(Duration::from_millis(1)), 200),
    ] {
        orders.next(1, Scope::Auth, order.clone());
        let answer = bed.send(ask()).await;
        assert_eq!(answer.status, status, "{order:?}: {answer:?}");
        assert_eq!(bed.send(ask()).await.status, 200, "the order {order:?} was for one request");
    }
    assert_eq!(bed.api.records.count(), 16);

    orders.set(Scope::All, Order::HugeBody(3 << 20));
    assert_eq!(bed.send(ask()).await.body.len(), 3 << 20);
    orders.clear();

    // A hanging request is answered when its gate opens, and one whose client leaves is recorded as gone.
    let gate = Gate::new();
    orders.set(Scope::All, Order::Hang(gate.clone()));
    let (mut stays, mut leaves) = (bed.connect().await, bed.connect().await);
    stays.write(&ask().bytes()).await.unwrap();
    leaves.write(&ask().bytes()).await.unwrap();
    gate.wait_for(2).await.unwrap();
    drop(leaves);
    gate.wait_for(1).await.unwrap();
    gate.open();
    assert_eq!(stays.read_response(false).await.unwrap().status, 200);
    let outcomes: Vec<_> = bed.api.records.all()[17..].iter().map(|received| received.outcome).collect();
    assert!(outcomes.contains(&Outcome::Gone) && outcomes.contains(&Outcome::Answered(200)), "{outcomes:?}");
    orders.clear();

    // An answer can begin before the request's body has come, and end after it.
    let gate = Gate::new();
    orders.set(Scope::All, vec![Order::AnswerBeforeBody, Order::HangInAnswer(gate.clone())]);
    let mut client = bed.connect().await;
    client.write(b"POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nx").await.unwrap();
    gate.wait_for(1).await.unwrap();
    client.write(b"y").await.unwrap();
    bed.api
        .records
        .wait_until("the body", |list| list.last().is_some_and(|last| last.body_complete))
        .await
        .unwrap();
    gate.open();
    assert_eq!(client.read_response(false).await.unwrap().status, 404);
    orders.clear();

    // Nobody listens; then somebody does, on the same port.
    bed.api.stop_listening().await;
    assert_eq!(bed.send(ask()).await.status, 503);
    bed.api.listen().unwrap();
    assert_eq!(bed.send(ask()).await.status, 200);
}

#[tokio::test]
async fn websockets_go_over_both_protocols() {
    let bed = Bed::start().await;
    let gateway = bed.envoy.listener("gateway");
    // Over HTTP/2 the key means nothing, but Envoy adds none for the HTTP/1.1 upstream, which refuses without.
    let ask = || {
        let request = Request::get("/").header("Token", bed.api.channel_token());
        request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };

    let refused = WebSocket::http1(bed.connect().await, Request::get("/").header("token", "a.b.c"))
        .await
        .unwrap()
        .refused();
    assert_eq!((refused.status, refused.body.len()), (401, 0));
    let refused = WebSocket::http2(gateway, Request::get("/")).await.unwrap().refused();
    assert_eq!((refused.status, refused.body.len()), (401, 0));

    // A message published before anybody reads is kept for the first reader.
    bed.api.publish("context", "kept");
    let reader = WebSocket::http1(bed.connect().await, ask().header("Keptn-Ws-Channel-Id", "context"));
    let mut reader = reader.await.unwrap().open();
    assert_eq!(reader.next().await.unwrap(), Some(Message::text("kept")));
    let mut producer = WebSocket::http2(gateway, ask()).await.unwrap().open();
    producer.text(r#"{"shkeptncontext":"context"}"#).await.unwrap();
    assert_eq!(reader.next().await.unwrap(), Some(Message::text(r#"{"shkeptncontext":"context"}"#)));

    bed.api.echo_websockets(true);
    let large = Message::binary(vec![7; 5 << 20]);
    for mut socket in [
        WebSocket::http1(bed.connect().await, ask()).await.unwrap().open(),
        WebSocket::http2(gateway, ask()).await.unwrap().open(),
    ] {
        socket.send(large.clone()).await.unwrap();
        assert!(socket.next().await.unwrap() == Some(large.clone()), "5 MiB came back changed");
    }
}

#[tokio::test]
async fn http2_carries_what_libraries_refuse() {
    let bed = Bed::start().await;
    let gateway = bed.envoy.listener("gateway");

    let mut client = H2::connect(gateway).await.unwrap();
    let answer = client.send(&Request::new("FOO", "/v1/auth").header("b", [0xfe])).await.unwrap();
    assert_eq!(answer.status, 405, "{answer:?}");
    assert_eq!(bed.api.records.all()[0].all("b"), [&[0xfe]]);
    let upload =
        Request::post("/v1/event").header("x-token", TOKEN).header("content-type", "application/json");
    let answer =
        client.send(&upload.chunked([r#"{"data":{},"#, r#""source":"s","type":"t"}"#])).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");

    // `h2` cannot name this path. What the server in the stand-in cannot read is recorded as well.
    let mut frames = Frames::connect(gateway).await.unwrap();
    let answer = frames.send(&Request::post("/v1/auth?\u{e9}").header("x-token", TOKEN)).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let all = bed.api.records.all();
    assert_eq!(all.last().unwrap().target, "/v1/auth?\u{e9}".as_bytes(), "{all:?}");
    frames.send(&Request::post(b"/a\xff")).await.unwrap();
    let all = bed.api.records.wait_for(4).await.unwrap();
    assert_eq!((all[3].outcome, all[3].target.as_slice()), (Outcome::NotHttp, &b"POST /a\xff HTTP/1.1"[..]));
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let settings = Settings { idle_timeout: Duration::from_millis(20), ..Settings::default() };
    let api = ApiService::start_with(TOKEN, &settings).await.unwrap();
    let gate = Gate::new();
    api.orders.next(1, Scope::All, Order::Hang(gate.clone()));
    let mut busy = Raw::connect(api.address()).await.unwrap();
    busy.write(&Request::get("/v1/x").bytes()).await.unwrap();
    gate.wait_for(1).await.unwrap();

    let mut client = Raw::connect(api.address()).await.unwrap();
    assert_eq!(client.send(&Request::get("/v1/x")).await.unwrap().status, 404);
    assert_eq!(client.read_to_end().await.unwrap(), b"");
    assert_eq!(api.connections(), 1);
    gate.open();
    assert_eq!(busy.read_response(false).await.unwrap().status, 404);
    assert_eq!(busy.read_to_end().await.unwrap(), b"");

    // Pooled or not: closed with a request under way, and reset before anything is read.
    api.reset_new_connections(true);
    let refused = Raw::connect(api.address()).await.unwrap().send(&Request::get("/v1/x")).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(api.records.count(), 2);
}

#[tokio::test]
async fn a_connection_with_short_requests_is_not_idle() {
    let settings = Settings { idle_timeout: Duration::from_secs(2), ..Settings::default() };
    let api = ApiService::start_with(TOKEN, &settings).await.unwrap();
    let mut client = Raw::connect(api.address()).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < 2 * settings.idle_timeout {
        assert_eq!(client.send(&Request::get("/v1/x")).await.unwrap().status, 404);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(api.accepted(), 1);
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let bed = Bed::start().await;
    let pid = bed.envoy.pid();
    let directory = bed.envoy.directory().to_owned();
    let process = format!("/proc/{pid}");
    assert!(Path::new(&process).exists() && directory.exists());
    drop(bed);
    assert!(!Path::new(&process).exists() && !directory.exists());
}

#[tokio::test]
async fn a_bootstrap_that_envoy_refuses_fails_with_its_log() {
    let bootstrap = Bootstrap::from_json(
        json!({ "static_resources": { "listeners": [], "clusters": [] }, "nonsense": 1 }),
    );
    let error = Envoy::start(&bootstrap).await.unwrap_err().to_string();
    assert!(error.contains("nonsense"), "{error}");
}

#[tokio::test]
async fn listeners_can_be_replaced_under_way() -> Result<()> {
    let api = ApiService::start(TOKEN).await?;
    let configuration = ConfigurationService::start().await?;
    let first = Bed::bootstrap(&api, &configuration).dynamic_listeners();
    let options = Options { concurrency: 2, ..Options::default() };
    let mut envoy = Envoy::start_with(&first, &options).await?;
    let port = envoy.listener("gateway");

    let teapot = json!([{ "match": { "prefix": "/" }, "direct_response": { "status": 418 } }]);
    let second = first.clone().listener("gateway", |listener| listener.routes(teapot));
    assert!(envoy.replace_listeners(&second).await?);
    assert_eq!(envoy.listener("gateway"), port);
    assert_eq!(Raw::connect(port).await?.send(&Request::get("/")).await?.status, 418);
    // Early answers to uploads, which both end differently.
    let upload = Request::post("/").body(vec![b'x'; 8 << 20]);
    let answer = Raw::connect(port).await?.send(&upload).await?;
    assert_eq!((answer.status, answer.complete), (418, true), "{answer:?}");
    let answer = H2::connect(port).await?.send(&upload).await?;
    assert_eq!((answer.status, answer.complete), (418, true), "{answer:?}");

    let broken = first.listener("gateway", |listener| listener.routes(json!([{ "nonsense": true }])));
    assert!(!envoy.replace_listeners(&broken).await?);
    assert_eq!(Raw::connect(port).await?.send(&Request::get("/")).await?.status, 418);
    envoy
        .wait_for_log("the refusal", |log| log.contains("nonsense"))
        .await
        .map(|_| ())
        .map_err(|error: Error| error)
}
