//! `manifests/standalone`, which needs no Istio, but a Kubernetes API that says whether it is right. No kubelet runs
//! here: what the pods do is in tests/envoy/standalone.rs.

use crate::support::Lab;
use serde_json::{Value, json};
use testbed::{Error, Result};

const MANIFESTS: &str = "manifests/standalone";
const IMAGE_VOLUME: &str = "manifests/standalone/image-volume";
/// All that is ours, or was Keptn's.
const KINDS: &str = "deployments,services,configmaps,ingresses,networkpolicies,poddisruptionbudgets";

/// The lab's Istio has a Service of this name in Keptn's namespace: what is applied for good goes elsewhere.
async fn apply(lab: &Lab, folder: &str) -> Result<()> {
    let text = lab.kubectl(&["kustomize", folder]).await?;
    assert!(text.contains("namespace: keptn\n"), "{text}");
    lab.apply_text(&text.replace("namespace: keptn\n", "namespace: standalone\n")).await?;
    Ok(())
}

async fn get(lab: &Lab, what: &str) -> Result<Value> {
    let text = lab.kubectl(&["-n", "standalone", "get", what, "-o", "json"]).await?;
    serde_json::from_str(&text).map_err(Error::during("reading what kubectl printed"))
}

/// In Keptn's place, as its installer has left it.
async fn beside_keptns_nginx() -> Result<Lab> {
    let lab = Lab::start().await?;
    lab.apply("tests/istio/keptn_nginx.yaml").await?;
    lab.kubectl(&["-n", "standalone", "delete", KINDS, "--all"]).await?;
    lab.apply("tests/istio/keptn_nginx.yaml").await?;
    Ok(lab)
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_takes_what_is_checked_in() -> Result<()> {
    let lab = Lab::start().await?;
    for folder in [MANIFESTS, IMAGE_VOLUME] {
        // Unknown fields are errors.
        let said = lab
            .kubectl(&["apply", "-k", folder, "--dry-run=server", "--validate=strict", "-o", "name"])
            .await?;
        assert_eq!(said.lines().count(), 7, "{folder}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_the_place_of_keptns_nginx_and_leaves_nothing_of_it() -> Result<()> {
    let lab = beside_keptns_nginx().await?;
    // docs/standalone.md says so: otherwise the Service leads nowhere until the first pod is ready.
    let port =
        json!([{ "op": "add", "path": "/spec/template/spec/containers/0/ports/0/name", "value": "http" }]);
    let patch = ["-n", "standalone", "patch", "deployment", "api-gateway-nginx", "--type=json", "-p"];
    lab.kubectl(&[&patch[..], &[&port.to_string()]].concat()).await?;

    apply(&lab, MANIFESTS).await?;
    let deployment = get(&lab, "deployment/api-gateway-nginx").await?;
    assert_eq!(deployment["spec"]["selector"], json!({ "matchLabels": { "run": "api-gateway-nginx" } }));
    let pod = &deployment["spec"]["template"]["spec"];
    let [container] = &pod["containers"].as_array().unwrap()[..] else { panic!("more than Envoy: {pod}") };
    let listed = |list: &Value, key: &str| -> Vec<Value> {
        list.as_array().unwrap().iter().map(|item| item[key].clone()).collect()
    };
    assert_eq!(listed(&container["ports"], "containerPort"), [8080, 8081]);
    assert_eq!(listed(&container["volumeMounts"], "mountPath"), ["/etc/keptn-gateway"]);
    assert_eq!(listed(&pod["volumes"], "name"), ["configuration"]);
    assert!(container["image"].as_str().unwrap().contains("keptn-gateway-envoy"), "{container}");
    let service = get(&lab, "service/api-gateway-nginx").await?;
    assert_eq!(
        service["spec"]["ports"],
        json!([{ "name": "http", "port": 80, "protocol": "TCP", "targetPort": "http" }])
    );
    let ingress = get(&lab, "ingress/keptn-ingress").await?;
    assert_eq!(ingress["spec"]["ingressClassName"], "nginx");
    assert!(ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"].is_null(), "{ingress}");
    assert_eq!(ingress["spec"]["rules"].as_array().unwrap().len(), 2);

    // And back, with Keptn's own manifest: docs/standalone.md says so.
    lab.apply("tests/istio/keptn_nginx.yaml").await?;
    let deployment = get(&lab, "deployment/api-gateway-nginx").await?;
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "nginx:1.17.9");
    assert_eq!(listed(&container["ports"], "containerPort"), [80]);
    for ours in ["command", "args", "readinessProbe", "livenessProbe", "lifecycle", "securityContext"] {
        assert!(container[ours].is_null(), "{ours}: {container}");
    }
    assert_eq!(pod["securityContext"], json!({}));
    assert_eq!(get(&lab, "service/api-gateway-nginx").await?["spec"]["ports"][0]["targetPort"], 80);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_twice_it_changes_nothing() -> Result<()> {
    let lab = beside_keptns_nginx().await?;
    let versions = async || -> Result<Vec<String>> {
        let all = get(&lab, KINDS).await?;
        let version = |item: &Value| {
            let [kind, name, version] = ["/kind", "/metadata/name", "/metadata/resourceVersion"]
                .map(|pointer| item.pointer(pointer).and_then(Value::as_str).unwrap());
            format!("{kind} {name} {version}")
        };
        Ok(all["items"].as_array().unwrap().iter().map(version).collect())
    };
    for folder in [MANIFESTS, IMAGE_VOLUME] {
        let before = versions().await?;
        apply(&lab, folder).await?;
        let once = versions().await?;
        assert_ne!(once, before, "{folder}: it is applied");
        apply(&lab, folder).await?;
        assert_eq!(versions().await?, once, "{folder}");
    }
    Ok(())
}

/// A Kubernetes that does not know image volumes leaves them away without a word.
#[tokio::test(flavor = "multi_thread")]
async fn the_image_volume_is_really_there() -> Result<()> {
    let lab = beside_keptns_nginx().await?;
    apply(&lab, IMAGE_VOLUME).await?;
    let deployment = get(&lab, "deployment/api-gateway-nginx").await?;
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["image"], "envoyproxy/envoy:v1.40.0");
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == "plugin").unwrap();
    assert_eq!(mount["mountPath"], "/etc/envoy", "where envoy.yaml looks for plugin.wasm");
    let volume = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "plugin").unwrap();
    assert!(volume["image"]["reference"].as_str().unwrap().contains("/keptn-gateway:"), "{volume}");
    Ok(())
}

/// Kubernetes' strictest standard for pods lets both variants run.
#[tokio::test(flavor = "multi_thread")]
async fn the_pods_may_run_where_pods_are_restricted() -> Result<()> {
    let lab = beside_keptns_nginx().await?;
    let label = "pod-security.kubernetes.io/enforce=restricted";
    lab.kubectl(&["label", "namespace", "standalone", "--overwrite", label]).await?;
    for folder in [MANIFESTS, IMAGE_VOLUME] {
        apply(&lab, folder).await?;
        let mut pod = get(&lab, "deployment/api-gateway-nginx").await?["spec"]["template"].take();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!("restricted");
        let create = ["-n", "standalone", "create", "--dry-run=server", "-f", "-"];
        lab.run("kubectl", &create, Some(&pod.to_string())).await?;
        // That something is looked at.
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
        let refused = lab.run("kubectl", &create, Some(&pod.to_string())).await.unwrap_err().to_string();
        assert!(refused.contains("allowPrivilegeEscalation"), "{folder}: {refused}");
    }
    Ok(())
}
