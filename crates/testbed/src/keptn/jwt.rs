//! The channel tokens of Keptn's log stream: JWT, HS256.
//!
//! By hand, because it is one HMAC; the crates for JWT bring RSA and elliptic curves along.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn mac(secret: &str, signed: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    mac
}

/// A channel token signed with `secret` (api-service's `SECRET_TOKEN`), as api-service issues it: valid for 360 days,
/// bound to no channel.
pub fn sign(secret: &str) -> String {
    let valid = Duration::from_secs(24 * 30 * 12 * 3600);
    let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + valid;
    let head = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{}}}"#, until.as_secs()));
    let signed = format!("{head}.{claims}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(mac(secret, &signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// Keptn checks the signature and nothing else: neither `exp` nor the channel.
pub(super) fn verify(secret: &str, token: &str) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
    signed.contains('.') && mac(secret, signed).verify_slice(&signature).is_ok()
}
