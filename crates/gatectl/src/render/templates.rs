//! The manifests' templates, and what they are filled in with.

use core::fmt::Write as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value, context};

use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::answers::{Answers, Install};
use super::upstream::Upstream;
use super::{standalone, yaml};

/// What the pods of an installation without Istio mount.
const CONFIG_MAP: &str = "keptn-gateway";

/// A host that is ours where the configuration names none: Keptn's command line sends it.
const HOST: &str = "api.keptn";

/// A file of the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    /// Its path in the tree.
    pub(crate) path: &'static str,
    text: Text,
    /// The installations that it belongs to.
    of: &'static [Install],
    pub(crate) part: Part,
    /// Whether another domain makes it another file.
    pub(crate) has_domain: bool,
}

/// What a template is made of.
#[derive(Clone, Copy, Debug)]
enum Text {
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

    /// Whether it belongs to this installation.
    pub(crate) fn is_of(&self, install: Install) -> bool {
        self.of.iter().any(|of| install.covers(*of))
    }
}

/// All of them, in the order in which objects are applied.
pub(crate) const TEMPLATES: [Template; 45] = [
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

/// The first line of every file. Files without it are not overwritten.
pub(crate) const MARK: &str = "# Made by gatectl render.";

/// What all is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A folder, as kustomize takes it.
    Tree,
    /// Objects, one after the other.
    Stream,
}

/// The templates, read, and the answers that they are filled in with.
#[derive(Debug)]
pub(crate) struct Renderer {
    environment: Environment<'static>,
    context: Value,
    trusted_hops: Option<u8>,
}

impl Renderer {
    /// # Errors
    ///
    /// A template is wrong, which tests rule out.
    pub(crate) fn new(answers: &Answers, form: Form) -> Result<Self, String> {
        let envoy_yaml = standalone::envoy_yaml().map_err(|error| told(&error))?;
        let environment = environment(&envoy_yaml).map_err(|error| told(&format!("{error:#}")))?;
        let mut renderer =
            Self { environment, context: context(answers), trusted_hops: answers.trusted_hops };
        if form == Form::Stream {
            renderer.make_config_map()?;
        }
        Ok(renderer)
    }

    /// What kustomize makes of `configMapGenerator`. The name ends in a hash, so that another configuration
    /// is another object, and the pods roll.
    fn make_config_map(&mut self) -> Result<(), String> {
        let file = |path: &str| {
            let template = TEMPLATES.iter().find(|template| template.path == path);
            template
                .map_or_else(|| Err(format!("gatectl: there is no template {path}")), |it| self.render(it))
        };
        let (drain_sh, envoy_yaml) = (file("standalone/base/drain.sh")?, file("standalone/base/envoy.yaml")?);
        let data = [("drain.sh", drain_sh.as_str()), ("envoy.yaml", envoy_yaml.as_str())];
        let name = hashed_name(CONFIG_MAP, &data);
        let context = core::mem::take(&mut self.context);
        self.context = context! { config_map => name, drain_sh, envoy_yaml, ..context };
        Ok(())
    }

    /// The file that this template makes.
    ///
    /// # Errors
    ///
    /// The template is wrong, which tests rule out.
    pub(crate) fn render(&self, template: &Template) -> Result<String, String> {
        let is_compose = template.path.starts_with("compose/");
        // In Kubernetes Keptn's Ingress is one; nothing is known to stand before a compose file.
        let trusted_hops = self.trusted_hops.unwrap_or(u8::from(!is_compose));
        let context = context! { is_compose, trusted_hops, ..self.context.clone() };
        let rendered = self.environment.get_template(template.path).and_then(|it| it.render(context));
        rendered.map(|text| format!("{MARK}\n{text}")).map_err(|error| told(&format!("{error:#}")))
    }
}

fn told(error: &str) -> String {
    format!("gatectl: a template is wrong, which is a mistake of gatectl's: {error}")
}

fn environment(envoy_yaml: &str) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The templates say what is quoted; `yaml` says how.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
    environment.set_syntax(syntax);
    environment.add_filter("yaml", |text: String| yaml::text(&text));
    for template in TEMPLATES {
        match template.text {
            Text::Template(text) => environment.add_template(template.path, text)?,
            Text::EnvoyYaml => environment.add_template_owned(template.path, envoy_yaml.to_owned())?,
        }
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
        image,
        trusted_hops: _,
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
        own_host => elsewhere.pointer("/hosts/0").and_then(Json::as_str).unwrap_or(HOST),
        upstreams => upstreams.iter().map(|it| upstream(it, gateway_namespace)).collect::<Value>(),
        plugin => context! {
            file => fetched.file.as_str(),
            image => fetched.image.as_str(),
            sha256 => fetched.sha256.as_str(),
        },
        config_map => CONFIG_MAP,
        image => image.as_str(),
        version => env!("CARGO_PKG_VERSION"),
    }
}

fn upstream(upstream: &Upstream, gateway_namespace: &str) -> Value {
    context! {
        name => upstream.name.as_str(),
        host => upstream.host.as_str(),
        port => upstream.port,
        object => upstream.object.as_str(),
        is_service => upstream.namespace().is_some(),
        // Beside the Service's own rules, which Istio joins with ours: one that is nearer to the gateway would
        // take their place. A host that is no Service has only the gateway's namespace.
        namespace => upstream.namespace().unwrap_or(gateway_namespace),
    }
}

/// The name that kustomize gives to a ConfigMap with these files: the same objects come from the tree.
fn hashed_name(name: &str, data: &[(&str, &str)]) -> String {
    let data: Map<String, Json> =
        data.iter().map(|(file, text)| ((*file).to_owned(), Json::from(*text))).collect();
    // With its keys in order, and escaped as Go does. The name is empty: kustomize looks it up in a wrong place.
    let mut json = json!({ "data": data, "kind": "ConfigMap", "name": "" }).to_string();
    for (character, escape) in
        [('<', "003c"), ('>', "003e"), ('&', "0026"), ('\u{2028}', "2028"), ('\u{2029}', "2029")]
    {
        json = json.replace(character, &format!("\\u{escape}"));
    }
    let mut hex = String::new();
    for byte in Sha256::digest(json.as_bytes()).iter().take(5) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    // No word, and no number, comes out by chance.
    let letters = hex.chars().map(|digit| match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    });
    format!("{name}-{}", letters.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `kubectl kustomize` (5.5).
    #[test]
    fn names_are_hashed_as_kustomize_does() {
        let data = [("one", "a < b & c > d \"e\" \\ ü\n"), ("two", "x\n")];
        assert_eq!(hashed_name("keptn-gateway", &data), "keptn-gateway-ggh268fgfg");
    }
}
