//! What is asked of a gateway that is reached: who is there, are strangers kept out, is the token right.

use core::time::Duration;

use hyper::Method;

use super::connection::{self, Stream, timed};
use super::endpoint::bracketed;
use super::exchange::{Answer, Ask, exchange};
use super::judge::{self, Kind};
use super::progress::telling;
use super::trust::Wrong;
use super::visit::{Visit, Way};

/// Which clients ask for to see whether a token is right.
pub(super) const AUTH: &str = "/v1/auth";

/// What the gateway alone guards: configuration-service itself asks for no token.
const GUARDED: &str = "/configuration-service/v1/project?pageSize=1";

impl Visit {
    /// Asks, and goes on as long as it is Keptn's API that answers.
    pub(super) async fn ask_all(&mut self, stream: Box<dyn Stream>, way: &Way) {
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
        if !matches!(kind, Kind::Refused | Kind::Yes) {
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
        if kind == Kind::Yes {
            return self.findings.note("token", "not sent: it says yes to those who have none");
        }
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
