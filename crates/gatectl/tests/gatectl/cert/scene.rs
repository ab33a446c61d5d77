//! A folder of certificates and keys, good and bad.
//!
//! They are made anew in each run; those that are to be valid are so for two thousand years.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use pem::Pem;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm, date_time_ymd,
};
use tempfile::TempDir;

use crate::run::{Run, command};

/// What a certificate for example.org should cover.
pub(super) const NAMES: [&str; 3] = ["api.keptn.example.org", "*.keptn.example.org", "*.example.org"];

pub(super) struct Scene {
    folder: TempDir,
}

impl Scene {
    /// A folder with `fullchain.pem` and `tls.key`, which are good.
    pub(super) fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        let key = scene.key("tls.key", &PKCS_ECDSA_P256_SHA256);
        let ca = Ca::new("Middle CA", None);
        scene.write("fullchain.pem", [signed(params(&NAMES), &key, &ca), ca.pem()].concat());
        scene
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), contents).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// One of the keys that OpenSSL made.
    pub(super) fn copy(&self, name: &str) -> String {
        let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name);
        fs::copy(key, self.path().join(name)).unwrap();
        self.read(name)
    }

    /// Makes a key and its file.
    pub(super) fn key(&self, name: &str, kind: &'static SignatureAlgorithm) -> KeyPair {
        let key = KeyPair::generate_for(kind).unwrap();
        self.write(name, encode("PRIVATE KEY", key.serialized_der()));
        key
    }

    /// Runs `gatectl` in the folder.
    pub(super) fn gatectl(&self, args: &[&str]) -> Run {
        command(args).current_dir(self.path()).stdin(Stdio::null()).output().unwrap().into()
    }

    pub(super) fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.path()).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }

    /// All that can be wrong with somebody's files, one file for each.
    pub(super) fn with_bad_files() -> Self {
        let scene = Self::new();
        let key = KeyPair::try_from(pem::parse(scene.read("tls.key")).unwrap().contents()).unwrap();
        let good = scene.read("fullchain.pem");
        let certificate = pem::parse(&good).unwrap().into_contents();

        // Keys.
        scene.key("other.key", &PKCS_ECDSA_P384_SHA384);
        for name in ["encrypted-pkcs8.key", "encrypted-pkcs1.key", "p521.key"] {
            scene.copy(name);
        }
        let text = scene.read("tls.key");
        scene.write("two.key", [text.as_str(), &scene.read("other.key")].concat());
        scene.write("der.key", key.serialized_der());
        scene.write("cut.key", text.split("-----END").next().unwrap());
        scene.write("dashes.key", text.replacen("KEY-----", "KEY", 1));
        scene.write("symbols.key", text.replacen('M', "\u{b7}", 1));
        scene.write("damaged.key", encode("PRIVATE KEY", key.serialized_der().get(..80).unwrap()));
        scene.write("prose.key", "nothing\n");

        // Files of certificates.
        scene.write("der.crt", &certificate);
        scene.write("damaged.crt", encode("CERTIFICATE", certificate.get(..200).unwrap()));
        let request = params(&NAMES).serialize_request(&key).unwrap();
        scene.write("request.pem", encode("CERTIFICATE REQUEST", request.der()));
        let self_signed = |name: &str, params: CertificateParams| {
            scene.write(name, encode("CERTIFICATE", params.self_signed(&key).unwrap().der()));
        };
        let mut expired = params(&NAMES);
        expired.not_after = date_time_ymd(2001, 2, 3);
        self_signed("expired.pem", expired);
        let mut future = params(&NAMES);
        future.not_before = date_time_ymd(4000, 2, 3);
        self_signed("future.pem", future);
        self_signed("elsewhere.pem", params(&["example.org", "*.example.org", "keptn.example.org"]));
        let many: Vec<_> = (0..20).map(|number| format!("shop-{number}.example.org")).collect();
        self_signed("many.pem", params(&many.iter().map(String::as_str).collect::<Vec<_>>()));
        self_signed("nameless.pem", params(&[]));
        self_signed("api-only.pem", params(&["api.keptn.example.org"]));
        let mut client = params(&NAMES);
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self_signed("client.pem", client);

        // Chains.
        let root = Ca::new("Root CA", None);
        let middle = Ca::new("Middle CA", Some(&root));
        let leaf = signed(params(&NAMES), &key, &middle);
        scene.write("ca-first.pem", [middle.pem(), leaf.clone()].concat());
        scene.write("out-of-order.pem", [leaf.clone(), root.pem(), middle.pem()].concat());
        scene.write("leaf-twice.pem", [leaf.clone(), leaf].concat());
        let mut old = Ca::new("Old CA", None);
        old.params.not_after = date_time_ymd(2001, 2, 3);
        scene.write("expired-ca.pem", [signed(params(&NAMES), &key, &old), old.pem()].concat());
        scene
    }
}

/// A CA, itself certified by another or by itself.
pub(super) struct Ca {
    key: KeyPair,
    params: CertificateParams,
    by: Option<(CertificateParams, Vec<u8>)>,
}

impl Ca {
    pub(super) fn new(name: &str, by: Option<&Self>) -> Self {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let by = by.map(|by| (by.params.clone(), by.key.serialize_der()));
        Self { key: KeyPair::generate().unwrap(), params, by }
    }

    pub(super) fn pem(&self) -> String {
        let certificate = match &self.by {
            None => self.params.self_signed(&self.key).unwrap(),
            Some((params, key)) => {
                let key = KeyPair::try_from(key.as_slice()).unwrap();
                self.params.signed_by(&self.key, &Issuer::from_params(params, key)).unwrap()
            }
        };
        encode("CERTIFICATE", certificate.der())
    }
}

pub(super) fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "api.keptn.example.org");
    params
}

pub(super) fn signed(params: CertificateParams, key: &KeyPair, ca: &Ca) -> String {
    let issuer = Issuer::from_params(&ca.params, &ca.key);
    encode("CERTIFICATE", params.signed_by(key, &issuer).unwrap().der())
}

pub(super) fn encode(tag: &str, der: &[u8]) -> String {
    pem::encode_config(&Pem::new(tag, der), pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// A key of each kind and form, by the name of its file, and the file of a certificate for it.
pub(super) fn kinds(scene: &Scene) -> Vec<&'static str> {
    scene.key("p256.key", &PKCS_ECDSA_P256_SHA256);
    scene.key("p384.key", &PKCS_ECDSA_P384_SHA384);
    scene.key("ed25519.key", &PKCS_ED25519);
    // rcgen reads PKCS#8 alone, so the other forms are of keys that are there in PKCS#8, too.
    let all = [
        ("p256.key", "p256.key"),
        ("p384.key", "p384.key"),
        ("ed25519.key", "ed25519.key"),
        ("ec-pkcs8.key", "ec-pkcs8.key"),
        ("ec-sec1.key", "ec-pkcs8.key"),
        ("rsa-pkcs8.key", "rsa-pkcs8.key"),
        ("rsa-pkcs1.key", "rsa-pkcs8.key"),
    ];
    for (name, twin) in all {
        for name in [name, twin] {
            if !scene.files().iter().any(|file| file == name) {
                scene.copy(name);
            }
        }
        let key = KeyPair::try_from(pem::parse(scene.read(twin)).unwrap().contents()).unwrap();
        let certificate = params(&NAMES).self_signed(&key).unwrap();
        scene.write(&format!("{name}.pem"), encode("CERTIFICATE", certificate.der()));
    }
    all.map(|(name, _)| name).to_vec()
}
