//! What a certificate must be to serve a domain.

use core::time::Duration;

use rustls::sign::SigningKey;

use super::certificate::{Certificate, number};
use super::finding::Finding;
use super::own::Judge;
use super::self_signed;

/// How early the end of a certificate is worth a word.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many of a certificate's names are shown.
const NAMES_SHOWN: usize = 10;

const ORDER: &str =
    "write the server's certificate first, then the one that issued it, and so on; leave out others";

impl Judge<'_> {
    /// Finds the server's certificate, and says whether the others follow in order.
    pub(super) fn order(&mut self, chain: &[Certificate], key: Option<&dyn SigningKey>) -> usize {
        let public = key.and_then(|key| key.public_key().map(|public| public.to_vec()));
        let of_key = public
            .as_ref()
            .and_then(|public| chain.iter().position(|certificate| certificate.public_key() == *public));
        if public.is_some() && of_key.is_none() {
            let help = format!(
                "find the other half: openssl pkey -in {} -pubout and openssl x509 -in {} -noout -pubkey print the \
                 same",
                self.key, self.cert
            );
            self.of_key(format!("the key does not belong to the certificate in {}", self.cert), help);
        }
        let issued_none = |certificate: &&Certificate| {
            chain.iter().all(|other| core::ptr::eq(*certificate, other) || !certificate.issued(other))
        };
        let by_names = chain.iter().position(|certificate| issued_none(&certificate));
        let leaf = of_key.or(by_names).unwrap_or(0);
        match chain.first() {
            Some(first) if leaf > 0 => {
                let what = if first.is_ca() { "a CA's" } else { "another" };
                let message = format!(
                    "it begins with {what} certificate ({}), and the server's is {} in it",
                    first.subject(),
                    number(leaf)
                );
                self.of_cert(message, ORDER);
            }
            _ => {
                let mut pairs = chain.iter().zip(chain.iter().skip(1)).enumerate();
                if let Some((index, (certificate, next))) = pairs.find(|(_, (one, next))| !next.issued(one)) {
                    let message = format!(
                        "{} in it ({}) did not issue the one before it, which is from {}",
                        number(index.saturating_add(1)),
                        next.subject(),
                        certificate.issuer()
                    );
                    self.of_cert(message, ORDER);
                }
            }
        }
        leaf
    }

    pub(super) fn validity(&mut self, chain: &[Certificate], leaf: usize) {
        for (index, certificate) in chain.iter().enumerate() {
            let what = if index == leaf {
                "the certificate".to_owned()
            } else {
                format!("{} in it ({})", number(index), certificate.subject())
            };
            if certificate.has_ended(self.now) {
                let message = format!("{what} has expired: it was valid until {}", certificate.not_after());
                let help = if index == leaf { "renew it" } else { "take the CA's present one instead" };
                self.of_cert(message, help);
            } else if !certificate.has_begun(self.now) {
                let message = format!("{what} is not valid yet, but from {}", certificate.not_before());
                self.of_cert(message, "wait until then, or set this machine's clock if it is wrong");
            } else if self.now.checked_add(SOON).is_some_and(|soon| certificate.has_ended(soon)) {
                let message = format!("{what} is valid only until {}", certificate.not_after());
                let help = "renew it in time, and run this command again";
                self.findings.push(Finding::warning(&self.cert, message, help));
            }
        }
    }

    /// Whether clients take it from the server of this domain.
    pub(super) fn purpose(&mut self, leaf: &Certificate) {
        if !leaf.is_for_servers() {
            self.of_cert(
                "the certificate is not for servers: its extended key usage does not say serverAuth",
                "get one for a server",
            );
        }
        let Some(domain) = self.domain else { return };
        let api_host = domain.api_host();
        let hosts = leaf.hosts();
        let help = format!("get one for {}", self_signed::names(domain).join(", "));
        if hosts.is_empty() {
            self.of_cert(
                format!("the certificate does not cover {api_host}: it has no subjectAltName with a host"),
                help,
            );
            return;
        }
        let mut shown = hosts.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        if hosts.len() > NAMES_SHOWN {
            shown.push_str(", …");
        }
        match leaf.covers(&api_host) {
            Err(why) => self.of_cert(format!("clients refuse the certificate: {why}"), help),
            Ok(false) => {
                self.of_cert(format!("the certificate does not cover {api_host}, but {shown}"), help)
            }
            Ok(true) => {
                let bridge = format!("bridge.keptn.{}", domain.host());
                let wildcard = format!("*.{}", domain.host());
                let mut missing = Vec::new();
                if leaf.covers(&bridge) != Ok(true) {
                    missing.push(bridge);
                }
                if !hosts.iter().any(|host| host.eq_ignore_ascii_case(&wildcard)) {
                    missing.push(wildcard);
                }
                if !missing.is_empty() {
                    let message = format!("the certificate does not cover {}", missing.join(" and "));
                    let help = "Keptn's API works; what else the gateway serves below the domain needs them";
                    self.findings.push(Finding::warning(&self.cert, message, help));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use pem::Pem;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// What is said on `now` of a certificate that is valid from January until March 1, 2030.
    fn said(now: SystemTime) -> Vec<(bool, String)> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["api.keptn.example.org".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2030, 3, 1);
        let certificate = params.self_signed(&key).unwrap();
        let file = |tag, der: &[u8]| Some(pem::encode(&Pem::new(tag, der)).into_bytes());
        let mut judge =
            Judge { domain: None, now, cert: "crt".to_owned(), key: "key".to_owned(), findings: Vec::new() };
        let (certificate, key) = (certificate.der(), key.serialize_der());
        assert!(judge.judge(file("CERTIFICATE", certificate), file("PRIVATE KEY", &key)).is_some());
        judge.findings.into_iter().map(|finding| (finding.is_warning, finding.message)).collect()
    }

    #[test]
    fn a_certificate_is_good_from_its_first_second_to_its_last() {
        let second = Duration::from_secs(1);
        let begin = SystemTime::from(date_time_ymd(2030, 1, 1));
        let end = SystemTime::from(date_time_ymd(2030, 3, 1));
        let problem = |text: &str| vec![(false, format!("the certificate {text}"))];
        let warning = vec![(true, "the certificate is valid only until 2030-03-01T00:00:00Z".to_owned())];
        let not_yet = problem("is not valid yet, but from 2030-01-01T00:00:00Z");
        let expired = problem("has expired: it was valid until 2030-03-01T00:00:00Z");
        for (now, expected) in [
            (SystemTime::UNIX_EPOCH, &not_yet),
            (begin - second, &not_yet),
            (begin, &vec![]),
            (end - SOON, &vec![]),
            (end - SOON + second, &warning),
            (end, &warning),
            (end + second, &expired),
        ] {
            assert_eq!(said(now), *expected);
        }
    }
}
