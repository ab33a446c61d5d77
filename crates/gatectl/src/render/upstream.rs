//! Where the upstreams of one's own are.

use std::ffi::{OsStr, OsString};

use super::answers::refuse;
use crate::domain;
use crate::outcome::Outcome;

/// RFC 1035 section 2.3.4, without the last dot.
const LONGEST_NAME: usize = 253;

/// An upstream of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// As in the configuration.
    pub(crate) name: String,
    /// As Istio, or DNS, knows it.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What names of Kubernetes objects have of its name; no two upstreams have the same.
    pub(crate) object: String,
}

impl Upstream {
    /// The namespace of a host that is a Service of the cluster.
    pub(crate) fn namespace(&self) -> Option<&str> {
        let (service, _) = self.host.split_once(".svc.")?;
        let (_, namespace) = service.split_once('.')?;
        (!namespace.contains('.')).then_some(namespace)
    }
}

/// Reads each NAME=HOST:PORT. What is wrong is told.
pub(crate) fn read_all(arguments: &[OsString], outcome: &mut Outcome) -> Option<Vec<Upstream>> {
    let mut upstreams = Vec::<Upstream>::new();
    let mut are_good = true;
    for argument in arguments {
        match read(argument) {
            Ok(upstream) if upstreams.iter().any(|known| known.name == upstream.name) => {
                are_good = false;
                outcome.cannot_run(&format!(
                    "gatectl: --upstream {}=… is given twice\n  help: keep one of them",
                    upstream.name
                ));
            }
            Ok(upstream) => {
                let object = object(&upstream.name, &upstreams);
                upstreams.push(Upstream { object, ..upstream });
            }
            Err(why) => {
                are_good = false;
                outcome.cannot_run(&why);
            }
        }
    }
    are_good.then_some(upstreams)
}

fn read(argument: &OsStr) -> Result<Upstream, String> {
    let text = argument.to_string_lossy();
    let wrong = |span, message: &str, help: &str| Err(refuse("--upstream", &text, span, message, help));
    let form = "write it like shop=shop.sockshop.svc.cluster.local:8080";
    let Some((name, address)) = text.split_once('=') else {
        return wrong(0..text.len(), "this has no name", form);
    };
    let start = name.len().saturating_add(1);
    if let Some((at, odd)) =
        name.char_indices().find(|(_, odd)| !(odd.is_ascii_alphanumeric() || "-_.".contains(*odd)))
    {
        let help = "use letters, digits, - _ and ., as in the configuration";
        return wrong(at..at.saturating_add(odd.len_utf8()), "an upstream's name has none of this", help);
    }
    if name.is_empty() {
        return wrong(0..0, "the name is empty", form);
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return wrong(start..text.len(), "this has no port", form);
    };
    let told = |(span, message, help): domain::Wrong| refuse("--upstream", &text, span, &message, &help);
    let port_start = start.saturating_add(host.len()).saturating_add(1);
    let port = domain::parse_port(port, port_start).map_err(told)?;
    let mut at = start;
    for label in host.split('.') {
        domain::check_label(label, at).map_err(told)?;
        at = at.saturating_add(label.len()).saturating_add(1);
    }
    let span = start..start.saturating_add(host.len());
    if host.len() > LONGEST_NAME {
        return wrong(span, "this is longer than 253 characters", "no host is");
    }
    if host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        let help = "write the name of a Service, or of a ServiceEntry that has the address";
        return wrong(span, "this is an address, not a name", help);
    }
    let host = host.to_ascii_lowercase();
    Ok(Upstream { name: name.to_owned(), host, port, object: String::new() })
}

/// Names of objects have lower-case letters, digits and hyphens, and neither begin nor end with one.
fn object(name: &str, others: &[Upstream]) -> String {
    let of_object = |character: char| match character.to_ascii_lowercase() {
        plain if plain.is_ascii_alphanumeric() => plain,
        _ => '-',
    };
    // With what stands before it, it is no longer than the 63 characters that labels may have.
    let short: String = name.chars().map(of_object).take(40).collect();
    let base = short.trim_matches('-');
    let base = if base.is_empty() { "upstream" } else { base };
    let is_free = |name: &String| !others.iter().any(|other| other.object == *name);
    let numbered = (2_usize..).map(|number| format!("{base}-{number}"));
    [base.to_owned()].into_iter().chain(numbered).find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(arguments: &[&str]) -> (Option<Vec<Upstream>>, String) {
        let mut outcome = Outcome::default();
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        (read_all(&arguments, &mut outcome), outcome.stderr)
    }

    #[test]
    fn upstreams_have_names_hosts_and_ports() {
        let (read, told) =
            all(&["shop=Shop.Sockshop.svc.cluster.local:80", "My_Shop.=shop.example:8080", "my-shop=a:1"]);
        let shown: Vec<_> = read
            .unwrap()
            .iter()
            .map(|it| {
                (
                    it.name.clone(),
                    it.host.clone(),
                    it.port,
                    it.object.clone(),
                    it.namespace().map(str::to_owned),
                )
            })
            .collect();
        let of = |name: &str, host: &str, port, object: &str, namespace: Option<&str>| {
            (name.to_owned(), host.to_owned(), port, object.to_owned(), namespace.map(str::to_owned))
        };
        assert_eq!(
            shown,
            [
                of("shop", "shop.sockshop.svc.cluster.local", 80, "shop", Some("sockshop")),
                of("My_Shop.", "shop.example", 8080, "my-shop", None),
                of("my-shop", "a", 1, "my-shop-2", None),
            ]
        );
        assert_eq!(told, "");
    }

    #[test]
    fn what_is_none_is_refused() {
        for (argument, word) in [
            ("", "no name"),
            ("shop", "no name"),
            ("=shop:80", "empty"),
            ("sh op=shop:80", "none of this"),
            ("shop\n=shop:80", "none of this"),
            ("shop=shop", "no port"),
            ("shop=shop:0", "1 to 65535"),
            ("shop=shop:80x", "1 to 65535"),
            ("shop=:80", "should be"),
            ("shop=sh\"op:80", "cannot stand"),
            ("shop=a}}b:80", "cannot stand"),
            ("shop=10.0.0.1:80", "address"),
            ("shop=[::1]:80", "cannot stand"),
            ("shop=a|b:80", "cannot stand"),
        ] {
            let (read, told) = all(&[argument]);
            assert!(read.is_none() && told.contains(word), "{argument:?}\n{told}");
        }
        assert!(all(&["a=b:1", "a=c:2"]).1.contains("twice"));
    }
}
