//! The corpus through a real Envoy: the shipped `envoy.yaml`, its services replaced by stand-ins, and one listener for
//! each file and each way to set Envoy up that must not matter.
//!
//! What became of a request is read from what the stand-ins received, from the answer, and from the access log. Each
//! request comes from an address of its own, by which all three are told apart.

#[allow(dead_code, reason = "why the gate does not run a case is for the other engine")]
#[path = "corpus/mod.rs"]
mod corpus;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use corpus::{Auth, Case, Expect, File, Http, Lines, Outcome, Verdict, judge};
use serde_json::{Value, json};
use testbed::{
    Bootstrap, Envoy,
    bootstrap::Listener,
    client::{Frames, H2, Headers, Raw, Request, Response},
    keptn::{ApiService, ConfigurationService, Order, Received, Reply, Scope},
};

/// Another application on the same listener, reached by a plain route.
const ANOTHER_APPLICATION: &str = "another-application";

/// Where the honest requests between the cases come from. Not 127.0.0.1: in its place Envoy tells upstreams an address
/// of this machine's network.
const HONEST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A file on a listener.
struct Setup<'a> {
    file: &'a File,
    listener: String,
    /// Envoy's own path normalization.
    normalized: bool,
    /// There is a route for foreign requests.
    shared: bool,
}

impl<'a> Setup<'a> {
    fn all(files: &'a [File]) -> Vec<Self> {
        let of_file = |file: &'a File| {
            let setup = |way: &str, normalized, shared| Self {
                file,
                listener: format!("{}-{way}", file.name),
                normalized,
                shared,
            };
            let shared = file.config.get("hosts").map(|_| setup("shared", false, true));
            [setup("plain", false, false), setup("normalized", true, false)].into_iter().chain(shared)
        };
        files.iter().flat_map(of_file).collect()
    }

    fn listen(&self, bootstrap: Bootstrap) -> Bootstrap {
        bootstrap.another_listener(&self.listener, |listener| {
            // One VM for all of them, and a root of its own for each: those of the same id and configuration would be
            // one, which remembers what `/v1/auth` was answered on another listener.
            let listener = listener.vm_id("corpus").root_id(&self.listener);
            let listener = listener.configuration(self.file.config.clone());
            let listener = listener.normalize_path(self.normalized);
            let listener = own_upstreams(self.file).into_iter().fold(listener, route_to);
            if self.shared { foreign_route(listener) } else { listener }
        })
    }

    /// What `case` gets here, if it gets `expect` in Envoy.
    fn expect(&self, expect: &Expect) -> Expect {
        match expect.verdict {
            // Without a route for it, nothing can become of it.
            Verdict::Foreign { .. } if !self.shared => {
                let details = "route_not_found".to_owned();
                let verdict = Verdict::ByEnvoy { status: 404, details, lines: Vec::new() };
                Expect { verdict, ..expect.clone() }
            }
            _ => expect.clone(),
        }
    }
}

fn own_upstreams(file: &File) -> Vec<String> {
    let names = file.config["upstreams"].as_array().into_iter().flatten();
    names.map(|upstream| upstream["name"].as_str().expect("an upstream's name").to_owned()).collect()
}

fn routes(manager: &mut Value) -> &mut Vec<Value> {
    manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().expect("a list of routes")
}

/// One more route that is pinned to filter state, like that of `api-service`.
fn route_to(listener: Listener, upstream: String) -> Listener {
    listener.edit_manager(|manager| {
        let mut route =
            routes(manager).iter().find(|route| route["name"] == "api-service").expect("a route").clone();
        route["name"] = json!(upstream);
        route["match"]["filter_state"][0]["string_match"]["exact"] = json!(upstream);
        route["route"]["cluster"] = json!(upstream);
        routes(manager).push(route);
    })
}

fn foreign_route(listener: Listener) -> Listener {
    listener.edit_manager(|manager| {
        let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": ANOTHER_APPLICATION } });
        routes(manager).push(route);
    })
}

/// One case on one listener, done.
struct Run<'a> {
    setup: &'a Setup<'a>,
    case: &'a Case,
    address: IpAddr,
    response: testbed::Result<Response>,
}

/// What was seen of one address.
#[derive(Default)]
struct Seen {
    /// By upstreams.
    received: Vec<(String, Received)>,
    /// In the access log.
    lines: Vec<Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_gets_what_its_case_says() -> testbed::Result<()> {
    let files = corpus::read();
    let setups = Setup::all(&files);

    let api = ApiService::start("good").await?;
    let configuration = ConfigurationService::start().await?;
    let mut others = BTreeMap::new();
    let names: BTreeSet<_> =
        files.iter().flat_map(own_upstreams).chain([ANOTHER_APPLICATION.to_owned()]).collect();
    for name in names {
        others.insert(name, ApiService::start("good").await?);
    }
    let bootstrap = Bootstrap::shipped()
        .cluster("api-service", api.address())
        .cluster("configuration-service", configuration.address());
    let bootstrap = others
        .iter()
        .fold(bootstrap, |bootstrap, (name, other)| bootstrap.another_cluster(name, other.address()));
    let bootstrap = setups.iter().fold(bootstrap, |bootstrap, setup| setup.listen(bootstrap));
    let envoy = Envoy::start(&bootstrap).await?;

    let mut runs = Vec::new();
    let mut failures = Vec::new();
    for setup in &setups {
        let listener = envoy.listener(&setup.listener);
        for case in setup.file.cases.iter().filter(|case| case.skip.envoy.is_none()) {
            let address = address(runs.len());
            if let Some(auth) = &case.auth {
                api.orders.set(Scope::Auth, Order::Answer(reply(auth)));
            }
            let response = send(case, address, listener).await;
            api.orders.clear();
            runs.push(Run { setup, case, address, response });
            if let Err(error) = honest(setup, listener).await {
                failures.push(format!("{}: after {:?}: {error}", setup.listener, case.name));
            }
        }
    }

    let addresses: BTreeSet<_> = runs.iter().map(|run| run.address).collect();
    let log = envoy
        .wait_for_access_log("a line for each request", |lines| {
            lines.iter().filter_map(client).collect::<BTreeSet<_>>().is_superset(&addresses)
        })
        .await?;
    let mut seen: BTreeMap<IpAddr, Seen> = BTreeMap::new();
    for line in log {
        let address = client(&line).unwrap_or_else(|| panic!("a line without an address: {line}"));
        seen.entry(address).or_default().lines.push(line);
    }
    let profile =
        [("api-service", api.records.take()), ("configuration-service", configuration.records.take())];
    let own = others.iter().map(|(name, other)| (name.as_str(), other.records.take()));
    for (upstream, records) in profile.into_iter().chain(own) {
        for received in records {
            let address = sender(&received)
                .unwrap_or_else(|| panic!("{upstream} does not know whose this is: {received:?}"));
            assert!(
                address == HONEST || addresses.contains(&address),
                "{upstream} has seen {received:?} of {address}"
            );
            seen.entry(address).or_default().received.push((upstream.to_owned(), received));
        }
    }
    for run in &runs {
        let seen = seen.remove(&run.address).unwrap_or_default();
        let expected = run.case.expect_in_envoy(run.setup.normalized);
        let errors: Vec<_> = expected.iter().map_while(|expect| run.judge(&seen, expect).err()).collect();
        if errors.len() == expected.len() {
            let error = errors.join("\n    ");
            failures.push(format!("{}: {}\n    {error}", run.setup.listener, run.case.name));
        }
    }
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), runs.len(), failures.join("\n"));

    // No request has killed the VM: a dead one is counted when it is replaced.
    let stats = envoy.stats().await?;
    assert_eq!(stats.get("wasm.keptn-gateway.vm_reload_success"), Some(&0), "the VM has died");
    Ok(())
}

impl Run<'_> {
    fn judge(&self, seen: &Seen, expect: &Expect) -> Result<(), String> {
        let expect = self.setup.expect(expect);
        let [line] = &seen.lines[..] else {
            return Err(format!("{} lines in the access log", seen.lines.len()));
        };
        let (checks, mut forwarded): (Vec<_>, Vec<_>) =
            seen.received.iter().partition(|(upstream, received)| is_check(upstream, received));
        if checks.len() != usize::from(expect.asked) {
            return Err(format!("the auth endpoint was asked {} times", checks.len()));
        }
        for (_, check) in &checks {
            let body = check.body_len;
            if (check.method.as_str(), check.target.as_slice(), body) != ("POST", b"/v1/auth", 0) {
                return Err(format!("the check is {check:?}"));
            }
        }
        if matches!(expect.verdict, Verdict::Refused { cut: true, .. }) {
            forwarded.retain(|(_, received)| received.body_complete);
        }
        let (status, headers, body) = match &self.response {
            Ok(response) => (response.status, text_names(&response.headers), response.body.clone()),
            // Closed without an answer; then the access log has no status.
            Err(_) if line["status"] == 0 => (0, Lines::new(), Vec::new()),
            Err(error) => return Err(format!("no answer: {error}; {line}")),
        };
        if line["status"] != status {
            return Err(format!("the client got {status}, the access log says {line}"));
        }
        if matches!(expect.verdict, Verdict::Refused { .. } | Verdict::Answered { .. }) {
            let id = corpus::values(&headers, "x-request-id").concat();
            if line["request_id"].as_str().map(str::as_bytes) != Some(&id) {
                return Err(format!("the answer does not have the request id of {line}"));
            }
        }
        let details = line["details"].as_str().unwrap_or_default().to_owned();
        let outcome = match forwarded.pop() {
            Some((upstream, received)) if forwarded.is_empty() => {
                self.forwarded(upstream.clone(), received.clone(), line)?
            }
            Some(last) => return Err(format!("forwarded more than once: {forwarded:?} and {last:?}")),
            None => Outcome::Answer { status, details, headers, body },
        };
        judge(self.case, &expect, &outcome, &self.setup.file.config)
    }

    fn forwarded(&self, upstream: String, received: Received, line: &Value) -> Result<Outcome, String> {
        let mut headers = text_names(&received.headers);
        let upstream = (upstream != ANOTHER_APPLICATION).then_some(upstream);
        if let Some(upstream) = &upstream {
            // Envoy's route says who the client is; what the client says of it is not in the way of it.
            let told = corpus::values(&headers, "x-real-ip");
            if told != [self.address.to_string().into_bytes()] {
                return Err(format!("x-real-ip is there {} times, or wrong", told.len()));
            }
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-real-ip"));
            if line["upstream"] != upstream.as_str() {
                return Err(format!("{upstream} got it, the access log says {line}"));
            }
        }
        Ok(Outcome::Forwarded {
            upstream,
            method: received.method.into_bytes(),
            path: received.target,
            headers,
        })
    }
}

/// Checks come from the filter, so they have not been on a route, which would have said who the client is.
fn is_check(upstream: &str, received: &Received) -> bool {
    upstream == "api-service" && received.path() == "/v1/auth" && received.all("x-real-ip").is_empty()
}

fn text_names(headers: &Headers) -> Lines {
    headers.iter().map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.clone())).collect()
}

/// Whose request this is: Envoy appends the address to what the client says.
fn sender(received: &Received) -> Option<IpAddr> {
    let last = *received.all("x-forwarded-for").last()?;
    std::str::from_utf8(last).ok()?.rsplit(',').next()?.trim().parse().ok()
}

fn client(line: &Value) -> Option<IpAddr> {
    line["client"].as_str()?.parse().ok()
}

/// The address that the request number `index` comes from.
fn address(index: usize) -> IpAddr {
    let part = |divisor: usize| u8::try_from(index / divisor % 250 + 1).expect("at most 250");
    IpAddr::V4(Ipv4Addr::new(127, part(250 * 250), part(250), part(1)))
}

fn reply(auth: &Auth) -> Reply {
    let reply = Reply::status(auth.status());
    auth.retry_after().into_iter().fold(reply, |reply, value| reply.header("retry-after", value))
}

async fn send(case: &Case, from: IpAddr, to: SocketAddr) -> testbed::Result<Response> {
    const CHUNK: usize = 16 << 10;
    let mut request = Request::new(case.method(), case.target());
    for (name, value) in case.lines() {
        // HTTP/2 has names in lower case only.
        let name = if case.http == Http::Two { name.to_ascii_lowercase() } else { name };
        request = request.header(name, value);
    }
    if case.no_host {
        request = request.no_host();
    }
    if let Some(protocol) = &case.protocol {
        request = request.protocol(protocol);
    }
    if let Some(length) = case.body {
        request = request.body(vec![b'x'; length]);
    }
    if let Some(length) = case.chunked {
        request = request.chunked(vec![b'x'; length].chunks(CHUNK).map(<[u8]>::to_vec));
    }
    match case.http {
        Http::One1 => Raw::connect_from(from, to).await?.send(&request).await,
        Http::One0 => {
            let mut raw = Raw::connect_from(from, to).await?;
            let bytes = request.bytes();
            let end = b" HTTP/1.1\r\n";
            let at = bytes.windows(end.len()).position(|window| window == end).expect("a request line");
            raw.write(&[&bytes[..at], b" HTTP/1.0\r\n", &bytes[at + end.len()..]].concat()).await?;
            raw.read_response(false).await
        }
        // `Frames` watches no windows, and `H2` sends nothing odd.
        Http::Two if case.body.or(case.chunked).is_some() => {
            H2::connect_from(from, to).await?.send(&request).await
        }
        // A CONNECT as it was before there were WebSockets over HTTP/2: `Frames` would send an empty path.
        Http::Two if case.target().is_empty() => {
            let mut frames = Frames::connect_from(from, to).await?;
            let lines = [(":method", case.method()), (":authority", b"gateway.test:80".to_vec())];
            let mut lines: Headers = lines.map(|(name, value)| (name.into(), value)).into();
            lines.extend(case.sent("x-token").into_iter().map(|token| (b"x-token".to_vec(), token)));
            let stream = frames.headers(&lines, false).await?;
            frames.response(stream).await
        }
        Http::Two => Frames::connect_from(from, to).await?.send(&request).await,
    }
}

/// A request that has to be served at any time.
async fn honest(setup: &Setup<'_>, listener: SocketAddr) -> Result<(), String> {
    let host = setup.file.config["hosts"][0].as_str().unwrap_or("gateway.test");
    let request =
        Request::get("/configuration-service/v1/project").header("host", host).header("x-token", "good");
    let response = async { Raw::connect_from(HONEST, listener).await?.send(&request).await };
    match response.await {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(format!("an honest request gets {response:?}")),
        Err(error) => Err(format!("an honest request gets no answer: {error}")),
    }
}
