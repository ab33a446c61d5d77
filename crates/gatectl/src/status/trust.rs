//! Whether the certificate that the gateway shows is good.
//!
//! rustls asks at the handshake, before anything is sent. What it showed is kept for the report.

use core::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::cert::Certificate;
use crate::findings::few;

/// What is wrong, and what to do.
pub(super) type Wrong = (String, String);

/// Who is believed.
#[derive(Debug)]
pub(super) struct Roots {
    store: RootCertStore,
    /// Those of `--cacert`. The gateway may show one itself.
    pinned: Vec<CertificateDer<'static>>,
}

impl Roots {
    /// The system's, and those of `--cacert` as well.
    pub(super) fn new(pinned: &[Certificate]) -> Self {
        let mut store = RootCertStore::empty();
        // What cannot be read there is somebody else's, and vouches for nobody.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let pinned: Vec<_> = pinned.iter().map(|certificate| certificate.der().clone()).collect();
        store.add_parsable_certificates(pinned.iter().cloned());
        Self { store, pinned }
    }
}

/// What the gateway showed, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) wrong: Vec<Wrong>,
}

/// Judges at the handshake.
#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    roots: Roots,
    /// There is none without roots.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    /// Whatever is shown, it goes on.
    is_insecure: bool,
    now: SystemTime,
    shown: Mutex<Option<Shown>>,
}

impl Verifier {
    pub(super) fn new(
        provider: Arc<CryptoProvider>,
        roots: Roots,
        is_insecure: bool,
        now: SystemTime,
    ) -> Self {
        let store = Arc::new(roots.store.clone());
        let webpki = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(&provider)).build().ok();
        Self { provider, roots, webpki, is_insecure, now, shown: Mutex::new(None) }
    }

    /// What was shown at the last handshake, if it came so far.
    pub(super) fn take(&self) -> Option<Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn ask(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>, now: SystemTime) -> Result<(), Error> {
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let (Some((leaf, rest)), Some(webpki)) = (chain.split_first(), &self.webpki) else {
            return Err(unknown);
        };
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        webpki.verify_server_cert(leaf, rest, name, &[], UnixTime::since_unix_epoch(since_epoch)).map(|_| ())
    }

    /// All that is wrong with a chain: nothing only if rustls says so, or if it is one of `--cacert` to the byte, and
    /// covers the name, today.
    fn judge(&self, chain: &[CertificateDer<'static>], name: &ServerName<'_>) -> Vec<Wrong> {
        let Err(error) = self.ask(chain, name, self.now) else { return Vec::new() };
        let parsed: Option<Vec<_>> = chain.iter().map(Certificate::parse).collect();
        let Some((leaf, parsed)) = parsed.as_deref().and_then(|all| Some((all.first()?, all))) else {
            return vec![("it is damaged".to_owned(), "make a new one: gatectl cert".to_owned())];
        };
        let is_pinned = self.roots.pinned.contains(leaf.der());
        let mut wrong = Vec::new();
        if !is_pinned {
            // Asked for a day on which it is valid: the dates are looked at below.
            let then = self.now.clamp(leaf.not_before().to_system_time(), leaf.not_after().to_system_time());
            if let Err(error) = self.ask(chain, name, then) {
                wrong.extend(self.untrusted(&error, leaf, parsed));
            }
        }
        // Of the CAs' certificates rustls may not have needed all; its own of them the client has.
        for (index, certificate) in parsed.iter().enumerate().take(if is_pinned { 1 } else { parsed.len() }) {
            let what =
                if index == 0 { "it".to_owned() } else { format!("the CA's ({})", certificate.subject()) };
            if certificate.has_ended(self.now) {
                let help = "renew it: gatectl cert makes one, and checks one of yours";
                wrong.push((
                    format!("{what} has expired: it was valid until {}", certificate.not_after()),
                    help.to_owned(),
                ));
            } else if !certificate.has_begun(self.now) {
                let help = "wait until then, or set this machine's clock if it is wrong";
                wrong.push((
                    format!("{what} is not valid yet, but from {}", certificate.not_before()),
                    help.to_owned(),
                ));
            }
        }
        let host = name.to_str();
        if leaf.covers(&host) != Ok(true) {
            wrong.push(not_covered(&host, leaf));
        }
        if wrong.is_empty() && !is_pinned {
            wrong.push((error.to_string(), "gatectl cert show FILE says what is in it".to_owned()));
        }
        wrong
    }

    /// Why nobody who is believed vouches for it.
    fn untrusted(&self, error: &Error, leaf: &Certificate, chain: &[Certificate]) -> Option<Wrong> {
        let Error::InvalidCertificate(error) = error else {
            return Some((error.to_string(), "gatectl cert show FILE says what is in it".to_owned()));
        };
        let (message, help) = match error {
            // Looked at elsewhere.
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
            | CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. } => return None,
            _ if leaf.issued(leaf) => (
                "it is self-signed: nobody but itself vouches for it".to_owned(),
                "if it is yours, trust it with --cacert FILE; --insecure trusts anybody, as Keptn's CLI does",
            ),
            CertificateError::UnknownIssuer if self.roots.store.is_empty() => (
                "this machine has no CA's certificates, so it trusts nobody".to_owned(),
                "install ca-certificates, or trust a CA with --cacert FILE",
            ),
            CertificateError::UnknownIssuer if chain.len() == 1 => (
                format!(
                    "this machine does not know who issued it ({}), and no other certificate comes with it",
                    leaf.issuer()
                ),
                "give the gateway the whole chain (gatectl cert own checks it), or trust a CA of your own with --cacert FILE",
            ),
            CertificateError::UnknownIssuer => {
                let last = chain.last().unwrap_or(leaf);
                (
                    format!(
                        "this machine does not know who issued it: the chain ends with {}",
                        last.issuer()
                    ),
                    "trust a CA of your own with --cacert FILE",
                )
            }
            CertificateError::BadSignature => (
                format!("it is not {} who signed it, but somebody of the same name", leaf.issuer()),
                "trust a CA of your own with --cacert FILE",
            ),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
                "it is not for servers: its extended key usage does not say serverAuth".to_owned(),
                "get one for a server",
            ),
            other => (other.to_string(), "gatectl cert show FILE says what is in it"),
        };
        Some((message, help.to_owned()))
    }
}

fn not_covered(host: &str, leaf: &Certificate) -> Wrong {
    let names = leaf.names();
    let named = if names.is_empty() {
        "it has no subjectAltName, and clients look at no other name".to_owned()
    } else {
        format!("but {}", few(names.iter().map(String::as_str)))
    };
    let help = if host.parse::<IpAddr>().is_ok() {
        "give the gateway's name as --endpoint; --connect-to takes the address"
    } else {
        "get one for that name: gatectl cert makes one, and checks one of yours"
    };
    let comma = if names.is_empty() { ":" } else { "," };
    (format!("it does not cover {host}{comma} {named}"), help.to_owned())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<_> = [leaf].into_iter().chain(rest).map(|der| der.clone().into_owned()).collect();
        let wrong = self.judge(&chain, name);
        let is_good = wrong.is_empty();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(Shown { chain, wrong });
        if is_good || self.is_insecure {
            Ok(ServerCertVerified::assertion())
        } else {
            // Why is told from what is kept.
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
