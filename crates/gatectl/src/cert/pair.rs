//! A certificate with its key, as the gateway reads them.

use pem::{EncodeConfig, LineEnding, Pem};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A chain, the server's certificate first, and the server's key.
///
/// `Debug` does not show the key: [`PrivateKeyDer`]'s own leaves it out.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Pair {
    /// `tls.crt`: the certificates and nothing else, even where the file they are from has more in it.
    pub(super) fn certificates(&self) -> String {
        self.chain.iter().map(|certificate| encode("CERTIFICATE", certificate)).collect()
    }

    /// `tls.key`.
    pub(super) fn key(&self) -> String {
        let tag = match &self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        encode(tag, self.key.secret_der())
    }
}

fn encode(tag: &str, der: &[u8]) -> String {
    pem::encode_config(&Pem::new(tag, der), EncodeConfig::new().set_line_ending(LineEnding::LF))
}
