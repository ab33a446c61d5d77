//! The contract of the check: what the auth endpoint is asked, and what it is not told.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::rc::Rc;

use super::flights::FlightId;
use crate::request::{Field, Request, Trace};

/// Where checks are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Envoy's name of the auth service's cluster.
    pub cluster: Rc<str>,
    /// The `:authority` of a check.
    pub authority: Rc<str>,
    /// How long Envoy waits for an answer.
    pub timeout: Duration,
}

/// One question to the auth endpoint, ready to be sent. `Debug` shows no header.
#[derive(Clone)]
pub struct Check {
    /// The flight whose question it is.
    pub flight: FlightId,
    /// Where it goes.
    pub endpoint: Endpoint,
    headers: Rc<[(&'static str, String)]>,
}

impl Check {
    /// The question whether `token` is good.
    ///
    /// The endpoint decides by the token alone. Of the client's request, if there is one, it gets the trusted
    /// address and the trace headers that parse: nothing that a client could make the check fail with, and no body.
    pub(super) fn new(
        flight: FlightId,
        endpoint: &Endpoint,
        token: &str,
        cause: Option<(&Request<'_>, Option<IpAddr>)>,
    ) -> Self {
        let mut headers = vec![
            (":method", "POST".to_owned()),
            (":path", "/v1/auth".to_owned()),
            (":authority", endpoint.authority.as_ref().to_owned()),
            // Without it Envoy writes its second attempt as chunked, which not every server takes.
            ("content-length", "0".to_owned()),
            ("x-token", token.to_owned()),
            // Envoy asks once more by itself when an idle connection was closed under it; it takes these
            // two away. The gate never retries.
            ("x-envoy-retry-on", "reset".to_owned()),
            ("x-envoy-max-retries", "1".to_owned()),
        ];
        if let Some((request, address)) = cause {
            headers.extend(address.map(|address| ("x-forwarded-for", address.to_string())));
            headers.extend(trace_headers(&request.trace));
        }
        Self { flight, endpoint: endpoint.clone(), headers: headers.into() }
    }

    /// The header pairs to send, pseudo-headers first.
    pub fn headers(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("flight", &self.flight).finish_non_exhaustive()
    }
}

fn trace_headers(trace: &Trace<'_>) -> impl Iterator<Item = (&'static str, String)> {
    let visible = |field: Field<'_>, most: usize| {
        let text = core::str::from_utf8(field.once()?).ok()?;
        let fits = !text.is_empty() && text.len() <= most;
        let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        (fits && text.bytes().all(printable)).then(|| text.to_owned())
    };
    [
        ("traceparent", visible(trace.traceparent, 55).filter(|text| is_traceparent(text))),
        ("tracestate", visible(trace.tracestate, 512)),
        ("x-request-id", visible(trace.request_id, 128)),
        ("b3", visible(trace.b3, 128)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
}

/// Version 00 of W3C Trace Context, section 3.2: `00-` 32 hex `-` 16 hex `-` 2 hex.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts.next().is_some_and(|part| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
        })
    };
    hex(2) && hex(32) && hex(16) && hex(2) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(request: &[(&str, &[u8])]) -> Vec<(String, String)> {
        let client = Some(IpAddr::from([192, 0, 2, 7]));
        let request = Request::read(request.iter().copied(), true, &|| None);
        let endpoint = Endpoint {
            cluster: "c".into(),
            authority: "api-service".into(),
            timeout: Duration::from_secs(2),
        };
        let check = Check::new(FlightId::first(), &endpoint, "hush", Some((&request, client)));
        assert!(!format!("{check:?}").contains("hush"));
        check.headers().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const ALWAYS: [(&str, &str); 8] = [
        (":method", "POST"),
        (":path", "/v1/auth"),
        (":authority", "api-service"),
        ("content-length", "0"),
        ("x-token", "hush"),
        ("x-envoy-retry-on", "reset"),
        ("x-envoy-max-retries", "1"),
        ("x-forwarded-for", "192.0.2.7"),
    ];

    #[test]
    fn the_endpoint_gets_the_token_the_address_and_the_trace() {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace =
            [("traceparent", traceparent), ("tracestate", "a=b, c=d"), ("x-request-id", "4711"), ("b3", "0")];
        let request: Vec<_> = trace.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        assert_eq!(headers(&request), pairs(&[&ALWAYS[..], &trace].concat()));
    }

    #[test]
    fn nothing_of_the_request_can_spoil_the_check() {
        let long = [b'a'; 129];
        let longer = [b'a'; 513];
        for odd in [
            &[("content-length", &b"5"[..]), ("expect", b"100-continue"), ("upgrade", b"websocket")][..],
            &[("x-forwarded-for", b"6.6.6.6"), ("connection", b"close"), ("transfer-encoding", b"chunked")],
            &[
                ("x-request-id", &long),
                ("b3", &long),
                ("tracestate", &longer),
                ("traceparent", b"00-xx-yy-01"),
            ],
            &[("x-request-id", b"a\xff"), ("b3", b"\0"), ("tracestate", b"")],
            &[("x-request-id", b"1"), ("x-request-id", b"2")],
        ] {
            assert_eq!(headers(odd), pairs(&ALWAYS), "{odd:?}");
        }
    }
}
