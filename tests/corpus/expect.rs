//! What a case says that its request gets.

use serde::Deserialize;

use super::{Lines, bytes, parse_line};

/// What a request gets. In a file it is a table with exactly one of the keys `forwarded`, `refused`, `answered`,
/// `foreign` and `by_envoy`, and those that belong to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub(crate) enum Expect {
    /// `forwarded = "api-service"`: it is sent there.
    Forwarded {
        upstream: String,
        /// The path and query that the upstream sees; by default the request's target.
        path: Option<Vec<u8>>,
        /// Lines that the upstream sees: of each name named here exactly these.
        gets: Lines,
        /// Names of lines that it does not see.
        lacks: Vec<String>,
    },
    /// `refused = "401 no_token"`: status and reason of the gateway's denial.
    Refused {
        status: u16,
        reason: String,
        message: Option<String>,
        /// Lines of the answer: of each name named here exactly these.
        lines: Lines,
        /// The upstream has seen the head and a part of the body.
        cut: bool,
    },
    /// `answered = 200`: the gateway's own "the token is good".
    Answered,
    /// `foreign = true`: left as it is.
    Foreign {
        /// The path, when the target is more than that.
        path: Option<Vec<u8>>,
        /// The host, when it is in the target.
        host: Option<Vec<u8>>,
    },
    /// `by_envoy = 400`: Envoy's own answer, before or instead of the filter's.
    ByEnvoy {
        status: u16,
        /// Its response-code details.
        details: String,
        lines: Lines,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    forwarded: Option<String>,
    path: Option<String>,
    gets: Option<Vec<String>>,
    lacks: Option<Vec<String>>,
    refused: Option<String>,
    message: Option<String>,
    lines: Option<Vec<String>>,
    cut: Option<bool>,
    answered: Option<u16>,
    foreign: Option<bool>,
    host: Option<String>,
    by_envoy: Option<u16>,
    details: Option<String>,
}

impl TryFrom<Raw> for Expect {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let Raw {
            forwarded,
            path,
            gets,
            lacks,
            refused,
            message,
            lines,
            cut,
            answered,
            foreign,
            host,
            by_envoy,
            details,
        } = raw;
        let read = |lines: Option<Vec<String>>| {
            lines.unwrap_or_default().iter().map(|line| parse_line(line)).collect()
        };
        let (path, host) = (path.map(|path| bytes(&path)), host.map(|host| bytes(&host)));
        let of_both = path.is_some();
        let of_forwarded = gets.is_some() || lacks.is_some();
        if host.is_some() && foreign.is_none() {
            return Err("host belongs to foreign".to_owned());
        }
        let of_refused = message.is_some() || cut.is_some();
        match (forwarded, refused, answered, foreign, by_envoy, details) {
            (Some(upstream), None, None, None, None, None) if !of_refused && lines.is_none() => Ok(Self::Forwarded {
                upstream,
                path,
                gets: read(gets),
                lacks: lacks.unwrap_or_default(),
            }),
            (None, Some(refused), None, None, None, None) if !of_forwarded && !of_both => {
                let (status, reason) = refused.split_once(' ').ok_or("refused wants status and reason")?;
                let status = status.parse().map_err(|_| format!("{status:?} is no status"))?;
                let cut = cut.unwrap_or_default();
                Ok(Self::Refused { status, reason: reason.to_owned(), message, lines: read(lines), cut })
            }
            (None, None, Some(200), None, None, None) if !of_forwarded && !of_both && !of_refused && lines.is_none() => {
                Ok(Self::Answered)
            }
            (None, None, None, Some(true), None, None) if !of_forwarded && !of_refused && lines.is_none() => {
                Ok(Self::Foreign { path, host })
            }
            (None, None, None, None, Some(status), Some(details)) if !of_forwarded && !of_both && !of_refused => {
                Ok(Self::ByEnvoy { status, details, lines: read(lines) })
            }
            _ => Err("expected exactly one of forwarded, refused, answered = 200, foreign = true, and by_envoy with \
                      details; and only keys that belong to it"
                .to_owned()),
        }
    }
}

impl Expect {
    /// Whether a request that gets this has cost a check, unless its case says otherwise.
    pub(crate) fn is_after_a_check(&self) -> bool {
        match self {
            Self::Forwarded { .. } | Self::Answered => true,
            // Before the token there is only the form of the request, so these four statuses.
            Self::Refused { status, reason, cut, .. } => {
                reason == "wrong_token" || *cut || !matches!(status, 400 | 401 | 413)
            }
            Self::Foreign { .. } | Self::ByEnvoy { .. } => false,
        }
    }
}
