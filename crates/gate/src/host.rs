//! Which hosts are ours.

use hashbrown::HashSet;

use crate::request::Field;

/// The hosts that the gateway serves. A request for any other is foreign: on a shared ingress gateway it
/// belongs to another application.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Empty: all.
    names: HashSet<String, foldhash::fast::FixedState>,
}

impl Hosts {
    /// These hosts; all, when `names` is empty.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { names: names.into_iter().map(canonical).collect() }
    }

    /// Their names, sorted; none: all hosts.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.names.iter().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Whether `name` is the name or address of a host, with a port or without: `api.keptn:8080`, `[::1]`.
    /// What is none would be equal to no request's host, or to a missing one.
    pub(crate) fn is_host(name: &str) -> bool {
        let host = canonical(name);
        match host.strip_prefix('[') {
            Some(address) => address.strip_suffix(']').is_some_and(|inner| !inner.contains(['[', ']'])),
            None => !host.is_empty() && !host.contains([':', '[', ']']),
        }
    }

    /// Whether a request with this `:authority` is for us.
    ///
    /// Case, port and one trailing dot do not matter (they do not to DNS: CVE-2021-39155 was a
    /// comparison that took case seriously). What cannot be read is nobody's, hence foreign.
    pub fn are_ours(&self, authority: Field<'_>) -> bool {
        self.names.is_empty()
            || authority
                .once()
                .and_then(|value| core::str::from_utf8(value).ok())
                .is_some_and(|value| self.names.contains(&canonical(value)))
    }
}

fn canonical(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        // In `[::1]` the last colon is part of the address.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_port_and_trailing_dot_do_not_matter() {
        let hosts = Hosts::new(["api.keptn", "API.keptn.Example.org.", "[::1]"]);
        for (authority, ours) in [
            ("api.keptn", true),
            ("API.Keptn:8080", true),
            ("api.keptn.:80", true),
            ("api.keptn.example.org", true),
            ("[::1]:443", true),
            ("[::1]", true),
            ("api.keptn,api.keptn", false),
            ("api.keptn.evil.org", false),
            ("bridge.keptn", false),
            ("", false),
        ] {
            assert_eq!(hosts.are_ours(Field::Once(authority.as_bytes())), ours, "{authority}");
        }
        assert!(!hosts.are_ours(Field::Absent));
        assert!(!hosts.are_ours(Field::Once(b"api.keptn\xff")));
    }

    #[test]
    fn what_no_request_names_is_no_host() {
        for (name, good) in [
            ("api.keptn", true),
            ("api.keptn.:8080", true),
            ("192.0.2.1:80", true),
            ("[::1]:443", true),
            ("[::1]", true),
            ("::1", false),
            ("[::1", false),
            ("a:b", false),
            (":80", false),
            (".", false),
            ("", false),
        ] {
            assert_eq!(Hosts::is_host(name), good, "{name}");
        }
    }

    #[test]
    fn without_names_every_host_is_ours() {
        assert!(Hosts::default().are_ours(Field::Absent));
        assert!(Hosts::default().are_ours(Field::Once(b"\xff")));
    }
}
