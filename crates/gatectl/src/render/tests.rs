//! That no answer leaves its place.

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::Parser;
use proptest::prelude::*;
use saphyr::{LoadableYamlNode as _, Yaml};
use saphyr_parser::{Event, Parser as Events, ScalarStyle};
use serde_json::{Map, Value, json};

use super::answers::{Answers, Purpose};
use super::arguments::RenderArgs;
use super::renderer::{Form, Renderer};
use super::templates::TEMPLATES;
use super::{render, yaml};
use crate::outcome::{Exit, Outcome};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    render: RenderArgs,
}

fn arguments<S: Into<OsString>>(all: impl IntoIterator<Item = S>) -> RenderArgs {
    let all = [OsString::from("render")].into_iter().chain(all.into_iter().map(Into::into));
    Arguments::try_parse_from(all).unwrap().render
}

fn answers(args: &RenderArgs) -> Answers {
    let mut outcome = Outcome::default();
    let domain = args.domain.clone().unwrap_or_else(|| super::EXAMPLE.into());
    let configs: Vec<_> = args.answers.config.iter().cloned().collect();
    let answers = Answers::read(Purpose::Render, &domain, &args.answers, &configs, &mut outcome);
    assert_eq!(outcome.exit, Exit::Good, "{}", outcome.stderr);
    answers.unwrap()
}

/// All files, whatever installation they belong to.
fn files(answers: &Answers) -> Vec<(&'static str, String)> {
    let renderer = Renderer::new(answers, Form::Stream).unwrap();
    TEMPLATES.iter().map(|template| (template.path, renderer.render(template).unwrap())).collect()
}

/// With harmless answers.
static HARMLESS: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.json");
    std::fs::write(&file, r#"{ "upstreams": [{ "name": "shop" }] }"#).unwrap();
    let config = format!("--config={}", file.display());
    files(&answers(&arguments(["--upstream=shop=shop.example:8080".to_owned(), config])))
});

#[test]
fn the_domain_is_in_the_files_that_say_so() {
    let [one, other] = ["example.org", "other.example:31390"]
        .map(|domain| files(&answers(&arguments(["--domain", domain]))));
    for (template, (one, other)) in TEMPLATES.iter().zip(one.iter().zip(&other)) {
        assert_eq!(one != other, template.has_domain, "{}", template.path);
    }
}

/// The scalars of a file that some YAML reader takes for something else than text.
fn no_texts(file: &str) -> Vec<String> {
    let events = Events::new_from_str(file).map(|event| event.unwrap().0);
    let plain = events.filter_map(|event| match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => Some(text.into_owned()),
        _ => None,
    });
    plain
        .filter(|text| yaml::text(text) != *text && (yaml::is_no_text(text) || may_be_number(text)))
        .collect()
}

/// As a number, a date or a time of day in any of YAML's ways.
fn may_be_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || "-+.".contains(first))
        && text.chars().all(|character| character.is_ascii_hexdigit() || "-+.:_ox".contains(character))
}

fn value(yaml: &Yaml<'_>) -> Value {
    if let Some(items) = yaml.as_sequence() {
        return items.iter().map(value).collect();
    }
    if let Some(object) = yaml.as_mapping() {
        let entries = object.iter().map(|(key, it)| (key.as_str().unwrap().to_owned(), value(it)));
        return Value::Object(entries.collect::<Map<_, _>>());
    }
    let of_text = || yaml.as_str().map(Value::from);
    let of_float = || yaml.as_floating_point().map(Value::from);
    let of_number = || yaml.as_integer().map(Value::from).or_else(of_float);
    yaml.as_bool().map(Value::from).or_else(of_number).or_else(of_text).unwrap_or(Value::Null)
}

/// The objects of a stream.
fn objects(stream: &str) -> Vec<Value> {
    Yaml::load_from_str(stream).unwrap().iter().map(value).collect()
}

fn labels() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?",
        "[0-9]{1,4}",
        "[0-9]e[0-9]",
        "0x[0-9]",
        Just("on".to_owned()),
        Just("null".to_owned()),
        Just("y".to_owned()),
    ]
}

/// The configuration that an object of ours carries.
fn configuration_of(object: &Value) -> Option<Value> {
    for of_wasm in ["/spec/pluginConfig", "/spec/wasm/pluginConfig"] {
        if let Some(config) = object.pointer(of_wasm) {
            return Some(config.clone());
        }
    }
    let patches = object.pointer("/spec/configPatches")?.as_array()?;
    let texts = patches
        .iter()
        .filter_map(|patch| patch.pointer("/patch/value/typed_config/config/configuration/value")?.as_str());
    texts.map(|text| serde_json::from_str(text).unwrap()).next()
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_stand_where_they_belong(
        namespace in labels(),
        gateway_namespace in labels(),
        labels in prop::collection::vec("[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", 0..3),
        port in prop::option::of(1_u16..),
        install in prop::sample::select(vec!["istio", "istio-http", "wasmplugin", "trafficextension"]),
        sha256 in "[0-9a-f]{64}|[0-9]{64}|[0-9]{31}e[0-9]{32}",
        upstream in "[A-Za-z0-9._-]{1,12}",
        host in "[a-z0-9-]{0,3}x(\\.on|\\.no|\\.x)?",
        cluster in prop::option::of("\\PC{1,12}"),
    ) {
        prop_assume!(!["api-service", "configuration-service"].contains(&upstream.as_str()));
        prop_assume!(!host.starts_with('-'));
        let host_of_domain = [labels.as_slice(), &["example".to_owned()]].concat().join(".");
        let domain = host_of_domain.clone() + &port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut config = json!({ "upstreams": [{ "name": upstream }], "internal": "deny" });
        if let Some(cluster) = &cluster {
            config["auth"] = json!({ "cluster": cluster, "authority": null });
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut all = vec![
            format!("--install={install}"), format!("--domain={domain}"),
            format!("--namespace={namespace}"), format!("--gateway-namespace={gateway_namespace}"),
            format!("--config={}", file.display()), format!("--upstream={upstream}={host}:8080"),
        ];
        if install != "istio" {
            let scheme = if install == "istio-http" { "https" } else { "oci" };
            all.push(format!("--plugin-url={scheme}://registry.example/{namespace}:1"));
            all.push(format!("--plugin-sha256={sha256}"));
        }
        let args = arguments(&all);
        let Outcome { stdout, stderr, exit, .. } = render(&args);
        prop_assert_eq!((exit, stderr.as_str()), (Exit::Good, ""));
        // Those that the templates mean so, and no answers.
        let pairs = files(&answers(&args)).into_iter().zip(HARMLESS.iter());
        for ((path, text), (_, harmless)) in pairs.filter(|((path, _), _)| path.ends_with(".yaml")) {
            prop_assert_eq!(no_texts(&text), no_texts(harmless), "{}", path);
        }

        let objects = objects(&stdout);
        let api = format!("api.keptn.{host_of_domain}");
        let service = named(&objects, "VirtualService", "keptn-gateway");
        prop_assert_eq!(&service["metadata"]["namespace"], &json!(namespace));
        prop_assert_eq!(&service["spec"]["hosts"], &json!([api, "api.keptn"]));
        prop_assert_eq!(&service["spec"]["gateways"], &json!([format!("{gateway_namespace}/public-gateway")]));
        let routes = named(&objects, "EnvoyFilter", "keptn-gateway-routes");
        prop_assert_eq!(&routes["metadata"]["namespace"], &json!(gateway_namespace));
        let own = routes["spec"]["configPatches"].as_array().unwrap().last().unwrap();
        prop_assert_eq!(
            own.pointer("/patch/value/match/filter_state").unwrap(),
            &json!([{ "key": "wasm.keptn.upstream", "string_match": { "exact": upstream } }])
        );
        prop_assert_eq!(own.pointer("/patch/value/route/cluster").unwrap(), &json!(format!("outbound|8080||{host}")));
        prop_assert!(objects.iter().any(|it| it["kind"] == "DestinationRule" && it["spec"]["host"] == json!(host)));

        let carried: Vec<_> = objects.iter().filter_map(configuration_of).collect();
        let of_istio = format!("outbound|8080||api-service.{namespace}.svc.cluster.local");
        prop_assert_eq!(carried, [json!({
            "hosts": [api, "api.keptn"],
            "auth": { "cluster": cluster.unwrap_or(of_istio), "authority": format!("api-service.{namespace}:8080") },
            "internal": "deny",
            "upstreams": [{ "name": upstream }],
        })]);
        if install != "istio" {
            let shas = stdout.matches(&format!("\"{sha256}\"")).count();
            prop_assert_eq!(shas, 1);
        }
    }

    #[test]
    fn hostile_answers_are_refused(
        option in prop::sample::select(vec!["domain", "namespace", "gateway-namespace", "upstream", "plugin-url", "plugin-sha256"]),
        hostile in "\\PC{0,4}([\"'\n\r\\\\{}#%`<> \t\u{85}\u{2028}]|: |\\{\\{)\\PC{0,4}",
    ) {
        let argument = match option {
            "upstream" => format!("a=b{hostile}c:80"),
            "plugin-url" => format!("oci://example.org/a{hostile}b"),
            "plugin-sha256" => format!("{}{hostile}", "a".repeat(63)),
            _ => format!("a{hostile}b"),
        };
        let args = arguments([format!("--{option}={argument}"), "--install=wasmplugin".to_owned()]);
        let Outcome { stdout, stderr, exit, .. } = render(&args);
        // A URL may have these.
        let may_have = option == "plugin-url" && hostile.chars().all(|it| it.is_ascii_alphanumeric() || "-._~/:@%+=&?".contains(it));
        if !may_have {
            prop_assert_eq!((stdout.as_str(), exit == Exit::Good), ("", false), "{}", stderr);
        }
    }
}
