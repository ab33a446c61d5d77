//! The manifests' templates, and what they are filled in with.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value, context};

use super::answers::{Answers, Install};
use super::upstream::Upstream;
use super::yaml;

/// A file of the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    /// Its path in the tree.
    pub(crate) path: &'static str,
    text: &'static str,
    /// The installations that it belongs to.
    of: &'static [Install],
    pub(crate) part: Part,
    /// Whether another domain makes it another file.
    pub(crate) has_domain: bool,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Objects of the installation.
    Objects,
    /// Nothing to apply by itself, or a choice of people's: it is in the tree, and not in the stream.
    Tree,
    /// An object of Keptn's own, which belongs to no installation of ours: only `gatectl domain` writes it.
    Keptn,
}

const ISTIO: &[Install] =
    &[Install::Istio, Install::IstioHttp, Install::Wasmplugin, Install::Trafficextension];
const KUBERNETES: &[Install] = &[
    Install::Istio,
    Install::IstioHttp,
    Install::Wasmplugin,
    Install::Trafficextension,
    Install::Standalone,
];

macro_rules! template {
    ($path:literal, $of:expr, $part:expr) => {
        Template {
            path: $path,
            text: include_str!(concat!("../../templates/", $path)),
            of: $of,
            part: $part,
            has_domain: false,
        }
    };
}

impl Template {
    const fn with_domain(self) -> Self {
        Self { has_domain: true, ..self }
    }

    /// Whether it belongs to this installation.
    pub(crate) fn is_of(&self, install: Install) -> bool {
        self.of.iter().any(|of| install.covers(*of))
    }
}

/// All of them, in the order in which objects are applied.
pub(crate) const TEMPLATES: [Template; 17] = [
    template!("keptn-domain.yaml", KUBERNETES, Part::Keptn).with_domain(),
    template!("istio/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/base/kustomization.yaml", ISTIO, Part::Tree),
    template!("istio/base/public-gateway.yaml", ISTIO, Part::Objects),
    template!("istio/base/virtual-service.yaml", ISTIO, Part::Objects).with_domain(),
    template!("istio/base/routes.yaml", ISTIO, Part::Objects),
    template!("istio/base/destination-rules.yaml", ISTIO, Part::Objects),
    template!("istio/overlays/envoyfilter/kustomization.yaml", &[Install::Istio], Part::Tree),
    template!("istio/overlays/envoyfilter/filter.yaml", &[Install::Istio], Part::Objects).with_domain(),
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
];

/// The templates, read, and the answers that they are filled in with.
#[derive(Debug)]
pub(crate) struct Renderer {
    environment: Environment<'static>,
    context: Value,
}

impl Renderer {
    /// # Errors
    ///
    /// A template is wrong, which tests rule out.
    pub(crate) fn new(answers: &Answers) -> Result<Self, String> {
        let environment = environment().map_err(|error| told(&error))?;
        Ok(Self { environment, context: context(answers) })
    }

    /// The file that this template makes.
    ///
    /// # Errors
    ///
    /// The template is wrong, which tests rule out.
    pub(crate) fn render(&self, template: &Template) -> Result<String, String> {
        let rendered = self.environment.get_template(template.path);
        rendered.and_then(|template| template.render(&self.context)).map_err(|error| told(&error))
    }
}

fn told(error: &Error) -> String {
    format!("gatectl: a template is wrong, which is a mistake of gatectl's: {error:#}")
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The templates say what is quoted; `yaml` says how.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
    environment.set_syntax(syntax);
    environment.add_filter("yaml", |text: String| yaml::text(&text));
    for template in TEMPLATES {
        environment.add_template(template.path, template.text)?;
    }
    Ok(environment)
}

fn context(answers: &Answers) -> Value {
    let Answers {
        install,
        domain,
        namespace,
        gateway_namespace,
        in_istio,
        elsewhere,
        upstreams,
        fetched,
        trusted_hops,
    } = answers;
    context! {
        overlay => match install {
            Install::Wasmplugin => "wasmplugin",
            Install::Trafficextension => "trafficextension",
            Install::IstioHttp => "envoyfilter-http",
            Install::Istio | Install::Standalone | Install::Compose | Install::All => "envoyfilter",
        },
        domain => domain.to_string(),
        host => domain.host(),
        api_host => domain.api_host(),
        namespace,
        gateway_namespace,
        in_istio_json => yaml::json(in_istio),
        in_istio_yaml => yaml::block(in_istio),
        elsewhere_json => yaml::json(elsewhere),
        upstreams => upstreams.iter().map(|it| upstream(it, gateway_namespace)).collect::<Value>(),
        plugin => context! {
            file => fetched.file.as_str(),
            image => fetched.image.as_str(),
            sha256 => fetched.sha256.as_str(),
        },
        trusted_hops => *trusted_hops,
    }
}

fn upstream(upstream: &Upstream, gateway_namespace: &str) -> Value {
    context! {
        name => upstream.name.as_str(),
        host => upstream.host.as_str(),
        port => upstream.port,
        object => upstream.object.as_str(),
        // Beside the Service's own rules, which Istio joins with ours: one that is nearer to the gateway would
        // take their place. A host that is no Service has only the gateway's namespace.
        namespace => upstream.namespace().unwrap_or(gateway_namespace),
    }
}
