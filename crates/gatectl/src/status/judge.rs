//! What the answers mean.

use super::endpoint::Endpoint;
use super::exchange::Answer;
use crate::findings::Findings;
use crate::secret::Secret;

/// What an answer is, to somebody who asked Keptn's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Yes,
    /// 401 or 403.
    Refused,
    /// 429.
    Busy,
    /// 5xx.
    Unavailable,
    Redirect,
    /// Not what Keptn's API would say.
    Other,
}

impl Kind {
    fn of(answer: &Answer) -> Self {
        match answer.status {
            200..=299 => Self::Yes,
            300..=399 => Self::Redirect,
            401 | 403 => Self::Refused,
            429 => Self::Busy,
            500..=599 => Self::Unavailable,
            _ => Self::Other,
        }
    }
}

const LETS_IN: &str =
    "close it to the world now, then see why: gatectl verify reads what Envoy says of itself";

/// `POST /v1/auth` without a token.
pub(super) fn gateway(answer: &Answer, endpoint: &Endpoint, host: &str, findings: &mut Findings) -> Kind {
    const CHECK: &str = "gateway";
    let kind = Kind::of(answer);
    match kind {
        Kind::Refused if answer.is_ours => {
            findings.good(CHECK, "keptn-gateway: it asks for a token");
        }
        Kind::Refused if answer.message.is_some() => {
            let server = answer.server.as_ref().map(|server| format!(", {server}")).unwrap_or_default();
            findings.note(
                CHECK,
                format!(
                    "Keptn's API, but not keptn-gateway: Keptn's nginx, or api-service itself ({}{server})",
                    said(answer)
                ),
            );
        }
        Kind::Refused => {
            findings.problem(
                CHECK,
                format!("not Keptn's API: {}", said(answer)),
                "look whether something before the gateway wants a login",
            );
            return Kind::Other;
        }
        Kind::Yes => findings.problem(
            CHECK,
            format!("THE GATEWAY LETS STRANGERS IN: POST /v1/auth without a token: {}", said(answer)),
            LETS_IN,
        ),
        Kind::Redirect => {
            let to = answer.location.as_deref().unwrap_or("nowhere");
            let help = if !endpoint.is_https && to.starts_with("https://") {
                "give the endpoint with https"
            } else {
                "give as --endpoint where it leads, if that is the gateway"
            };
            findings.problem(CHECK, format!("it redirects to {to} ({})", answer.status), help);
        }
        Kind::Busy | Kind::Unavailable => findings.problem(
            CHECK,
            format!("not known: {}", said(answer)),
            "it is neither keptn-gateway nor api-service that says so to strangers, but what stands before them: look \
             whether they run, and what its log says",
        ),
        Kind::Other => {
            let help = if endpoint.path.is_empty() {
                format!(
                    "look whether the gateway serves the host {host} (--host sends another); Keptn 1.x has its API below /api"
                )
            } else {
                format!("leave {} out of the endpoint, if the gateway is for Keptn 0.6", endpoint.path)
            };
            findings.problem(CHECK, format!("not Keptn's API: {}", said(answer)), help);
        }
    }
    kind
}

/// Something that the gateway alone guards, without a token.
pub(super) fn strangers(answer: &Answer, findings: &mut Findings) -> Kind {
    const CHECK: &str = "strangers";
    const ASKED: &str = "GET /configuration-service/v1/project without a token";
    let kind = Kind::of(answer);
    match kind {
        Kind::Refused => findings.good(CHECK, format!("kept out: {ASKED}: {}", answer.status)),
        Kind::Yes => findings.problem(
            CHECK,
            format!("THE GATEWAY LETS STRANGERS IN: {ASKED}: {}", said(answer)),
            LETS_IN,
        ),
        Kind::Busy | Kind::Unavailable => findings.problem(
            CHECK,
            format!("not known: {ASKED}: {}", said(answer)),
            "look whether the gateway and configuration-service run: kubectl get pods -n keptn",
        ),
        Kind::Redirect | Kind::Other => findings.note(
            CHECK,
            format!("not known: {ASKED}: {}; there is no configuration-service here", said(answer)),
        ),
    }
    kind
}

/// `POST /v1/auth` with the token. `is_local`: the gateway itself takes it elsewhere.
pub(super) fn token(answer: &Answer, token: &Secret, is_local: bool, findings: &mut Findings) {
    const CHECK: &str = "token";
    let kind = Kind::of(answer);
    match kind {
        Kind::Yes => findings.good(CHECK, format!("right: {}", said(answer))),
        Kind::Refused if is_local => findings.note(
            CHECK,
            "right for configuration-service, and not for api-service: it is one of the gateway's own (`tokens`), \
             without `api`",
        ),
        Kind::Refused if answer.status == 403 => findings.problem(
            CHECK,
            format!("refused: {}", said(answer)),
            "api-service knows it, and will not have it: ask who gave it to you",
        ),
        Kind::Refused => {
            let keptns = "Keptn's own: kubectl get secret -n keptn keptn-api-token -o jsonpath='{.data.keptn-api-token}' | \
                          base64 --decode";
            let help = token.seems().unwrap_or(keptns);
            findings.problem(CHECK, format!("wrong: {}", said(answer)), help);
        }
        Kind::Busy | Kind::Unavailable => unavailable(kind, answer, findings),
        Kind::Redirect | Kind::Other => {
            findings.problem(CHECK, format!("not known: {}", said(answer)), "look what stands between here and the gateway");
        }
    }
}

fn unavailable(kind: Kind, answer: &Answer, findings: &mut Findings) {
    const CHECK: &str = "token";
    let again = match answer.retry_after.as_deref() {
        Some("1") => "try again in a second".to_owned(),
        Some(seconds) => format!("try again in {seconds} seconds"),
        None => "try again later".to_owned(),
    };
    if kind == Kind::Busy {
        let help = format!(
            "{again}; wrong tokens from this address, or from others behind the same, use up what it may ask"
        );
        findings.problem(CHECK, format!("nothing is known, it is asked too much: {}", said(answer)), help);
    } else {
        let help = format!(
            "{again}; if it goes on, look at api-service: kubectl get pods -n keptn -l run=api-service"
        );
        findings.problem(
            CHECK,
            format!("nothing is known, the token cannot be checked: {}", said(answer)),
            help,
        );
    }
}

/// The status, and what comes with it.
fn said(answer: &Answer) -> String {
    let status = answer.status;
    match (&answer.message, answer.kind.as_deref()) {
        (Some(message), _) if !message.is_empty() => format!("{status}, \"{message}\""),
        (_, Some("text/html")) => format!("{status}, a page of HTML"),
        _ => status.to_string(),
    }
}
