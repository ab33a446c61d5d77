//! Where the gateway is, as people write it.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr as _;

use hyper::Uri;
use rustls::pki_types::ServerName;

/// A URL without user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) is_https: bool,
    /// A name or an address, this one without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What comes before `/v1/…`: nothing, or segments without a slash at their end.
    pub(super) path: String,
    /// The scheme was not given.
    pub(super) is_assumed: bool,
}

impl Endpoint {
    /// Reads the argument.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to write. Nothing of it is repeated.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let is_https = match scheme.as_deref() {
            None | Some("https") => true,
            Some("http") => false,
            Some(_) => return Err("its scheme is neither https nor http".to_owned()),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("there is a user in it; leave out what stands before the @".to_owned());
        }
        if path.contains(['?', '#']) {
            return Err("there is a query or a fragment in it; leave that out".to_owned());
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err("there is no host in it".to_owned());
        }
        if !host.is_ascii() {
            return Err("its host is not ASCII; write its labels as DNS has them, with xn--".to_owned());
        }
        if ServerName::try_from(host).is_err() {
            return Err("its host is neither a name nor an address".to_owned());
        }
        let path = path.trim_end_matches('/');
        let is_path = path.is_empty() || Uri::from_str(path).is_ok();
        if !is_path || path.contains("//") {
            return Err("its path is not one".to_owned());
        }
        Ok(Self {
            is_https,
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port: port.unwrap_or(if is_https { 443 } else { 80 }),
            path: path.to_owned(),
            is_assumed: scheme.is_none(),
        })
    }

    /// What clients that connect to it send as `Host`.
    pub(super) fn authority(&self) -> String {
        let host = bracketed(&self.host);
        match (self.is_https, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// The host and the port of `HOST`, `HOST:PORT`, `[ADDRESS]` and `[ADDRESS]:PORT`.
///
/// # Errors
///
/// What is wrong with the port or the brackets.
pub(super) fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or("the ] after its address is missing")?;
            (address, if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or("")) })
        }
        // An address of IPv6 without brackets.
        None if authority.parse::<IpAddr>().is_ok() => (authority, None),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None => None,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(
            port.parse().ok().filter(|port| *port != 0).ok_or("its port is not a number from 1 to 65535")?,
        ),
        Some(_) => return Err("its port is not a number from 1 to 65535".to_owned()),
    };
    Ok((host, port))
}

/// With brackets, if it is an address of IPv6.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_write_it_is_one_url_or_none() {
        for (written, read) in [
            ("https://api.keptn.example.org", Ok("https://api.keptn.example.org")),
            ("api.keptn.example.org", Ok("https://api.keptn.example.org")),
            ("HTTPS://API.Keptn.Example.Org./", Ok("https://api.keptn.example.org")),
            ("https://api.keptn.example.org:443//", Ok("https://api.keptn.example.org")),
            ("api.keptn.10.0.0.1.nip.io:31390", Ok("https://api.keptn.10.0.0.1.nip.io:31390")),
            ("http://localhost:8080/", Ok("http://localhost:8080")),
            ("http://127.0.0.1:80", Ok("http://127.0.0.1")),
            ("https://[::1]:8443/api/", Ok("https://[::1]:8443/api")),
            ("::1", Ok("https://[::1]")),
            ("https://example.org/api", Ok("https://example.org/api")),
            ("", Err("no host")),
            ("https://", Err("no host")),
            ("https:///v1", Err("no host")),
            ("https://:8080", Err("no host")),
            ("ftp://example.org", Err("neither https nor http")),
            ("wss://example.org", Err("neither https nor http")),
            ("https://user:hush@example.org", Err("a user")),
            ("https://example.org?token=hush", Err("a query")),
            ("https://example.org/api?token=hush", Err("a query")),
            ("https://example.org/#/api", Err("a query")),
            ("https://example.org:", Err("port")),
            ("https://example.org:0", Err("port")),
            ("https://example.org:65536", Err("port")),
            ("https://example.org:+1", Err("port")),
            ("https://[::1", Err("]")),
            ("https://[::1]8080", Err("port")),
            ("https://exa mple.org", Err("neither a name nor an address")),
            ("https://exämple.org", Err("xn--")),
            ("https://example.org/a b", Err("path")),
            ("https://example.org//api", Err("path")),
            ("https://example..org", Err("neither a name nor an address")),
        ] {
            match (Endpoint::read(written), read) {
                (Ok(endpoint), Ok(expected)) => assert_eq!(endpoint.to_string(), expected, "{written}"),
                (Err(why), Err(part)) => {
                    assert!(why.contains(part) && !why.contains("hush"), "{written}: {why}")
                }
                (found, _) => panic!("{written}: {found:?}"),
            }
        }
    }
}
