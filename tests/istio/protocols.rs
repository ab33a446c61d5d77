//! What HTTP has besides plain requests, through port 80: HTTP/2, WebSockets, uploads, time-outs, headers that say who and
//! where.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testbed::{
    Error, Result,
    client::{Frames, H2, Headers, Message, Raw, Request, Response, WebSocket},
    keptn::{Gate, Order, Received, Reply, Scope},
    wait::until,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{API, HTTP, Lab, Mode, TOKEN, get, route_configurations, send, stranger};

#[tokio::test(flavor = "multi_thread")]
async fn all_that_http_has_goes_through() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    routes_are_patient_and_repeat_nothing(&lab.dump().await?);
    both_versions(&lab).await?;
    the_service_learns_who_and_where(&lab).await?;
    interim_answers_and_no_bodies(&lab).await?;
    trailers_are_no_headers(&lab).await?;
    what_a_service_got_is_not_sent_again(&lab).await?;
    the_log_stream(&lab).await?;
    a_websocket_outlives_time_outs(&lab).await?;
    uploads(&lab).await
}

/// Those of ours that lead somewhere.
fn our_routes(dump: &Value) -> Vec<Value> {
    let hosts = route_configurations(dump)
        .into_iter()
        .flat_map(|routes| routes["virtual_hosts"].as_array().cloned().unwrap_or_default());
    let routes = hosts.flat_map(|host| host["routes"].as_array().cloned().unwrap_or_default());
    routes.filter(|route| route["match"]["filter_state"][0]["key"] == "wasm.keptn.upstream").collect()
}

fn routes_are_patient_and_repeat_nothing(dump: &Value) {
    let routes = our_routes(dump);
    // Two for each service.
    assert!(routes.len() >= 4, "{routes:?}");
    for route in routes {
        let action = &route["route"];
        assert_eq!(action["timeout"], "60s", "{route}");
        assert_eq!(
            action["retry_policy"],
            json!({ "retry_on": "connect-failure,refused-stream", "num_retries": 1 }),
            "{route}"
        );
    }
}

/// Over HTTP/1.1 and, with prior knowledge, over HTTP/2.
async fn both(request: &Request) -> Result<[Response; 2]> {
    Ok([send(request).await?, H2::connect(HTTP).await?.send(request).await?])
}

fn post(body: &str) -> Request {
    Request::post("/v1/event").header("host", API).header("x-token", TOKEN).body(body)
}

async fn both_versions(lab: &Lab) -> Result<()> {
    for response in both(&get("/configuration-service/v1/project?pageSize=5")).await? {
        assert_eq!(response.status, 200, "{response:?}");
    }
    let received = lab.configuration.records.take();
    assert!(received.iter().all(|received| received.target == b"/v1/project?pageSize=5"), "{received:?}");
    assert_eq!(received.len(), 2);

    // Many at a time on one connection; who has no token harms nobody.
    let mut connection = H2::connect(HTTP).await?;
    let mut streams = Vec::new();
    for turn in 0..20 {
        let request =
            if turn < 10 { get("/configuration-service/v1/project") } else { stranger("/v1/event") };
        streams.push(connection.open(&request).await?);
    }
    for (turn, mut stream) in streams.into_iter().enumerate() {
        // Those that were refused want no body.
        let _ = stream.end();
        assert_eq!(stream.response().await?.status, if turn < 10 { 200 } else { 401 }, "{turn}");
    }
    lab.configuration.records.take();
    Ok(())
}

async fn the_service_learns_who_and_where(lab: &Lab) -> Result<()> {
    let from = IpAddr::V4(Ipv4Addr::new(127, 7, 7, 7));
    // A token of its own: nobody has asked about it before.
    lab.api.add_token("who-and-where");
    lab.api.records.take();
    let request =
        Request::get("/v1/event").header("host", format!("{API}:80")).header("x-token", "who-and-where");
    let request = ["x-real-ip", "x_real_ip", "x-forwarded-for", "true-client-ip"]
        .iter()
        .fold(request, |request, name| request.header(name, "192.0.2.66"))
        .header("x-forwarded-proto", "https");
    Raw::connect_from(from, HTTP).await?.send(&request).await?;
    H2::connect_from(from, HTTP).await?.send(&request).await?;
    let received = lab.api.records.take();
    let asks_so = |received: &&Received| received.header("x-token").as_deref() == Some("who-and-where");
    let (checks, forwarded): (Vec<_>, Vec<_>) =
        received.iter().filter(asks_so).partition(|received| received.path() == "/v1/auth");
    assert_eq!(forwarded.len(), 2, "{received:?}");
    for received in forwarded {
        assert_eq!(received.header("x-real-ip").as_deref(), Some("127.7.7.7"));
        assert_eq!(received.header("x_real_ip"), None);
        assert_eq!(received.header("x-forwarded-for").as_deref(), Some("192.0.2.66,127.7.7.7"));
        assert_eq!(received.header("x-forwarded-proto").as_deref(), Some("http"));
        assert_eq!(received.header("host"), Some(format!("{API}:80")));
    }
    // One for each worker that has met the token.
    assert!(matches!(checks.len(), 1 | 2), "{received:?}");
    for check in checks {
        assert_eq!(check.header("x-forwarded-for").as_deref(), Some("127.7.7.7"));
    }
    Ok(())
}

async fn interim_answers_and_no_bodies(lab: &Lab) -> Result<()> {
    // The body is sent when the interim answer has come, and not before.
    let upload = post("a body").header("expect", "100-continue");
    lab.api.orders.set(Scope::NotAuth, Order::Answer(Reply::status(204)));
    let mut connection = Raw::connect(HTTP).await?;
    connection.write(&upload.head_bytes()).await?;
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let (mut stream, early) = connection.into_parts();
    assert!(early.is_empty());
    let mut came = vec![0; interim.len()];
    stream.read_exact(&mut came).await.map_err(Error::during("waiting for 100"))?;
    assert_eq!(came.escape_ascii().to_string(), interim.escape_ascii().to_string());
    stream.write_all(b"a body").await.map_err(Error::during("sending the body"))?;
    let end = b"HTTP/1.1 204 ";
    let mut came = vec![0; end.len()];
    stream.read_exact(&mut came).await.map_err(Error::during("waiting for the answer"))?;
    assert_eq!(came.escape_ascii().to_string(), end.escape_ascii().to_string());
    let [received] = &lab.api.records.on_path("/v1/event")[..] else { panic!("not one request") };
    assert_eq!(&received.body[..], b"a body");
    lab.api.records.take();
    lab.api.orders.clear();

    let document = |method: &str| Request::new(method, "/swagger.json").header("host", API);
    let [one, two] = both(&document("GET")).await?;
    assert_eq!(one.body, two.body);
    assert!(!one.body.is_empty());
    for response in both(&document("HEAD")).await? {
        assert_eq!((response.status, response.body.len()), (200, 0), "{response:?}");
        assert_eq!(response.header("content-length"), one.header("content-length"));
    }
    lab.api.records.take();
    Ok(())
}

/// A token that comes after the body comes too late, and what comes there is nothing to the services.
async fn trailers_are_no_headers(lab: &Lab) -> Result<()> {
    for (token, status) in [(None, 401), (Some(TOKEN), 204)] {
        lab.api.orders.set(Scope::NotAuth, Order::Answer(Reply::status(204)));
        let request = Request::post("/v1/event").header("host", API).header("transfer-encoding", "chunked");
        let request = token.into_iter().fold(request, |request, token| request.header("x-token", token));
        let mut connection = Raw::connect(HTTP).await?;
        connection.write(&request.head_bytes()).await?;
        connection
            .write(
                format!("6\r\na body\r\n0\r\nx-token: {TOKEN}\r\nx-real-ip: 192.0.2.66\r\n\r\n").as_bytes(),
            )
            .await?;
        let one = connection.read_response(false).await?;

        let line = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let mut head: Headers = vec![
            line(":method", "POST"),
            line(":scheme", "http"),
            line(":path", "/v1/event"),
            line(":authority", API),
        ];
        head.extend(token.map(|token| line("x-token", token)));
        let mut frames = Frames::connect(HTTP).await?;
        let stream = frames.headers(&head, false).await?;
        frames.data(stream, b"a body", false).await?;
        // HEADERS that end headers and stream.
        frames
            .frame(
                1,
                5,
                stream,
                &header_block(&vec![line("x-token", TOKEN), line("x-real-ip", "192.0.2.66")]),
            )
            .await?;
        let two = frames.response(stream).await?;
        assert_eq!([one.status, two.status], [status; 2], "{one:?} {two:?}");
        lab.api.orders.clear();
        let forwarded: Vec<_> =
            lab.api.records.take().into_iter().filter(|received| received.path() != "/v1/auth").collect();
        assert_eq!(forwarded.len(), if token.is_some() { 2 } else { 0 }, "{forwarded:?}");
        for received in forwarded {
            assert_eq!(
                (received.body_len, received.header("x-real-ip").as_deref()),
                (6, Some("127.0.0.1")),
                "{received:?}"
            );
        }
    }
    Ok(())
}

/// Of short lines, "without indexing" and not Huffman-coded.
fn header_block(lines: &Headers) -> Vec<u8> {
    let text = |text: &[u8]| [&[u8::try_from(text.len()).expect("a short line")], text].concat();
    lines.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// A POST twice is two events. Retries are for what cannot have reached the service.
async fn what_a_service_got_is_not_sent_again(lab: &Lab) -> Result<()> {
    let orders = [Order::Answer(Reply::status(503)), Order::Reset, Order::Close, Order::ResetBeforeBody];
    for order in orders {
        lab.api.orders.set(Scope::NotAuth, order.clone());
        // Who sends may not change that.
        for request in [
            post("once"),
            post("once").header("x-envoy-retry-on", "5xx,reset").header("x-envoy-max-retries", "3"),
        ] {
            let response = send(&request).await?;
            assert_eq!(response.status, 503, "{order:?}: {response:?}");
            let all: Vec<_> = lab.api.records.take();
            let forwarded = all.iter().filter(|received| received.path() == "/v1/event").count();
            assert_eq!(forwarded, 1, "{order:?}: {all:?}");
        }
        lab.api.orders.clear();
    }
    Ok(())
}

async fn the_log_stream(lab: &Lab) -> Result<()> {
    let handshake = || Request::get("/").header("host", API);
    for refused in [handshake(), handshake().header("Token", "a"), handshake().header("x-token", TOKEN)] {
        let response = WebSocket::http1(Raw::connect(HTTP).await?, refused).await?.refused();
        assert_eq!((response.status, response.json()["code"].as_u64()), (401, Some(401)), "{response:?}");
    }
    lab.nothing_arrived();

    let good = || handshake().header("Token", lab.api.channel_token());
    let reader = good().header("Keptn-Ws-Channel-Id", "a-context");
    let mut reader = WebSocket::http1(Raw::connect(HTTP).await?, reader).await?.open();
    let mut producer = WebSocket::http1(Raw::connect(HTTP).await?, good()).await?.open();
    let event = r#"{"shkeptncontext":"a-context","data":{"message":"done"}}"#;
    producer.text(event).await?;
    assert_eq!(reader.next().await?, Some(Message::text(event)));
    reader.close().await?;
    producer.close().await?;
    until("the service to see them leave", async || (lab.api.websockets() == 0).then_some(())).await?;
    lab.api.records.take();
    Ok(())
}

/// Of the route, which is 60 s: too long to be waited for, so here it is 1 s.
async fn a_websocket_outlives_time_outs(lab: &Lab) -> Result<()> {
    let routes = lab.object("istio-system", "envoyfilter/keptn-gateway-routes").await?;
    let count = routes["spec"]["configPatches"].as_array().expect("patches").len();
    let shorter = |index| json!({ "op": "replace", "path": format!("/spec/configPatches/{index}/patch/value/route/timeout"), "value": "1s" });
    lab.patch("istio-system", "envoyfilter/keptn-gateway-routes", &(0..count).map(shorter).collect()).await?;
    lab.until_dump("the shorter time-out", |dump| {
        let routes = our_routes(dump);
        !routes.is_empty() && routes.iter().all(|route| route["route"]["timeout"] == "1s")
    })
    .await?;

    lab.api.echo_websockets(true);
    let handshake = Request::get("/").header("host", API).header("Token", lab.api.channel_token());
    let mut socket = WebSocket::http1(Raw::connect(HTTP).await?, handshake).await?.open();
    // Younger than the WebSocket, and over before it.
    let gate = Gate::new();
    lab.api.orders.set(Scope::NotAuth, Order::Hang(gate.clone()));
    let response = send(&post("patience")).await?;
    assert_eq!(response.status, 504, "{response:?}");
    gate.open();
    lab.api.orders.clear();
    let posts = lab
        .api
        .records
        .take()
        .iter()
        .filter(|received| received.method == "POST" && received.path() == "/v1/event")
        .count();
    assert_eq!(posts, 1, "what took too long is not sent again either");
    socket.text("still here").await?;
    assert_eq!(socket.next().await?, Some(Message::text("still here")));
    lab.api.echo_websockets(false);
    Ok(())
}

async fn uploads(lab: &Lab) -> Result<()> {
    const MIB: usize = 1 << 20;
    let content = |length: usize| -> Vec<u8> { (0..length).map(|index| (index % 251) as u8).collect() };
    let resource = || {
        Request::new("PUT", "/configuration-service/v1/project/p/resource/large")
            .header("host", API)
            .header("x-token", TOKEN)
    };
    lab.configuration.orders.set(Scope::All, Order::Answer(Reply::status(201)));

    for response in both(&resource().body(content(5 * MIB))).await? {
        assert_eq!((response.status, response.json()["code"].as_u64()), (413, Some(413)), "{response:?}");
    }
    lab.nothing_arrived();

    lab.configure(|configuration| configuration["max_body_bytes"] = json!(6 * MIB)).await?;
    until("the higher limit", async || {
        let response = send(&resource().body(content(MIB + 1))).await.ok()?;
        (response.status == 201).then_some(())
    })
    .await?;
    lab.configuration.records.take();
    let body = content(5 * MIB);
    let chunks = || body.chunks(100_000).map(<[u8]>::to_vec);
    for request in [resource().body(body.clone()), resource().chunked(chunks())] {
        for response in both(&request).await? {
            assert_eq!(response.status, 201, "{response:?}");
        }
    }
    let sha256: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    let received = lab.configuration.records.take();
    let whole = |received: &Received| received.body_complete && received.body_sha256 == sha256;
    assert!(received.len() == 4 && received.iter().all(whole), "{received:?}");

    // What does not say how long it is, is cut where the limit is.
    let chunks = || content(7 * MIB).chunks(100_000).map(<[u8]>::to_vec).collect::<Vec<_>>();
    for response in both(&resource().chunked(chunks())).await? {
        assert_eq!((response.status, response.json()["code"].as_u64()), (413, Some(413)), "{response:?}");
    }
    let received = lab.configuration.records.take();
    assert!(
        received.iter().all(|received| !received.body_complete && received.body_len <= 6 * MIB),
        "{received:?}"
    );
    lab.configuration.orders.clear();
    Ok(())
}
