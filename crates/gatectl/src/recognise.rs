//! What is keptn-gateway's in Envoy's and Istio's configuration: `validate` finds it in files by the same rules by
//! which `verify` finds it in a gateway that runs.

/// The filter, the plugin's root and our objects are all called so.
pub(crate) const NAME: &str = "keptn-gateway";

/// The type that Envoy's wasm filter is configured with.
pub(crate) const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// The filter state that the filter writes its verdict to, as Envoy calls it.
pub(crate) const KEY: &str = "wasm.keptn.upstream";

/// The upstreams of the profile, by the names of Keptn's services.
pub(crate) const SERVICES: [&str; 2] = ["api-service", "configuration-service"];

/// What the filter reads its configuration from.
pub(crate) const STRING_VALUE: &str = "google.protobuf.StringValue";

/// What people write instead.
pub(crate) const STRUCT: &str = "google.protobuf.Struct";

/// Why not. Seen with Envoy 1.36 and 1.40.
pub(crate) const NO_STRUCT: &str = "Envoy hands a Struct over as protobuf, which the filter does not read";

pub(crate) const NO_SUCH_TYPE: &str = "the filter reads no configuration of this type";

pub(crate) const WRITE_STRING_VALUE: &str =
    "write \"@type\": type.googleapis.com/google.protobuf.StringValue, and as its value text in JSON";

pub(crate) const WRITE_ROOT: &str = "write root_id (pluginName in Istio) keptn-gateway";

/// Whether a wasm filter is ours, by what its filter is called and by its own name and root.
pub(crate) fn is_ours(filter: Option<&str>, name: Option<&str>, root_id: Option<&str>) -> bool {
    [name, root_id].contains(&Some(NAME)) || filter.is_some_and(is_our_name)
}

/// Whether a filter is called as our manifests, or Istio after them, call it.
pub(crate) fn is_our_name(name: &str) -> bool {
    let ours_in = |kind: &str| {
        let object = name.strip_prefix("extensions.istio.io/")?.strip_prefix(kind)?.strip_prefix('/')?;
        let object = object.strip_suffix("~istio-translated-wasmplugin").unwrap_or(object);
        Some(object.split_once('.')?.1 == NAME)
    };
    name == NAME || ["trafficextension", "wasmplugin"].iter().any(|kind| ours_in(kind) == Some(true))
}

/// The name of a message's type, without what is before it in a URL.
pub(crate) fn type_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// What happens to requests when the plugin cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// They are refused, and the next one gets a new VM.
    Reload,
    /// They are refused until Envoy is started anew.
    Closed,
    /// They pass.
    Open,
}

impl Failure {
    /// By the keys of Envoy's configuration of the plugin.
    pub(crate) fn of(fail_open: bool, failure_policy: Option<&str>) -> Self {
        match failure_policy {
            _ if fail_open => Self::Open,
            Some("FAIL_OPEN") => Self::Open,
            Some("FAIL_RELOAD") => Self::Reload,
            _ => Self::Closed,
        }
    }

    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Reload => "FAIL_RELOAD: refuses when it fails, and starts anew",
            Self::Closed => {
                "FAIL_CLOSED: once it has failed it refuses everything until Envoy is started anew; FAIL_RELOAD starts it anew"
            }
            Self::Open => "FAIL_OPEN: when it fails requests pass it unjudged",
        }
    }

    /// What to do about any other than [`Failure::Reload`].
    pub(crate) const REMEDY: &str =
        "write failure_policy: FAIL_RELOAD (failStrategy in Istio), and no fail_open";
}
