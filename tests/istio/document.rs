//! docs/istio.md: its commands, which the tests here run as they stand there.

use std::fs;

use crate::support::{Lab, repository, variable};
use testbed::Result;

/// The whole document.
pub(crate) fn text() -> String {
    fs::read_to_string(repository().join("docs/istio.md")).expect("docs/istio.md")
}

/// The commands of its blocks for a shell, each on one line, without comments.
fn commands() -> Vec<String> {
    let text = text();
    let blocks = text.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default());
    let lines = blocks.flat_map(|block| {
        let joined = block.replace("\\\n", "");
        joined
            .lines()
            .map(|line| line.split("  #").next().unwrap_or_default().trim().to_owned())
            .collect::<Vec<_>>()
    });
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Whether a command begins so; a space at the end is the end of a word.
fn begins(command: &str, beginning: &str) -> bool {
    format!("{command} ").starts_with(beginning)
}

/// The document's command that begins so: there is one.
pub(crate) fn command(beginning: &str) -> String {
    let all: Vec<_> = commands().into_iter().filter(|command| begins(command, beginning)).collect();
    let [command] = &all[..] else {
        panic!("docs/istio.md: not one command begins with {beginning:?}: {all:#?}")
    };
    command.clone()
}

/// Runs it with this lab's plugin, domain and configuration in the place of the reader's; what it printed.
pub(crate) async fn run(lab: &Lab, beginning: &str, domain: &str) -> Result<String> {
    let command = command(beginning)
        .replace("dist/plugin.wasm", &variable("PLUGIN_WASM"))
        .replace(" D ", &format!(" {domain} "))
        .replace("gateway.json", &format!("{}/gateway.json", variable("LAB")));
    lab.run("bash", &["-euo", "pipefail", "-c", &command], None).await
}

/// What the tests here run as it stands in the document.
const RUN: [&str; 12] = [
    "kubectl -n istio-system create configmap keptn-gateway-plugin --from-file",
    "kubectl -n istio-system patch deployment istio-ingressgateway --patch-file",
    "kubectl -n istio-system get envoyfilter keptn-gateway -o json | gatectl domain",
    "gatectl cert self-signed D --credential-name",
    "gatectl render --domain D --config gateway.json --credential-name",
    "kubectl apply -k manifests/istio/gateway-wide",
    "kubectl -n istio-system create configmap keptn-gateway-plugin-0.2.0",
    "kubectl -n istio-system patch deployment istio-ingressgateway -p '{\"spec\":{\"template\":{\"spec\":{\"volumes\":[{\"name\":\"keptn-gateway-plugin\",\"configMap\"",
    "kubectl -n istio-system delete envoyfilter keptn-gateway-routes",
    "kubectl -n istio-system delete envoyfilter keptn-gateway ",
    "kubectl -n keptn delete virtualservice,destinationrule",
    "kubectl -n istio-system patch deployment istio-ingressgateway -p '{\"spec\":{\"template\":{\"spec\":{\"volumes\":[{\"name\":\"keptn-gateway-plugin\",\"$patch\"",
];

/// What they do in other words, or not at all, and why.
const NOT_RUN: [(&str, &str); 8] = [
    ("./build.sh build", "it is done before the lab, which has no network"),
    ("kubectl -n istio-system rollout status", "no controller runs here, and no pod"),
    ("gatectl cert self-signed D |", "certificate.rs, with the arguments as they are"),
    ("gatectl cert own D", "certificate.rs, likewise"),
    (
        "gatectl render --domain D --config gateway.json |",
        "modes.rs applies what is checked in, which render makes",
    ),
    (
        "kubectl -n istio-system exec deploy/istio-ingressgateway",
        "verify.rs asks Envoy itself: nobody can exec into no pod",
    ),
    ("./build.sh image --push", "`./build.sh image --check`, and lab.sh"),
    ("gatectl render --install wasmplugin", "modes.rs, with the lab's image"),
];

#[test]
fn every_command_of_the_document_is_run_or_it_is_said_why_not() {
    let all = || RUN.into_iter().chain(NOT_RUN.map(|(command, _)| command));
    let commands = commands();
    assert!(commands.len() > 20, "{commands:#?}");
    for command in &commands {
        assert_eq!(all().filter(|known| begins(command, known)).count(), 1, "docs/istio.md: {command}");
    }
    for known in all() {
        let is_there = commands.iter().any(|command| begins(command, known));
        assert!(is_there, "docs/istio.md has no command {known}");
    }
}
