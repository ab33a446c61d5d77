//! What stands behind the gateway, on the load's core.

use crate::rig::{nginx::Nginx, proxies::Upstreams};
use testbed::Result;

const AUTH: &str = include_str!("configs/auth-service.conf");
const CONFIGURATION: &str = include_str!("configs/configuration-service.conf");

/// The auth service and the service.
#[derive(Debug)]
pub(crate) struct Services {
    auth: Nginx,
    configuration: Nginx,
    /// How often the auth service was asked how many requests it has had, which it counts too.
    asked: u64,
}

impl Services {
    /// Starts both.
    ///
    /// # Errors
    /// nginx does not start.
    pub(crate) async fn start() -> Result<Self> {
        let auth = Nginx::start(AUTH, &[]).await?;
        Ok(Self { auth, configuration: Nginx::start(CONFIGURATION, &[]).await?, asked: 0 })
    }

    pub(crate) fn upstreams(&self) -> Upstreams {
        Upstreams { auth: self.auth.address(), configuration: self.configuration.address() }
    }

    /// How many checks the auth service has had. Asking is none.
    ///
    /// # Errors
    /// The auth service has ended.
    pub(crate) async fn checks(&mut self) -> Result<u64> {
        self.asked += 1;
        Ok(self.auth.requests().await? - self.asked)
    }
}
