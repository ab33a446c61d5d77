//! Making a certificate.

use core::time::Duration;
use std::time::SystemTime;

use rcgen::{
    CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::pair::Pair;
use crate::domain::Domain;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// By how much a client's clock may be slow.
const SKEW: Duration = Duration::from_secs(60 * 60);

/// The longest common name: `ub-common-name` of RFC 5280, appendix A.1.
const LONGEST_COMMON_NAME: usize = 64;

/// The names that the certificate covers.
pub(super) fn names(domain: &Domain) -> [String; 3] {
    let host = domain.host();
    [domain.api_host(), format!("*.keptn.{host}"), format!("*.{host}")]
}

/// Makes a key, and a certificate that is valid until `days` days after `now`. Its serial number is a hash of
/// the new key.
///
/// # Errors
///
/// Why it cannot be made: there is no randomness, or `now` is out of range.
pub(super) fn make(domain: &Domain, days: u16, now: SystemTime) -> Result<Pair, String> {
    let time = |time: Option<SystemTime>| time.ok_or_else(|| "the clock is out of range".to_owned());
    let why = |error: rcgen::Error| error.to_string();

    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(why)?;
    let mut params = CertificateParams::new(names(domain)).map_err(why)?;
    params.not_before = time(now.checked_sub(SKEW))?.into();
    params.not_after = time(DAY.checked_mul(days.into()).and_then(|days| now.checked_add(days)))?.into();
    params.distinguished_name.remove(DnType::CommonName);
    // RFC 5280 section 4.1.2.4: an issuer's name is never empty.
    params.distinguished_name.push(DnType::OrganizationName, "Keptn");
    let api_host = domain.api_host();
    if api_host.len() <= LONGEST_COMMON_NAME {
        params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(api_host));
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key).map_err(why)?;
    Ok(Pair {
        chain: vec![certificate.into()],
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
    })
}
