//! `gatectl cert`: what it makes is judged by another implementation, and what it refuses is made here.

mod scene;

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::client::verify_server_name;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use scene::{Ca, NAMES, Scene, kinds, params, signed};

/// Command lines that are refused, by the names of their golden files. They run where the bad files are.
const REFUSED: [(&str, &[&str]); 39] = [
    ("mismatch", &["own", "example.org", "--cert", "fullchain.pem", "--key", "other.key"]),
    ("encrypted-pkcs8", &["own", "example.org", "--cert", "fullchain.pem", "--key", "encrypted-pkcs8.key"]),
    ("encrypted-pkcs1", &["own", "example.org", "--cert", "fullchain.pem", "--key", "encrypted-pkcs1.key"]),
    ("kind-of-key", &["own", "example.org", "--cert", "fullchain.pem", "--key", "p521.key"]),
    ("damaged-key", &["own", "example.org", "--cert", "fullchain.pem", "--key", "damaged.key"]),
    ("two-keys", &["own", "example.org", "--cert", "fullchain.pem", "--key", "two.key"]),
    ("cut-key", &["own", "example.org", "--cert", "fullchain.pem", "--key", "cut.key"]),
    ("dashes-key", &["own", "example.org", "--cert", "fullchain.pem", "--key", "dashes.key"]),
    ("symbols-key", &["own", "example.org", "--cert", "fullchain.pem", "--key", "symbols.key"]),
    ("der", &["own", "example.org", "--cert", "der.crt", "--key", "der.key"]),
    ("prose", &["own", "example.org", "--cert", "prose.key", "--key", "prose.key"]),
    ("swapped", &["own", "example.org", "--cert", "tls.key", "--key", "fullchain.pem"]),
    ("request", &["own", "example.org", "--cert", "request.pem", "--key", "request.pem"]),
    ("damaged", &["own", "example.org", "--cert", "damaged.crt", "--key", "tls.key"]),
    ("expired", &["own", "example.org", "--cert", "expired.pem", "--key", "tls.key"]),
    ("future", &["own", "example.org", "--cert", "future.pem", "--key", "tls.key"]),
    ("elsewhere", &["own", "example.org", "--cert", "elsewhere.pem", "--key", "tls.key"]),
    ("many-names", &["own", "example.org", "--cert", "many.pem", "--key", "tls.key"]),
    ("other-domain", &["own", "example.com:31390", "--cert", "fullchain.pem", "--key", "tls.key"]),
    ("nameless", &["own", "example.org", "--cert", "nameless.pem", "--key", "tls.key"]),
    ("client", &["own", "example.org", "--cert", "client.pem", "--key", "tls.key"]),
    ("ca-first", &["own", "example.org", "--cert", "ca-first.pem", "--key", "tls.key"]),
    ("ca-first-mismatch", &["own", "example.org", "--cert", "ca-first.pem", "--key", "other.key"]),
    ("out-of-order", &["own", "example.org", "--cert", "out-of-order.pem", "--key", "tls.key"]),
    ("leaf-twice", &["own", "example.org", "--cert", "leaf-twice.pem", "--key", "tls.key"]),
    ("expired-ca", &["own", "example.org", "--cert", "expired-ca.pem", "--key", "tls.key"]),
    ("everything", &["own", "exa_mple.org", "--cert", "expired.pem", "--key", "encrypted-pkcs8.key"]),
    ("much", &["own", "example.com", "--cert", "expired.pem", "--key", "other.key"]),
    ("no-files", &["own", "example.org", "--cert", "no-such.pem", "--key", "no-such.key"]),
    ("no-file", &["own", "example.org", "--cert", "no-such.pem", "--key", "encrypted-pkcs8.key"]),
    ("domain-url", &["self-signed", "https://api.keptn.example.org"]),
    ("domain-address", &["self-signed", "10.0.0.1:31390"]),
    ("unwritable", &["self-signed", "example.org", "-o", "no-such-folder/secret.yaml"]),
    ("unwritable-folder", &["self-signed", "example.org", "-o", "."]),
    ("unwritable-compose", &["self-signed", "example.org", "--install", "compose", "-o", "tls.key"]),
    ("compose-where", &["self-signed", "example.org", "--install", "compose"]),
    (
        "credential-standalone",
        &["self-signed", "exa_mple.org", "--install", "standalone", "--credential-name", "a"],
    ),
    ("namespace", &["self-signed", "example.org", "--gateway-namespace", "istio_system"]),
    ("days", &["self-signed", "example.org", "--days", "3651"]),
];

/// Command lines that print a Secret.
const PRINTED: [(&str, &[&str]); 6] = [
    ("self-signed", &["self-signed", "example.org"]),
    (
        "credential-name",
        &["self-signed", "example.org:31390", "--credential-name", "keptn-gateway-certificate"],
    ),
    ("standalone", &["self-signed", "example.org", "--install", "standalone"]),
    (
        "gateway-namespace",
        &["self-signed", "example.org", "--gateway-namespace", "ingress", "--install", "wasmplugin"],
    ),
    ("own", &["own", "example.org", "--cert", "fullchain.pem", "--key", "tls.key"]),
    ("own-warnings", &["own", "example.org", "--cert", "api-only.pem", "--key", "tls.key"]),
];

/// Command lines of `show`.
const SHOWN: [(&str, &[&str]); 6] = [
    ("show-openssl", &["show", "rsa.pem"]),
    ("show-chain", &["show", "fullchain.pem"]),
    ("show-expired", &["show", "expired.pem"]),
    ("show-future", &["show", "future.pem"]),
    ("show-key", &["show", "tls.key"]),
    ("show-prose", &["show", "prose.key"]),
];

/// What the golden files should hold.
pub(crate) fn golden() -> Vec<(String, String)> {
    let scene = Scene::with_bad_files();
    scene.copy("rsa.pem");
    let run = |name: &str, args: &[&str]| {
        let args = [&["cert"], args].concat();
        let run = scene.gatectl(&args).to_string();
        // What is another in each run, or on each day.
        let is_random = !args.contains(&"rsa.pem");
        let masked = run.lines().map(|line| {
            if let Some((key, _)) = line.split_once(": LS0t") {
                format!("{key}: (base64)\n")
            } else if let Some((until, _)) =
                line.split_once(" (").filter(|(_, days)| days.ends_with(" days left)"))
            {
                format!("{until} (… days left)\n")
            } else if let Some(label) = line.get(..9).filter(|label| is_random && *label == "SHA-256  ") {
                format!("{label}(hex)\n")
            } else {
                format!("{line}\n")
            }
        });
        let text = format!("$ gatectl {}\n{}", args.join(" "), masked.collect::<String>());
        (format!("cert-{name}"), text)
    };
    let help: [(&str, &[&str]); 4] = [
        ("help", &["--help"]),
        ("help-show", &["show", "--help"]),
        ("help-self-signed", &["self-signed", "--help"]),
        ("help-own", &["own", "--help"]),
    ];
    REFUSED.iter().chain(&PRINTED).chain(&SHOWN).chain(&help).map(|(name, args)| run(name, args)).collect()
}

/// The certificates and the key of a printed Secret.
fn secret(manifest: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, String) {
    let part = |key: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(key)).expect("the Secret has it");
        BASE64_STANDARD.decode(line).unwrap()
    };
    let (certificates, key) = (part("  tls.crt: "), part("  tls.key: "));
    (
        CertificateDer::pem_slice_iter(&certificates).map(Result::unwrap).collect(),
        PrivateKeyDer::from_pem_slice(&key).unwrap(),
        String::from_utf8([certificates, key].concat()).unwrap(),
    )
}

fn covers(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let parsed = ParsedCertificate::try_from(certificate).unwrap();
    verify_server_name(&parsed, &ServerName::try_from(host).unwrap()).is_ok()
}

/// Whether a client that trusts `root` and asks for `host` gets through to a server with this pair.
fn shakes_hands(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    root: CertificateDer<'static>,
    host: &str,
) -> bool {
    let provider = Arc::new(default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut up).unwrap();
        }
        let mut up = up.as_slice();
        while !up.is_empty() {
            server.read_tls(&mut up).unwrap();
        }
        server.process_new_packets().unwrap();
        while server.wants_write() {
            server.write_tls(&mut down).unwrap();
        }
        let mut down = down.as_slice();
        while !down.is_empty() {
            client.read_tls(&mut down).unwrap();
        }
        if client.process_new_packets().is_err() {
            return false;
        }
    }
    true
}

#[test]
fn a_made_certificate_is_what_clients_want() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let scene = Scene::new();
    let before = SystemTime::now();
    let run = scene.gatectl(&["cert", "self-signed", "example.org:31390", "--days", "7"]);
    let after = SystemTime::now();
    assert_eq!(run.code, 0, "{run}");
    let (chain, key, _) = secret(&run.stdout);
    let [certificate] = chain.as_slice() else { panic!("one certificate") };

    for (host, is_covered) in [
        ("api.keptn.example.org", true),
        ("bridge.keptn.example.org", true),
        ("shop.example.org", true),
        ("example.org", false),
        ("carts.sockshop-dev.example.org", false),
        ("api.keptn.example.com", false),
    ] {
        assert_eq!(covers(certificate, host), is_covered, "{host}");
        let hands = shakes_hands(chain.clone(), key.clone_key(), certificate.clone(), host);
        assert_eq!(hands, is_covered, "{host}");
    }

    let parsed = Certificate::from_der(certificate).unwrap();
    let parsed = parsed.tbs_certificate();
    assert_eq!(parsed.subject().to_string(), "CN=api.keptn.example.org,O=Keptn");
    assert_eq!(parsed.issuer(), parsed.subject());
    let algorithm = &parsed.subject_public_key_info().algorithm;
    let curve = algorithm.parameters.as_ref().unwrap().decode_as::<ObjectIdentifier>().unwrap();
    assert_eq!(curve.to_string(), "1.2.840.10045.3.1.7", "prime256v1");
    let [begins, ends] =
        [parsed.validity().not_before, parsed.validity().not_after].map(|time| time.to_system_time());
    // A certificate's times have no fractions of seconds.
    let second = Duration::from_secs(1);
    assert!(begins < before - Duration::from_secs(300) && begins > before - DAY);
    assert!(ends > before + 7 * DAY - second && ends <= after + 7 * DAY);
    let (is_critical, constraints) = parsed.get_extension::<BasicConstraints>().unwrap().unwrap();
    assert!(is_critical && !constraints.ca);
    let (_, usage) = parsed.get_extension::<KeyUsage>().unwrap().unwrap();
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.key_encipherment());
    let (_, usages) = parsed.get_extension::<ExtendedKeyUsage>().unwrap().unwrap();
    assert_eq!(usages.0.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1.3.6.1.5.5.7.3.1"]);
}

/// `ub-common-name`: a longer one would make the certificate invalid.
#[test]
fn a_long_domain_is_no_common_name() {
    let scene = Scene::new();
    let longest = format!("{}.example", "a".repeat(64 - "api.keptn.".len() - ".example".len()));
    for (domain, has_name) in [(longest.clone(), true), (format!("a{longest}"), false)] {
        let (chain, ..) = secret(&scene.gatectl(&["cert", "self-signed", &domain]).stdout);
        let subject = Certificate::from_der(&chain[0]).unwrap().tbs_certificate().subject().to_string();
        assert_eq!(subject.contains("CN="), has_name, "{subject}");
        assert!(covers(&chain[0], &format!("api.keptn.{domain}")));
    }
}

#[test]
fn keys_and_serial_numbers_are_new_each_time() {
    let scene = Scene::new();
    let made = [(); 3].map(|()| secret(&scene.gatectl(&["cert", "self-signed", "example.org"]).stdout));
    let serial = |der: &CertificateDer<'_>| {
        Certificate::from_der(der).unwrap().tbs_certificate().serial_number().as_bytes().to_vec()
    };
    assert_eq!(made.iter().map(|(chain, ..)| serial(&chain[0])).collect::<HashSet<_>>().len(), 3);
    assert_eq!(made.iter().map(|(_, key, _)| key.secret_der()).collect::<HashSet<_>>().len(), 3);
}

#[test]
fn what_was_made_is_good_as_ones_own() {
    let scene = Scene::new();
    let made = scene.gatectl(&["cert", "self-signed", "example.org", "--install", "compose", "-o", "."]);
    assert_eq!((made.code, made.stdout.as_str()), (0, ""), "{made}");
    let own = scene.gatectl(&["cert", "own", "example.org", "--cert", "tls.crt", "--key", "tls.key"]);
    assert_eq!((own.code, own.stderr.as_str()), (0, ""), "{own}");
    assert_eq!(secret(&own.stdout).2, scene.read("tls.crt") + &scene.read("tls.key"));
}

#[test]
fn keys_of_all_forms_are_taken_as_they_are() {
    let scene = Scene::new();
    for name in kinds(&scene) {
        let certificate = format!("{name}.pem");
        let run = scene.gatectl(&["cert", "own", "example.org", "--cert", &certificate, "--key", name]);
        assert_eq!(run.code, 0, "{run}");
        let (chain, key, text) = secret(&run.stdout);
        assert_eq!(key, PrivateKeyDer::from_pem_slice(scene.read(name).as_bytes()).unwrap(), "{name}");
        assert!(text.starts_with(&scene.read(&certificate)), "{name}");
        assert!(shakes_hands(chain.clone(), key, chain[0].clone(), "api.keptn.example.org"), "{name}");
        assert_eq!(run.stderr.contains("browsers do not take Ed25519"), name == "ed25519.key", "{run}");
    }
}

#[test]
fn a_secret_shows_its_certificate_and_not_its_key() {
    let scene = Scene::new();
    let yaml = scene.gatectl(&["cert", "self-signed", "example.org", "--days", "1"]).stdout;
    let value = |key: &str| yaml.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    let json = format!(
        r#"{{"data":{{"tls.crt":"{}","tls.key":"{}"}},"kind":"Secret"}}"#,
        value("  tls.crt: "),
        value("  tls.key: ")
    );
    scene.write("secret.yaml", &yaml);
    scene.write("secret.json", json);
    scene.write(
        "tls.pem",
        [secret(&yaml).2, "-----BEGIN JUNK-----\nAAAA\n-----END JUNK-----\n".to_owned()].concat(),
    );
    let shown = ["secret.yaml", "secret.json", "tls.pem"].map(|file| scene.gatectl(&["cert", "show", file]));
    for run in &shown {
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
        assert_eq!(run.stdout, shown[0].stdout);
        let lines: Vec<_> = run.stdout.lines().collect();
        assert_eq!(lines.len(), 9, "{run}");
        assert!(
            run.stdout.contains("names    api.keptn.example.org\n") && run.stdout.contains("ECDSA P-256"),
            "{run}"
        );
    }
    let piped = crate::run::gatectl_reading(["cert", "show", "-"], yaml.as_bytes());
    assert_eq!(piped, shown[0]);
}

#[test]
fn a_chain_is_kept_whole() {
    let scene = Scene::new();
    let key = scene.key("tls.key", &rcgen::PKCS_ECDSA_P256_SHA256);
    let root = Ca::new("Root CA", None);
    let middle = Ca::new("Middle CA", Some(&root));
    let chain = [signed(params(&NAMES), &key, &middle), middle.pem()].concat();
    // As OpenSSL writes it: with words before each, and Windows's line ends.
    let chatty = chain.replace("-----BEGIN", "subject=somebody\n\n-----BEGIN").replace('\n', "\r\n");
    scene.write("chain.pem", chatty);
    let run = scene.gatectl(&["cert", "own", "example.org", "--cert", "chain.pem", "--key", "tls.key"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
    let (certificates, key, text) = secret(&run.stdout);
    assert!(text.starts_with(&chain));
    let root = CertificateDer::from_pem_slice(root.pem().as_bytes()).unwrap();
    assert!(shakes_hands(certificates, key, root, "api.keptn.example.org"));
}

/// Many tools write both into one file. What `tls.crt` has is sent to everybody.
#[test]
fn a_key_among_the_certificates_does_not_get_into_tls_crt() {
    let scene = Scene::new();
    scene.write("both.pem", [scene.read("tls.key"), scene.read("fullchain.pem")].concat());
    let args = ["cert", "own", "example.org", "--cert", "both.pem", "--key", "both.pem"];
    let run = scene.gatectl(&args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
    assert_eq!(secret(&run.stdout).2, scene.read("fullchain.pem") + &scene.read("tls.key"));
    scene.gatectl(&[&args[..], &["--install", "compose", "-o", "."]].concat());
    assert_eq!(scene.read("tls.crt"), scene.read("fullchain.pem"));
}

#[test]
fn nothing_of_a_key_is_shown_where_the_files_are_refused() {
    let scene = Scene::with_bad_files();
    let files = scene.files();
    let keys: Vec<_> = files.iter().filter(|name| name.ends_with(".key")).collect();
    let lines: HashSet<String> = keys
        .iter()
        .flat_map(|name| {
            let bytes = fs::read(scene.path().join(name)).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            text.lines()
                .filter(|line| line.len() > 30 && line.is_ascii() && !line.contains('-'))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(lines.len() > 10);
    for cert in &files {
        for key in &keys {
            let run = scene.gatectl(&["cert", "own", "example.org", "--cert", cert, "--key", key]);
            assert!(run.code == 0 || (run.stdout.is_empty() && run.code == 1), "{run}");
            let leaked: Vec<_> = lines
                .iter()
                .filter(|line| {
                    let part = line.get(..16).unwrap();
                    run.stderr.contains(part) || run.stdout.contains(part)
                })
                .collect();
            assert!(leaked.is_empty(), "{leaked:?}\n{run}");
        }
    }
}

#[cfg(unix)]
mod files {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_holds_the_key_is_for_its_owner_alone() {
        let scene = Scene::new();
        // Whatever rights it had before.
        scene.write("secret.yaml", "# Made by gatectl cert.\nbefore");
        fs::set_permissions(scene.path().join("secret.yaml"), fs::Permissions::from_mode(0o644)).unwrap();
        let run = scene.gatectl(&["cert", "self-signed", "example.org", "-o", "secret.yaml"]);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run}");
        assert_eq!(mode(&scene.path().join("secret.yaml")), 0o600);
        assert!(covers(&secret(&scene.read("secret.yaml")).0[0], "api.keptn.example.org"));

        fs::create_dir(scene.path().join("certs")).unwrap();
        let run =
            scene.gatectl(&["cert", "self-signed", "example.org", "--install", "compose", "-o", "certs"]);
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run}");
        assert_eq!(mode(&scene.path().join("certs/tls.key")), 0o600);
        // The umask of whoever runs this.
        assert_eq!(mode(&scene.path().join("certs/tls.crt")), mode(&scene.path().join("fullchain.pem")));
        assert_eq!(scene.files(), ["certs", "fullchain.pem", "secret.yaml", "tls.key"]);
    }

    #[test]
    fn a_refused_pair_leaves_the_file_as_it_was() {
        let scene = Scene::with_bad_files();
        scene.write("secret.yaml", "before");
        let before = scene.files();
        for args in [
            ["--cert", "expired.pem", "--key", "tls.key", "-o", "secret.yaml"],
            ["--cert", "fullchain.pem", "--key", "no-such.key", "-o", "secret.yaml"],
            ["--cert", "fullchain.pem", "--key", "tls.key", "-o", "tls.key/secret.yaml"],
        ] {
            let run = scene.gatectl(&[&["cert", "own", "example.org"], &args[..]].concat());
            assert!(run.code > 0 && run.stdout.is_empty(), "{run}");
            assert_eq!(scene.read("secret.yaml"), "before");
            assert_eq!(scene.files(), before);
        }
    }

    #[test]
    fn a_file_of_somebody_elses_is_not_replaced() {
        let scene = Scene::new();
        let make = || scene.gatectl(&["cert", "self-signed", "example.org", "-o", "secret.yaml"]);
        scene.write("secret.yaml", "# Mine.\n");
        let run = make();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
        assert!(run.stderr.starts_with("secret.yaml: this file is not gatectl's"), "{run}");
        assert_eq!(scene.read("secret.yaml"), "# Mine.\n");
        fs::remove_file(scene.path().join("secret.yaml")).unwrap();
        let [first, second] = [make(), make()];
        assert_eq!((first.code, second.code), (0, 0), "{first}\n{second}");
    }

    /// Its second file cannot be written, so its first is not.
    #[test]
    fn of_two_files_none_is_written_if_one_cannot_be() {
        let scene = Scene::new();
        let key = scene.read("tls.key");
        fs::create_dir(scene.path().join("tls.crt")).unwrap();
        let run = scene.gatectl(&["cert", "self-signed", "example.org", "--install", "compose", "-o", "."]);
        assert_eq!((run.code, run.stderr.as_str()), (2, "./tls.crt: cannot be written: it is a folder\n"));
        assert_eq!(scene.read("tls.key"), key);
        assert_eq!(scene.files(), ["fullchain.pem", "tls.crt", "tls.key"]);
    }

    #[test]
    fn a_key_in_the_folder_is_not_replaced_in_silence_nor_through_a_link() {
        let scene = Scene::new();
        let compose = ["--install", "compose", "-o", "."];
        let made = || scene.gatectl(&[&["cert", "self-signed", "example.org"], &compose[..]].concat());
        let before = scene.read("tls.key");
        let run = made();
        assert_eq!(run.code, 0, "{run}");
        assert!(run.stderr.contains("note: ./tls.key was there and is replaced"), "{run}");
        assert_ne!(scene.read("tls.key"), before);
        // The same key once more: nothing is lost.
        let own = ["cert", "own", "example.org", "--cert", "tls.crt", "--key", "tls.key"];
        let run = scene.gatectl(&[&own[..], &compose].concat());
        assert_eq!(run.code, 0, "{run}");
        assert!(!run.stderr.contains("replaced"), "{run}");

        for name in ["tls.key", "tls.crt"] {
            let all = ["tls.key", "tls.crt"].map(|name| scene.read(name));
            fs::rename(scene.path().join(name), scene.path().join("elsewhere")).unwrap();
            symlink("elsewhere", scene.path().join(name)).unwrap();
            let run = made();
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run}");
            assert!(run.stderr.starts_with(&format!("./{name}: cannot be written: it is a link")), "{run}");
            assert_eq!(["tls.key", "tls.crt"].map(|name| scene.read(name)), all);
            fs::rename(scene.path().join("elsewhere"), scene.path().join(name)).unwrap();
        }
        assert_eq!(scene.files(), ["fullchain.pem", "tls.crt", "tls.key"]);
    }

    #[test]
    fn a_link_is_followed_and_a_device_is_left_alone() {
        let scene = Scene::new();
        fs::create_dir(scene.path().join("real")).unwrap();
        scene.write("real/secret.yaml", "");
        symlink("real/secret.yaml", scene.path().join("link.yaml")).unwrap();
        let run = scene.gatectl(&["cert", "self-signed", "example.org", "-o", "link.yaml"]);
        assert_eq!(run.code, 0, "{run}");
        assert!(scene.path().join("link.yaml").is_symlink());
        assert!(scene.read("real/secret.yaml").contains("kind: Secret"));
        symlink("/dev/null", scene.path().join("null.yaml")).unwrap();
        let run = scene.gatectl(&["cert", "self-signed", "example.org", "-o", "null.yaml"]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.starts_with("null.yaml: cannot be written: it is not a file"), "{run}");
        // A pipe has no name that could be replaced; its link must not be, as /dev/stdout is one.
        for (to, why) in [
            ("/proc/self/fd/1", "it is not a file"),
            ("nowhere", "it is a link to something that is not there"),
        ] {
            let _ = fs::remove_file(scene.path().join("pipe.yaml"));
            symlink(to, scene.path().join("pipe.yaml")).unwrap();
            let run = scene.gatectl(&["cert", "self-signed", "example.org", "-o", "pipe.yaml"]);
            assert!(run.stderr.starts_with(&format!("pipe.yaml: cannot be written: {why}")), "{run}");
            assert_eq!(fs::read_link(scene.path().join("pipe.yaml")).unwrap(), std::path::Path::new(to));
        }
    }
}
