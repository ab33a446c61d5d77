//! What a case says that its request gets.

use serde::Deserialize;

use super::{Lines, bytes, parse_line};

/// What a request gets: in a file, a table with exactly one of the keys that name a [`Verdict`], and with keys that
/// belong to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub(crate) struct Expect {
    pub(crate) verdict: Verdict,
    /// `asked = false`: whether the auth endpoint is asked. By default it is, unless the verdict needs no token or
    /// comes before it.
    pub(crate) asked: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Verdict {
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
        /// Names of lines that the answer does not have.
        lacks: Vec<String>,
        /// The upstream has seen the head and a part of the body.
        cut: bool,
    },
    /// `answered = 200`: the gateway's own "the token is good"; `answered = 204`: its answer to a browser's preflight.
    Answered {
        status: u16,
        /// Lines of the answer: of each name named here exactly these.
        lines: Lines,
        /// Names of lines that the answer does not have.
        lacks: Vec<String>,
    },
    /// `foreign = true`: left as it is.
    Foreign {
        /// The path, when the target is more than that.
        path: Option<Vec<u8>>,
        /// The host, when it is in the target.
        host: Option<Vec<u8>>,
        /// Names of lines that were sent and do not come: where the filter takes the host for ours and the routes do not.
        lacks: Vec<String>,
    },
    /// `by_envoy = 400`: Envoy's own answer, before or instead of the filter's; 0 when it closes without one.
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
    asked: Option<bool>,
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

    fn try_from(mut raw: Raw) -> Result<Self, String> {
        let verdict = take_verdict(&mut raw)?;
        let by_default = match &verdict {
            Verdict::Forwarded { .. } => true,
            Verdict::Answered { status, .. } => *status == 200,
            // Before the token only the request's form is judged, hence these statuses; and preflights are.
            Verdict::Refused { status, reason, cut, .. } => match reason.as_str() {
                "wrong_token" => true,
                "origin_not_allowed" => false,
                _ => *cut || !matches!(status, 400 | 401 | 413),
            },
            Verdict::Foreign { .. } | Verdict::ByEnvoy { .. } => false,
        };
        let asked = raw.asked.take().unwrap_or(by_default);
        match raw {
            Raw {
                asked: None,
                forwarded: None,
                path: None,
                gets: None,
                lacks: None,
                refused: None,
                message: None,
                lines: None,
                cut: None,
                answered: None,
                foreign: None,
                host: None,
                by_envoy: None,
                details: None,
            } => Ok(Self { verdict, asked }),
            _ => Err(format!("a key does not belong to {verdict:?}")),
        }
    }
}

/// The verdict, and its keys out of `raw`.
fn take_verdict(raw: &mut Raw) -> Result<Verdict, String> {
    let read = |lines: Option<Vec<String>>| lines.iter().flatten().map(|line| parse_line(line)).collect();
    let text = |text: Option<String>| text.map(|text| bytes(&text));
    if let Some(upstream) = raw.forwarded.take() {
        let (path, gets) = (text(raw.path.take()), read(raw.gets.take()));
        return Ok(Verdict::Forwarded { upstream, path, gets, lacks: raw.lacks.take().unwrap_or_default() });
    }
    if let Some(refused) = raw.refused.take() {
        let (status, reason) = refused.split_once(' ').ok_or("refused wants status and reason")?;
        return Ok(Verdict::Refused {
            status: status.parse().map_err(|_| format!("{status:?} is no status"))?,
            reason: reason.to_owned(),
            message: raw.message.take(),
            lines: read(raw.lines.take()),
            lacks: raw.lacks.take().unwrap_or_default(),
            cut: raw.cut.take().unwrap_or_default(),
        });
    }
    if let Some(status) = raw.answered.take_if(|status| matches!(status, 200 | 204)) {
        let (lines, lacks) = (read(raw.lines.take()), raw.lacks.take().unwrap_or_default());
        return Ok(Verdict::Answered { status, lines, lacks });
    }
    if raw.foreign.take_if(|foreign| *foreign).is_some() {
        let lacks = raw.lacks.take().unwrap_or_default();
        return Ok(Verdict::Foreign { path: text(raw.path.take()), host: text(raw.host.take()), lacks });
    }
    if let Some(status) = raw.by_envoy.take() {
        let details = raw.details.take().ok_or("by_envoy wants details")?;
        return Ok(Verdict::ByEnvoy { status, details, lines: read(raw.lines.take()) });
    }
    Err("expected forwarded, refused, answered = 200 or 204, foreign = true, or by_envoy".to_owned())
}
