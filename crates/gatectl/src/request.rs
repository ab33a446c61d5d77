//! The request that the arguments describe.

use core::fmt;
use core::str::FromStr;
use std::ffi::OsStr;

use crate::cli::ExplainArgs;

/// A request's head, as the filter would get it from Envoy. `Debug` does not show it: it holds the token.
pub(crate) struct Head {
    /// All pairs, pseudo-headers first, names in lower case.
    pairs: Vec<(String, Vec<u8>)>,
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
    pub(crate) fn read(args: &ExplainArgs) -> Result<Self, String> {
        let bytes = |text: &OsStr| text.as_encoded_bytes().to_vec();
        let (of_url, path) = split_url(&args.target.as_deref().map(bytes).unwrap_or_default());
        let mut hosts: Vec<_> = of_url.into_iter().chain(args.host.as_deref().map(bytes)).collect();
        let mut headers = Vec::new();
        for (index, line) in args.headers.iter().enumerate() {
            let (name, value) = split_header(line.as_encoded_bytes())
                .map_err(|why| format!("-H number {}: {why}", index.saturating_add(1)))?;
            // As Envoy has it, whatever the version of HTTP.
            if name == "host" { hosts.push(value) } else { headers.push((name, value)) }
        }
        let host = hosts.pop();
        if hosts.iter().any(|other| Some(other) != host.as_ref()) {
            return Err("the host is given more than once, and not the same".to_owned());
        }
        let mut pairs = vec![(":method".to_owned(), bytes(&args.method)), (":path".to_owned(), path)];
        pairs.extend(host.map(|host| (":authority".to_owned(), host)));
        pairs.append(&mut headers);
        Ok(Self { pairs })
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The value of a pseudo-header, of which there is one at most.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.pairs().find(|(other, _)| *other == name).map(|(_, value)| value)
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
fn split_header(line: &[u8]) -> Result<(String, Vec<u8>), &'static str> {
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

/// What is supposed of api-service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It answers with this status; Envoy reports a time-out so, too.
    Status(u16),
    /// The check cannot be sent.
    Refused,
}

impl FromStr for Answer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "yes" => Ok(Self::Status(200)),
            "no" => Ok(Self::Status(401)),
            "timeout" => Ok(Self::Status(504)),
            "refused" => Ok(Self::Refused),
            _ => text
                .parse()
                .ok()
                .filter(|status| (200..=599).contains(status))
                .map(Self::Status)
                .ok_or("write yes, no, timeout, refused, or an HTTP status from 200 to 599"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(504) => f.write_str("none in time: Envoy reports it as 504"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Refused => f.write_str("none: the check cannot be sent"),
        }
    }
}
