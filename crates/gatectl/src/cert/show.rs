//! `gatectl cert show`.

use core::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::certificate::Certificate;
use super::pem_file::{self, Block, Role};
use crate::lines::Lines;
use crate::outcome::{Exit, Outcome};
use crate::source::read_file;

pub(super) fn run(path: &Path, now: SystemTime, outcome: &mut Outcome) {
    match certificates(path) {
        Ok(certificates) => {
            for (index, certificate) in certificates.iter().enumerate() {
                if index > 0 {
                    outcome.stdout.push('\n');
                }
                outcome.stdout.push_str(&show(certificate, now).to_string());
                if certificate.has_ended(now) || !certificate.has_begun(now) {
                    outcome.at_least(Exit::Bad);
                }
            }
        }
        Err(why) => outcome.cannot_run(&why),
    }
}

/// The certificates of a file, at least one.
///
/// # Errors
///
/// Whole lines that say why there is none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    let (name, bytes) = read_file(path)?;
    let bytes = of_secret(&bytes).unwrap_or(bytes);
    let blocks = pem_file::parse(&name, &bytes, Role::Certificate).map_err(|finding| finding.to_string())?;
    let ders = blocks.iter().filter_map(|block| match block {
        Block::Certificate(der) => Some(der),
        _ => None,
    });
    let certificates: Option<Vec<_>> = ders.map(Certificate::parse).collect();
    match certificates {
        None => Err(format!("{name}: a certificate in it cannot be read: it is damaged")),
        Some(certificates) if certificates.is_empty() => {
            Err(format!("{name}: there is no certificate in it"))
        }
        Some(certificates) => Ok(certificates),
    }
}

/// What a Secret has as `tls.crt`, whether it is JSON or YAML. It is the first: `kubectl get` prints `data`
/// before the annotation with what was applied.
fn of_secret(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("tls.crt")?;
    let value = rest.trim_start_matches(['"', '\'', ':', ' ']);
    let end = value.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '/' | '='));
    BASE64_STANDARD.decode(value.get(..end.unwrap_or(value.len()))?).ok().filter(|found| !found.is_empty())
}

fn show(certificate: &Certificate, now: SystemTime) -> Lines {
    let mut lines = Lines::default();
    lines.add("subject", certificate.subject());
    let issuer = if certificate.issued(certificate) { "itself".to_owned() } else { certificate.issuer() };
    lines.add("issuer", issuer);
    for host in certificate.hosts() {
        lines.add("names", host);
    }
    if certificate.is_ca() {
        lines.add("CA", "yes");
    }
    let not_yet = if certificate.has_begun(now) { "" } else { " (not yet)" };
    lines.add("from", format!("{}{not_yet}", certificate.not_before()));
    lines.add("until", format!("{} ({})", certificate.not_after(), certificate.left(now)));
    lines.add("key", certificate.kind_of_key());
    let digest: [u8; 32] = Sha256::digest(certificate.der()).into();
    let mut fingerprint = String::new();
    for (index, byte) in digest.iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        // Writing to a string cannot fail.
        let _ = write!(fingerprint, "{colon}{byte:02X}");
    }
    lines.add("SHA-256", fingerprint);
    lines
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn days_are_counted_down_to_the_end() {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2030, 1, 1);
        params.not_after = date_time_ymd(2030, 3, 1);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let certificate = Certificate::parse(made.der()).unwrap();
        for (year, month, day, from, until) in [
            (2029, 12, 31, " (not yet)", " (60 days left)"),
            (2030, 1, 1, "", " (59 days left)"),
            (2030, 2, 28, "", " (1 day left)"),
            (2030, 3, 1, "", " (0 days left)"),
            (2030, 3, 2, "", " (expired)"),
        ] {
            let shown = show(&certificate, date_time_ymd(year, month, day).into()).to_string();
            let shown = crate::style::plain(&shown);
            let expected =
                format!("from     2030-01-01T00:00:00Z{from}\nuntil    2030-03-01T00:00:00Z{until}\n");
            assert!(shown.contains(&expected), "{shown}");
        }
    }
}
