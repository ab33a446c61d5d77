//! What is in a PEM file.

use pem::{Pem, PemError};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use super::finding::Finding;

/// What the user says that a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Certificate,
    Key,
}

/// One `-----BEGIN …-----`.
#[derive(Debug)]
pub(super) enum Block {
    Certificate(CertificateDer<'static>),
    /// [`PrivateKeyDer`]'s `Debug` leaves the key out.
    Key(PrivateKeyDer<'static>),
    EncryptedKey,
    /// By its label, if that is fit to be shown.
    Other(Option<String>),
}

const BEGIN: &[u8] = b"-----BEGIN ";

/// Finds the blocks of a file. What stands between them is ignored: OpenSSL writes attributes there.
///
/// # Errors
///
/// It is not PEM, or broken. Nothing of its contents is shown: it may be the key.
pub(super) fn parse(name: &str, bytes: &[u8], role: Role) -> Result<Vec<Block>, Finding> {
    let count = bytes.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
    if count == 0 {
        let (command, label) = match role {
            Role::Certificate => ("x509", "CERTIFICATE"),
            Role::Key => ("pkey", "PRIVATE KEY"),
        };
        // ASN.1's sequence with a length of more than a byte: both begin so.
        return Err(if matches!(bytes, [0x30, 0x80..=0x84, ..]) {
            let help = format!(
                "convert it: openssl {command} -inform der -in {name} -out FILE; from PKCS#12: openssl pkcs12 \
                 -nodes -in {name} -out FILE"
            );
            Finding::problem(name, "this is not PEM; it seems to be DER or PKCS#12", help)
        } else {
            Finding::problem(name, "this is not PEM", format!("take the file with -----BEGIN {label}-----"))
        });
    }
    let broken = |message: &str| {
        Finding::problem(
            name,
            message,
            "copy the file again, whole, with all -----BEGIN …- and -----END …----- lines",
        )
    };
    let blocks = pem::parse_many(bytes).map_err(|error| {
        broken(match error {
            PemError::InvalidData(_) => "its PEM is broken: a block of it is not base64",
            _ => "its PEM is broken: a block of it does not end as it begins",
        })
    })?;
    // The parser passes over what has no end.
    if blocks.len() != count {
        return Err(broken("its PEM is broken: a block of it has no end"));
    }
    Ok(blocks.into_iter().map(block).collect())
}

fn block(pem: Pem) -> Block {
    let is_encrypted = pem.headers().get("Proc-Type").is_some_and(|value| value.contains("ENCRYPTED"));
    let tag = pem.tag().to_owned();
    let der = pem.into_contents();
    match tag.as_str() {
        "CERTIFICATE" | "X509 CERTIFICATE" => Block::Certificate(CertificateDer::from(der)),
        "ENCRYPTED PRIVATE KEY" => Block::EncryptedKey,
        _ if is_encrypted => Block::EncryptedKey,
        "PRIVATE KEY" => Block::Key(PrivatePkcs8KeyDer::from(der).into()),
        "RSA PRIVATE KEY" => Block::Key(PrivatePkcs1KeyDer::from(der).into()),
        "EC PRIVATE KEY" => Block::Key(PrivateSec1KeyDer::from(der).into()),
        // Where its dashes are missing, the label is all that follows.
        _ => Block::Other(
            (tag.len() <= 40 && !tag.contains(|c: char| c.is_ascii_lowercase() || c.is_control()))
                .then_some(tag),
        ),
    }
}
