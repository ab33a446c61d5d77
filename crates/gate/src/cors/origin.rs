//! Origin patterns: whose pages may read the gateway's answers.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;

/// An origin, or the origins of all hosts that differ in their first label.
///
/// `https://bridge.example.org`, `http://localhost:3000`, `https://*.example.org`, or `*` for every origin.
/// Only `http` and `https`: a page of another scheme (`file`, an extension's) is an origin that anybody
/// can have. For the same reason `null` is none: sandboxed frames and local files all send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern(Pattern);

/// Texts are in lower case, as browsers write an origin (RFC 6454 section 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// `*`.
    Any,
    Exact(Box<str>),
    /// One label stands between the two: `https://` and `.example.org:8443`.
    Label {
        before: &'static str,
        after: Box<str>,
    },
}

/// What is wrong with a text of the CORS settings, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsProblem {
    /// What is wrong.
    pub message: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// The offending bytes of the text.
    pub span: Range<usize>,
}

pub(super) fn problem<T>(
    message: &'static str,
    remedy: &'static str,
    span: Range<usize>,
) -> Result<T, CorsProblem> {
    Err(CorsProblem { message, remedy, span })
}

impl OriginPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// The first thing in it that no browser's `Origin` has, with its place: such a pattern would allow
    /// nobody, or not whom it says.
    pub fn parse(text: &str) -> Result<Self, CorsProblem> {
        const EXAMPLE: &str = "write scheme://host, such as https://bridge.example.org";
        if text == "*" {
            return Ok(Self(Pattern::Any));
        }
        if text.eq_ignore_ascii_case("null") {
            return problem(
                "null is the origin of anybody's local files and sandboxed frames",
                "serve the page from an origin of its own, and write that",
                0..text.len(),
            );
        }
        let between = |(_, c): &(usize, char)| *c == ',' || c.is_whitespace() || c.is_control();
        if let Some((at, c)) = text.char_indices().find(between) {
            return problem(
                "no origin has this",
                "write each origin as an item of its own",
                char_span(at, c),
            );
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return problem("an origin begins with its scheme", EXAMPLE, 0..text.len());
        };
        let before = match scheme.to_ascii_lowercase().as_str() {
            "http" => "http://",
            "https" => "https://",
            _ => {
                let span = if scheme.is_empty() { 0.."://".len() } else { 0..scheme.len() };
                return problem("the scheme must be http or https", EXAMPLE, span);
            }
        };
        let start = text.len().saturating_sub(rest.len());
        let span = |from: usize, to: usize| start.saturating_add(from)..start.saturating_add(to);
        if let Some((at, tail)) = rest.find(['/', '?', '#', '\\']).and_then(|at| Some((at, rest.get(at..)?)))
        {
            let message = match tail {
                "/" => "an origin ends without a slash",
                _ => "an origin has no path, query or fragment",
            };
            return problem(message, "leave it away", span(at, rest.len()));
        }
        if let Some(at) = rest.rfind('@') {
            let span = span(0, at.saturating_add(1));
            return problem("an origin has no user name", "leave it away", span);
        }
        let (host, port) = match rest.rsplit_once(':') {
            // In `[::1]` the last colon is part of the address.
            Some((host, port)) if !rest.starts_with('[') || host.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        if host.is_empty() {
            return problem("the host is missing", EXAMPLE, 0..text.len());
        }
        let host = read_host(host, start)?;
        if let Some(port) = port {
            let from = rest.len().saturating_sub(port.len());
            check_port(port, before, &span(from.saturating_sub(1), rest.len()))?;
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(match host.strip_prefix('*') {
            Some(domain) => Pattern::Label { before, after: [domain, &port].concat().into() },
            None => Pattern::Exact([before, &host, &port].concat().into()),
        }))
    }

    /// Whether this is `*`.
    pub fn is_any(&self) -> bool {
        self.0 == Pattern::Any
    }

    /// Whether it stands for `origin`, which is in lower case.
    pub(super) fn covers(&self, origin: &str) -> bool {
        match &self.0 {
            // What has no scheme is `null`, an empty value, or nothing that a browser sends.
            Pattern::Any => origin.contains("://"),
            Pattern::Exact(exact) => **exact == *origin,
            Pattern::Label { before, after } => origin
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(&**after))
                // No dot and no colon among these: one label, and nothing that moves the host elsewhere.
                .is_some_and(|label| !label.is_empty() && label.chars().all(is_in_label)),
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Any => f.write_str("*"),
            Pattern::Exact(exact) => f.write_str(exact),
            Pattern::Label { before, after } => write!(f, "{before}*{after}"),
        }
    }
}

fn char_span(at: usize, c: char) -> Range<usize> {
    at..at.saturating_add(c.len_utf8())
}

fn is_in_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// The host as browsers write it. `start` is its place in the pattern.
fn read_host(host: &str, start: usize) -> Result<String, CorsProblem> {
    let end = start.saturating_add(host.len());
    if let Some(rest) = host.strip_prefix('[') {
        return match rest.strip_suffix(']').map(str::parse::<Ipv6Addr>) {
            // Written anew: browsers shorten it.
            Some(Ok(address)) => Ok(format!("[{address}]")),
            _ => problem("this is not an IPv6 address", "write one in brackets, such as [::1]", start..end),
        };
    }
    let domain = host.strip_prefix("*.");
    if host == "*" {
        return problem(
            "* stands for one label, so a domain must follow it",
            "write https://*.example.org, or * alone for every origin",
            start..end,
        );
    }
    let mut at = start.saturating_add(host.len()).saturating_sub(domain.unwrap_or(host).len());
    for label in domain.unwrap_or(host).split('.') {
        let span = at..at.saturating_add(label.len());
        at = span.end.saturating_add(1);
        if label.contains('*') {
            return problem(
                "* stands for the whole of the first label, and for no other",
                "write https://*.example.org, or name each host",
                span,
            );
        }
        if label.is_empty() {
            let dots = span.start.saturating_sub(1).max(start)..at.min(end);
            return problem("there is nothing beside this dot", "write the name without needless dots", dots);
        }
        if let Some((odd, c)) = label.char_indices().find(|(_, c)| !is_in_label(*c)) {
            let span = char_span(span.start.saturating_add(odd), c);
            return if c.is_ascii() {
                problem("no host name has this", "write the host as browsers show it, without escapes", span)
            } else {
                problem("browsers send such a name in its ASCII form", "write that form: xn--…", span)
            };
        }
    }
    // Browsers take a name whose last label is a number for an address, and rewrite it.
    let last = host.rsplit('.').next().unwrap_or(host);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        if domain.is_some() {
            let remedy = "write each address as an item of its own";
            return problem("* does not stand for a part of an address", remedy, start..end);
        }
        if host.parse::<Ipv4Addr>().is_err() {
            let remedy = "write four numbers from 0 to 255, with dots between them";
            return problem("this is not an IPv4 address", remedy, start..end);
        }
    }
    Ok(host.to_ascii_lowercase())
}

/// `span` is the port's with its colon.
fn check_port(port: &str, scheme: &'static str, span: &Range<usize>) -> Result<(), CorsProblem> {
    if (scheme, port) == ("https://", "443") || (scheme, port) == ("http://", "80") {
        // RFC 6454 section 6.2, step 5. Written out it would equal no request's origin.
        return problem("browsers never send the scheme's own port", "leave it away", span.clone());
    }
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
        && !port.starts_with('0')
        && port.parse::<u16>().is_ok();
    if is_port {
        return Ok(());
    }
    problem("this is not a port", "write a number from 1 to 65535, or leave it away", span.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, origin: &str) -> bool {
        OriginPattern::parse(pattern).unwrap().covers(origin)
    }

    #[test]
    fn patterns_are_kept_as_browsers_write_origins() {
        for (text, kept) in [
            ("*", "*"),
            ("https://bridge.example.org", "https://bridge.example.org"),
            ("HTTPS://Bridge.Example.ORG:8443", "https://bridge.example.org:8443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://x:443", "http://x:443"),
            ("https://x:80", "https://x:80"),
            ("http://my_host-1", "http://my_host-1"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
            ("http://[2001:DB8::1]", "http://[2001:db8::1]"),
            ("https://*.Example.org", "https://*.example.org"),
            ("https://*.example.org:8443", "https://*.example.org:8443"),
            ("http://*.localhost:65535", "http://*.localhost:65535"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(OriginPattern::parse(text).unwrap().to_string(), kept);
            assert_eq!(OriginPattern::parse(text).unwrap().is_any(), text == "*");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        const SCHEME: &str = "an origin begins with its scheme";
        const HTTP: &str = "the scheme must be http or https";
        const PATH: &str = "an origin has no path, query or fragment";
        const STAR: &str = "* stands for the whole of the first label, and for no other";
        const ALONE: &str = "* stands for one label, so a domain must follow it";
        const DOT: &str = "there is nothing beside this dot";
        const PORT: &str = "this is not a port";
        const DEFAULT: &str = "browsers never send the scheme's own port";
        const NAME: &str = "no host name has this";
        const V4: &str = "this is not an IPv4 address";
        const V6: &str = "this is not an IPv6 address";
        const NULL: &str = "null is the origin of anybody's local files and sandboxed frames";
        for (text, marked, message) in [
            ("", "", SCHEME),
            ("null", "null", NULL),
            ("NULL", "NULL", NULL),
            ("example.org", "example.org", SCHEME),
            ("*.example.org", "*.example.org", SCHEME),
            ("https:/example.org", "https:/example.org", SCHEME),
            ("//example.org", "//example.org", SCHEME),
            ("**", "**", SCHEME),
            ("ws://x", "ws", HTTP),
            ("file://", "file", HTTP),
            ("chrome-extension://abc", "chrome-extension", HTTP),
            ("*://example.org", "*", HTTP),
            ("://x", "://", HTTP),
            ("null://x", "null", HTTP),
            ("https://a, https://b", ",", "no origin has this"),
            ("https://a https://b", " ", "no origin has this"),
            (" https://a", " ", "no origin has this"),
            ("https://a\u{a0}b", "\u{a0}", "no origin has this"),
            ("https://a\r\nb", "\r", "no origin has this"),
            ("https://a\0", "\0", "no origin has this"),
            ("https://a/", "/", "an origin ends without a slash"),
            ("https://a/b", "/b", PATH),
            ("https://a//", "//", PATH),
            ("https://a?", "?", PATH),
            ("https://a?b#c", "?b#c", PATH),
            ("https://a#", "#", PATH),
            ("https://a\\b", "\\b", PATH),
            ("https:///a", "/a", PATH),
            ("https://me@a", "me@", "an origin has no user name"),
            ("https://me:word@a:1", "me:word@", "an origin has no user name"),
            ("https://", "https://", "the host is missing"),
            ("https://:8443", "https://:8443", "the host is missing"),
            ("https://*", "*", ALONE),
            ("https://*:8443", "*", ALONE),
            ("https://*.", ".", DOT),
            ("https://*..org", "..", DOT),
            ("https://a.*.org", "*", STAR),
            ("https://*.*.org", "*", STAR),
            ("https://a*.org", "a*", STAR),
            ("https://*a.org", "*a", STAR),
            ("https://**.org", "**", STAR),
            ("https://example.*", "*", STAR),
            ("https://a..b", "..", DOT),
            ("https://.a", ".", DOT),
            ("https://a.", ".", DOT),
            ("https://a.:8443", ".", DOT),
            ("https://b\u{fc}cher.example", "\u{fc}", "browsers send such a name in its ASCII form"),
            ("https://a%2Eb", "%", NAME),
            ("https://a:b:1", ":", NAME),
            ("https://::1", ":", NAME),
            ("https://a]", "]", NAME),
            ("https://x.a{b}", "{", NAME),
            ("https://[::1", "[::1", V6),
            ("https://[::1:443", "[::1:443", V6),
            ("https://[]", "[]", V6),
            ("https://[::1]x", "[::1]x", V6),
            ("https://[*::1]", "[*::1]", V6),
            ("https://[1.2.3.4]:8", "[1.2.3.4]", V6),
            ("http://127.1", "127.1", V4),
            ("http://127.0.0.01", "127.0.0.01", V4),
            ("http://256.0.0.1", "256.0.0.1", V4),
            ("http://2130706433", "2130706433", V4),
            ("http://*.0.0.1", "*.0.0.1", "* does not stand for a part of an address"),
            ("https://a:443", ":443", DEFAULT),
            ("http://a:80", ":80", DEFAULT),
            ("HTTPS://*.a:443", ":443", DEFAULT),
            ("https://[::1]:443", ":443", DEFAULT),
            ("https://a:", ":", PORT),
            ("https://a:0", ":0", PORT),
            ("https://a:08443", ":08443", PORT),
            ("https://a:65536", ":65536", PORT),
            ("https://a:+1", ":+1", PORT),
            ("https://a:*", ":*", PORT),
            ("https://a:http", ":http", PORT),
        ] {
            let problem = OriginPattern::parse(text).unwrap_err();
            assert_eq!((text.get(problem.span.clone()), problem.message), (Some(marked), message), "{text}");
            assert!(!problem.remedy.is_empty());
        }
    }

    #[test]
    fn an_exact_pattern_covers_one_origin() {
        let pattern = "https://bridge.example.org:8443";
        assert!(covers(pattern, pattern));
        for other in [
            "http://bridge.example.org:8443",
            "https://bridge.example.org",
            "https://bridge.example.org:84433",
            "https://bridge.example.org:8443/",
            "https://bridge.example.org:8443.evil.org",
            "https://evil.org/https://bridge.example.org:8443",
            "https://xbridge.example.org:8443",
            "https://bridgexexample.org:8443",
            "bridge.example.org:8443",
            "null",
            "",
        ] {
            assert!(!covers(pattern, other), "{other}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let pattern = "https://*.example.org";
        for label in ["a", "bridge", "my_bridge-2", "0", "xn--bcher-kva", "-"] {
            assert!(covers(pattern, &format!("https://{label}.example.org")), "{label}");
        }
        for other in [
            "https://example.org",
            "https://.example.org",
            "https://a.b.example.org",
            "https://*.example.org",
            "https://evilexample.org",
            "https://a.example.org:8443",
            "https://a.example.org.evil.org",
            "https://a.example.org/",
            "https://evil.org/.example.org",
            "https://evil.org#.example.org",
            "https://evil.org?.example.org",
            "https://evil:1.example.org",
            "https://me@a.example.org",
            "https://a%2e.example.org",
            "https://b\u{fc}cher.example.org",
            "http://a.example.org",
            "https://a.example.com",
            "a.example.org",
            "null",
            "",
        ] {
            assert!(!covers(pattern, other), "{other}");
        }
        assert!(covers("https://*.example.org:8443", "https://a.example.org:8443"));
        assert!(!covers("https://*.example.org:8443", "https://a.example.org"));
        assert!(!covers("https://*.example.org:8443", "https://a.example.org:84433"));
        // The two halves of a pattern must not share bytes of the origin.
        assert!(!covers("https://*.s", "https://.s"));
    }

    /// Every origin that is one byte away from a covered one, judged by other means.
    #[test]
    fn no_byte_more_or_less_slips_through() {
        let good = "https://ab.example.org:8443";
        let first_label_only = |origin: &str| {
            let (first, rest) = origin.split_once('.')?;
            let label = first.strip_prefix("https://")?;
            let fine = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
            (rest == "example.org:8443" && !label.is_empty() && label.chars().all(|c| fine.contains(c)))
                .then_some(())
        };
        let mut covered = 0;
        for at in 0..=good.len() {
            for byte in 0..128_u8 {
                for removed in [0, 1] {
                    let mut origin = good.as_bytes().to_vec();
                    origin.splice(at..(at + removed).min(good.len()), [byte]);
                    let origin = String::from_utf8(origin).unwrap();
                    let expected = first_label_only(&origin).is_some();
                    assert_eq!(covers("https://*.example.org:8443", &origin), expected, "{origin:?}");
                    assert_eq!(covers(good, &origin), origin == good, "{origin:?}");
                    covered += usize::from(expected);
                }
            }
        }
        assert!(covered > 100, "{covered}");
    }

    #[test]
    fn a_star_covers_every_origin_but_null() {
        for origin in ["https://a", "http://[::1]:1", "moz-extension://x"] {
            assert!(covers("*", origin), "{origin}");
        }
        for none in ["null", "", "*", "a.example.org"] {
            assert!(!covers("*", none), "{none}");
        }
    }
}
