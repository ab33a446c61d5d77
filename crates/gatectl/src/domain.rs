//! The domain of an installation, as people write it.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;
use core::str::FromStr as _;
use std::ffi::OsStr;

use crate::source::{Note, Source};

/// What Keptn puts before the domain for its API.
pub(crate) const API: &str = "api.keptn.";

/// What Keptn's command line sends as `Host`, whatever the domain.
pub(crate) const CLI: &str = "api.keptn";

/// RFC 1035 section 2.3.4, for a name as it is written, without the last dot.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// The domain of a Keptn installation, as in Keptn's ConfigMap `keptn-domain`: a host, in lower case and
/// without the root's dot, and a port where the gateway is reached through a NodePort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    host: String,
    port: Option<u16>,
}

/// What is wrong, where, and what to write.
pub(crate) type Wrong = (Range<usize>, String, String);

impl Domain {
    /// Reads the argument DOMAIN.
    ///
    /// # Errors
    ///
    /// Whole lines with a caret under what is wrong first.
    pub(crate) fn read(argument: &OsStr) -> Result<Self, String> {
        let text = argument.to_string_lossy();
        parse(&text).map_err(|(span, message, help)| {
            let note = Note { is_warning: false, span, message, help: Some(help), quote: None };
            Source::new("DOMAIN".to_owned(), text.into_owned()).show(&note)
        })
    }

    /// The domain without the port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The NodePort.
    pub(crate) const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The host of Keptn's API, without a port.
    pub(crate) fn api_host(&self) -> String {
        format!("{API}{}", self.host)
    }
}

/// With the port: what `keptn-domain` holds.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port() {
            None => f.write_str(&self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
        }
    }
}

fn parse(text: &str) -> Result<Domain, Wrong> {
    let whole = 0..text.len();
    let wrong =
        |span: Range<usize>, message: &str, help: &str| Err((span, message.to_owned(), help.to_owned()));
    let example = "write it like example.org, or example.org:31390 with a NodePort";
    if text.is_empty() {
        return wrong(whole, "the domain is empty", example);
    }
    if let Some(at) = text.find("://") {
        return wrong(
            0..at.saturating_add(3),
            "this is a URL, not a domain",
            "write only its host, and its port",
        );
    }
    if let Some(at) = text.find(['/', '?', '#']) {
        return wrong(at..text.len(), "a domain has no path", "write only the part before it");
    }
    if text.starts_with('[') || Ipv6Addr::from_str(text).is_ok() {
        return wrong(
            whole,
            "this is an IP address: names cannot be put before it",
            "write a name that leads to it",
        );
    }
    let (host, port) = match text.split_once(':') {
        None => (text, None),
        Some((host, port)) => (host, Some(parse_port(port, host.len().saturating_add(1))?)),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    // Nobody's domain; it would become api.keptn.api.keptn.….
    let lower = host.to_ascii_lowercase();
    if lower == CLI {
        return wrong(
            0..host.len(),
            "this is what Keptn's command line calls the API, not the domain",
            "write what comes after api.keptn. in the API's address",
        );
    }
    if lower.starts_with(API) {
        return wrong(
            0..API.len(),
            "this is the API's host, not the domain",
            "write only what comes after api.keptn.",
        );
    }
    if let Ok(address) = Ipv4Addr::from_str(host) {
        let name = Domain { host: format!("{address}.nip.io"), port };
        return wrong(
            0..host.len(),
            "this is an IP address: names cannot be put before it",
            &format!("write a name that leads to it, such as {name}"),
        );
    }
    let mut start = 0;
    for label in host.split('.') {
        check_label(label, start)?;
        start = start.saturating_add(label.len()).saturating_add(1);
    }
    let last = host.rsplit('.').next().unwrap_or(host);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        // As browsers do: https://url.spec.whatwg.org/#ends-in-a-number-checker.
        return wrong(
            host.len().saturating_sub(last.len())..host.len(),
            "a name that ends in a number is taken for an IP address",
            example,
        );
    }
    let most = LONGEST_NAME.saturating_sub(API.len());
    if host.len() > most {
        return wrong(
            most..host.len(),
            &format!("with {API} before it this is longer than {LONGEST_NAME} characters"),
            &format!("a domain has {most} at most"),
        );
    }
    Ok(Domain { host: host.to_ascii_lowercase(), port })
}

/// A port that starts at `start` of the argument.
pub(crate) fn parse_port(text: &str, start: usize) -> Result<u16, Wrong> {
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let port = if is_canonical { text.parse().ok() } else { None };
    port.ok_or_else(|| {
        let message = "a port is a number from 1 to 65535".to_owned();
        let help = "write the NodePort of the gateway's https, or no colon at all".to_owned();
        (start..start.saturating_add(text.len()), message, help)
    })
}

/// Checks the label that starts at `start` of the argument.
pub(crate) fn check_label(label: &str, start: usize) -> Result<(), Wrong> {
    let whole = start..start.saturating_add(label.len());
    let wrong =
        |span: Range<usize>, message: &str, help: &str| Err((span, message.to_owned(), help.to_owned()));
    if label.is_empty() {
        return wrong(
            whole,
            "there is nothing here where a label should be",
            "write one dot between two labels",
        );
    }
    let is_of_label = |character: &char| character.is_ascii_alphanumeric() || *character == '-';
    if let Some((at, odd)) = label.char_indices().find(|(_, character)| !is_of_label(character)) {
        let at = start.saturating_add(at);
        let span = at..at.saturating_add(odd.len_utf8());
        return match odd {
            '*' => wrong(
                span,
                "this is a wildcard",
                "write the domain alone; the certificate covers the names below it",
            ),
            odd if !odd.is_ascii() => {
                wrong(span, "this is not ASCII", "write the label in punycode, which begins with xn--")
            }
            _ => wrong(
                span,
                "this cannot stand in a domain",
                "its labels have letters, digits and hyphens, and dots between them",
            ),
        };
    }
    if label.len() > LONGEST_LABEL {
        let rest = start.saturating_add(LONGEST_LABEL)..whole.end;
        return wrong(rest, "this label is longer than 63 characters", "shorten it");
    }
    if label.starts_with('-') {
        return wrong(start..start.saturating_add(1), "a label cannot begin with a hyphen", "remove it");
    }
    if label.ends_with('-') {
        return wrong(
            whole.end.saturating_sub(1)..whole.end,
            "a label cannot end with a hyphen",
            "remove it",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Domain, String> {
        Domain::read(OsStr::new(text))
    }

    #[test]
    fn a_domain_is_its_host_and_perhaps_a_port() {
        let longest_label = "a".repeat(63);
        let longest = [longest_label.as_str(); 4].join(".").get(..243).unwrap().to_owned();
        assert_eq!(longest.len() + "api.keptn.".len(), 253);
        for (text, host, port, shown) in [
            ("example.org", "example.org", None, "example.org"),
            ("Keptn.Example.ORG", "keptn.example.org", None, "keptn.example.org"),
            ("example.org.", "example.org", None, "example.org"),
            ("10.0.0.1.xip.io:31390", "10.0.0.1.xip.io", Some(31390), "10.0.0.1.xip.io:31390"),
            ("example.org.:1", "example.org", Some(1), "example.org:1"),
            ("example.org:65535", "example.org", Some(65535), "example.org:65535"),
            ("localhost", "localhost", None, "localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", None, "xn--bcher-kva.example"),
            ("3com.1--1.a0", "3com.1--1.a0", None, "3com.1--1.a0"),
            (&longest, &longest, None, &longest),
        ] {
            let domain = read(text).unwrap();
            assert_eq!((domain.host(), domain.port(), domain.to_string()), (host, port, shown.to_owned()));
            assert_eq!(domain.api_host(), format!("api.keptn.{host}"));
        }
    }

    /// Each with the columns that the carets must stand under, and a word of the message.
    #[test]
    fn what_is_none_is_refused_with_a_caret_under_the_place() {
        let label = "a".repeat(64);
        let name = vec!["abcdefg"; 31].join(".");
        assert_eq!(name.len(), 247);
        for (text, marked, word) in [
            ("", 0..1, "empty"),
            ("https://api.keptn.example.org", 0..8, "URL"),
            ("example.org/v1", 11..14, "path"),
            ("example.org?x", 11..13, "path"),
            ("10.0.0.1", 0..8, "write a name that leads to it, such as 10.0.0.1.nip.io\n"),
            ("10.0.0.1:31390", 0..8, "such as 10.0.0.1.nip.io:31390\n"),
            ("10.0.0.1.", 0..8, "such as 10.0.0.1.nip.io\n"),
            ("::1", 0..3, "IP address"),
            ("[2001:db8::1]:443", 0..17, "IP address"),
            ("API.keptn.example.org", 0..10, "the API's host"),
            ("api.keptn", 0..9, "command line"),
            ("API.Keptn.:443", 0..9, "command line"),
            ("10.1", 3..4, "ends in a number"),
            ("*.example.org", 0..1, "wildcard"),
            ("bücher.example", 1..2, "punycode"),
            ("my_host.example", 2..3, "letters, digits and hyphens"),
            (" example.org", 0..1, "letters, digits and hyphens"),
            ("user@example.org", 4..5, "letters, digits and hyphens"),
            ("example.org\nx", 11..12, "letters, digits and hyphens"),
            (".example.org", 0..1, "one dot"),
            ("example..org", 8..9, "one dot"),
            ("example.org..", 12..13, "one dot"),
            (".", 0..1, "one dot"),
            (":443", 0..1, "one dot"),
            ("-a.example", 0..1, "begin with a hyphen"),
            ("a-.example", 1..2, "end with a hyphen"),
            (&label, 63..64, "longer than 63"),
            (&name, 243..247, "longer than 253"),
            ("example.org:", 12..13, "1 to 65535"),
            ("example.org:0", 12..13, "1 to 65535"),
            ("example.org:0443", 12..16, "1 to 65535"),
            ("example.org:65536", 12..17, "1 to 65535"),
            ("example.org:+1", 12..14, "1 to 65535"),
            ("example.org:1:2", 12..15, "1 to 65535"),
        ] {
            let shown = crate::style::plain(&read(text).unwrap_err());
            let head = format!("DOMAIN:1:{}: ", marked.start + 1);
            assert!(shown.starts_with(&head) && shown.contains(word), "{text:?}\n{shown}");
            let carets = shown.lines().nth(3).unwrap();
            assert_eq!(carets.matches('^').count(), marked.len(), "{shown}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn other_bytes_are_refused_too() {
        use std::os::unix::ffi::OsStrExt as _;
        assert!(Domain::read(OsStr::from_bytes(b"example\xff.org")).unwrap_err().contains("ASCII"));
    }
}
