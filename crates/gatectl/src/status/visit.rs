//! One visit to a gateway, step by step. What a step finds decides whether there is a next.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::bounded::Bounded;
use super::connection::{self, Handshake, Stream, Tls, timed};
use super::endpoint::Endpoint;
use super::progress::telling;
use super::questions::AUTH;
use super::trust::{Roots, Wrong};
use crate::cert::Certificate;
use crate::findings::{Findings, Level, few};
use crate::secret::Secret;

/// How early the end of a certificate is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

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
    pub(super) endpoint: Endpoint,
    pub(super) how: How,
    roots: Option<Roots>,
    pub(super) token: Secret,
    now: SystemTime,
    pub(super) findings: Findings,
    certificate: Value,
}

/// A way that works.
pub(super) struct Way {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Tls>,
}

impl Visit {
    pub(super) fn new(endpoint: Endpoint, how: How, roots: Roots, token: Secret, now: SystemTime) -> Self {
        let findings = Findings::default();
        Self { endpoint, how, roots: Some(roots), token, now, findings, certificate: Value::Null }
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
                self.findings.note("token", "not sent: there is no connection to trust");
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
    async fn connect(&mut self) -> Option<Bounded> {
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
            self.findings.problem("connect", message, help);
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
}
