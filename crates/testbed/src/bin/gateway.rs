//! The gateway for tests in other languages: the shipped `envoy.yaml` in a real Envoy before both stand-ins.
//!
//! `gateway` serves plain HTTP on two ports, under any name and under Keptn's alone; `gateway CERTIFICATE KEY` (PEM
//! files) HTTPS beside it. It prints one line of JSON
//! with what a client needs, and serves until its standard input ends: so it ends with whoever started it. It
//! needs `$ENVOY_BIN` and `$PLUGIN_WASM`, as `./build.sh test` sets them.

use serde_json::{Value, json};
use std::{env, error::Error, ffi::OsString, io, path, process::ExitCode};
use testbed::{
    Bootstrap, Envoy,
    keptn::{ApiService, ConfigurationService},
};

/// As long as those that Keptn's installer makes, and with the characters of base64.
const TOKEN: &str = "pHB8Tm7xW0+kL/5vQ2sJdA==";
/// Keptn's names, as the manifests for Istio give them.
const HOSTS: [&str; 2] = ["api.keptn.example.com", "api.keptn"];
const BY_NAME: &str = "gateway-by-name";
const HTTPS: &str = "gateway-https";

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let tls = match arguments.as_slice() {
        [] => None,
        [certificate, key] => Some(transport_socket(certificate, key)?),
        _ => return Err("usage: gateway [CERTIFICATE KEY]".into()),
    };
    let api = ApiService::start(TOKEN).await?;
    let configuration = ConfigurationService::start().await?;
    api.wire(&configuration);

    let mut bootstrap = Bootstrap::shipped()
        .cluster("api-service", api.address())
        .cluster("configuration-service", configuration.address())
        .another_listener(BY_NAME, |listener| listener.configuration(json!({ "hosts": HOSTS })));
    if let Some(tls) = &tls {
        bootstrap = bootstrap.another_listener(HTTPS, |mut listener| {
            listener.json()["filter_chains"][0]["transport_socket"] = tls.clone();
            listener
        });
    }
    let envoy = Envoy::start(&bootstrap).await?;
    let line = json!({
        "http": envoy.listener("gateway").to_string(),
        "by_name": envoy.listener(BY_NAME).to_string(),
        "https": tls.map(|_| envoy.listener(HTTPS).to_string()),
        "token": TOKEN,
        "envoy_pid": envoy.pid(),
    });
    println!("{line}");

    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}

fn transport_socket(certificate: &OsString, key: &OsString) -> io::Result<Value> {
    // Envoy runs in a directory of its own.
    let file = |name: &OsString| Ok::<_, io::Error>(json!({ "filename": path::absolute(name)? }));
    Ok(json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{ "certificate_chain": file(certificate)?, "private_key": file(key)? }],
            },
        },
    }))
}
