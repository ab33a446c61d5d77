//! The templates, filled in.

use core::fmt::Write as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value, context};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::answers::{Answers, Install};
use super::templates::{TEMPLATES, Template, Text};
use super::upstream::Upstream;
use super::{standalone, yaml};

/// What the pods of an installation without Istio mount.
const CONFIG_MAP: &str = "keptn-gateway";

/// The Secret that the modern Gateway names.
pub(crate) const CREDENTIAL_NAME: &str = "keptn-gateway-certificate";

/// The ingress gateway's port for https, in pods of Helm's chart and of istioctl's.
const TLS_PORTS: [u16; 2] = [443, 8443];

/// A host that is ours where the configuration names none: Keptn's command line sends it.
const HOST: &str = "api.keptn";

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
            Self { environment, context: context(answers, form), trusted_hops: answers.trusted_hops };
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

fn context(answers: &Answers, form: Form) -> Value {
    let Answers {
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
        image_pull_secret,
        credential_name,
        trusted_hops: _,
    } = answers;
    // In the tree it is a component that makes the Gateway the modern one.
    let is_modern = form == Form::Stream && credential_name.is_some();
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
        cluster_domain,
        is_modern,
        has_component => credential_name.is_some(),
        tls_ports => TLS_PORTS.iter().copied().filter(|_| is_modern).collect::<Value>(),
        credential_name => credential_name.as_deref().unwrap_or(CREDENTIAL_NAME),
        image_pull_secret => image_pull_secret.as_deref(),
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
