//! The certificate as the documents say: made, missing, late, replaced; and by name, in the Gateway's modern form.

use std::{fs, path::Path};

use crate::{
    document,
    support::{
        API, BRIDGE, CARTS, Lab, Mode, TOKEN, get, output, repository, send, stranger, variable, with_plugin,
    },
    tls::mount,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use testbed::{Error, Result, client::Request, wait::until};

/// curl's exit code for a certificate that it does not trust, or that is for other names.
const DISTRUST: i32 = 60;

/// What somebody gets who trusts nothing but `ca`, or everybody if it is empty: curl's exit code and the status.
async fn curl(ca: &str, host: &str, target: &str) -> Result<(Option<i32>, String)> {
    let file = tempfile::NamedTempFile::new().map_err(Error::during("making a temporary file"))?;
    fs::write(file.path(), ca).map_err(Error::during("writing a certificate"))?;
    let (resolve, url) = (format!("{host}:443:127.0.0.1"), format!("https://{host}{target}"));
    let token = format!("x-token: {TOKEN}");
    let path = file.path().to_str().expect("UTF-8");
    let trust: &[&str] = if ca.is_empty() { &["-k"] } else { &["--cacert", path] };
    let arguments =
        ["-s", "--resolve", &resolve, "-H", &token, "-o", "/dev/null", "-w", "%{http_code}", &url];
    let output = output("curl", &[trust, &arguments].concat(), None).await?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

async fn until_trusted(ca: &str) -> Result<()> {
    let good = (Some(0), "200".to_owned());
    until("the certificate to be in use", async || {
        (curl(ca, API, "/v1/auth").await.ok()? == good).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_may_come_late_and_is_for_these_names() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let before = lab.agent_log().len();
    until("the agent's complaint", async || {
        let log = lab.agent_log();
        let new = log.get(before..)?;
        let said = new.contains("failed to generate secret for proxy from file")
            && new.contains("open /etc/istio/ingressgateway-certs/tls.crt: no such file or directory");
        said.then_some(())
    })
    .await?;
    let (code, _) = curl("", API, "/v1/auth").await?;
    assert!(matches!(code, Some(7 | 35)), "port 443 serves without a certificate: {code:?}");
    assert_eq!(send(&get("/v1/auth")).await?.status, 200, "port 80 does not need one");

    let secret = lab.run("gatectl", &["cert", "self-signed", "example.org"], None).await?;
    lab.apply_text(&secret).await?;
    let certificate = mount(&lab).await?;
    until_trusted(&certificate).await?;
    for host in [API, BRIDGE, "shop.example.org"] {
        assert_eq!(curl(&certificate, host, "/").await?.0, Some(0), "{host}");
    }
    // An onboarded application is two labels deeper.
    assert_eq!(curl(&certificate, CARTS, "/").await?.0, Some(DISTRUST));

    // One of an own CA.
    let folder = tempfile::tempdir().map_err(Error::during("making a folder"))?;
    let (ca, chain, key) = signed(&lab, folder.path()).await?;
    let secret =
        lab.run("gatectl", &["cert", "own", "example.org", "--cert", &chain, "--key", &key], None).await?;
    lab.apply_text(&secret).await?;
    mount(&lab).await?;
    until_trusted(&ca).await?;
    assert_eq!(curl(&certificate, API, "/v1/auth").await?.0, Some(DISTRUST), "the one before is gone");
    Ok(())
}

/// A CA's certificate, and the files of a certificate by it and of its key.
async fn signed(lab: &Lab, folder: &Path) -> Result<(String, String, String)> {
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let (ca, ca_key, leaf, key) = (path("ca.pem"), path("ca.key"), path("leaf.pem"), path("leaf.key"));
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    let of_ca = ["-subj", "/CN=A CA", "-keyout", &ca_key, "-out", &ca];
    lab.run("openssl", &[&new[..], &of_ca].concat(), None).await?;
    let of_leaf = [
        "-subj",
        "/CN=api.keptn.example.org",
        "-addext",
        "subjectAltName=DNS:api.keptn.example.org,DNS:*.example.org",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-keyout",
        &key,
        "-out",
        &leaf,
    ];
    lab.run("openssl", &[&new[..], &of_leaf].concat(), None).await?;
    Ok((fs::read_to_string(&ca).map_err(Error::during("reading the CA"))?, leaf, key))
}

/// What Istio's charts give the gateway's service account.
const MAY_READ_SECRETS: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: istio-ingressgateway-sds, namespace: istio-system }
rules: [{ apiGroups: [''], resources: [secrets], verbs: [get, watch, list] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: istio-ingressgateway-sds, namespace: istio-system }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: istio-ingressgateway-sds }
subjects: [{ kind: ServiceAccount, name: istio-ingressgateway, namespace: istio-system }]
";

/// Makes the Secret anew; the certificate in it.
async fn by_name(lab: &Lab) -> Result<String> {
    let name = "keptn-gateway-certificate";
    let secret =
        lab.run("gatectl", &["cert", "self-signed", "example.org", "--credential-name", name], None).await?;
    lab.apply_text(&secret).await?;
    let path = "jsonpath={.data.tls\\.crt}";
    let text = lab.kubectl(&["-n", "istio-system", "get", "secret", name, "-o", path]).await?;
    Ok(String::from_utf8(BASE64_STANDARD.decode(text).expect("base64")).expect("PEM"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_modern_gateway_takes_its_certificate_by_name_and_redirects() -> Result<()> {
    for mode in [Mode::EnvoyFilter, Mode::TrafficExtension] {
        let lab = Lab::start().await?;
        lab.apply("tests/istio/others.yaml").await?;
        lab.apply_text(MAY_READ_SECRETS).await?;
        let first = by_name(&lab).await?;
        let folder = own_folder(mode)?;
        let manifests = lab.kubectl(&["kustomize", folder.path().to_str().expect("UTF-8")]).await?;
        lab.apply_text(&with_plugin(mode, manifests)).await?;
        until_trusted(&first).await?;

        lab.configuration.records.take();
        assert_eq!(
            curl(&first, API, "/configuration-service/v1/project").await?,
            (Some(0), "200".to_owned())
        );
        assert_eq!(lab.configuration.records.take().len(), 1);
        assert_eq!(curl(&first, BRIDGE, "/swagger-ui/").await?, (Some(0), "200".to_owned()));

        // With and without a token, for us and for others: to the address as the client wrote it, and nobody is asked.
        lab.api.records.take();
        lab.carts.records.take();
        let target = "/configuration-service/v1/project?x=1";
        for request in [get(target), stranger(target), Request::get(target).header("host", CARTS)] {
            let response = send(&request).await?;
            let location = response.header("location").unwrap_or_default();
            assert!(response.status == 301 && location.ends_with(target), "{mode:?}: {response:?}");
        }
        assert_eq!(send(&get("/v1/auth")).await?.status, 301);
        let received =
            [lab.api.records.take(), lab.configuration.records.take(), lab.carts.records.take()].concat();
        assert!(received.is_empty(), "{mode:?}: {received:?}");

        let dump = lab.dump().await?.to_string();
        lab.run("gatectl", &["verify", "--domain", "example.org", "-"], Some(&dump)).await?;

        if mode == Mode::EnvoyFilter {
            streams_leave_it_in_this_form(&lab).await?;
        }
        let second = by_name(&lab).await?;
        until_trusted(&second).await?;
        assert_eq!(
            curl(&first, API, "/v1/auth").await?.0,
            Some(DISTRUST),
            "{mode:?}: the one before is gone"
        );
    }
    Ok(())
}

/// What `render` and `domain` print with `--credential-name` is what the overlay has.
async fn streams_leave_it_in_this_form(lab: &Lab) -> Result<()> {
    let overlay = lab.apply("manifests/istio/overlays/envoyfilter-credential-name").await?;
    let unchanged = |said: &str| said.lines().all(|line| line.ends_with(" unchanged")) && !said.is_empty();
    assert!(unchanged(&overlay), "{overlay}");
    let file = format!("{}/gateway.json", variable("LAB"));
    fs::write(file, "{}").map_err(Error::during("writing a configuration"))?;
    let rendered =
        document::run(lab, "gatectl render --domain D --config gateway.json --credential", "example.org");
    let rendered = rendered.await?;
    assert!(unchanged(&rendered), "{rendered}");
    let object = ["-n", "istio-system", "get", "envoyfilter", "keptn-gateway", "-o", "json"];
    let object = lab.kubectl(&object).await?;
    let domain = ["domain", "example.org", "--config", "-", "--credential-name", "keptn-gateway-certificate"];
    let manifests = lab.run("gatectl", &domain, Some(&object)).await?;
    let said = lab.apply_text(&manifests).await?;
    let changed: Vec<_> = said.lines().filter(|line| !line.ends_with(" unchanged")).collect();
    assert_eq!(changed, ["configmap/keptn-domain created"], "{said}");
    Ok(())
}

/// A kustomization of one's own. It reaches the repository's by relative paths only.
fn own_folder(mode: Mode) -> Result<tempfile::TempDir> {
    let target = repository().join("target");
    let folder = tempfile::tempdir_in(target).map_err(Error::during("making a folder"))?;
    let text = format!(
        "resources: [../../{}]\ncomponents: [../../manifests/istio/components/credential-name]\n",
        mode.overlay()
    );
    fs::write(folder.path().join("kustomization.yaml"), text).map_err(Error::during("writing a file"))?;
    Ok(folder)
}
