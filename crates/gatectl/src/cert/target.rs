//! Where the certificate goes.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, ValueEnum};

use super::pair::Pair;
use crate::draft::{self, Access, Draft};
use crate::outcome::Outcome;
use crate::source::visible;

/// What Keptn's Gateway `public-gateway` has mounted, since 0.6.
const MOUNTED_SECRET: &str = "istio-ingressgateway-certs";

/// What the Ingress `keptn-ingress` of Keptn's quality-gates installation names.
const INGRESS_SECRET: &str = "sslcerts";

/// The first line of a Secret. Files without it are not overwritten.
const MARK: &str = "# Made by gatectl cert.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Install {
    /// A Secret that Istio's ingress gateway reads.
    #[value(aliases = ["istio-http", "wasmplugin", "trafficextension"])]
    Istio,
    /// Secret `sslcerts` for the Ingress in Keptn's namespace.
    Standalone,
    /// Not a Secret, but the files tls.crt and tls.key.
    Compose,
}

#[derive(Args, Debug)]
pub(super) struct TargetArgs {
    /// How the gateway is installed.
    #[arg(long, value_enum, default_value_t = Install::Istio)]
    install: Install,

    /// The Secret's name, for a Gateway with `credentialName`; else it is `istio-ingressgateway-certs`, which
    /// Keptn's Gateway has mounted.
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    credential_name: Option<String>,

    /// The namespace of Istio's ingress gateway.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system", value_parser = namespace)]
    gateway_namespace: String,

    /// Keptn's namespace, for `standalone`.
    #[arg(long, value_name = "NAMESPACE", default_value = "keptn", value_parser = namespace)]
    namespace: String,

    /// The file to write, for `compose` the folder; else the Secret goes to standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A target whose arguments agree with each other.
#[derive(Debug)]
pub(super) enum Target {
    Secret { name: String, namespace: String, output: Option<PathBuf> },
    Files { folder: PathBuf },
}

impl TargetArgs {
    pub(super) fn is_istio(&self) -> bool {
        self.install == Install::Istio
    }

    /// # Errors
    ///
    /// Which arguments do not agree, and what to write.
    pub(super) fn read(&self) -> Result<Target, &'static str> {
        if self.credential_name.is_some() && self.install != Install::Istio {
            return Err("--credential-name is for Istio's gateway: leave it out, or --install");
        }
        let output = self.output.clone();
        Ok(match self.install {
            Install::Istio => Target::Secret {
                name: self.credential_name.as_deref().unwrap_or(MOUNTED_SECRET).to_owned(),
                namespace: self.gateway_namespace.clone(),
                output,
            },
            Install::Standalone => {
                Target::Secret { name: INGRESS_SECRET.to_owned(), namespace: self.namespace.clone(), output }
            }
            Install::Compose => Target::Files {
                folder: output.ok_or("--install compose writes two files: say into which folder with -o")?,
            },
        })
    }
}

impl Target {
    /// Prints or writes the pair: all of it or nothing.
    pub(super) fn deliver(&self, pair: &Pair, outcome: &mut Outcome) {
        let written = match self {
            Self::Secret { name, namespace, output } => {
                let manifest = manifest(name, namespace, pair);
                match output {
                    None => {
                        outcome.stdout = manifest;
                        Ok(())
                    }
                    Some(path) => write_secret(path, &manifest),
                }
            }
            Self::Files { folder } => write_files(folder, pair, outcome),
        };
        if let Err(why) = written {
            outcome.cannot_run(&why);
        }
    }
}

/// What is there and was not made so is not replaced.
fn write_secret(path: &Path, manifest: &str) -> Result<(), String> {
    // Of a pipe nothing is read: nobody may write there.
    if path.is_file() && fs::read(path).is_ok_and(|before| !draft::has_mark(&before, MARK)) {
        return Err(format!(
            "{}: this file is not gatectl's: its first line is not {MARK:?}\n  help: move it away, or choose another \
             name",
            shown(path)
        ));
    }
    draft::write(path, manifest.as_bytes(), Access::Owner)
}

/// Both drafts are whole before the first is put in its place.
fn write_files(folder: &Path, pair: &Pair, outcome: &mut Outcome) -> Result<(), String> {
    let [key_place, certificates_place] = ["tls.key", "tls.crt"].map(|name| folder.join(name));
    no_link(&key_place)?;
    no_link(&certificates_place)?;
    // One that cannot be read, as it was given to Envoy's user, counts as another.
    let is_replaced =
        key_place.exists() && fs::read(&key_place).ok().is_none_or(|before| before != pair.key().as_bytes());
    let key = Draft::write(&key_place, pair.key().as_bytes(), Access::Owner)?;
    let certificates = Draft::write(&certificates_place, pair.certificates().as_bytes(), Access::Everybody)?;
    draft::put_all([key, certificates])?;
    if is_replaced {
        outcome.stderr.push_str(&format!(
            "gatectl: note: {} was there and is replaced; the new one is yours alone, so give it to Envoy's user again\n",
            shown(&key_place),
        ));
    }
    Ok(())
}

/// Nobody named these two files, so nobody meant what they lead to: it may be the key of something else.
fn no_link(place: &Path) -> Result<(), String> {
    if place.is_symlink() {
        return Err(format!(
            "{}: cannot be written: it is a link, and what it leads to would be replaced; remove the link first",
            shown(place),
        ));
    }
    Ok(())
}

fn shown(place: &Path) -> String {
    visible(&place.to_string_lossy())
}

/// Names are quoted: `1e3` and `null` are names, too.
fn manifest(name: &str, namespace: &str, pair: &Pair) -> String {
    let [certificates, key] = [pair.certificates(), pair.key()].map(|text| BASE64_STANDARD.encode(text));
    format!(
        "\
{MARK}
apiVersion: v1
kind: Secret
metadata:
  name: \"{name}\"
  namespace: \"{namespace}\"
  labels:
    app.kubernetes.io/part-of: keptn
type: kubernetes.io/tls
data:
  tls.crt: {certificates}
  tls.key: {key}
"
    )
}

/// A label of RFC 1123, as Kubernetes has them.
fn namespace(text: &str) -> Result<String, &'static str> {
    let is_label = is_label(text) && text.len() <= 63;
    if is_label { Ok(text.to_owned()) } else { Err("write 1 to 63 small letters, digits and hyphens") }
}

/// A subdomain of RFC 1123, as Kubernetes has them.
pub(crate) fn object_name(text: &str) -> Result<String, &'static str> {
    let is_name = text.split('.').all(is_label) && text.len() <= 253;
    if is_name { Ok(text.to_owned()) } else { Err("write small letters, digits, hyphens and single dots") }
}

fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.bytes().all(is_inner) && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}
