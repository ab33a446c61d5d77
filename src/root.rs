//! The root context: one configuration, its timer, and all its checks.

use std::rc::Rc;

use gate::authn::CheckId;
use gate::config::Config;
use gate::gate::Gate;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};

use crate::filter::Filter;
use crate::host;
use crate::stream::Stream;

/// The root context.
#[derive(Debug)]
pub(crate) struct Root {
    id: u32,
    /// Nothing before the configuration is read: then every request is refused.
    filter: Option<Rc<Filter>>,
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        Self { id, filter: None }
    }

    fn configure(&mut self, size: usize) -> Result<(), String> {
        let json = host::configuration(size).map_err(|_| "the host has no configuration".to_owned())?;
        let config = Config::from_json(&json).map_err(|problems| problems.to_string())?;
        for warning in config.warnings() {
            log::warn!("{warning}");
        }
        let seed = host::random().map_err(|_| "the host has no randomness".to_owned())?;
        self.filter = Some(Rc::new(Filter::new(self.id, Gate::new(config, seed))));
        Ok(())
    }
}

impl Context for Root {
    /// The answer to a check. All are the root's.
    fn on_http_call_response(&mut self, check: u32, headers: usize, _body_size: usize, _trailers: usize) {
        if let Some(filter) = &self.filter {
            filter.on_answer(CheckId(check), headers);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        proxy_wasm::set_log_level(host::log_level().unwrap_or(LogLevel::Info));
        let version = env!("CARGO_PKG_VERSION");
        let commit = option_env!("KEPTN_GATEWAY_COMMIT").unwrap_or("unknown");
        match self.configure(size) {
            Ok(()) => {
                log::info!("keptn-gateway {version} ({commit}) is configured");
                true
            }
            Err(problems) => {
                // Envoy itself says only that the plugin failed; these lines are all an operator gets.
                log::error!("keptn-gateway {version} ({commit}) refuses its configuration:\n{problems}");
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(filter) = &self.filter {
            filter.on_tick();
        }
    }

    /// Called by our own streams alone, see [`host::call_root`].
    fn on_queue_ready(&mut self, _queue: u32) {
        if let Some(filter) = &self.filter {
            filter.send_outbox();
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(id, self.filter.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
