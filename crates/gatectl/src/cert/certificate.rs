//! One certificate, as it is judged.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::Uint;
use x509_cert::der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_SERVER_AUTH};
use x509_cert::der::oid::db::rfc5912::{
    ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1,
};
use x509_cert::der::oid::db::rfc8410::ID_ED_25519;
use x509_cert::der::oid::{AssociatedOid, ObjectIdentifier};
use x509_cert::der::{Decode, Encode as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName};
use x509_cert::time::Time;

use crate::source::visible;

const DAY: u64 = 24 * 60 * 60;

/// A certificate that could be parsed.
#[derive(Debug)]
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    /// `Raw`: private CAs write serial numbers that RFC 5280 does not allow, and TLS works with them.
    parsed: CertificateInner<Raw>,
}

impl Certificate {
    /// `None` if it is not a certificate, or damaged.
    pub(crate) fn parse(der: &CertificateDer<'static>) -> Option<Self> {
        let parsed = CertificateInner::from_der(der).ok()?;
        Some(Self { der: der.clone(), parsed })
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Whom it is about.
    pub(crate) fn subject(&self) -> String {
        shown(&self.parsed.tbs_certificate().subject().to_string())
    }

    /// Who vouches for it.
    pub(crate) fn issuer(&self) -> String {
        shown(&self.parsed.tbs_certificate().issuer().to_string())
    }

    /// Whether `other` says that this one issued it; no signature is checked.
    pub(crate) fn issued(&self, other: &Self) -> bool {
        self.parsed.tbs_certificate().subject() == other.parsed.tbs_certificate().issuer()
    }

    pub(crate) fn not_before(&self) -> Time {
        self.parsed.tbs_certificate().validity().not_before
    }

    pub(crate) fn not_after(&self) -> Time {
        self.parsed.tbs_certificate().validity().not_after
    }

    pub(crate) fn has_begun(&self, now: SystemTime) -> bool {
        self.not_before().to_system_time() <= now
    }

    pub(crate) fn has_ended(&self, now: SystemTime) -> bool {
        self.not_after().to_system_time() < now
    }

    /// How long it is good still, in whole days and words.
    pub(crate) fn left(&self, now: SystemTime) -> String {
        match self.not_after().to_system_time().duration_since(now) {
            Err(_) => "expired".to_owned(),
            Ok(left) => match left.as_secs().checked_div(DAY) {
                Some(1) => "1 day left".to_owned(),
                days => format!("{} days left", days.unwrap_or_default()),
            },
        }
    }

    /// Its public key as DER, in the form that rustls gives a private key's.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        // What was parsed can be encoded.
        self.parsed.tbs_certificate().subject_public_key_info().to_der().unwrap_or_default()
    }

    /// The kind of its key, as people call it.
    pub(crate) fn kind_of_key(&self) -> String {
        let key = self.parsed.tbs_certificate().subject_public_key_info();
        let curve = || key.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok();
        match key.algorithm.oid {
            ID_EC_PUBLIC_KEY => match curve() {
                Some(SECP_256_R_1) => "ECDSA P-256".to_owned(),
                Some(SECP_384_R_1) => "ECDSA P-384".to_owned(),
                Some(SECP_521_R_1) => "ECDSA P-521".to_owned(),
                _ => "ECDSA on another curve".to_owned(),
            },
            RSA_ENCRYPTION => match modulus_bits(key.subject_public_key.raw_bytes()) {
                Some(bits) => format!("RSA, {bits} bits"),
                None => "RSA".to_owned(),
            },
            ID_ED_25519 => "Ed25519".to_owned(),
            other => other.to_string(),
        }
    }

    pub(crate) fn is_ca(&self) -> bool {
        self.extension::<BasicConstraints>().is_some_and(|constraints| constraints.ca)
    }

    /// Whether servers may use it.
    pub(crate) fn is_for_servers(&self) -> bool {
        let is_fit =
            |usage: &ObjectIdentifier| *usage == ID_KP_SERVER_AUTH || *usage == ANY_EXTENDED_KEY_USAGE;
        self.extension::<ExtendedKeyUsage>().is_none_or(|usages| usages.0.iter().any(is_fit))
    }

    /// The hosts that it names, wildcards among them.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let names = self.extension::<SubjectAltName>().map(|names| names.0).unwrap_or_default();
        let host = |name| match name {
            GeneralName::DnsName(host) => Some(visible(host.as_ref())),
            _ => None,
        };
        names.into_iter().filter_map(host).collect()
    }

    /// All that it names: hosts, and addresses after them.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.extension::<SubjectAltName>().map(|names| names.0).unwrap_or_default();
        let address = |name| match name {
            GeneralName::IpAddress(bytes) => match *bytes.as_bytes() {
                [a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d).to_string()),
                ref bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).to_string()),
            },
            _ => None,
        };
        self.hosts().into_iter().chain(names.into_iter().filter_map(address)).collect()
    }

    /// Whether a client that asked for `host` would be content with it.
    ///
    /// # Errors
    ///
    /// Why clients do not even look at its names.
    pub(crate) fn covers(&self, host: &str) -> Result<bool, String> {
        let parsed = ParsedCertificate::try_from(&self.der).map_err(|error| error.to_string())?;
        let name = ServerName::try_from(host);
        Ok(name.is_ok_and(|name| verify_server_name(&parsed, &name).is_ok()))
    }

    fn extension<T: for<'a> Decode<'a> + AssociatedOid>(&self) -> Option<T> {
        let found = self.parsed.tbs_certificate().get_extension::<T>().ok()?;
        found.map(|(_, extension)| extension)
    }
}

/// How long an RSA key is: RFC 8017, appendix A.1.1.
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let fields = Vec::<Uint>::from_der(key).ok()?;
    let modulus = fields.first()?.as_bytes();
    let unused = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    modulus.len().checked_mul(8)?.checked_sub(unused)
}

fn shown(name: &str) -> String {
    if name.is_empty() { "without a name".to_owned() } else { visible(name) }
}

/// What the one at this place of a file is called.
pub(crate) fn number(index: usize) -> String {
    format!("certificate number {}", index.saturating_add(1))
}
