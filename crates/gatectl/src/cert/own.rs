//! Judging a certificate and key that somebody else made.

use core::time::Duration;
use std::path::Path;
use std::time::SystemTime;

use rustls::SignatureAlgorithm;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;

use super::certificate::Certificate;
use super::finding::Finding;
use super::pair::Pair;
use super::pem_file::{self, Block, Role};
use super::self_signed;
use crate::domain::Domain;
use crate::outcome::{Exit, Outcome};
use crate::source::read_file;

/// How early the end of a certificate is worth a word.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many of a certificate's names are shown.
const NAMES_SHOWN: usize = 10;

const ORDER: &str =
    "write the server's certificate first, then the one that issued it, and so on; leave out others";

/// What is judged, and by what.
struct Judge<'a> {
    domain: Option<&'a Domain>,
    now: SystemTime,
    /// How the two files are called.
    cert: String,
    key: String,
    findings: Vec<Finding>,
}

/// Reads and judges both files, and says everything about them. There is a pair if nothing is wrong with it; its
/// names are only judged with a domain.
pub(super) fn read(
    cert: &Path,
    key: &Path,
    domain: Option<&Domain>,
    now: SystemTime,
    outcome: &mut Outcome,
) -> Option<Pair> {
    let mut read = |path| read_file(path).map_err(|why| outcome.cannot_run(&why)).ok();
    let (cert, key) = (read(cert), read(key));
    let name = |file: &Option<(String, _)>| file.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
    let mut judge = Judge { domain, now, cert: name(&cert), key: name(&key), findings: Vec::new() };
    let pair = judge.judge(cert.map(|(_, bytes)| bytes), key.map(|(_, bytes)| bytes));
    for finding in &judge.findings {
        outcome.stderr.push_str(&finding.to_string());
        if !finding.is_warning {
            outcome.at_least(Exit::Bad);
        }
    }
    pair.filter(|_| outcome.exit == Exit::Good)
}

impl Judge<'_> {
    fn of_cert(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::problem(&self.cert, message, help));
    }

    fn of_key(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::problem(&self.key, message, help));
    }

    /// A file that could not be read is said to be so already.
    fn judge(&mut self, cert: Option<Vec<u8>>, key: Option<Vec<u8>>) -> Option<Pair> {
        let chain = cert.and_then(|bytes| self.chain(&bytes));
        let key = key.and_then(|bytes| self.one_key(&bytes));
        let signing = key.as_ref().and_then(|key| self.signing_key(key));
        let chain = chain?;
        let leaf = self.order(&chain, signing.as_deref());
        self.validity(&chain, leaf);
        if let Some(leaf) = chain.get(leaf) {
            self.purpose(leaf);
        }
        let chain = chain.iter().map(|certificate| certificate.der().clone()).collect();
        Some(Pair { chain, key: key? })
    }

    /// The certificates of the file, in its order.
    fn chain(&mut self, bytes: &[u8]) -> Option<Vec<Certificate>> {
        let blocks = self.blocks(bytes, Role::Certificate)?;
        let is_certificate = |block: &&Block| matches!(block, Block::Certificate(_));
        if !blocks.iter().any(|block| is_certificate(&block)) {
            let (found, help) = match blocks.first() {
                Some(Block::Key(_) | Block::EncryptedKey) => {
                    ("a private key".to_owned(), "are --cert and --key the wrong way round?")
                }
                Some(Block::Other(Some(label))) if label.ends_with("CERTIFICATE REQUEST") => (
                    "a request for one".to_owned(),
                    "send it to a CA, and take the certificate that comes back",
                ),
                other => (label(other), "take the file with -----BEGIN CERTIFICATE-----"),
            };
            self.of_cert(format!("there is no certificate in it, but {found}"), help);
            return None;
        }
        let certificates: Vec<&CertificateDer<'static>> = blocks
            .iter()
            .filter_map(|block| match block {
                Block::Certificate(certificate) => Some(certificate),
                _ => None,
            })
            .collect();
        let mut chain = Vec::new();
        for (index, der) in certificates.iter().enumerate() {
            match Certificate::parse(der) {
                Some(certificate) => chain.push(certificate),
                None => self.of_cert(
                    format!("{} in it cannot be read: it is damaged", number(index)),
                    "copy the file again, whole",
                ),
            }
        }
        (chain.len() == certificates.len()).then_some(chain)
    }

    /// The private key of the file.
    fn one_key(&mut self, bytes: &[u8]) -> Option<PrivateKeyDer<'static>> {
        let blocks = self.blocks(bytes, Role::Key)?;
        let (mut keys, mut is_encrypted, mut others) = (Vec::new(), false, Vec::new());
        for block in blocks {
            match block {
                Block::Key(key) => keys.push(key),
                Block::EncryptedKey => is_encrypted = true,
                other => others.push(other),
            }
        }
        if is_encrypted {
            let help = format!("decrypt it: openssl pkey -in {} -out FILE", self.key);
            self.of_key("the key is encrypted, and the gateway has nobody to ask for the passphrase", help);
            return None;
        }
        if keys.len() > 1 {
            self.of_key("there is more than one private key in it", "leave only the certificate's in it");
            return None;
        }
        let key = keys.pop();
        if key.is_none() {
            let (found, help) = match others.first() {
                Some(Block::Certificate(_)) => {
                    ("a certificate".to_owned(), "are --cert and --key the wrong way round?")
                }
                other => (label(other), "take the file with -----BEGIN PRIVATE KEY-----"),
            };
            self.of_key(format!("there is no private key in it, but {found}"), help);
        }
        key
    }

    fn blocks(&mut self, bytes: &[u8], role: Role) -> Option<Vec<Block>> {
        let name = match role {
            Role::Certificate => &self.cert,
            Role::Key => &self.key,
        };
        pem_file::parse(name, bytes, role).map_err(|finding| self.findings.push(finding)).ok()
    }

    fn signing_key(&mut self, key: &PrivateKeyDer<'static>) -> Option<std::sync::Arc<dyn SigningKey>> {
        match any_supported_type(key) {
            Ok(signing) => {
                if signing.algorithm() == SignatureAlgorithm::ED25519 {
                    let help = "use ECDSA P-256 or RSA, if browsers are to come";
                    self.findings.push(Finding::warning(&self.key, "browsers do not take Ed25519", help));
                }
                Some(signing)
            }
            // Its words are about what rustls tried.
            Err(_) => {
                let help = format!(
                    "see what it is: openssl pkey -in {} -noout -check; a new one: openssl ecparam -genkey -noout \
                     -name prime256v1",
                    self.key
                );
                self.of_key(
                    "the key is damaged, or neither ECDSA (P-256, P-384), RSA (2048 to 4096 bits) nor Ed25519",
                    help,
                );
                None
            }
        }
    }

    /// Finds the server's certificate, and says whether the others follow in order.
    fn order(&mut self, chain: &[Certificate], key: Option<&dyn SigningKey>) -> usize {
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

    fn validity(&mut self, chain: &[Certificate], leaf: usize) {
        for (index, certificate) in chain.iter().enumerate() {
            let what = if index == leaf {
                "the certificate".to_owned()
            } else {
                format!("{} in it ({})", number(index), certificate.subject())
            };
            if certificate.has_ended(self.now) {
                let message = format!("{what} has expired: it was valid until {}", certificate.not_after());
                self.of_cert(message, "renew it");
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
    fn purpose(&mut self, leaf: &Certificate) {
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

/// What a block is called.
fn label(block: Option<&Block>) -> String {
    match block {
        Some(Block::Other(Some(label))) => label.clone(),
        _ => "something else".to_owned(),
    }
}

fn number(index: usize) -> String {
    format!("certificate number {}", index.saturating_add(1))
}
