//! From Keptn 0.6.2's nginx to ours and back: what docs/migrate-from-nginx.md says, step by step, with traffic going on.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use crate::{
    load::{Load, from_strangers},
    support::{API, Lab, TOKEN, chains, output, repository, route_configurations, send, stranger, variable},
};
use serde_json::Value;
use testbed::{
    Error, Result,
    client::{Raw, Request},
    wait::until,
};

/// The host that Keptn's command line sends.
const CLI: &str = "api.keptn";

/// Keptn 0.6.2's own gateway.
pub(crate) struct Nginx {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    pub(crate) fn address() -> SocketAddr {
        variable("LAB_NGINX").parse().expect("an address and a port")
    }

    pub(crate) async fn start() -> Result<Self> {
        let folder = tempfile::tempdir().map_err(Error::during("making nginx's folder"))?;
        let log = fs::File::create(format!("{}/nginx.log", variable("LAB")))
            .map_err(Error::during("nginx's log"))?;
        let process = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(
                fs::canonicalize(repository().join("tests/istio/nginx.conf")).expect("nginx's configuration"),
            )
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(Error::during("starting nginx"))?;
        let nginx = Self { process, _folder: folder };
        until("nginx's port", async || Raw::connect(Self::address()).await.ok()).await?;
        Ok(nginx)
    }

    fn stop(self) {}
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Keptn 0.6.2's VirtualService and DestinationRule, in the words of `version`: today's Istio does not know
/// `websocketUpgrade`, and upgrades WebSockets by itself.
fn keptns(domain: &str, websocket: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {{ name: api, namespace: keptn }}
spec:
  hosts: [api.keptn.{domain}, api.keptn]
  gateways: [public-gateway.istio-system]
  http:
  - route:
    - destination: {{ host: api-gateway-nginx.keptn.svc.cluster.local }}
{websocket}---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {{ name: api-gateway-nginx, namespace: keptn }}
spec: {{ host: api-gateway-nginx.keptn.svc.cluster.local }}
"
    )
}
const AS_KEPTN_WROTE_IT: &str = "    websocketUpgrade: true\n";

/// The lab as Keptn 0.6.2 leaves a cluster, and nginx.
async fn as_keptn_leaves_it(domain: &str) -> Result<(Lab, Nginx)> {
    let lab = Lab::start().await?;
    lab.apply("tests/istio/others.yaml").await?;
    Load::prepare(&lab).await?;
    let nginx = Nginx::start().await?;
    lab.apply("manifests/istio/base/public-gateway.yaml").await?;
    lab.apply_text(&keptns(domain, "")).await?;
    lab.until_dump("nginx's routes", has_nginx).await?;
    until("nginx to answer", async || (who(&lab, CLI).await.ok()? == Who::Nginx).then_some(())).await?;
    Ok((lab, nginx))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// It sends the token on to configuration-service.
    Nginx,
    /// It keeps it.
    Ours,
    Nobody(u16),
}

/// Who answers for a host. With traffic going on, too.
async fn who(lab: &Lab, host: &str) -> Result<Who> {
    let mark = uuid();
    let request = Request::get("/configuration-service/v1/project")
        .header("host", host)
        .header("x-token", TOKEN)
        .header("x-question", &mark);
    let response = send(&request).await?;
    let received = lab.configuration.records.all();
    let ours = received.iter().find(|received| received.header("x-question").as_ref() == Some(&mark));
    Ok(match ours {
        None => Who::Nobody(response.status),
        Some(received) if received.header("x-token").is_some() => Who::Nginx,
        Some(_) => Who::Ours,
    })
}

fn uuid() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Relaxed).to_string()
}

/// What the routes of a host lead to, in their order.
fn routes(dump: &Value, host: &str) -> Vec<String> {
    let mut names = Vec::new();
    for configuration in route_configurations(dump) {
        if configuration["name"] != "http.80" {
            continue;
        }
        for virtual_host in configuration["virtual_hosts"].as_array().into_iter().flatten() {
            let is_it = virtual_host["domains"].as_array().into_iter().flatten().any(|domain| domain == host);
            for route in virtual_host["routes"].as_array().into_iter().flatten().filter(|_| is_it) {
                let cluster = route["route"]["cluster"].as_str().unwrap_or_default();
                names.push(match (route["name"].as_str(), cluster.contains("api-gateway-nginx")) {
                    (Some(name), false) => name.to_owned(),
                    (Some("keptn-gateway-not-loaded"), true) => {
                        "keptn-gateway-not-loaded to nginx".to_owned()
                    }
                    _ => "nginx".to_owned(),
                });
            }
        }
    }
    names
}

fn has_nginx(dump: &Value) -> bool {
    routes(dump, CLI).iter().any(|name| name == "nginx")
}

fn has_ours(dump: &Value) -> bool {
    routes(dump, CLI).first().is_some_and(|name| name.starts_with("keptn-gateway-"))
}

fn has_filter(dump: &Value) -> bool {
    let chains = chains(dump);
    !chains.is_empty() && chains.iter().all(|(_, names)| names.iter().any(|name| name == "keptn-gateway"))
}

async fn until_who(lab: &Lab, host: &str, wanted: Who) -> Result<()> {
    let what = format!("{wanted:?} to answer for {host}");
    until(what, async || (who(lab, host).await.ok()? == wanted).then_some(())).await
}

/// The way there and back. Honest requests are answered all the while, strangers never.
#[tokio::test(flavor = "multi_thread")]
async fn from_nginx_and_back_with_traffic_going_on() -> Result<()> {
    let (lab, nginx) = as_keptn_leaves_it("example.org").await?;
    let load = Load::start(&[API, CLI]);
    load.goes_on("nothing").await?;
    // What the document says to ask.
    assert_eq!(send(&stranger("/nothing")).await?.status, 404);

    lab.apply("manifests/istio/base").await?;
    lab.until_dump("our routes", has_ours).await?;
    load.goes_on("everything but the filter is applied").await?;
    assert_eq!(who(&lab, CLI).await?, Who::Nginx);

    lab.apply("manifests/istio").await?;
    lab.until_dump("the filter", has_filter).await?;
    until_who(&lab, CLI, Who::Ours).await?;
    load.goes_on("the filter is applied").await?;
    assert_eq!(send(&stranger("/nothing")).await?.status, 401);
    let dump = lab.dump().await?.to_string();
    let verdict = output("gatectl", &["verify", "--domain", "example.org", "-"], Some(&dump)).await?;
    let verdict = String::from_utf8_lossy(&verdict.stdout).into_owned();
    assert!(verdict.contains("(of VirtualService keptn/api)"), "Keptn's is named: {verdict}");
    assert_eq!(who(&lab, API).await?, Who::Ours);

    lab.kubectl(&["-n", "keptn", "delete", "virtualservice/api", "destinationrule/api-gateway-nginx"])
        .await?;
    lab.until_dump("nginx's route to be gone", |dump| !has_nginx(dump)).await?;
    load.goes_on("Keptn's VirtualService is deleted").await?;
    nginx.stop();
    load.goes_on("nginx is gone").await?;

    // And back.
    let nginx = Nginx::start().await?;
    let document = document();
    let (_, keptns) = document.split_once("```yaml\n").expect("Keptn's file");
    lab.apply_text(keptns.split_once("```").expect("its end").0).await?;
    lab.until_dump("nginx's route", has_nginx).await?;
    load.goes_on("nginx and Keptn's VirtualService are back").await?;
    assert_eq!(who(&lab, CLI).await?, Who::Ours);

    lab.kubectl(&[
        "-n",
        "keptn",
        "patch",
        "virtualservice",
        "keptn-gateway",
        "--type",
        "json",
        "-p",
        TO_NGINX,
    ])
    .await?;
    lab.until_dump("our last route to lead to nginx", |dump| {
        routes(dump, CLI).iter().any(|name| name == "keptn-gateway-not-loaded to nginx")
    })
    .await?;
    load.goes_on("our last route leads to nginx").await?;
    assert_eq!(who(&lab, CLI).await?, Who::Ours);

    lab.kubectl(&["-n", "istio-system", "delete", "envoyfilter", "keptn-gateway"]).await?;
    lab.until_dump("the filter to be gone", |dump| !has_filter(dump)).await?;
    until_who(&lab, CLI, Who::Nginx).await?;
    load.goes_on("the filter is deleted").await?;

    lab.kubectl(&["-n", "istio-system", "delete", "envoyfilter", "keptn-gateway-routes"]).await?;
    lab.kubectl(&[
        "-n",
        "keptn",
        "delete",
        "virtualservice,destinationrule",
        "-l",
        "app.kubernetes.io/name=keptn-gateway",
    ])
    .await?;
    lab.until_dump("nothing of ours", |dump| routes(dump, CLI) == ["nginx"]).await?;
    load.goes_on("all of ours is deleted").await?;
    assert_eq!(who(&lab, API).await?, Who::Nginx);
    load.stop("the end").await?;
    let strangers = from_strangers(lab.configuration.records.all());
    assert!(strangers.is_empty(), "configuration-service has received {strangers:?}");
    drop(nginx);
    Ok(())
}

/// The document's.
const TO_NGINX: &str = r#"[{"op": "replace", "path": "/spec/http", "value": [{"name": "keptn-gateway-not-loaded", "route": [{"destination": {"host": "api-gateway-nginx.keptn.svc.cluster.local"}}]}]}]"#;

/// The commands here are those of the document, so that the two cannot part.
#[test]
fn the_document_has_the_commands_that_are_run_here() {
    let document = document();
    for command in [
        "kubectl apply -k manifests/istio/base",
        "kubectl apply -k manifests/istio",
        "kubectl -n keptn delete virtualservice/api destinationrule/api-gateway-nginx",
        &format!("kubectl -n keptn patch virtualservice keptn-gateway --type json -p '{TO_NGINX}'"),
        "kubectl -n istio-system delete envoyfilter keptn-gateway",
        "kubectl -n istio-system delete envoyfilter keptn-gateway-routes",
        "kubectl -n keptn delete virtualservice,destinationrule -l app.kubernetes.io/name=keptn-gateway",
    ]
    .into_iter()
    .chain(REPAIR)
    {
        let is_there =
            document.lines().any(|line| line.split("  #").next().map(str::trim_end) == Some(command));
        assert!(is_there, "docs/migrate-from-nginx.md has no line: {command}");
    }
}

fn document() -> String {
    fs::read_to_string(repository().join("docs/migrate-from-nginx.md")).expect("docs/migrate-from-nginx.md")
}

/// Which kubectl Keptn's command line finds.
#[derive(Clone, Copy)]
enum Kubectl {
    /// It refuses fields that the API does not know.
    Today,
    /// As with `--validate=false`: what the API does not know is left away.
    Lenient,
}

/// What Keptn 0.6.2's `keptn configure domain` does in Istio, in its order. As there, the first failure is the end.
/// (nginx's pods are restarted at last; no pod runs here.)
async fn keptn_configure_domain(lab: &Lab, domain: &str, kubectl: Kubectl) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::during("making a folder"))?;
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).map_err(Error::during("writing a file"))?;
        Ok::<_, Error>(path.to_str().expect("UTF-8").to_owned())
    };
    let (key, certificate) = (write("private.key", "")?, write("cert.pem", "")?);
    let names = format!("subjectAltName=DNS:{domain}");
    lab.run(
        "openssl",
        &[
            "req",
            "-x509",
            "-nodes",
            "-newkey",
            "rsa:2048",
            "-days",
            "365",
            "-subj",
            "/O=Keptn",
            "-addext",
            &names,
            "-keyout",
            &key,
            "-out",
            &certificate,
        ],
        None,
    )
    .await?;
    lab.kubectl(&["-n", "istio-system", "delete", "secret", SECRET, "--ignore-not-found"]).await?;
    let pair =
        ["-n", "istio-system", "create", "secret", "tls", SECRET, "--key", &key, "--cert", &certificate];
    lab.kubectl(&pair).await?;

    let routes = write("keptn-api-virtualservice.yaml", &keptns(domain, AS_KEPTN_WROTE_IT))?;
    lab.kubectl(&["delete", "-f", &routes]).await?;
    match kubectl {
        Kubectl::Today => lab.kubectl(&["apply", "-f", &routes]).await?,
        Kubectl::Lenient => lab.kubectl(&["apply", "--validate=false", "-f", &routes]).await?,
    };
    let domain = write("keptn-domain-configmap.yaml", &keptn_domain(domain))?;
    lab.kubectl(&["delete", "-f", &domain]).await?;
    lab.kubectl(&["apply", "-f", &domain]).await?;
    Ok(())
}

const SECRET: &str = "istio-ingressgateway-certs";

fn keptn_domain(domain: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: keptn-domain, namespace: keptn }}\ndata: {{ app_domain: {domain} }}\n"
    )
}

/// What Keptn's other services take for the domain.
async fn domain_of(lab: &Lab) -> Result<String> {
    lab.kubectl(&["-n", "keptn", "get", "configmap", "keptn-domain", "-o", "jsonpath={.data.app_domain}"])
        .await
}

/// The names in the certificate that the gateway is to use.
async fn names_in_the_certificate(lab: &Lab) -> Result<String> {
    let secret = lab.kubectl(&["-n", "istio-system", "get", "secret", SECRET, "-o", "yaml"]).await?;
    lab.run("gatectl", &["cert", "show", "-"], Some(&secret)).await
}

const NEW: &str = "keptn.example.net";
const NEW_API: &str = "api.keptn.keptn.example.net";

/// What the document says to do after it.
async fn repair(lab: &Lab, domain: &str) -> Result<()> {
    for command in REPAIR {
        let command = command.replace(" D2 ", &format!(" {domain} "));
        lab.run("bash", &["-euo", "pipefail", "-c", &command], None).await?;
    }
    Ok(())
}
const REPAIR: [&str; 3] = [
    "kubectl -n istio-system get envoyfilter keptn-gateway -o json | gatectl domain D2 --config - | kubectl apply -f -",
    "gatectl cert self-signed D2 | kubectl apply -f -",
    "kubectl -n keptn delete virtualservice/api destinationrule/api-gateway-nginx --ignore-not-found",
];

/// A setting that nobody may lose when the domain changes.
async fn is_denied(lab: &Lab) -> Result<bool> {
    let object = lab.object("istio-system", "envoyfilter/keptn-gateway").await?;
    Ok(object.to_string().contains(r#"\"internal\": \"deny\""#))
}

/// `keptn configure domain` beside our gateway. Whatever it breaks, who asks for the hosts of before is answered as before.
#[tokio::test(flavor = "multi_thread")]
async fn keptn_configure_domain_leaves_our_gateway_alone() -> Result<()> {
    let (lab, nginx) = as_keptn_leaves_it("example.org").await?;
    lab.apply_text(&keptn_domain("example.org")).await?;
    lab.apply("manifests/istio/base").await?;
    lab.until_dump("our routes", has_ours).await?;
    lab.apply("manifests/istio").await?;
    until_who(&lab, CLI, Who::Ours).await?;
    let load = Load::start(&[CLI]);

    // nginx is kept; kubectl is today's. It deletes Keptn's VirtualService, cannot make the new one, and stops.
    let until_now = Load::start(&[API]);
    let error = keptn_configure_domain(&lab, NEW, Kubectl::Today).await.expect_err("a field is not known");
    assert!(error.to_string().contains(r#"unknown field "spec.http[0].websocketUpgrade""#), "{error}");
    lab.until_dump("nginx's route to be gone", |dump| !has_nginx(dump)).await?;
    until_now.goes_on("keptn configure domain, with today's kubectl").await?;
    load.goes_on("keptn configure domain, with today's kubectl").await?;
    assert_eq!(who(&lab, NEW_API).await?, Who::Nobody(404));
    assert_eq!(domain_of(&lab).await?, "example.org");
    assert!(
        !names_in_the_certificate(&lab).await?.contains("api.keptn"),
        "Keptn's certificate has the bare domain"
    );

    // nginx is kept; kubectl is lenient. nginx gets the new host.
    lab.apply_text(&keptns("example.org", "")).await?;
    lab.until_dump("nginx's route", has_nginx).await?;
    keptn_configure_domain(&lab, NEW, Kubectl::Lenient).await?;
    until_who(&lab, NEW_API, Who::Nginx).await?;
    let dump = lab.dump().await?;
    assert_eq!(routes(&dump, NEW_API), ["nginx"]);
    // It is younger than ours now, and comes after it.
    assert!(routes(&dump, CLI).ends_with(&["keptn-gateway-not-loaded".to_owned(), "nginx".to_owned()]));
    until_now.goes_on("keptn configure domain, with a lenient kubectl").await?;
    load.goes_on("keptn configure domain, with a lenient kubectl").await?;
    assert_eq!((who(&lab, CLI).await?, who(&lab, API).await?), (Who::Ours, Who::Ours));
    assert_eq!(domain_of(&lab).await?, NEW);
    until_now.stop("the domain is to change").await?;

    lab.configure(|configuration| configuration["internal"] = "deny".into()).await?;
    repair(&lab, NEW).await?;
    assert!(is_denied(&lab).await?, "the configuration is lost");
    until_who(&lab, NEW_API, Who::Ours).await?;
    until_who(&lab, API, Who::Nobody(404)).await?;
    load.goes_on("gatectl domain").await?;
    assert!(names_in_the_certificate(&lab).await?.contains(NEW_API));

    // nginx is gone, and Keptn's VirtualService with it.
    nginx.stop();
    let until_now = Load::start(&[NEW_API]);
    for kubectl in [Kubectl::Today, Kubectl::Lenient] {
        let error =
            keptn_configure_domain(&lab, "example.org", kubectl).await.expect_err("nothing to delete");
        assert!(error.to_string().contains(r#""api" not found"#), "{error}");
    }
    until_now.goes_on("keptn configure domain, with nginx gone").await?;
    load.goes_on("keptn configure domain, with nginx gone").await?;
    assert_eq!(domain_of(&lab).await?, NEW);
    assert!(!names_in_the_certificate(&lab).await?.contains("api.keptn"));
    until_now.stop("the domain is to change").await?;
    repair(&lab, "example.org").await?;
    until_who(&lab, API, Who::Ours).await?;
    until_who(&lab, NEW_API, Who::Nobody(404)).await?;
    assert_eq!(domain_of(&lab).await?, "example.org");

    // nginx is gone, and Keptn's VirtualService is not: somebody has applied it again.
    lab.apply_text(&keptns("example.org", "")).await?;
    keptn_configure_domain(&lab, NEW, Kubectl::Lenient).await?;
    until_who(&lab, NEW_API, Who::Nobody(503)).await?;
    load.goes_on("keptn configure domain, with its VirtualService and no nginx").await?;
    assert_eq!(who(&lab, API).await?, Who::Ours);
    load.stop("the end").await?;
    let strangers = from_strangers(lab.configuration.records.all());
    assert!(strangers.is_empty(), "configuration-service has received {strangers:?}");
    Ok(())
}
