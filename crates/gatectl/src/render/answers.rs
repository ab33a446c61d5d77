//! What is asked of people before there are manifests, judged so that nothing of it can leave its place.

use core::fmt;
use core::ops::Range;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use super::arguments::AnswersArgs;
use super::configuration::{self, Given};
use super::plugin::{self, Fetched};
use super::upstream::{self, Upstream};
use crate::domain::{self, CLI, Domain};
use crate::outcome::{Exit, Outcome};
use crate::source::{Note, Source};

/// A way to install the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Install {
    /// Istio, the filter from a file that the ingress gateway's pods mount
    Istio,
    /// Istio, the filter fetched over HTTP
    IstioHttp,
    /// Istio's WasmPlugin, the filter from an image
    Wasmplugin,
    /// Istio's TrafficExtension (1.30 and newer), the filter from an image
    Trafficextension,
    /// Kubernetes without Istio
    Standalone,
    /// docker compose, with services of one's own
    Compose,
    /// all of these
    All,
}

impl Install {
    /// Whether what belongs to `other` belongs to this one.
    pub(crate) fn covers(self, other: Self) -> bool {
        self == Self::All || self == other
    }

    pub(crate) const fn is_istio(self) -> bool {
        matches!(self, Self::Istio | Self::IstioHttp | Self::Wasmplugin | Self::Trafficextension)
    }

    /// Whether an image is pulled that people have made.
    pub(crate) const fn pulls(self) -> bool {
        matches!(self, Self::Wasmplugin | Self::Trafficextension | Self::Standalone | Self::All)
    }

    /// Whether Istio fetches the plugin.
    pub(crate) const fn fetches(self) -> bool {
        matches!(self, Self::IstioHttp | Self::Wasmplugin | Self::Trafficextension)
    }
}

/// As in `--install`.
impl fmt::Display for Install {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

/// Everything that the templates are filled in with.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) install: Install,
    pub(crate) domain: Domain,
    /// Keptn's.
    pub(crate) namespace: String,
    /// The ingress gateway's.
    pub(crate) gateway_namespace: String,
    /// The cluster's, in which its Services are.
    pub(crate) cluster_domain: String,
    /// The plugin's configuration inside Istio; the gate accepts it.
    pub(crate) in_istio: Value,
    /// The plugin's configuration elsewhere; the gate accepts it.
    pub(crate) elsewhere: Value,
    pub(crate) upstreams: Vec<Upstream>,
    /// Where Istio fetches the plugin.
    pub(crate) fetched: Fetched,
    /// The image of Envoy with the plugin in it, without Istio.
    pub(crate) image: String,
    /// With what images are pulled.
    pub(crate) image_pull_secret: Option<String>,
    /// The Secret with the certificate, where the Gateway is the modern one.
    pub(crate) credential_name: Option<String>,
    /// How many proxies that append to `X-Forwarded-For` stand before the gateway, without Istio.
    pub(crate) trusted_hops: Option<u8>,
}

/// What the configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A whole installation.
    Render,
    /// Another domain for one that there is: only what has the domain is made.
    Domain,
}

impl Answers {
    /// Reads the arguments, and the configuration that these files have. What is wrong with them, all of it, is told on
    /// standard error; so is what may surprise.
    pub(crate) fn read(
        purpose: Purpose,
        domain: &OsStr,
        args: &AnswersArgs,
        configs: &[PathBuf],
        outcome: &mut Outcome,
    ) -> Option<Self> {
        let install = args.install;
        let domain = Domain::read(domain).map_err(|why| {
            outcome.stderr.push_str(&why);
            outcome.at_least(Exit::Bad);
        });
        let domain = domain.ok();
        let namespace = told(read_namespace("--namespace", &args.namespace), outcome);
        let gateway_namespace = told(read_namespace("--gateway-namespace", &args.gateway_namespace), outcome);
        let cluster_domain = told(read_cluster_domain(&args.cluster_domain), outcome);
        let upstreams = upstream::read_all(&args.upstreams, outcome);
        let fetched = plugin::read(args, outcome);
        let image = plugin::read_image(args, outcome);
        if args.trusted_hops.is_some() && install.is_istio() {
            outcome.cannot_run(
                "gatectl: --trusted-hops is for --install standalone and compose\n  help: in Istio it is \
                 numTrustedProxies of the mesh or of the gateway's pods",
            );
        }
        if args.credential_name.is_some() && !install.is_istio() && install != Install::All {
            outcome.cannot_run(
                "gatectl: --credential-name is for Istio's Gateway\n  help: leave it away, or say how Istio is to have the \
                 filter with --install",
            );
        }
        if args.image_pull_secret.is_some() && !install.pulls() {
            outcome.cannot_run(&format!(
                "gatectl: --image-pull-secret says nothing to --install {install}\n  help: it is for wasmplugin, \
                 trafficextension and standalone"
            ));
        }
        let (domain, upstreams, fetched, image) = (domain?, upstreams?, fetched?, image?);
        let (namespace, gateway_namespace, cluster_domain) =
            (namespace?, gateway_namespace?, cluster_domain?);
        let names: Vec<_> = upstreams.iter().map(|upstream| upstream.name.clone()).collect();
        let hosts = [domain.api_host(), CLI.to_owned()];
        let is_istio = install.is_istio() || install == Install::All;
        let given = Given {
            hosts: is_istio.then_some(hosts.as_slice()),
            replaces_hosts: purpose == Purpose::Domain,
            upstreams: &names,
            needs_addresses: purpose == Purpose::Render,
        };
        let own = configuration::read(configs, &given, outcome)?;
        let cluster = format!("outbound|8080||api-service.{namespace}.svc.{cluster_domain}");
        let authority = format!("api-service.{namespace}:8080");
        let auth = Some((cluster.as_str(), authority.as_str()));
        let in_istio = configuration::complete(&own, Some(&hosts), auth, outcome)?;
        let elsewhere = configuration::complete(&own, None, None, outcome)?;
        Some(Self {
            install,
            domain,
            namespace,
            gateway_namespace,
            cluster_domain,
            in_istio,
            elsewhere,
            upstreams,
            fetched,
            image,
            image_pull_secret: args.image_pull_secret.clone(),
            credential_name: args.credential_name.clone(),
            trusted_hops: args.trusted_hops,
        })
    }
}

fn told<T>(read: Result<T, String>, outcome: &mut Outcome) -> Option<T> {
    read.map_err(|why| outcome.cannot_run(&why)).ok()
}

/// The name of a namespace: a label as RFC 1123 has it.
fn read_namespace(option: &str, argument: &OsStr) -> Result<String, String> {
    let text = argument.to_string_lossy();
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let odd = text.char_indices().find(|(_, character)| !is_of_name(*character));
    let wrong = if text.is_empty() {
        Some((0..0, "this is empty"))
    } else if let Some((at, odd)) = odd {
        let span = at..at.saturating_add(odd.len_utf8());
        Some((span, "a namespace has lower-case letters, digits and hyphens"))
    } else if text.len() > 63 {
        Some((63..text.len(), "a namespace has 63 characters at most"))
    } else if text.starts_with('-') {
        Some((0..1, "a namespace does not begin with a hyphen"))
    } else if text.ends_with('-') {
        Some((text.len().saturating_sub(1)..text.len(), "a namespace does not end with a hyphen"))
    } else {
        None
    };
    let help = "`kubectl get namespaces` shows those that there are";
    wrong.map_or_else(
        || Ok(text.to_string()),
        |(span, message)| Err(refuse(option, &text, span, message, help)),
    )
}

/// The domain of a cluster: DNS names are made of it.
fn read_cluster_domain(argument: &OsStr) -> Result<String, String> {
    let text = argument.to_string_lossy();
    let name = text.strip_suffix('.').unwrap_or(&text);
    let mut at = 0;
    for label in name.split('.') {
        domain::check_label(label, at)
            .map_err(|(span, message, help)| refuse("--cluster-domain", &text, span, &message, &help))?;
        at = label.len().saturating_add(at).saturating_add(1);
    }
    Ok(name.to_ascii_lowercase())
}

/// Whole lines about an option's argument, with a caret.
pub(super) fn refuse(option: &str, text: &str, span: Range<usize>, message: &str, help: &str) -> String {
    let help = Some(help.to_owned());
    let note = Note { is_warning: false, span, message: message.to_owned(), help, quote: None };
    Source::new(option.to_owned(), text.to_owned()).show(&note)
}
