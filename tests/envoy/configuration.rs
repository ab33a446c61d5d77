//! What Envoy and the filter make of a configuration.

use crate::support::{Bed, event, honest};
use serde_json::json;
use testbed::{
    Bootstrap, Envoy,
    bootstrap::Listener,
    client::{Raw, Request},
};

/// Starts an Envoy whose filter refuses its configuration: what Envoy leaves behind.
async fn refused(edit: impl FnOnce(Listener) -> Listener) -> String {
    let error = Envoy::start(&Bootstrap::shipped().listener("gateway", edit)).await.unwrap_err().to_string();
    assert!(error.contains("Envoy has ended with exit status: 1"), "{error}");
    error
}

#[tokio::test]
async fn no_configuration_is_all_defaults() {
    let absent = |mut listener: Listener| {
        listener.filter().as_object_mut().unwrap().remove("configuration").expect("a configuration");
        listener
    };
    let bed = Bed::edited(|bootstrap| {
        bootstrap
            .listener("gateway", absent)
            .another_listener("empty", |listener| listener.configuration_text(""))
            .another_listener("blank", |listener| listener.configuration_text(" \n"))
            .another_listener("braces", |listener| listener.configuration_text("{}"))
    })
    .await;
    for name in ["gateway", "empty", "blank", "braces"] {
        let mut client = Raw::connect(bed.envoy.listener(name)).await.unwrap();
        for request in [honest(), event()] {
            let answer = client.send(&request).await.unwrap();
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
        }
        let answer = client.send(&Request::get("/v1/event")).await.unwrap();
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn a_broken_configuration_stops_envoy_with_all_that_is_wrong_in_its_log() {
    let broken = json!({
        "host": ["api.keptn"],
        "auth": { "timeout": "2 parsecs" },
        "internal": "maybe",
        "routes": [{ "path": "/mine/{*rest", "upstream": "api-servic" }],
    });
    let error = refused(|listener| listener.configuration(broken)).await;
    let lines: Vec<_> = error.lines().collect();
    // Each place, the text that stands there, and the caret under what is wrong in it.
    for (place, excerpt) in [
        ("auth.timeout: ", &["    2 parsecs", "      ^^^^^^^"][..]),
        ("host: there is no such key", &["  help: did you mean \"hosts\"?"]),
        ("internal: ", &["    maybe", "    ^^^^^"]),
        ("routes[0].path: ", &["    /mine/{*rest", "          ^^^^^^"]),
        (
            "routes[0].upstream: ",
            &["    api-servic", "    ^^^^^^^^^^", "  help: did you mean \"api-service\"?"],
        ),
    ] {
        let at = lines.iter().position(|line| line.starts_with(place));
        let at = at.unwrap_or_else(|| panic!("nothing about {place:?} in {error}"));
        assert_eq!(lines[at + 1..][..excerpt.len()], *excerpt, "{error}");
    }
}

#[tokio::test]
async fn a_configuration_that_is_no_json_says_how_to_write_it() {
    for edit in [
        // Envoy hands a Struct over as protobuf.
        |mut listener: Listener| {
            let kind = "type.googleapis.com/google.protobuf.Struct";
            listener.filter()["configuration"] =
                json!({ "@type": kind, "value": { "hosts": ["api.keptn"] } });
            listener
        },
        |listener: Listener| listener.configuration_text("hosts: [api.keptn]"),
        |listener: Listener| listener.configuration_text("{"),
    ] {
        let error = refused(edit).await;
        assert!(error.contains("\nconfiguration: this is not JSON: "), "{error}");
        assert!(
            error.contains(
                "\n  help: write a JSON object, in envoy.yaml as the text of a google.protobuf.StringValue"
            ),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_log_says_which_version_and_commit_are_configured() {
    let bed = Bed::start().await;
    let log = bed.envoy.log();
    // The testbed has the workspace's version, as the filter has.
    let words = concat!("keptn-gateway ", env!("CARGO_PKG_VERSION"), " (");
    let (_, rest) = log.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in {log}"));
    let (commit, rest) = rest.split_once(')').unwrap();
    assert!(!commit.is_empty() && rest.starts_with(" is configured\n"), "{log}");
}
