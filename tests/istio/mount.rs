//! The filter's file in the gateway's pods: mounted, replaced by another version and taken out as docs/istio.md says. No
//! kubelet runs here: what a pod would have is read from its Deployment.

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    document,
    support::{CARTS, Lab, Mode, send, variable},
};
use testbed::{Error, Result, client::Request, wait::until};

const NAMESPACE: &str = "istio-system";
const DEPLOYMENT: &str = "deployment/istio-ingressgateway";
const PATCH_VOLUMES: &str = "kubectl -n istio-system patch deployment istio-ingressgateway -p \
                             '{\"spec\":{\"template\":{\"spec\":{\"volumes\":[{\"name\":\"keptn-gateway-plugin\",";

/// The gateway's Deployment, of which the lab has only a pod. It has a volume of its own, as Istio's has.
pub(crate) fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "istio-ingressgateway", "namespace": NAMESPACE },
        "spec": {
            "selector": { "matchLabels": { "istio": "ingressgateway" } },
            "template": {
                "metadata": { "labels": { "istio": "ingressgateway" } },
                "spec": {
                    "containers": [{
                        "name": "istio-proxy", "image": "auto", "env": [{ "name": "A", "value": "b" }],
                        "volumeMounts": [{ "name": "workload-socket", "mountPath": "/var/run/secrets/workload-spiffe-uds" }],
                    }],
                    "volumes": [{ "name": "workload-socket", "emptyDir": {} }],
                },
            },
        },
    })
}

/// Where the file is in the pods of a Deployment, and the ConfigMap that it is from.
fn mounted(deployment: &Value) -> (String, String) {
    let pod = &deployment["spec"]["template"]["spec"];
    let named = |list: &Value| -> Vec<Value> {
        let items = list.as_array().into_iter().flatten();
        items.filter(|item| item["name"] == "keptn-gateway-plugin").cloned().collect()
    };
    let (mounts, volumes) = (named(&pod["containers"][0]["volumeMounts"]), named(&pod["volumes"]));
    let ([mount], [volume]) = (&mounts[..], &volumes[..]) else { panic!("not one mount: {pod:#}") };
    assert_eq!(mount["readOnly"], true, "{mount}");
    // Or new pods would start without it.
    assert!(volume["configMap"]["optional"].is_null(), "{volume}");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&mount["mountPath"]), text(&volume["configMap"]["name"]))
}

/// Where the filter's object looks for it.
async fn file_of_the_filter(lab: &Lab) -> Result<String> {
    let text = lab.manifests(Mode::EnvoyFilter).await?;
    let (_, rest) = text.split_once("filename: ").expect("a file");
    Ok(rest.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_mounted_replaced_and_taken_out_as_the_document_says() -> Result<()> {
    let lab = Lab::start().await?;
    let maps = ["configmap/keptn-gateway-plugin", "configmap/keptn-gateway-plugin-0.2.0"];
    let away = ["-n", NAMESPACE, "delete", "--ignore-not-found", DEPLOYMENT, maps[0], maps[1]];
    lab.kubectl(&away).await?;
    lab.apply_text(&deployment().to_string()).await?;
    let spec = async || Ok::<_, Error>(lab.object(NAMESPACE, DEPLOYMENT).await?["spec"].take());
    let before = spec().await?;

    let plugin = fs::read(variable("PLUGIN_WASM")).map_err(Error::during("reading the plugin"))?;
    document::run(&lab, "kubectl -n istio-system create configmap keptn-gateway-plugin --from-file", "")
        .await?;
    let data = lab.object(NAMESPACE, maps[0]).await?["binaryData"].take();
    let stored = data["plugin.wasm"].as_str().expect("a file");
    assert!(BASE64_STANDARD.decode(stored).expect("base64") == plugin, "another plugin is in the ConfigMap");
    let patch = "kubectl -n istio-system patch deployment istio-ingressgateway --patch-file";
    document::run(&lab, patch, "").await?;
    let first = lab.object(NAMESPACE, DEPLOYMENT).await?;
    let (folder, map) = mounted(&first);
    assert_eq!(map, "keptn-gateway-plugin");
    assert_eq!(format!("{folder}/plugin.wasm"), file_of_the_filter(&lab).await?);
    let again = document::run(&lab, patch, "").await?;
    assert!(again.contains("(no change)"), "{again}");

    // Another version, and back.
    document::run(&lab, "kubectl -n istio-system create configmap keptn-gateway-plugin-0.2.0", "").await?;
    let replace = format!("{PATCH_VOLUMES}\"configMap\"");
    document::run(&lab, &replace, "").await?;
    let second = lab.object(NAMESPACE, DEPLOYMENT).await?;
    assert_eq!(mounted(&second), (folder, "keptn-gateway-plugin-0.2.0".to_owned()));
    assert!(lab.object(NAMESPACE, maps[1]).await?["binaryData"]["plugin.wasm"].is_string());
    let back = document::command(&replace).replace("-0.2.0", "");
    lab.run("bash", &["-c", &back], None).await?;
    assert_eq!(spec().await?, first["spec"]);

    document::run(&lab, &format!("{PATCH_VOLUMES}\"$patch\""), "").await?;
    assert_eq!(spec().await?, before);
    lab.kubectl(&away).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_out_as_the_document_says_nothing_of_ours_is_left_and_others_go_on() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    for command in [
        "kubectl -n istio-system delete envoyfilter keptn-gateway ",
        "kubectl -n istio-system delete envoyfilter keptn-gateway-routes",
        "kubectl -n keptn delete virtualservice,destinationrule",
    ] {
        document::run(&lab, command, "").await?;
    }
    let kinds = "gateways.networking.istio.io,virtualservices.networking.istio.io,destinationrules.networking.istio.io,\
                 envoyfilters.networking.istio.io";
    let left = lab.kubectl(&["get", kinds, "-A", "-o", "name"]).await?;
    assert!(left.contains("gateway.networking.istio.io/public-gateway"), "{left}");
    assert!(!left.contains("keptn-gateway"), "{left}");
    until("404", async || {
        (send(&Request::get("/").header("host", "api.keptn")).await.ok()?.status == 404).then_some(())
    })
    .await?;
    let answer = send(&Request::get("/swagger.json").header("host", CARTS)).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok(())
}

/// The Deployment that istioctl would install with these values.
async fn installed(lab: &Lab, values: &str) -> Result<Value> {
    let file =
        tempfile::NamedTempFile::with_suffix(".yaml").map_err(Error::during("making a temporary file"))?;
    let text = format!("apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n{values}");
    fs::write(file.path(), text).map_err(Error::during("writing values"))?;
    let all =
        lab.run("istioctl", &["manifest", "generate", "-f", &file.path().to_string_lossy()], None).await?;
    let is_gateway = |object: &&str| {
        object.contains("\nkind: Deployment\n") && object.contains("\n  name: istio-ingressgateway\n")
    };
    let object = all.split("\n---\n").map(|it| format!("\n{it}\n")).find(|it| is_gateway(&it.as_str()));
    let object = object.unwrap_or_else(|| panic!("no gateway: {all}"));
    let json = ["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-"];
    let json = lab.run("kubectl", &json, Some(&object)).await?;
    serde_json::from_str(&json).map_err(Error::during("reading a Deployment"))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_documents_values_istioctl_mounts_the_file_and_does_without_it_nowhere() -> Result<()> {
    let lab = Lab::start().await?;
    let text = document::text();
    let (_, rest) = text.split_once("istioctl, IstioOperator</th>").expect("the values");
    let values = rest.split("```yaml\n").nth(1).and_then(|it| it.split("```").next()).expect("a block");
    let deployment = installed(&lab, values).await?;
    let (folder, map) = mounted(&deployment);
    assert_eq!(format!("{folder}/plugin.wasm"), file_of_the_filter(&lab).await?);
    assert_eq!(map, "keptn-gateway-plugin");
    // Its own volumes are still there.
    let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes");
    assert!(volumes.len() > 5, "{volumes:#?}");

    // Why the document does not say it with istioctl's own value.
    let optional = "spec:\n  values:\n    gateways:\n      istio-ingressgateway:\n        configVolumes:\n        \
                    - { name: keptn-gateway-plugin, mountPath: /etc/keptn-gateway, configMapName: keptn-gateway-plugin }\n";
    let deployment = installed(&lab, optional).await?;
    let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes");
    let volume = volumes.iter().find(|volume| volume["name"] == "keptn-gateway-plugin").expect("the volume");
    assert_eq!(volume["configMap"]["optional"], true, "{volume}");
    Ok(())
}
