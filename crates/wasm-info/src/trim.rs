//! Takes away what Envoy would call for nothing.

use walrus::Module;

use crate::called;

/// The module without the SDK's callbacks that this plugin has no use for, and without the code that only they reach.
///
/// Only names of the ABI's callbacks go: whatever else is exported is still there for [`crate::read`] to object to.
///
/// # Errors
/// When the bytes are no WebAssembly module.
pub fn trim(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut module = Module::from_buffer(wasm)?;
    let is_idle = |name: &str| name.starts_with("proxy_on_") && !called(name);
    let idle: Vec<_> =
        module.exports.iter().filter(|export| is_idle(&export.name)).map(|export| export.id()).collect();
    for export in idle {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}
