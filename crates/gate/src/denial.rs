//! Every way to refuse a request, in one table.

use crate::path::PathProblem;
use crate::request::{Method, Methods};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// The method is none of the seven that pass.
    BadMethod,
    /// `content-length` is repeated or not a number.
    BadLength,
    /// The path is not one that is judged: see the problem.
    BadPath(PathProblem),
    /// An upgrade that the route does not offer.
    UpgradeRefused,
    /// A WebSocket without `Keptn-Ws-Channel-Id` where the configuration demands one.
    NoChannelId,
    /// No `x-token`, or an empty one.
    NoToken,
    /// More than one `x-token`.
    ManyTokens,
    /// An `x-token` that is too long or not visible ASCII.
    MalformedToken,
    /// api-service does not know the token.
    WrongToken,
    /// The WebSocket's `Token` is missing, repeated or not a JWT.
    BadChannelToken,
    /// api-service knows the token and refuses it.
    Forbidden,
    /// An operation marked INTERNAL, with `internal: deny`.
    InternalOperation,
    /// No route leads anywhere.
    UnknownPath,
    /// The route does not offer this method.
    MethodNotAllowed {
        /// What it offers.
        allow: Methods,
    },
    /// The body is longer than the limit.
    BodyTooLarge,
    /// A browser's preflight from an origin that the configuration does not name.
    OriginNotAllowed,
    /// This client's address has had too many wrong tokens checked lately.
    Throttled {
        /// When to come back, in seconds.
        retry_after: u8,
    },
    /// The auth service throttles.
    Busy {
        /// When to come back, in seconds.
        retry_after: u8,
    },
    /// The auth service gave no answer that decides anything.
    AuthUnavailable,
    /// The auth service, or Envoy for it, said that it took too long.
    AuthTimeout,
    /// The auth service has given no answer for a while, and this request was not the one to try again.
    FailingFast {
        /// When it is tried again, in seconds.
        retry_after: u8,
    },
    /// The auth service said yes to a token that nobody has: no yes of its is believed.
    CanaryFailed,
    /// The auth service answered what its contract does not know.
    ContractBroken,
    /// Too many checks are under way.
    TooManyFlights,
    /// Too many requests wait for checks.
    TooManyWaiters,
    /// The answer did not come in time.
    DeadlinePassed,
    /// The gateway itself failed. Nothing is forwarded that it could not decide.
    GatewayError,
}

struct Row {
    status: u16,
    /// The word in response-code details, logs and metrics.
    reason: &'static str,
    message: &'static str,
    /// `Retry-After`, in seconds.
    retry_after: Option<u8>,
}

impl Row {
    const fn with_retry(self, seconds: u8) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

const fn row(status: u16, reason: &'static str, message: &'static str) -> Row {
    let retry_after = if status == 503 { Some(1) } else { None };
    Row { status, reason, message, retry_after }
}

impl Denial {
    /// One of each reason, so that all can be shown before they happen.
    pub const ALL: &[Self] = &[
        Self::BadMethod,
        Self::BadLength,
        Self::BadPath(PathProblem::NotAPath),
        Self::BadPath(PathProblem::TooLong),
        Self::BadPath(PathProblem::DotSegment),
        Self::BadPath(PathProblem::Backslash),
        Self::BadPath(PathProblem::Semicolon),
        Self::BadPath(PathProblem::Fragment),
        Self::BadPath(PathProblem::ControlCharacter),
        Self::BadPath(PathProblem::BadEscape),
        Self::BadPath(PathProblem::EncodedSlash),
        Self::BadPath(PathProblem::GitFolder),
        Self::BadPath(PathProblem::Colon),
        Self::UpgradeRefused,
        Self::NoChannelId,
        Self::NoToken,
        Self::ManyTokens,
        Self::MalformedToken,
        Self::WrongToken,
        Self::BadChannelToken,
        Self::Forbidden,
        Self::InternalOperation,
        Self::UnknownPath,
        Self::MethodNotAllowed { allow: Methods::ANY },
        Self::BodyTooLarge,
        Self::OriginNotAllowed,
        Self::Throttled { retry_after: 7 },
        Self::Busy { retry_after: 7 },
        Self::AuthTimeout,
        Self::FailingFast { retry_after: 7 },
        Self::CanaryFailed,
        Self::AuthUnavailable,
        Self::ContractBroken,
        Self::TooManyFlights,
        Self::TooManyWaiters,
        Self::DeadlinePassed,
        Self::GatewayError,
    ];

    /// The table. Messages that api-service has for the same thing are api-service's.
    const fn row(self) -> Row {
        match self {
            Self::BadMethod => row(400, "bad_method", "the request's method is not supported"),
            Self::BadLength => row(400, "bad_length", "content-length must be one number"),
            Self::BadPath(problem) => row(400, problem.reason(), problem.message()),
            Self::UpgradeRefused => row(400, "upgrade_refused", "this upgrade is not offered here"),
            Self::NoChannelId => row(400, "no_channel_id", "Keptn-Ws-Channel-Id is required"),
            Self::NoToken => row(401, "no_token", "unauthenticated for invalid credentials"),
            Self::ManyTokens => row(401, "many_tokens", "exactly one x-token is required"),
            Self::MalformedToken => row(401, "malformed_token", "x-token is not well formed"),
            Self::WrongToken => row(401, "wrong_token", "incorrect api key auth"),
            Self::BadChannelToken => row(401, "bad_channel_token", "Token must be one JSON web token"),
            Self::Forbidden => row(403, "forbidden", "the token may not do this"),
            Self::InternalOperation => row(403, "internal_operation", "this operation is internal"),
            Self::OriginNotAllowed => row(403, "origin_not_allowed", "this origin is not allowed"),
            Self::UnknownPath => row(404, "unknown_path", "the path was not found"),
            Self::MethodNotAllowed { .. } => row(405, "method_not_allowed", ""),
            Self::BodyTooLarge => row(413, "body_too_large", "the request's body is too large"),
            Self::Throttled { retry_after } => {
                row(429, "throttled", "too many tokens from this address").with_retry(retry_after)
            }
            Self::Busy { retry_after } => row(429, "busy", "too many requests").with_retry(retry_after),
            Self::AuthUnavailable => {
                row(503, "auth_unavailable", "the token cannot be checked at the moment")
            }
            Self::AuthTimeout => row(503, "auth_timeout", "the token cannot be checked at the moment"),
            Self::FailingFast { retry_after } => {
                row(503, "failing_fast", "the token cannot be checked at the moment").with_retry(retry_after)
            }
            Self::CanaryFailed => row(503, "canary_failed", "the token cannot be checked at the moment"),
            Self::ContractBroken => {
                row(503, "auth_contract_broken", "the token cannot be checked at the moment")
            }
            Self::TooManyFlights => {
                row(503, "too_many_flights", "too many tokens are being checked at the moment")
            }
            Self::TooManyWaiters => {
                row(503, "too_many_waiters", "too many requests are waiting at the moment")
            }
            Self::DeadlinePassed => row(503, "deadline_passed", "the token could not be checked in time"),
            Self::GatewayError => row(503, "gateway_error", "the gateway could not decide"),
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// The denial's name in response-code details, logs and metrics: one word, never a secret.
    pub const fn reason(self) -> &'static str {
        self.row().reason
    }

    /// Whether the log is to be told of every single one: of the gateway's own failures. Of what strangers can bring
    /// about it is told now and then ([`crate::tally::Notice`]), or they would fill it.
    pub const fn is_our_fault(self) -> bool {
        matches!(self, Self::GatewayError)
    }

    /// What the client gets: JSON as api-service writes it, plus what HTTP asks for.
    pub fn response(self) -> Response {
        let Row { status, reason, message, retry_after } = self.row();
        let mut headers =
            vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
        let mut message = message.to_owned();
        if status == 401 {
            // RFC 9110 section 15.5.2 demands a challenge. There is no registered scheme for API keys.
            headers.push(("www-authenticate", r#"ApiKey realm="keptn""#.to_owned()));
        }
        if let Self::MethodNotAllowed { allow } = self {
            let names: Vec<_> = allow.iter().map(Method::name).collect();
            message = format!("this method is not allowed, but [{}] are", names.join(","));
            headers.push(("allow", names.join(", ")));
        }
        if let Some(seconds) = retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        Response {
            status,
            headers,
            body: format!(r#"{{"code":{status},"message":"{message}"}}"#),
            details: format!("keptn_gateway.{reason}"),
        }
    }
}

/// An answer that the gateway gives itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header lines to send, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; Envoy leaves it away for HEAD.
    pub body: String,
    /// Response-code details, for the access log.
    pub details: String,
}

impl Response {
    /// A preflight's answer.
    pub(crate) fn preflight() -> Self {
        Self {
            status: 204,
            headers: Vec::new(),
            body: String::new(),
            details: "keptn_gateway.preflight".to_owned(),
        }
    }

    /// `/v1/auth`'s good answer: api-service's is 200 with nothing in it.
    pub(crate) fn token_good() -> Self {
        Self {
            status: 200,
            headers: vec![("cache-control", "no-store".to_owned())],
            body: String::new(),
            details: "keptn_gateway.token_good".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_a_word_of_its_own() {
        let mut reasons: Vec<_> = Denial::ALL.iter().map(|denial| denial.reason()).collect();
        assert!(reasons.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), Denial::ALL.len());
    }

    #[test]
    fn bodies_are_api_services_json() {
        for denial in Denial::ALL.iter().copied() {
            let response = denial.response();
            let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
            assert_eq!(body["code"], response.status);
            assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{denial:?}");
        }
    }

    #[test]
    fn http_gets_the_headers_it_asks_for() {
        let has = |denial: Denial, name: &str| {
            let headers = denial.response().headers;
            headers.into_iter().find(|(header, _)| *header == name).map(|(_, value)| value)
        };
        for denial in Denial::ALL.iter().copied() {
            let status = denial.status();
            assert_eq!(has(denial, "www-authenticate").is_some(), status == 401, "{denial:?}");
            assert_eq!(has(denial, "allow").is_some(), status == 405, "{denial:?}");
            assert_eq!(has(denial, "retry-after").is_some(), matches!(status, 429 | 503), "{denial:?}");
            assert_eq!(has(denial, "cache-control").as_deref(), Some("no-store"), "{denial:?}");
        }
        assert_eq!(has(Denial::Busy { retry_after: 7 }, "retry-after").as_deref(), Some("7"));
        assert_eq!(
            has(Denial::MethodNotAllowed { allow: Methods::of(&[Method::Get, Method::Head]) }, "allow")
                .as_deref(),
            Some("GET, HEAD")
        );
    }
}
