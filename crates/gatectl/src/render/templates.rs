//! The files of the manifests: what makes each, and what it is for.

use super::answers::Install;

/// A file of the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    /// Its path in the tree.
    pub(crate) path: &'static str,
    pub(super) text: Text,
    /// The installations that it belongs to.
    of: &'static [Install],
    pub(crate) part: Part,
    /// Whether another domain makes it another file.
    pub(crate) has_domain: bool,
}

/// What a template is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// A file in `templates/`.
    Template(&'static str),
    /// The project's `envoy.yaml`.
    EnvoyYaml,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Objects of the installation.
    Objects,
    /// Nothing to apply by itself, or a choice of people's: it is in the tree, and not in the stream.
    Tree,
    /// What kustomize makes of the tree.
    Stream,
    /// An object of Keptn's own, which belongs to no installation of ours: only `gatectl domain` writes it.
    Keptn,
}

const ISTIO: &[Install] =
    &[Install::Istio, Install::IstioHttp, Install::Wasmplugin, Install::Trafficextension];
const STANDALONE: &[Install] = &[Install::Standalone];
const COMPOSE: &[Install] = &[Install::Compose];
const KUBERNETES: &[Install] = &[
    Install::Istio,
    Install::IstioHttp,
    Install::Wasmplugin,
    Install::Trafficextension,
    Install::Standalone,
];

macro_rules! template {
    ($path:literal, $of:expr, $part:expr) => {
        template!($path, Text::Template(include_str!(concat!("../../templates/", $path))), $of, $part)
    };
    ($path:literal, $text:expr, $of:expr, $part:expr) => {
        Template { path: $path, text: $text, of: $of, part: $part, has_domain: false }
    };
}

impl Template {
    const fn with_domain(self) -> Self {
        Self { has_domain: true, ..self }
    }

    /// Whether it is an object with the filter's configuration.
    pub(crate) fn is_filter(&self) -> bool {
        self.path.ends_with("/filter.yaml")
    }

    /// Whether it belongs to this installation.
    pub(crate) fn is_of(&self, install: Install) -> bool {
        self.of.iter().any(|of| install.covers(*of))
    }
}

/// All of them, in the order in which objects are applied.
pub(crate) const TEMPLATES: [Template; 48] = [
    template!("keptn-domain.yaml", KUBERNETES, Part::Keptn).with_domain(),
    template!("istio/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/base/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/base/public-gateway.yaml", ISTIO, Part::Objects),
    template!("istio/base/virtual-service.yaml", ISTIO, Part::Objects).with_domain(),
    template!("istio/base/routes.yaml", ISTIO, Part::Objects),
    template!("istio/base/destination-rules.yaml", ISTIO, Part::Objects),
    template!("istio/overlays/envoyfilter/kustomization.yaml", &[Install::Istio], Part::Tree),
    template!("istio/overlays/envoyfilter/filter.yaml", &[Install::Istio], Part::Objects).with_domain(),
    template!("istio/overlays/envoyfilter-credential-name/kustomization.yaml", &[Install::Istio], Part::Tree),
    template!("istio/overlays/envoyfilter-http/kustomization.yaml", &[Install::IstioHttp], Part::Tree),
    template!("istio/overlays/envoyfilter-http/filter.yaml", &[Install::IstioHttp], Part::Objects)
        .with_domain(),
    template!("istio/overlays/wasmplugin/kustomization.yaml", &[Install::Wasmplugin], Part::Tree),
    template!("istio/overlays/wasmplugin/filter.yaml", &[Install::Wasmplugin], Part::Objects).with_domain(),
    template!("istio/overlays/trafficextension/kustomization.yaml", &[Install::Trafficextension], Part::Tree),
    template!("istio/overlays/trafficextension/filter.yaml", &[Install::Trafficextension], Part::Objects)
        .with_domain(),
    template!("istio/components/credential-name/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/components/credential-name/public-gateway.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/time-limits.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/buffers.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/upgrades.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/request-id.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/access-log/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/access-log/access-log.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/access-log/mesh-config.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/pods/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/pods/bootstrap.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/pods/deployment.yaml", ISTIO, Part::Tree),
    template!("istio/gateway-wide/pods/service.yaml", ISTIO, Part::Tree),
    template!("istio/tenants/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/tenants/admission-policy.yaml", ISTIO, Part::Tree).with_domain(),
    template!("istio/mount/deployment-patch.yaml", &[Install::Istio], Part::Tree),
    template!("standalone/kustomization.yaml", STANDALONE, Part::Tree),
    template!("standalone/Dockerfile", STANDALONE, Part::Tree),
    template!("standalone/base/kustomization.yaml", STANDALONE, Part::Tree),
    template!("standalone/base/envoy.yaml", Text::EnvoyYaml, STANDALONE, Part::Tree),
    template!("standalone/base/drain.sh", STANDALONE, Part::Tree),
    template!("standalone/base/config-map.yaml", STANDALONE, Part::Stream),
    template!("standalone/base/network-policies.yaml", STANDALONE, Part::Objects),
    template!("standalone/base/deployment.yaml", STANDALONE, Part::Objects),
    template!("standalone/base/pod-disruption-budget.yaml", STANDALONE, Part::Objects),
    template!("standalone/base/service.yaml", STANDALONE, Part::Objects),
    template!("standalone/base/ingress.yaml", STANDALONE, Part::Objects).with_domain(),
    template!("standalone/image-volume/kustomization.yaml", STANDALONE, Part::Tree),
    template!("standalone/image-volume/deployment.yaml", STANDALONE, Part::Tree),
    template!("compose/compose.yaml", COMPOSE, Part::Tree),
    template!("compose/envoy.yaml", Text::EnvoyYaml, COMPOSE, Part::Tree),
];
