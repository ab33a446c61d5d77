//! One visit to a gateway, step by step. What a step finds decides whether there is a next.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::SystemTime;

use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::connection::{self, Handshake, Stream, Tls, timed};
use super::endpoint::{Endpoint, bracketed};
use super::exchange::{Answer, Ask, exchange};
use super::judge::{self, Kind};
use super::progress::telling;
use super::trust::{Roots, Wrong};
use crate::cert::Certificate;
use crate::findings::{Findings, Level, few};
use crate::secret::Secret;

/// How early the end of a certificate is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Which clients ask for to see whether a token is right.
const AUTH: &str = "/v1/auth";

/// What the gateway alone guards: configuration-service itself asks for no token.
const GUARDED: &str = "/configuration-service/v1/project?pageSize=1";

/// What the arguments say about the way.
#[derive(Debug)]
pub(super) struct How {
    pub(super) host: Option<String>,
    pub(super) connect_to: Option<(String, Option<u16>)>,
    pub(super) is_insecure: bool,
    pub(super) plain_http: bool,
    pub(super) limit: Duration,
}

#[derive(Debug)]
pub(super) struct Visit {
    endpoint: Endpoint,
    how: How,
    roots: Option<Roots>,
    token: Secret,
    now: SystemTime,
    findings: Findings,
    certificate: Value,
}

/// A way that works.
struct Way {
    address: SocketAddr,
    tls: Option<Tls>,
}

impl Visit {
    pub(super) fn new(endpoint: Endpoint, how: How, roots: Roots, token: Secret, now: SystemTime) -> Self {
        let findings = Findings::default();
        Self { endpoint, how, roots: Some(roots), token, now, findings, certificate: Value::Null }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// For `--json`.
    pub(super) fn certificate(&self) -> &Value {
        &self.certificate
    }

    /// Goes there.
    ///
    /// # Errors
    ///
    /// Why this machine cannot even begin.
    pub(super) fn make(mut self) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let done = runtime.block_on(self.go());
        // DNS may be asked still.
        runtime.shutdown_background();
        done.map(|()| self)
    }

    async fn go(&mut self) -> Result<(), String> {
        if self.endpoint.is_assumed {
            self.findings.note("endpoint", format!("https is assumed: {}", self.endpoint));
        }
        if !self.endpoint.path.is_empty() {
            let path = &self.endpoint.path;
            self.findings.note(
                "endpoint",
                format!("it has a path, and requests go to {path}{AUTH}: Keptn 1.x has its API below /api, Keptn 0.6 has no such path"),
            );
        }
        let Some(stream) = self.connect().await else { return Ok(()) };
        let address = stream.peer_addr().map_err(|error| error.to_string())?;
        let (stream, way): (Box<dyn Stream>, _) = if self.endpoint.is_https {
            let Some(roots) = self.roots.take() else { return Ok(()) };
            let tls = Tls::new(&self.endpoint, roots, self.how.is_insecure, self.now)?;
            let ((stream, handshake), took) =
                timed(telling("waiting for TLS", tls.handshake(stream, self.how.limit))).await;
            self.tell_certificate(&handshake, took);
            let Some(stream) = stream else {
                self.findings.note("token", "not sent");
                return Ok(());
            };
            (stream, Way { address, tls: Some(tls) })
        } else {
            (Box::new(stream), Way { address, tls: None })
        };
        self.ask_all(stream, &way).await;
        Ok(())
    }

    /// Tries all addresses, one after the other.
    async fn connect(&mut self) -> Option<TcpStream> {
        let (host, port) = match &self.how.connect_to {
            Some((host, port)) => (host.clone(), port.unwrap_or(self.endpoint.port)),
            None => (self.endpoint.host.clone(), self.endpoint.port),
        };
        let limit = self.how.limit;
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let (found, took) =
                    timed(telling("waiting for DNS", connection::lookup(&host, port, limit))).await;
                match found {
                    Ok(found) => {
                        let shown: Vec<_> = found.iter().map(|address| address.ip().to_string()).collect();
                        let shown = few(shown.iter().map(String::as_str));
                        self.findings.good("address", format!("{host} is {shown}"));
                        self.findings.took(took);
                        found
                    }
                    Err((message, help)) => {
                        self.findings.problem("address", message, help);
                        return None;
                    }
                }
            }
        };
        let mut failed: Vec<Wrong> = Vec::new();
        for address in addresses {
            let what = format!("waiting for {address}");
            let (connected, took) = timed(telling(&what, connection::connect(address, limit))).await;
            match connected {
                Ok(stream) => {
                    // Clients go on as well, and wait as long.
                    for (message, _) in failed {
                        self.findings.note("connect", message);
                    }
                    self.findings.good("connect", format!("{address} listens"));
                    self.findings.took(took);
                    return Some(stream);
                }
                Err(wrong) => failed.push(wrong),
            }
        }
        for (message, help) in failed {
            self.findings.problem("connect", message, help);
        }
        None
    }

    fn tell_certificate(&mut self, handshake: &Handshake, took: Duration) {
        const CHECK: &str = "certificate";
        if let Some((message, help)) = &handshake.failed {
            self.findings.problem(CHECK, message, help);
        }
        let Some(shown) = &handshake.shown else { return };
        let level = if self.how.is_insecure { Level::Note } else { Level::Problem };
        for (message, help) in &shown.wrong {
            let ignored = if self.how.is_insecure { " (--insecure)" } else { "" };
            self.findings.add(
                level,
                CHECK,
                format!("{message}{ignored}"),
                (!self.how.is_insecure).then(|| help.clone()),
            );
        }
        let Some(leaf) = shown.chain.first().and_then(Certificate::parse) else { return };
        let names = leaf.names();
        let issuer = if leaf.issued(&leaf) { "itself".to_owned() } else { leaf.issuer() };
        self.certificate = json!({
            "trusted": shown.wrong.is_empty(),
            "names": names,
            "issuer": issuer,
            "not_before": leaf.not_before().to_string(),
            "not_after": leaf.not_after().to_string(),
            "tls": handshake.version,
        });
        let (until, left) = (leaf.not_after(), leaf.left(self.now));
        if shown.wrong.is_empty() {
            let names = few(names.iter().map(String::as_str));
            let version = handshake.version.unwrap_or("TLS");
            self.findings.good(
                CHECK,
                format!(
                    "good until {until} ({left}); it covers {names}, and is issued by {issuer}; {version}"
                ),
            );
            self.findings.took(took);
            if self.now.checked_add(SOON).is_some_and(|soon| leaf.has_ended(soon)) {
                self.findings.note(CHECK, format!("{left}: renew it in time"));
            }
        }
    }

    /// Three requests: who is there, are strangers kept out, is the token right.
    async fn ask_all(&mut self, stream: Box<dyn Stream>, way: &Way) {
        let host = self.how.host.clone().unwrap_or_else(|| self.endpoint.authority());
        let kind = match self.ask(Some(stream), way, Method::POST, AUTH, &host, false).await {
            Ok((answer, took)) => {
                let kind = judge::gateway(&answer, &self.endpoint, &host, &mut self.findings);
                self.findings.took(took);
                kind
            }
            Err((message, help)) => {
                self.findings.problem("gateway", message, help);
                Kind::Other
            }
        };
        if !kind.is_api() {
            return self.findings.note("token", "not sent: it goes to Keptn's API alone");
        }
        let are_kept_out = match self.ask(None, way, Method::GET, GUARDED, &host, false).await {
            Ok((answer, took)) => {
                let kind = judge::strangers(&answer, &mut self.findings);
                self.findings.took(took);
                kind == Kind::Refused
            }
            Err((message, help)) => {
                self.findings.problem("strangers", message, help);
                false
            }
        };
        if way.tls.is_none() && !way.address.ip().is_loopback() {
            if !self.how.plain_http {
                let help =
                    "give an endpoint with https; where the network is to be trusted, --plain-http sends it";
                let message = "not sent: over plain http anybody on the way could read it";
                return self.findings.problem("token", message, help);
            }
            self.findings
                .note("token", "sent over plain http: anybody on the way can read it (--plain-http)");
        }
        match self.ask(None, way, Method::POST, AUTH, &host, true).await {
            Ok((answer, took)) => {
                let is_local = answer.status == 401
                    && are_kept_out
                    && matches!(
                        self.ask(None, way, Method::GET, GUARDED, &host, true).await,
                        Ok((Answer { status: 200..=299, .. }, _))
                    );
                judge::token(&answer, &self.token, is_local, &mut self.findings);
                self.findings.took(took);
            }
            Err((message, help)) => self.findings.problem("token", message, help),
        }
    }

    /// Asks over a connection of its own, if there is none yet.
    async fn ask(
        &self,
        stream: Option<Box<dyn Stream>>,
        way: &Way,
        method: Method,
        path: &str,
        host: &str,
        with_token: bool,
    ) -> Result<(Answer, Duration), Wrong> {
        let limit = self.how.limit;
        let stream = match stream {
            Some(stream) => stream,
            None => {
                let stream = connection::connect(way.address, limit).await?;
                match &way.tls {
                    None => Box::new(stream),
                    Some(tls) => {
                        let (stream, handshake) = tls.handshake(stream, limit).await;
                        // Another one may answer behind the same address.
                        let wrong = || handshake.shown.and_then(|shown| shown.wrong.into_iter().next());
                        stream.ok_or_else(|| handshake.failed.or_else(wrong).unwrap_or_default())?
                    }
                }
            }
        };
        let path = format!("{}{path}", self.endpoint.path);
        let ask = Ask { method, path: &path, host, token: with_token.then_some(&self.token) };
        let what = format!("waiting for an answer from {}", bracketed(&self.endpoint.host));
        let (answer, took) = timed(telling(&what, exchange(stream, &ask, limit))).await;
        Ok((answer?, took))
    }
}
