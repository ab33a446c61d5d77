//! Servers that answer as they are told, and keep what they were asked.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// What a server does with a request's head.
pub(super) enum Does {
    /// Answers with these bytes and closes.
    Says(Vec<u8>),
    /// Never answers, and holds the line.
    Nothing,
    /// Says this again and again, as long as the client stays.
    Repeats(&'static str),
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn http(does: impl Fn(&str) -> Does + Send + 'static) -> Self {
        Self::start("127.0.0.1:0", None, does)
    }

    pub(super) fn https(identity: &Identity, does: impl Fn(&str) -> Does + Send + 'static) -> Self {
        Self::start("127.0.0.1:0", Some(identity.config()), does)
    }

    /// It serves until the tests end.
    pub(super) fn start(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        does: impl Fn(&str) -> Does + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let whole = match &tls {
                    None => serve(stream.try_clone().unwrap(), &kept, &does),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        serve(StreamOwned::new(connection, stream.try_clone().unwrap()), &kept, &does)
                    }
                };
                // A client that leaves is none of its concern.
                if matches!(whole, Ok(true)) {
                    held.push(stream);
                }
            }
        });
        Self { address, heads }
    }

    /// The requests' heads so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Whether the line is to be held.
fn serve(
    mut stream: impl Read + Write,
    kept: &Mutex<Vec<String>>,
    does: &impl Fn(&str) -> Does,
) -> io::Result<bool> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(false);
        }
        head.extend(byte);
        // TLS, to a server that has none: it says what any server of HTTP says to that.
        if head == b"\x16\x03\x01" {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
            return Ok(false);
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    kept.lock().unwrap().push(head.clone());
    match does(&head) {
        Does::Says(bytes) => {
            stream.write_all(&bytes)?;
            stream.flush()?;
            Ok(false)
        }
        Does::Nothing => Ok(true),
        Does::Repeats(text) => {
            let many = text.repeat(1000);
            loop {
                stream.write_all(many.as_bytes())?;
            }
        }
    }
}

/// A key and the certificates that are shown for it.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    fn config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let builder = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
        let config = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(config.with_single_cert(self.chain.clone(), key).unwrap())
    }

    pub(super) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.self_signed(&key).unwrap().der().clone()];
        Self { chain, key: key.serialize_der() }
    }

    /// The server's certificate alone, as a misled administrator installs it.
    pub(super) fn without_chain(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    pub(super) fn write(&self, path: &Path) {
        let pem = |der: &CertificateDer<'_>| pem::encode(&pem::Pem::new("CERTIFICATE", der.to_vec()));
        fs::write(path, self.chain.iter().map(pem).collect::<String>()).unwrap();
    }
}

pub(super) fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "api.keptn.example.org");
    params
}

/// A CA that this machine trusts, and one below it: `$SSL_CERT_FILE` is `root.pem`.
pub(super) struct Authority {
    pub(super) folder: TempDir,
    middle: (CertificateDer<'static>, Issuer<'static, KeyPair>),
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("Root CA")
    }

    pub(super) fn named(root: &str) -> Self {
        let ca = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            (params, KeyPair::generate().unwrap())
        };
        let (root_params, root_key) = ca(root);
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root_params, root_key);
        let (params, key) = ca("Middle CA");
        let middle = params.signed_by(&key, &root_issuer).unwrap().der().clone();
        let folder = tempfile::tempdir().unwrap();
        let pem = pem::encode(&pem::Pem::new("CERTIFICATE", root.der().to_vec()));
        fs::write(folder.path().join("root.pem"), pem).unwrap();
        Self { folder, middle: (middle, Issuer::new(params, key)) }
    }

    /// Signed, with the chain.
    pub(super) fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.middle.1).unwrap().der().clone();
        Identity { chain: vec![certificate, self.middle.0.clone()], key: key.serialize_der() }
    }
}
