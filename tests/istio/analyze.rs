//! What `istioctl analyze` finds wrong with what is shipped: nothing.

use crate::{
    document,
    dumps::{WIDE, listens},
    support::{Lab, Mode, output},
};
use testbed::Result;

/// The overlay that is recommended for new installations.
const MODERN: &str = "manifests/istio/overlays/envoyfilter-credential-name";

/// What our EnvoyFilters say for themselves.
const SUPPRESSED: &str = "galley.istio.io/analyze-suppress: IST0133";

/// What every EnvoyFilter gets, whatever is in it: why they say so.
const UNAVOIDABLE: &str = "Schema validation warning: EnvoyFilter exposes internal implementation details that may change at any \
                           time. Prefer other APIs if possible, and exercise extreme caution, especially around upgrades.";

/// `istioctl analyze`, and what it finds wrong.
async fn analyzed() -> Result<Vec<String>> {
    let said = output("istioctl", &["analyze", "--all-namespaces"], None).await?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("Info [IST0102]"), "it has looked at namespaces: {said}");
    Ok(said
        .lines()
        .filter(|line| line.starts_with("Error") || line.starts_with("Warning"))
        .map(Into::into)
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn istioctl_finds_nothing_wrong() -> Result<()> {
    let lab = Lab::start().await?;
    lab.apply("manifests/istio/base").await?;
    assert_eq!(analyzed().await?, [""; 0], "the base alone");
    lab.apply("manifests/istio/tenants").await?;
    document::run(&lab, "kubectl apply -k manifests/istio/gateway-wide", "").await?;
    lab.apply(&format!("{WIDE}/pods")).await?;
    lab.apply(&format!("{WIDE}/access-log")).await?;
    let result = async {
        for mode in Mode::ALL {
            lab.apply_mode(mode).await?;
            assert_eq!(analyzed().await?, [""; 0], "{mode:?}");
            lab.kubectl(&["-n", "istio-system", "delete", mode.filter()]).await?;
        }
        document::run(&lab, "gatectl cert self-signed D --credential-name", "example.org").await?;
        let text = lab.kubectl(&["kustomize", MODERN]).await?;
        assert!(text.contains("httpsRedirect: true"), "{text}");
        lab.apply_text(&text).await?;
        lab.until_dump("both ports", listens).await?;
        assert_eq!(analyzed().await?, [""; 0], "{MODERN}");
        Ok(())
    }
    .await;
    lab.kubectl(&["delete", "-k", "manifests/istio/tenants"]).await?;
    result
}

/// What is applied in this lab, istiod itself judges first, as in a cluster where it is installed.
#[tokio::test(flavor = "multi_thread")]
async fn istiod_is_asked_about_what_is_applied() -> Result<()> {
    let lab = Lab::start().await?;
    let text = lab.kubectl(&["kustomize", "manifests/istio/base"]).await?;
    let wrong = text.replace("idleTimeout: 5s", "idleTimeout: 5m5ns");
    assert_ne!(wrong, text);
    let error = lab.apply_text(&wrong).await.expect_err("a duration with fractions").to_string();
    assert!(error.contains(r#"admission webhook "validation.istio.io" denied the request"#), "{error}");
    Ok(())
}

/// The annotation hides one warning that nothing can avoid, and must hide no other: one about a field that Istio does not
/// know has the same number.
#[tokio::test(flavor = "multi_thread")]
async fn what_our_envoy_filters_hide_is_what_every_one_gets() -> Result<()> {
    let lab = Lab::start().await?;
    let mut seen = 0;
    for mode in Mode::ALL {
        let wide = lab.kubectl(&["kustomize", WIDE]).await?;
        let text = [lab.manifests(mode).await?, wide].join("\n---\n");
        let filters = text.matches("kind: EnvoyFilter\n").count();
        assert_eq!(text.matches(SUPPRESSED).count(), filters, "{mode:?}: each has it");
        lab.apply_text(&text.replace(SUPPRESSED, "somebody: else")).await?;
        let warnings = analyzed().await?;
        assert_eq!(warnings.len(), filters, "{mode:?}: {warnings:#?}");
        for warning in &warnings {
            assert!(
                warning.starts_with("Warning [IST0133] (EnvoyFilter istio-system/keptn-gateway")
                    && warning.ends_with(UNAVOIDABLE),
                "{mode:?}: {warning}"
            );
        }
        seen += filters;
        lab.kubectl(&["-n", "istio-system", "delete", "envoyfilters.networking.istio.io", "--all"]).await?;
        lab.kubectl(&["-n", "istio-system", "delete", mode.filter(), "--ignore-not-found"]).await?;
    }
    assert!(seen > 20, "{seen}");
    Ok(())
}
