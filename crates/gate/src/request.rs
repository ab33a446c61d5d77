//! A request as the gate sees it: the header lines that matter, read once.

use core::fmt;
use core::net::IpAddr;
use std::borrow::Cow;

use crate::denial::Denial;
use crate::time::Wall;

/// What the gate asks the host about a request only when it has to: each question costs as much as reading
/// all headers.
pub trait Environment {
    /// The client's address, as far as Envoy trusts it.
    fn client(&self) -> Option<IpAddr>;

    /// The wall clock's time.
    fn wall(&self) -> Option<Wall> {
        None
    }
}

impl<F: Fn() -> Option<IpAddr>> Environment for F {
    fn client(&self) -> Option<IpAddr> {
        self()
    }
}

/// How often a header occurs, and its value when that is unambiguous.
///
/// Of repeated lines the host's by-name getter shows only the first, while the upstream receives all:
/// whoever judges a header must know that there are two.
#[derive(Clone, Copy, Default)]
pub enum Field<'a> {
    /// No such line.
    #[default]
    Absent,
    /// Exactly one line, with this value.
    Once(&'a [u8]),
    /// Two lines or more.
    Repeated,
}

impl<'a> Field<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    /// The value, if there is exactly one.
    pub fn once(self) -> Option<&'a [u8]> {
        match self {
            Self::Once(value) => Some(value),
            Self::Absent | Self::Repeated => None,
        }
    }
}

/// Header values are secrets until proven otherwise: only their length is shown.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Once(value) => write!(f, "Once({} bytes)", value.len()),
            Self::Repeated => f.write_str("Repeated"),
        }
    }
}

/// The trace headers that a check carries on, so that it shows in the client's trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trace<'a> {
    pub(crate) traceparent: Field<'a>,
    pub(crate) tracestate: Field<'a>,
    pub(crate) request_id: Field<'a>,
    pub(crate) b3: Field<'a>,
}

/// One request's head. Borrowed from the host's header pairs; nothing is judged yet.
pub struct Request<'a> {
    pub(crate) authority: Field<'a>,
    pub(crate) channel_id: Field<'a>,
    pub(crate) channel_token: Field<'a>,
    pub(crate) origin: Field<'a>,
    /// The method that a preflight asks about.
    pub(crate) requested_method: Field<'a>,
    pub(crate) path: Field<'a>,
    pub(crate) token: Field<'a>,
    pub(crate) trace: Trace<'a>,
    /// Names of the client's lines that only the gateway may set, in the client's spelling.
    pub(crate) gateway_owned: Vec<&'a str>,
    method: Field<'a>,
    upgrade: Field<'a>,
    content_length: Field<'a>,
    transfer_encoding: Field<'a>,
    websocket_key: Field<'a>,
    ends: bool,
    environment: &'a dyn Environment,
}

impl<'a> Request<'a> {
    /// Reads the head from `headers`, all pairs in the order they came, pseudo-headers included.
    ///
    /// `ends` says that no body follows.
    pub fn read(
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        ends: bool,
        environment: &'a dyn Environment,
    ) -> Self {
        let mut request = Self {
            authority: Field::Absent,
            channel_id: Field::Absent,
            channel_token: Field::Absent,
            origin: Field::Absent,
            requested_method: Field::Absent,
            path: Field::Absent,
            token: Field::Absent,
            trace: Trace::default(),
            gateway_owned: Vec::new(),
            method: Field::Absent,
            upgrade: Field::Absent,
            content_length: Field::Absent,
            transfer_encoding: Field::Absent,
            websocket_key: Field::Absent,
            ends,
            environment,
        };
        for (name, value) in headers {
            match &*lower_case(name) {
                ":authority" => request.authority.add(value),
                ":method" => request.method.add(value),
                ":path" => request.path.add(value),
                "access-control-request-method" => request.requested_method.add(value),
                "b3" => request.trace.b3.add(value),
                "content-length" => request.content_length.add(value),
                "keptn-ws-channel-id" => request.channel_id.add(value),
                "origin" => request.origin.add(value),
                "sec-websocket-key" => request.websocket_key.add(value),
                "token" => request.channel_token.add(value),
                "traceparent" => request.trace.traceparent.add(value),
                "tracestate" => request.trace.tracestate.add(value),
                "transfer-encoding" => request.transfer_encoding.add(value),
                "upgrade" => request.upgrade.add(value),
                "x-request-id" => request.trace.request_id.add(value),
                "x-token" => request.token.add(value),
                lower if is_gateway_owned(lower) && !request.gateway_owned.contains(&name) => {
                    request.gateway_owned.push(name);
                }
                _ => {}
            }
        }
        request
    }

    /// The method.
    ///
    /// # Errors
    ///
    /// A denial for any but the seven that Keptn's services know: over HTTP/2 Envoy passes any word on.
    pub fn method(&self) -> Result<Method, Denial> {
        self.method.once().and_then(Method::parse).ok_or(Denial::BadMethod)
    }

    /// Whether the client asks for a WebSocket.
    ///
    /// # Errors
    ///
    /// A denial for any other upgrade, and for a handshake with a body. Envoy does not look: a route
    /// selected by filter state escapes its own upgrade control.
    pub fn wants_websocket(&self) -> Result<bool, Denial> {
        match self.upgrade {
            Field::Absent => Ok(false),
            Field::Once(value)
                if value.eq_ignore_ascii_case(b"websocket")
                    && matches!(self.transfer_encoding, Field::Absent)
                    && matches!(self.declared_length(), Ok(None | Some(0))) =>
            {
                Ok(true)
            }
            Field::Once(_) | Field::Repeated => Err(Denial::UpgradeRefused),
        }
    }

    /// Whether this handshake has no key, as over HTTP/2.
    pub(crate) fn lacks_websocket_key(&self) -> bool {
        matches!(self.websocket_key, Field::Absent)
    }

    /// The body's length if the client declared one.
    ///
    /// # Errors
    ///
    /// A denial for two declarations, and for what is not a number: it would be counted as "none".
    pub fn declared_length(&self) -> Result<Option<u64>, Denial> {
        match self.content_length {
            Field::Absent => Ok(None),
            Field::Once(value) => core::str::from_utf8(value)
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok())
                .map(Some)
                .ok_or(Denial::BadLength),
            Field::Repeated => Err(Denial::BadLength),
        }
    }

    /// Whether a body may follow whose length nobody knows: it has to be counted as it comes.
    ///
    /// Never on an upgraded stream, where the "body" is the WebSocket's traffic.
    pub(crate) fn needs_counting(&self) -> bool {
        !self.ends && matches!(self.upgrade, Field::Absent) && !matches!(self.declared_length(), Ok(Some(_)))
    }

    pub(crate) const fn environment(&self) -> &'a dyn Environment {
        self.environment
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method().ok()).finish_non_exhaustive()
    }
}

/// Envoy hands names over in lower case; a host that does not must not open a hole.
fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Whether only the gateway, or Envoy itself, may set this header (`name` in lower case).
///
/// An underscore counts as a hyphen, because some servers read it so: an alias would slip through.
/// The `x-envoy-` ones steer Envoy's router: a client could ask for retries or mirror hosts with them.
fn is_gateway_owned(name: &str) -> bool {
    const NAMES: [&str; 3] = ["x-keptn-client", "x-real-ip", "x-envoy-max-retries"];
    const PREFIXES: [&str; 5] =
        ["x-envoy-retry-", "x-envoy-retriable-", "x-envoy-upstream-", "x-envoy-hedge-", "x-envoy-original-"];
    let begins_with = |prefix: &str| {
        let same = |(byte, of_prefix)| if byte == b'_' { of_prefix == b'-' } else { byte == of_prefix };
        name.len() >= prefix.len() && name.bytes().zip(prefix.bytes()).all(same)
    };
    NAMES.into_iter().any(|owned| name.len() == owned.len() && begins_with(owned))
        || PREFIXES.into_iter().any(begins_with)
}

/// The methods that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it: RFC 9110 section 9, RFC 5789")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
    Options,
}

impl Method {
    /// All of them, in the order in which `Allow` lists them.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Delete, Self::Patch, Self::Options];

    /// Reads a method; methods are case-sensitive (RFC 9110 section 9.1).
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name().as_bytes() == name)
    }

    /// The method as it is written on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u8);

impl Methods {
    /// Every method.
    pub const ANY: Self = Self(0x7f);

    /// These methods.
    pub const fn of(methods: &[Method]) -> Self {
        let mut bits = 0;
        let mut rest = methods;
        while let [method, tail @ ..] = rest {
            bits |= method.bit();
            rest = tail;
        }
        Self(bits)
    }

    /// Whether `method` is among them.
    pub const fn contains(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// The methods of either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The same, and HEAD where GET is.
    #[must_use]
    pub const fn with_head(self) -> Self {
        if self.contains(Method::Get) { self.union(Self::of(&[Method::Head])) } else { self }
    }

    /// The methods of both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// These without the others.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a method is in both.
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Them all, as `Allow` lists them.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.contains(*method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(headers: &'a [(&'a str, &'a str)]) -> Request<'a> {
        Request::read(headers.iter().map(|(name, value)| (*name, value.as_bytes())), false, &|| None)
    }

    #[test]
    fn repeated_lines_are_seen() {
        let request = read(&[("x-token", "a"), ("X-Token", "b"), ("token", "c")]);
        assert!(matches!(request.token, Field::Repeated));
        assert!(matches!(request.channel_token, Field::Once(b"c")));
    }

    #[test]
    fn gateway_owned_headers_are_found_under_their_aliases() {
        let request = read(&[
            ("x-real-ip", ""),
            ("x_real_ip", ""),
            ("X-Keptn_Client", ""),
            ("x-envoy-retry-on", ""),
            ("x-envoy-retry-on", ""),
            ("x-envoy-max-retries", ""),
            ("x-envoy-retriable-status-codes", ""),
            ("x-envoy-upstream-rq-timeout-ms", ""),
            ("x-envoy-hedge-on-per-try-timeout", ""),
            ("x-envoy-original-path", ""),
            ("x-envoy-decorator-operation", ""),
            ("x-real-ipx", ""),
            ("x-forwarded-for", ""),
        ]);
        assert_eq!(
            request.gateway_owned,
            [
                "x-real-ip",
                "x_real_ip",
                "X-Keptn_Client",
                "x-envoy-retry-on",
                "x-envoy-max-retries",
                "x-envoy-retriable-status-codes",
                "x-envoy-upstream-rq-timeout-ms",
                "x-envoy-hedge-on-per-try-timeout",
                "x-envoy-original-path"
            ]
        );
    }

    #[test]
    fn only_a_clean_websocket_handshake_is_an_upgrade() {
        let upgrade = |headers: &[(&str, &str)]| read(headers).wants_websocket();
        assert_eq!(upgrade(&[]), Ok(false));
        assert_eq!(upgrade(&[("upgrade", "WebSocket")]), Ok(true));
        assert_eq!(upgrade(&[("upgrade", "websocket"), ("content-length", "0")]), Ok(true));
        for refused in [
            &[("upgrade", "foo")][..],
            &[("upgrade", "websocket, foo")],
            &[("upgrade", "")],
            &[("upgrade", "websocket"), ("upgrade", "websocket")],
            &[("upgrade", "websocket"), ("content-length", "1")],
            &[("upgrade", "websocket"), ("content-length", "x")],
            &[("upgrade", "websocket"), ("transfer-encoding", "chunked")],
        ] {
            assert_eq!(upgrade(refused), Err(Denial::UpgradeRefused), "{refused:?}");
        }
    }

    #[test]
    fn a_body_is_counted_only_when_nobody_knows_its_length() {
        assert!(read(&[]).needs_counting());
        assert!(!read(&[("content-length", "5")]).needs_counting());
        assert!(!read(&[("upgrade", "websocket")]).needs_counting());
        assert!(!Request::read([], true, &|| None).needs_counting());
        assert_eq!(read(&[("content-length", "+5")]).declared_length(), Err(Denial::BadLength));
        assert_eq!(
            read(&[("content-length", "18446744073709551616")]).declared_length(),
            Err(Denial::BadLength)
        );
    }

    #[test]
    fn methods_are_a_set() {
        let methods = Methods::of(&[Method::Post, Method::Get]);
        assert_eq!(methods.iter().map(Method::name).collect::<Vec<_>>(), ["GET", "POST"]);
        assert_eq!(Methods::ANY.iter().count(), 7);
        assert_eq!(Method::parse(b"get"), None);
    }
}
