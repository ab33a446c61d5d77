//! The request that the arguments describe.

use core::fmt;
use std::ffi::OsStr;

use serde::{Serialize, Serializer};

use super::arguments::ExplainArgs;

/// A request, as the filter would get it from Envoy. `Debug` does not show it: it holds the token.
#[derive(Default)]
pub(super) struct Head {
    pub(super) method: Vec<u8>,
    /// There is none where a CONNECT names a host instead.
    pub(super) target: Option<Vec<u8>>,
    pub(super) host: Option<(Vec<u8>, Origin)>,
    pub(super) lines: Vec<HeaderLine>,
    pub(super) body: Body,
}

/// A header line.
pub(super) struct HeaderLine {
    /// In lower case, as Envoy has it, whatever the version of HTTP.
    pub(super) name: String,
    pub(super) value: Vec<u8>,
    pub(super) origin: Origin,
}

/// What on the command line made a header line: its value is not to be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The `-H` of this number, counted from 1.
    Header(usize),
    /// This option, or what else it is called.
    Named(&'static str),
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Header(number) => number.serialize(serializer),
            Self::Named(name) => serializer.serialize_str(name),
        }
    }
}

/// What follows the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing.
    #[default]
    None,
    /// So many bytes.
    Bytes(u64),
    /// Nobody knows how much.
    Unknown,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").finish_non_exhaustive()
    }
}

impl Head {
    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// A line that says what is wrong with them. It repeats nothing of them: what stands in the wrong place
    /// may be the token.
    pub(super) fn read(args: &ExplainArgs) -> Result<Self, String> {
        let bytes = |text: &OsStr| text.as_encoded_bytes().to_vec();
        let method = bytes(&args.method);
        let target = args.target.as_deref().map(bytes).unwrap_or_default();
        // RFC 9110 section 9.3.6: a CONNECT's target is a host.
        let (of_target, target) = if method == b"CONNECT" && !target.is_empty() && !target.starts_with(b"/") {
            (Some(target), None)
        } else {
            let (host, path) = split_url(&target);
            (host, Some(path))
        };
        let mut hosts: Vec<_> = of_target.into_iter().map(|host| (host, Origin::Named("target"))).collect();
        hosts.extend(args.host.as_deref().map(|host| (bytes(host), Origin::Named("--host"))));
        let mut head = Self { method, target, ..Self::default() };
        for (number, line) in (1..).zip(&args.headers) {
            let (name, value) =
                split_header(line.as_encoded_bytes()).map_err(|why| format!("-H number {number}: {why}"))?;
            let origin = Origin::Header(number);
            if name == "host" {
                hosts.push((value, origin));
            } else {
                head.lines.push(HeaderLine { name, value, origin });
            }
        }
        head.host = hosts.pop();
        if hosts.iter().any(|(other, _)| head.host.as_ref().is_none_or(|(host, _)| other != host)) {
            return Err("the host is given more than once, and not the same".to_owned());
        }
        head.body = if head.has("transfer-encoding") || head.declared().is_some_and(|length| length > 0) {
            Body::Unknown
        } else {
            Body::None
        };
        if let Some(length) = args.body {
            head.set_body(length);
        }
        Ok(head)
    }

    /// A body of this length follows; it is declared, unless something is said about it already.
    pub(super) fn set_body(&mut self, length: u64) {
        self.body = Body::Bytes(length);
        // What was made from data that curl has, and not written as a header.
        let is_made =
            |line: &HeaderLine| line.name == "content-length" && matches!(line.origin, Origin::Named(_));
        self.lines.retain(|line| !is_made(line));
        if !self.has("transfer-encoding") && !self.has("content-length") {
            let value = length.to_string().into_bytes();
            let origin = Origin::Named("--body");
            self.lines.push(HeaderLine { name: "content-length".to_owned(), value, origin });
        }
    }

    /// All pairs, pseudo-headers first.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let pseudo = [
            (":method", Some(&self.method)),
            (":path", self.target.as_ref()),
            (":authority", self.host.as_ref().map(|(host, _)| host)),
        ];
        let pseudo = pseudo.into_iter().filter_map(|(name, value)| Some((name, value?.as_slice())));
        pseudo.chain(self.lines.iter().map(|line| (line.name.as_str(), line.value.as_slice())))
    }

    /// Whether nothing follows the head.
    pub(super) fn ends(&self) -> bool {
        matches!(self.body, Body::None | Body::Bytes(0))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.lines.iter().any(|line| line.name == name)
    }

    /// The value of the first line of this name.
    pub(super) fn first(&self, name: &str) -> Option<&HeaderLine> {
        self.lines.iter().find(|line| line.name == name)
    }

    /// The length that is declared, if it is a number.
    pub(super) fn declared(&self) -> Option<u64> {
        core::str::from_utf8(&self.first("content-length")?.value).ok()?.parse().ok()
    }
}

/// The host and the path of a URL; everything else is a path.
fn split_url(target: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
    let scheme = |scheme: &str| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    };
    let Some(rest) = scheme("http://").or_else(|| scheme("https://")) else { return (None, target.to_vec()) };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, b""));
    // No client sends a name and password as part of the host, nor the fragment.
    let host = authority.rsplit(|byte| *byte == b'@').next().unwrap_or(authority).to_vec();
    let path = path.split(|byte| *byte == b'#').next().unwrap_or(path);
    let slash: &[u8] = if path.starts_with(b"/") { b"" } else { b"/" };
    (Some(host), [slash, path].concat())
}

/// The name, in lower case, and the value of a header line.
pub(super) fn split_header(line: &[u8]) -> Result<(String, Vec<u8>), &'static str> {
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
        return Err("there is no colon; write 'name: value'");
    };
    if name.is_empty() {
        return Err(
            "there is no name before the colon; the method, the path and --host have arguments of their own",
        );
    }
    // RFC 9110 section 5.6.2.
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let name = core::str::from_utf8(name)
        .ok()
        .filter(|name| name.bytes().all(|byte| is_of_token(&byte)))
        .ok_or("what stands before the colon is not a header's name")?;
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err("a header's value cannot have line breaks");
    }
    Ok((name.to_ascii_lowercase(), value.trim_ascii().to_vec()))
}
