//! What an engine saw, and whether it is what the case says.

use super::{Case, Expect, Lines, Verdict, values};

/// What became of a request.
pub(crate) enum Outcome {
    /// An upstream got it.
    Forwarded {
        /// Nothing when it was left as it is.
        upstream: Option<String>,
        method: Vec<u8>,
        path: Vec<u8>,
        headers: Lines,
    },
    /// It was answered in front of all upstreams.
    Answer {
        status: u16,
        /// Response-code details.
        details: String,
        headers: Lines,
        body: Vec<u8>,
    },
}

/// Whether `outcome` is what `case` says with `expect`; `config` says which upstreams see the token.
pub(crate) fn judge(
    case: &Case,
    expect: &Expect,
    outcome: &Outcome,
    config: &serde_json::Value,
) -> Result<(), String> {
    let differ = || Err(format!("expected {:?}, got {}", expect.verdict, shown(outcome)));
    match (&expect.verdict, outcome) {
        (
            Verdict::Forwarded { upstream, path, gets, lacks },
            Outcome::Forwarded { upstream: Some(actual), method, path: actual_path, headers },
        ) => {
            if actual != upstream {
                return differ();
            }
            let wanted = path.clone().unwrap_or_else(|| case.target());
            same("path", &wanted, actual_path)?;
            // Over HTTP/2 a WebSocket is asked for with CONNECT, and forwarded as HTTP/1's GET.
            let wanted = if case.protocol.is_some() { b"GET".to_vec() } else { case.method() };
            same("method", &wanted, method)?;
            let tokens = if keeps_token(upstream, config) { case.sent("x-token") } else { Vec::new() };
            same_values("x-token", &tokens, headers)?;
            check_lines(gets, lacks, headers)
        }
        (
            Verdict::Foreign { path: wanted, host, lacks },
            Outcome::Forwarded { upstream: None, method, path, headers },
        ) => {
            same("path", &wanted.clone().unwrap_or_else(|| case.target()), path)?;
            same("method", &case.method(), method)?;
            check_lines(&Lines::new(), lacks, headers)?;
            case.lines().iter().filter(|(name, _)| !lacks.contains(name)).try_for_each(|(name, _)| {
                let sent = if name == "host" {
                    vec![host.clone().unwrap_or_else(|| case.sent(name).join(&b","[..]))]
                } else {
                    case.sent(name)
                };
                same_values(name, &sent, headers)
            })
        }
        (
            Verdict::Refused { status, reason, message, lines, lacks, .. },
            Outcome::Answer { status: actual, details, headers, body },
        ) => {
            if (actual, details.as_str()) != (status, &format!("keptn_gateway.{reason}")) {
                return differ();
            }
            check_denial(case, *status, headers, body)?;
            check_lines(lines, lacks, headers)?;
            match message {
                Some(message) => {
                    same("body", format!(r#"{{"code":{status},"message":"{message}"}}"#).as_bytes(), body)
                }
                None => Ok(()),
            }
        }
        (
            Verdict::Answered { status, lines, lacks },
            Outcome::Answer { status: actual, details, headers, body },
        ) => {
            let token_good = *status == 200;
            let reason = if token_good { "keptn_gateway.token_good" } else { "keptn_gateway.preflight" };
            if (actual, details.as_str()) != (status, reason) {
                return differ();
            }
            same("body", b"", body)?;
            let stored: &[_] = if token_good { &[b"no-store".to_vec()] } else { &[] };
            same_values("cache-control", stored, headers)?;
            check_lines(lines, lacks, headers)
        }
        (
            Verdict::ByEnvoy { status, details, lines },
            Outcome::Answer { status: actual, details: actual_details, headers, .. },
        ) => {
            if (actual, actual_details) != (status, details) {
                return differ();
            }
            check_lines(lines, &[], headers)
        }
        _ => differ(),
    }
}

/// The form of every denial: JSON with code and message, and what HTTP asks for.
fn check_denial(case: &Case, status: u16, headers: &Lines, body: &[u8]) -> Result<(), String> {
    same_values("content-type", &[b"application/json".to_vec()], headers)?;
    same_values("cache-control", &[b"no-store".to_vec()], headers)?;
    for (name, wanted) in [
        ("www-authenticate", status == 401),
        ("allow", status == 405),
        ("retry-after", matches!(status, 429 | 503)),
    ] {
        if values(headers, name).len() != usize::from(wanted) {
            return Err(format!("{name} is there {} times in a {status}", values(headers, name).len()));
        }
    }
    if case.method() == b"HEAD" {
        return same("body", b"", body);
    }
    let json: serde_json::Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    if json["code"] != status || json["message"].as_str().is_none_or(str::is_empty) {
        return Err(format!("the body is {json}"));
    }
    Ok(())
}

/// What the upstream is to see of the token: the profile's two, and those of the configuration.
fn keeps_token(upstream: &str, config: &serde_json::Value) -> bool {
    let own = config["upstreams"].as_array().into_iter().flatten().find(|own| own["name"] == upstream);
    own.map_or(upstream == "api-service", |own| own["token"] == "keep")
}

fn check_lines(wanted: &Lines, unwanted: &[String], actual: &Lines) -> Result<(), String> {
    wanted.iter().try_for_each(|(name, _)| same_values(name, &values(wanted, name), actual))?;
    match unwanted.iter().find(|name| !values(actual, name).is_empty()) {
        Some(name) => Err(format!("{name} is there")),
        None => Ok(()),
    }
}

fn same_values(name: &str, wanted: &[Vec<u8>], actual: &Lines) -> Result<(), String> {
    // Spaces around a value do not belong to it; HTTP/1 loses them, HTTP/2 does not.
    let trim =
        |values: &[Vec<u8>]| values.iter().map(|value| value.trim_ascii().to_vec()).collect::<Vec<_>>();
    let (wanted, actual) = (trim(wanted), trim(&values(actual, name)));
    if actual == wanted {
        return Ok(());
    }
    // Values of the corpus are no secrets.
    let shown = |values: &[Vec<u8>]| values.iter().map(|v| v.escape_ascii().to_string()).collect::<Vec<_>>();
    Err(format!("{name}: expected {:?}, got {:?}", shown(&wanted), shown(&actual)))
}

fn same(what: &str, wanted: &[u8], actual: &[u8]) -> Result<(), String> {
    if actual == wanted {
        return Ok(());
    }
    Err(format!(
        "{what}: expected {:?}, got {:?}",
        wanted.escape_ascii().to_string(),
        actual.escape_ascii().to_string()
    ))
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Forwarded { upstream, method, path, .. } => {
            format!("{} {} forwarded to {upstream:?}", method.escape_ascii(), path.escape_ascii())
        }
        Outcome::Answer { status, details, body, .. } => {
            format!("{status} {details} {}", body.escape_ascii())
        }
    }
}
