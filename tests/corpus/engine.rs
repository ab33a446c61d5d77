//! What the engines with a real Envoy share: sending a case, and judging it by what the services received, by the answer,
//! and by the access log. Each request comes from an address of its own, by which all three are told apart.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use super::corpus::{self, Auth, Case, Expect, File, Http, Lines, Outcome, Proxy, Verdict, judge};
use serde_json::Value;
use testbed::{
    client::{Frames, H2, Headers, Raw, Request, Response},
    keptn::{ApiService, Order, Received, Reply, Scope, Settings},
};

/// Another application behind the same gateway, reached by a plain route.
pub(crate) const ANOTHER_APPLICATION: &str = "another-application";

/// Where the honest requests between the cases come from. Not 127.0.0.1: in its place Envoy tells upstreams an address
/// of this machine's network.
pub(crate) const HONEST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A file somewhere.
pub(crate) struct Setup<'a> {
    pub(crate) file: &'a File,
    /// Where.
    pub(crate) name: String,
    pub(crate) proxy: Proxy,
    /// There is a route for foreign requests.
    pub(crate) shared: bool,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(file: &'a File, proxy: Proxy) -> Self {
        Self { file, name: format!("{}-{proxy:?}", file.name).to_ascii_lowercase(), proxy, shared: false }
    }

    /// With a route for foreign requests, if that makes a difference to this file.
    pub(crate) fn shared(file: &'a File, proxy: Proxy) -> Option<Self> {
        file.config.get("hosts")?;
        let setup = Self::new(file, proxy);
        Some(Self { name: format!("{}-shared", setup.name), shared: true, ..setup })
    }

    /// What `case` gets here: one of these.
    fn expect(&self, case: &Case) -> Vec<Expect> {
        case.expect_in(self.proxy)
            .into_iter()
            .map(|expect| match expect.verdict {
                // Without a route for it, nothing can become of it.
                Verdict::Foreign { .. } if !self.shared => {
                    let details = "route_not_found".to_owned();
                    let verdict = Verdict::ByEnvoy { status: 404, details, lines: Vec::new() };
                    Expect { verdict, ..expect.clone() }
                }
                _ => expect.clone(),
            })
            .collect()
    }
}

pub(crate) fn own_upstreams(file: &File) -> Vec<String> {
    let names = file.config["upstreams"].as_array().into_iter().flatten();
    names.map(|upstream| upstream["name"].as_str().expect("an upstream's name").to_owned()).collect()
}

/// The upstreams of all files, and the other application.
pub(crate) async fn other_services(
    files: &[File],
    settings: &Settings,
) -> testbed::Result<BTreeMap<String, ApiService>> {
    let names: BTreeSet<_> =
        files.iter().flat_map(own_upstreams).chain([ANOTHER_APPLICATION.to_owned()]).collect();
    let mut others = BTreeMap::new();
    for name in names {
        others.insert(name, ApiService::start_with("good", settings).await?);
    }
    Ok(others)
}

/// One case in one place, done.
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

/// All that was sent.
#[derive(Default)]
pub(crate) struct Runs<'a> {
    runs: Vec<Run<'a>>,
    failures: Vec<String>,
}

impl<'a> Runs<'a> {
    /// Sends the file's cases, one after the other, each followed by an honest request.
    pub(crate) async fn send(&mut self, setup: &'a Setup<'a>, gateway: SocketAddr, api: &ApiService) {
        for case in setup.file.cases.iter().filter(|case| case.runs_in(setup.proxy)) {
            let address = address(self.runs.len());
            if let Some(auth) = &case.auth {
                api.orders.set(Scope::Auth, Order::Answer(reply(auth)));
            }
            let response = send(case, address, gateway).await;
            api.orders.clear();
            self.runs.push(Run { setup, case, address, response });
            if let Err(error) = honest(setup.file, gateway).await {
                self.failures.push(format!("{}: after {:?}: {error}", setup.name, case.name));
            }
        }
    }

    /// Whether the access log has a line of each request.
    pub(crate) fn are_all_in(&self, log: &[Value]) -> bool {
        let clients: BTreeSet<_> = log.iter().filter_map(client).collect();
        self.runs.iter().all(|run| clients.contains(&run.address))
    }

    /// Fails with every case that got something else than it says. `received` is what each upstream has received;
    /// `clusters` names them as the access log does.
    pub(crate) fn judge(
        mut self,
        log: Vec<Value>,
        received: impl IntoIterator<Item = (String, Vec<Received>)>,
        cluster: impl Fn(&str) -> String,
    ) {
        let addresses: BTreeSet<_> = self.runs.iter().map(|run| run.address).collect();
        let mut seen: BTreeMap<IpAddr, Seen> = BTreeMap::new();
        for line in log {
            let address = client(&line).unwrap_or_else(|| panic!("a line without an address: {line}"));
            seen.entry(address).or_default().lines.push(line);
        }
        for (upstream, records) in received {
            for received in records {
                let address = sender(&received)
                    .unwrap_or_else(|| panic!("{upstream} does not know whose this is: {received:?}"));
                assert!(
                    address == HONEST || addresses.contains(&address),
                    "{upstream} has seen {received:?} of {address}"
                );
                seen.entry(address).or_default().received.push((upstream.clone(), received));
            }
        }
        for run in &self.runs {
            let seen = seen.remove(&run.address).unwrap_or_default();
            let expected = run.setup.expect(run.case);
            let errors: Vec<_> =
                expected.iter().map_while(|expect| run.judge(&seen, expect, &cluster).err()).collect();
            if errors.len() == expected.len() {
                let error = errors.join("\n    ");
                self.failures.push(format!("{}: {}\n    {error}", run.setup.name, run.case.name));
            }
        }
        let failures = &self.failures;
        assert!(
            failures.is_empty(),
            "{} of {} fail:\n{}",
            failures.len(),
            self.runs.len(),
            failures.join("\n")
        );
    }
}

impl Run<'_> {
    fn judge(&self, seen: &Seen, expect: &Expect, cluster: &impl Fn(&str) -> String) -> Result<(), String> {
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
        // Envoy adds it when `always_set_request_id_in_response` is set, which is no setting of Istio's.
        if self.setup.proxy != Proxy::Istio
            && matches!(expect.verdict, Verdict::Refused { .. } | Verdict::Answered { .. })
        {
            let id = corpus::values(&headers, "x-request-id").concat();
            if line["request_id"].as_str().map(str::as_bytes) != Some(&id) {
                return Err(format!("the answer does not have the request id of {line}"));
            }
        }
        let details = line["details"].as_str().unwrap_or_default().to_owned();
        let outcome = match forwarded.pop() {
            Some((upstream, received)) if forwarded.is_empty() => {
                self.forwarded(upstream.clone(), received.clone(), line, cluster)?
            }
            Some(last) => return Err(format!("forwarded more than once: {forwarded:?} and {last:?}")),
            None => Outcome::Answer { status, details, headers, body },
        };
        judge(self.case, expect, &outcome, &self.setup.file.config)
    }

    fn forwarded(
        &self,
        upstream: String,
        received: Received,
        line: &Value,
        cluster: &impl Fn(&str) -> String,
    ) -> Result<Outcome, String> {
        let mut headers = text_names(&received.headers);
        let upstream = (upstream != ANOTHER_APPLICATION).then_some(upstream);
        if let Some(upstream) = &upstream {
            // Envoy's route says who the client is; what the client says of it is not in the way of it.
            let told = corpus::values(&headers, "x-real-ip");
            if told != [self.address.to_string().into_bytes()] {
                return Err(format!("x-real-ip is there {} times, or wrong", told.len()));
            }
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-real-ip"));
            if line["upstream"] != cluster(upstream) {
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
async fn honest(file: &File, gateway: SocketAddr) -> Result<(), String> {
    let host = file.config["hosts"][0].as_str().unwrap_or("gateway.test");
    let request =
        Request::get("/configuration-service/v1/project").header("host", host).header("x-token", "good");
    let response = async { Raw::connect_from(HONEST, gateway).await?.send(&request).await };
    match response.await {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(format!("an honest request gets {response:?}")),
        Err(error) => Err(format!("an honest request gets no answer: {error}")),
    }
}
