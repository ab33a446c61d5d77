//! The gateway for tests in other languages: the shipped `envoy.yaml` in a real Envoy before both stand-ins.
//!
//! `gateway` serves plain HTTP on two ports, under any name and under Keptn's alone; `gateway CERTIFICATE KEY` (PEM
//! files) HTTPS beside it. It prints one line of JSON
//! with what a client needs, and serves until its standard input ends: so it ends with whoever started it. It
//! needs `$ENVOY_BIN` and `$PLUGIN_WASM`, as `./build.sh test` sets them.
//!
//! For browsers: `$SWAGGER_UI_DIST` is the folder of npm's swagger-ui-dist, which the stand-ins then serve as Keptn
//! does; with `$CORS_ORIGIN` a third port is open to the web pages of that origin.

use serde_json::{Value, json};
use std::{env, error::Error, ffi::OsString, io, path, process::ExitCode};
use testbed::{
    Bootstrap, Envoy,
    bootstrap::Listener,
    keptn::{ApiService, ConfigurationService, Settings},
};

/// As long as those that Keptn's installer makes, and with the characters of base64.
const TOKEN: &str = "pHB8Tm7xW0+kL/5vQ2sJdA==";
/// Keptn's names, as the manifests for Istio give them.
const HOSTS: [&str; 2] = ["api.keptn.example.com", "api.keptn"];
const BY_NAME: &str = "gateway-by-name";
const HTTPS: &str = "gateway-https";
const CORS: &str = "gateway-cors";

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
    let cors_origin = env::var("CORS_ORIGIN").ok();
    let settings =
        Settings { swagger_ui: env::var_os("SWAGGER_UI_DIST").map(Into::into), ..Settings::default() };
    let api = ApiService::start_with(TOKEN, &settings).await?;
    let configuration = ConfigurationService::start_with(&settings).await?;
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
    if let Some(origin) = &cors_origin {
        bootstrap = bootstrap.another_listener(CORS, |listener| open_to(origin, listener));
    }
    let envoy = Envoy::start(&bootstrap).await?;
    let line = json!({
        "http": envoy.listener("gateway").to_string(),
        "by_name": envoy.listener(BY_NAME).to_string(),
        "https": tls.map(|_| envoy.listener(HTTPS).to_string()),
        "cors": cors_origin.map(|_| envoy.listener(CORS).to_string()),
        "token": TOKEN,
        "envoy_pid": envoy.pid(),
    });
    println!("{line}");

    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}

/// As docs/envoy.md says, "Browsers": what the services answer is Envoy's own cors filter's matter.
fn open_to(origin: &str, listener: Listener) -> Listener {
    const FILTER: &str = "envoy.filters.http.cors";
    let listener = listener.configuration(json!({ "cors": { "origins": [origin] } }));
    listener.edit_manager(|manager| {
        let filters = manager["http_filters"].as_array_mut().expect("the shipped file has filters");
        let at_type = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors";
        let cors = json!({ "name": FILTER, "typed_config": { "@type": at_type } });
        filters.insert(filters.len() - 1, cors);
        manager["route_config"]["virtual_hosts"][0]["typed_per_filter_config"] = json!({ FILTER: {
            "@type": format!("{at_type}Policy"),
            "allow_origin_string_match": [{ "exact": origin }],
            "expose_headers": "allow, retry-after, www-authenticate, x-request-id",
        }});
    })
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
