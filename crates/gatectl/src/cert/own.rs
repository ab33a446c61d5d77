//! Judging a certificate and key that somebody else made.

use std::path::Path;
use std::time::SystemTime;

use rustls::SignatureAlgorithm;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;

use super::certificate::{Certificate, number};
use super::finding::Finding;
use super::pair::Pair;
use super::pem_file::{self, Block, Role};
use crate::domain::Domain;
use crate::outcome::{Exit, Outcome};
use crate::source::read_file;

/// What is judged, and by what.
pub(super) struct Judge<'a> {
    pub(super) domain: Option<&'a Domain>,
    pub(super) now: SystemTime,
    /// How the two files are called.
    pub(super) cert: String,
    pub(super) key: String,
    pub(super) findings: Vec<Finding>,
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
    // What stands in the way first.
    judge.findings.sort_by_key(|finding| finding.is_warning);
    for finding in &judge.findings {
        outcome.stderr.push_str(&finding.to_string());
        if !finding.is_warning {
            outcome.at_least(Exit::Bad);
        }
    }
    pair.filter(|_| outcome.exit == Exit::Good)
}

impl Judge<'_> {
    pub(super) fn of_cert(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::problem(&self.cert, message, help));
    }

    pub(super) fn of_key(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::problem(&self.key, message, help));
    }

    /// A file that could not be read is said to be so already.
    pub(super) fn judge(&mut self, cert: Option<Vec<u8>>, key: Option<Vec<u8>>) -> Option<Pair> {
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
}

/// What a block is called.
fn label(block: Option<&Block>) -> String {
    match block {
        Some(Block::Other(Some(label))) => label.clone(),
        _ => "something else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use pem::Pem;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::super::self_signed;
    use super::*;

    fn judge(domain: &Domain, certificate: &[u8], key: &[u8]) -> (Option<Pair>, Vec<Finding>) {
        let file = |tag, der: &[u8]| Some(pem::encode(&Pem::new(tag, der)).into_bytes());
        let mut judge = Judge {
            domain: Some(domain),
            now: date_time_ymd(2030, 1, 1).into(),
            cert: "crt".to_owned(),
            key: "key".to_owned(),
            findings: Vec::new(),
        };
        let pair = judge.judge(file("CERTIFICATE", certificate), file("PRIVATE KEY", key));
        (pair, judge.findings)
    }

    /// Every byte of both files changed, and every beginning of them. A signature is nobody's here to check, so
    /// a changed certificate may pass; what is handed on then is what was in the file.
    #[test]
    fn whatever_is_in_the_files_something_is_said() {
        let domain = Domain::read(OsStr::new("example.org")).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = self_signed::names(&domain);
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let (certificate, key) = (certificate.der().to_vec(), key.serialize_der());
        assert_eq!(judge(&domain, &certificate, &key).1, []);

        let changed = |bytes: &[u8], at: usize, by: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= by;
            bytes
        };
        for at in 0..certificate.len() {
            for by in [0x01, 0x80, 0xff] {
                let changed = changed(&certificate, at, by);
                let (pair, _) = judge(&domain, &changed, &key);
                assert!(pair.is_none_or(|pair| pair.chain.iter().all(|der| **der == *changed)));
            }
            let (pair, findings) = judge(&domain, &certificate[..at], &key);
            assert!(pair.is_none() && findings.len() == 1, "{at}: {findings:?}");
        }
        for at in 0..key.len() {
            let (_, findings) = judge(&domain, &certificate, &changed(&key, at, 0x01));
            assert!(!findings.is_empty(), "{at}");
            let (_, findings) = judge(&domain, &certificate, &key[..at]);
            assert_eq!(findings.len(), 1, "{at}: {findings:?}");
        }
    }
}
