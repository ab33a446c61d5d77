//! A filter that lets everything through and looks at nothing. What it costs is the price of any filter in this SDK:
//! the VM, a context for each stream, and the callbacks.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

/// What the host calls first.
#[allow(missing_docs, reason = "the SDK's macro writes the function")]
mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::Root));
    }}
}

#[derive(Debug)]
struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// A stream. The SDK's defaults say `Continue` to everything.
#[derive(Debug)]
struct Stream;

impl Context for Stream {}

impl HttpContext for Stream {}
