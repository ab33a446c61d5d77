//! The arguments of `gatectl render` and `gatectl domain`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::answers::Install;
use crate::cert::object_name;

/// Makes the manifests of an installation, from a configuration and a few answers.
///
/// It needs no cluster. Without -o it prints one stream for kubectl, with everything of the installation; with -o
/// it writes a folder for kubectl apply -k, as manifests/ is in the sources. What is printed has been accepted by
/// the code that decides inside Envoy.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  the manifests are printed or written; there may be warnings, on standard error
  1  the domain or the configuration is wrong; why is on standard error, and nothing is printed or written
  2  the arguments make no sense, or a file cannot be read or written; likewise

Examples:
  gatectl render --domain example.org | kubectl apply -f -
  gatectl render --domain example.org --config gateway.yaml --upstream shop=shop.sockshop.svc.cluster.local:8080
  gatectl render --install standalone --domain example.org -o gateway")]
pub(crate) struct RenderArgs {
    /// Keptn's domain; the port of a NodePort may follow. Without it example.org stands in its place.
    #[arg(long, value_name = "DOMAIN")]
    pub(super) domain: Option<OsString>,

    #[command(flatten)]
    pub(super) answers: AnswersArgs,
}

/// Changes the domain of an installation.
///
/// Prints the objects that carry the domain, and Keptn's own ConfigMap keptn-domain, for kubectl; give the same
/// options as to render. The filter's object is among them, with its whole configuration: give that one too, or let
/// --config read the object that is there. With -o it changes these files of a folder that render has written, and
/// their configuration stays.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes:
  0  the objects are printed or written; there may be warnings, on standard error
  1  the domain or the configuration is wrong; why is on standard error, and nothing is printed or written
  2  the arguments make no sense, or a file cannot be read or written; likewise

Examples:
  gatectl domain example.org --config gateway.yaml | kubectl apply -f -
  kubectl -n istio-system get envoyfilter keptn-gateway -o json |
      gatectl domain example.org --config - | kubectl apply -f -
  gatectl domain 10.0.0.1.nip.io:31390 -o gateway")]
pub(crate) struct DomainArgs {
    /// Keptn's domain, such as example.org; the port of a NodePort may follow.
    pub(super) domain: OsString,

    #[command(flatten)]
    pub(super) answers: AnswersArgs,
}

#[derive(Args, Debug)]
pub(super) struct AnswersArgs {
    /// How the gateway is installed.
    #[arg(long, value_enum, default_value_t = Install::Istio)]
    pub(super) install: Install,

    /// Keptn's namespace.
    #[arg(long, value_name = "NAMESPACE", default_value = "keptn")]
    pub(super) namespace: OsString,

    /// The namespace of Istio's ingress gateway.
    #[arg(long, value_name = "NAMESPACE", default_value = "istio-system")]
    pub(super) gateway_namespace: OsString,

    /// The cluster's own domain, in which its Services are.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    pub(super) cluster_domain: OsString,

    /// The plugin's configuration, or an object that has it, as in validate; without it all defaults hold; `-` is
    /// standard input. In Istio `hosts` come from the domain.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Where an upstream of the configuration's own is, as Istio or DNS knows it; once for each.
    #[arg(long = "upstream", value_name = "NAME=HOST:PORT")]
    pub(super) upstreams: Vec<OsString>,

    /// Where Istio fetches the plugin: an image (oci://…), for istio-http the file (https://…).
    #[arg(long, value_name = "URL")]
    pub(super) plugin_url: Option<OsString>,

    /// The SHA-256 of that image or file.
    #[arg(long, value_name = "HEX")]
    pub(super) plugin_sha256: Option<OsString>,

    /// The Secret with which images are pulled: in the gateway's namespace, for standalone in Keptn's.
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub(super) image_pull_secret: Option<String>,

    /// The Gateway in its modern form, in Istio: the certificate is in the Secret of this name, and port 80 redirects.
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub(super) credential_name: Option<String>,

    /// The image of Envoy with the plugin in it, for standalone.
    #[arg(long, value_name = "IMAGE")]
    pub(super) image: Option<OsString>,

    /// How many proxies that append to X-Forwarded-For stand before the gateway, without Istio.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(..=16))]
    pub(super) trusted_hops: Option<u8>,

    /// The folder to write to.
    #[arg(short, long, value_name = "FOLDER")]
    pub(super) output: Option<PathBuf>,
}
