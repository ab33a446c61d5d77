//! Envoy's own filters beside ours, as `docs/envoy.md` writes them.

#[path = "beside/browsers.rs"]
mod browsers;
#[path = "beside/mount.rs"]
mod mount;
#[path = "beside/secret.rs"]
mod secret;

use crate::{
    document::{Section, shipped},
    support::{Bed, TOKEN},
};
use testbed::{
    Bootstrap, Envoy,
    keptn::{ApiService, ConfigurationService},
};

/// The gateway with a section's pieces pasted in, before stand-ins. `text` is an edit of the YAML, `edit` one of what
/// it says.
async fn bed_with(
    section: &Section,
    text: impl FnOnce(String) -> String,
    edit: impl FnOnce(Bootstrap) -> Bootstrap,
) -> Bed {
    let api = ApiService::start(TOKEN).await.unwrap();
    let configuration = ConfigurationService::start().await.unwrap();
    api.wire(&configuration);
    let mut bootstrap = Bootstrap::from_yaml(&text(section.pasted_into(&shipped())))
        .cluster("configuration-service", configuration.address());
    // All that lead to the stand-in for api-service inside Envoy.
    for cluster in bootstrap.clusters_at("stand-in-api-service") {
        bootstrap = bootstrap.cluster(&cluster, api.address());
    }
    let envoy = Envoy::start(&edit(bootstrap)).await.unwrap();
    Bed { api, configuration, envoy }
}
