//! `gatectl status` before the gateway itself, over TLS: with a certificate and a token that `gatectl` made.

use crate::support::{Bed, TOKEN};
use serde_json::{Value, json};
use std::{env, fs, path::Path, process::Command};
use testbed::keptn::{Order, Reply, Scope};

/// The exit code and the output.
async fn gatectl(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let program = env::var_os("GATECTL").expect("GATECTL names gatectl: ./build.sh test sets it");
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env_remove("KEPTN_API_TOKEN");
    // The stand-ins go on meanwhile.
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn status_tells_how_it_is_with_a_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |args: &[&str]| gatectl(folder.path(), args).await;
    run(&["cert", "self-signed", "example.org", "--install", "compose", "-o", "."]).await;
    let (code, _) = run(&["token", "new", "--name", "ci", "--days", "1", "--token-file", "ci.token"]).await;
    assert_eq!(code, Some(0));
    fs::write(folder.path().join("keptn.token"), format!("{TOKEN}\n")).unwrap();
    fs::write(folder.path().join("wrong.token"), "guessed").unwrap();
    fs::write(folder.path().join("another.token"), "another").unwrap();
    let hashed = Command::new(env::var_os("GATECTL").unwrap())
        .args(["token", "hash", "--name", "ci"])
        .stdin(fs::File::open(folder.path().join("ci.token")).unwrap())
        .output()
        .unwrap();
    let entry: Value = serde_json::from_slice(&hashed.stdout).unwrap();

    let bed = Bed::listener(|listener| {
        let mut listener = listener.configuration(json!({ "tokens": [entry] }));
        let file = |name: &str| json!({ "filename": folder.path().join(name) });
        listener.json()["filter_chains"][0]["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_certificates": [{ "certificate_chain": file("tls.crt"), "private_key": file("tls.key") }],
                },
            },
        });
        listener
    })
    .await;
    let address = bed.envoy.listener("gateway").to_string();
    let status = async |token: &str, more: &[&str]| {
        let args = ["status", "--endpoint", "https://api.keptn.example.org", "--connect-to", &address];
        run(&[&args[..], &["--token-file", token], more].concat()).await
    };

    // Nobody is asked about a token that was not sent.
    let (code, told) = status("keptn.token", &[]).await;
    assert!(code == Some(1) && told.contains("it is self-signed"), "{told}");
    assert_eq!(bed.api.records.count(), 0);

    let trusting = ["--cacert", "tls.crt"];
    let (code, told) = status("keptn.token", &trusting).await;
    assert_eq!(code, Some(0), "{told}");
    for what in ["TLS 1.3", "keptn-gateway: it asks for a token", "kept out", "right: 200", ": good"] {
        assert!(told.contains(what), "no {what:?} in {told}");
    }
    assert_eq!((bed.api.records.checks().len(), bed.configuration.records.count()), (1, 0));

    let (code, told) = status("ci.token", &trusting).await;
    assert!(
        code == Some(0) && told.contains("right for configuration-service, and not for api-service"),
        "{told}"
    );
    let (code, told) = status("wrong.token", &trusting).await;
    assert!(code == Some(1) && told.contains("wrong: 401, \"incorrect api key auth\""), "{told}");

    bed.api.orders.set(Scope::Auth, Order::Answer(Reply::status(500)));
    let (code, told) = status("another.token", &trusting).await;
    assert!(code == Some(1) && told.contains("the token cannot be checked: 503"), "{told}");
}
