//! `gatectl domain`: another domain for an installation that runs.

use crate::{
    document,
    load::Load,
    support::{API, Lab, Mode, TOKEN, send},
};
use testbed::{Result, client::Request, wait::until};

/// The status that a host's `/v1/auth` has for a good token.
async fn status(host: &str) -> Result<u16> {
    Ok(send(&Request::get("/v1/auth").header("host", host).header("x-token", TOKEN)).await?.status)
}

async fn until_status(host: &str, wanted: u16) -> Result<()> {
    until(format!("{wanted} for {host}"), async || (status(host).await.ok()? == wanted).then_some(())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_domain_changes_while_the_command_lines_host_goes_on() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    Load::prepare(&lab).await?;
    let load = Load::start(&["api.keptn"]);
    load.goes_on("nothing").await?;
    lab.configure(|configuration| configuration["internal"] = "deny".into()).await?;
    // One as it is, and one behind a NodePort.
    for (domain, host) in [
        ("keptn.example.net", "api.keptn.keptn.example.net"),
        ("10.0.0.1.nip.io:31390", "api.keptn.10.0.0.1.nip.io"),
        ("example.org", API),
    ] {
        let before = lab
            .kubectl(&[
                "-n",
                "keptn",
                "get",
                "virtualservice",
                "keptn-gateway",
                "-o",
                "jsonpath={.spec.hosts[0]}",
            ])
            .await?;
        document::run(&lab, "kubectl -n istio-system get envoyfilter keptn-gateway -o json", domain).await?;
        until_status(host, 200).await?;
        if domain.contains(':') {
            // As browsers and Keptn's command line send it.
            until_status(&format!("{host}:31390"), 200).await?;
        }
        until_status(&before, 404).await?;
        load.goes_on(&format!("gatectl domain {domain}")).await?;
        // It is the configuration of before.
        let internal =
            Request::new("DELETE", "/configuration-service/v1/project/nobodys").header("host", host);
        assert_eq!(send(&internal.header("x-token", TOKEN)).await?.status, 403);
        let map = ["-n", "keptn", "get", "configmap", "keptn-domain", "-o", "jsonpath={.data.app_domain}"];
        assert_eq!(lab.kubectl(&map).await?, domain);
        // A stranger is nobody for the new host, and for the old one nothing is there.
        let stranger = Request::get("/v1/event").header("host", host);
        assert_eq!(send(&stranger).await?.status, 401);
        lab.api.records.take();
        let foreign = Request::get("/v1/event")
            .header("host", &before)
            .header("x-token", TOKEN)
            .header("x-foreign", "1");
        assert_eq!(send(&foreign).await?.status, 404);
        assert!(lab.api.records.all().iter().all(|received| received.header("x-foreign").is_none()));
    }
    load.stop("the end").await
}
