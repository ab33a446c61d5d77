//! Test equipment: a real [`Envoy`] under control, [stand-ins](keptn) for Keptn's two services, and
//! [clients](client) that can send what honest libraries refuse to.
//!
//! Everything is loopback, every port is chosen by the kernel, and every wait is for a condition, bounded by
//! [`wait::DEADLINE`], with an error that says what was awaited and what was there instead.
//!
//! ```no_run
//! # async fn example() -> testbed::Result<()> {
//! use testbed::{Bootstrap, Envoy, client::{Raw, Request}, keptn::{ApiService, ConfigurationService}};
//!
//! let api = ApiService::start("secret").await?;
//! let configuration = ConfigurationService::start().await?;
//! let bootstrap = Bootstrap::shipped()
//!     .cluster("api-service", api.address())
//!     .cluster("configuration-service", configuration.address());
//! let envoy = Envoy::start(&bootstrap).await?;
//!
//! let request = Request::get("/configuration-service/v1/project").header("x-token", "secret");
//! let response = Raw::connect(envoy.listener("gateway")).await?.send(&request).await?;
//! assert_eq!(response.status, 200);
//! assert_eq!(configuration.records.count(), 1);
//! # Ok(())
//! # }
//! ```

pub mod bootstrap;
pub mod client;
pub mod envoy;
mod error;
pub mod keptn;
pub mod process;
pub mod wait;
pub mod yaml;

pub use bootstrap::Bootstrap;
pub use envoy::Envoy;
pub use error::{Error, Result};
