//! `gatectl verify`, on what the gateway's Envoy says of itself.

use serde_json::{Value, json};
use testbed::{Error, Result, wait::until};

use crate::support::{CERTIFICATES, Lab, Mode, output};

/// Waits until `gatectl verify` says so to the gateway as it is; what it says. While something is still on its way to
/// Envoy it says something else.
async fn says(lab: &Lab, what: &str, is_so: impl Fn(Option<i32>, &str) -> bool) -> Result<String> {
    let mut last = String::new();
    let awaited = until(format!("gatectl verify to say: {what}"), async || {
        let dump = lab.dump().await.ok()?.to_string();
        let said = output("gatectl", &["verify", "--domain", "example.org", "-"], Some(&dump)).await.ok()?;
        last = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        is_so(said.status.code(), &last).then_some(())
    })
    .await;
    match awaited {
        Ok(()) => Ok(last),
        Err(error) => Err(Error::new(format!("{error}; it said:\n{last}"))),
    }
}

async fn is_closed(lab: &Lab) -> Result<String> {
    says(lab, "closed", |code, said| code == Some(0) && said.ends_with(": closed\n")).await
}

/// Waits until it finds so many problems, all by this check and in these words.
async fn finds(lab: &Lab, count: usize, check: &str, words: &str) -> Result<()> {
    let is_so = |code, said: &str| {
        let problems: Vec<_> = said.lines().filter(|line| line.starts_with("PROBLEM")).collect();
        let is_it = |line: &&str| line.split_whitespace().nth(1) == Some(check) && line.contains(words);
        code == Some(1) && problems.len() == count && problems.iter().all(is_it)
    };
    says(lab, words, is_so).await.map(drop)
}

/// A certificate where the Gateway looks for it: port 443 comes up only then.
async fn certificate(lab: &Lab) -> Result<()> {
    let arguments = ["cert", "self-signed", "example.org", "--install", "compose", "-o", CERTIFICATES];
    lab.run("gatectl", &arguments, None).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_every_mode_closed() -> Result<()> {
    for mode in Mode::ALL {
        let lab = Lab::with(mode).await?;
        certificate(&lab).await?;
        let said = is_closed(&lab).await?;
        for words in [
            "  filter   listener 0.0.0.0_80: ",
            "  filter   listener 0.0.0.0_443: ",
            ": FAIL_RELOAD: ",
            ": configuration accepted, its hosts are api.keptn.example.org, api.keptn\n",
            "  route    http.80: 4 routes ",
            "  route    https.443.https.public-gateway.istio-system: 4 routes ",
            ": our routes first, then the 503 keptn-gateway-not-loaded\n",
        ] {
            assert!(said.contains(words), "{mode:?}: {words}:\n{said}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_is_missing() -> Result<()> {
    let lab = Lab::start().await?;
    certificate(&lab).await?;
    // Files of a name that no earlier test had: those stay known for as long as an old listener drains.
    let late = lab
        .manifests(Mode::EnvoyFilter)
        .await?
        .replace("/tls.key", "/late.key")
        .replace("/tls.crt", "/late.crt");
    lab.apply_text(&late).await?;
    let waits = "listener 0.0.0.0_443 does not serve: it waits for the certificate \
                 file-cert:/etc/istio/ingressgateway-certs/late.crt~/etc/istio/ingressgateway-certs/late.key";
    finds(&lab, 1, "update", waits).await?;
    lab.apply_mode(Mode::EnvoyFilter).await?;
    is_closed(&lab).await?;

    // What an istiod before 1.26 would make of the routes: it does not know the field.
    let routes = ["-n", "istio-system", "get", "envoyfilter", "keptn-gateway-routes", "-o", "json"];
    let mut object: Value = serde_json::from_str(&lab.kubectl(&routes).await?)
        .map_err(Error::during("reading the EnvoyFilter with the routes"))?;
    for patch in object["spec"]["configPatches"].as_array_mut().into_iter().flatten() {
        let route = patch["patch"]["value"]["match"].as_object_mut().expect("a match");
        assert!(route.remove("filter_state").is_some());
    }
    lab.apply_text(
        &json!({
            "apiVersion": object["apiVersion"], "kind": "EnvoyFilter", "spec": object["spec"],
            "metadata": { "name": "keptn-gateway-routes", "namespace": "istio-system" },
        })
        .to_string(),
    )
    .await?;
    finds(&lab, 8, "route", "and does not demand the filter state wasm.keptn.upstream").await?;
    lab.apply_mode(Mode::EnvoyFilter).await?;
    is_closed(&lab).await?;

    lab.kubectl(&["-n", "istio-system", "delete", Mode::EnvoyFilter.filter()]).await?;
    finds(&lab, 2, "filter", "routes lead to Keptn's services, and the filter is not there").await
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_an_image_that_is_not_there_and_a_configuration_that_is_refused() -> Result<()> {
    let lab = Lab::start().await?;
    certificate(&lab).await?;
    let good = lab.manifests(Mode::WasmPlugin).await?;
    let sha256 = crate::support::variable("LAB_IMAGE_SHA256");
    assert!(good.contains(&sha256), "{good}");
    lab.apply_text(&good.replace(&sha256, &"1f".repeat(32))).await?;
    finds(&lab, 2, "filter", "could not be fetched: the agent refuses every request in its place").await?;

    // Under a name of its own: it is the first that Envoy hears of it.
    lab.kubectl(&["-n", "istio-system", "delete", Mode::WasmPlugin.filter()]).await?;
    let wrong = good.replace(
        "  name: keptn-gateway\n  namespace: istio-system\n",
        "  name: keptn-gateway-first\n  namespace: istio-system\n",
    );
    let wrong = wrong.replace("    hosts:\n", "    hostz: []\n    hosts:\n");
    assert!(wrong.contains("keptn-gateway-first") && wrong.contains("hostz"), "{wrong}");
    lab.apply_text(&wrong).await?;
    finds(&lab, 1, "plugin", ": configuration refused: hostz: there is no such key").await
}
