//! A filter that makes the calls into Envoy that the gateway makes for a cache hit, in the same order, with constants
//! where the gateway decides. What it costs more than the filter that does nothing, trimmed as well, is the price of the
//! calls and of the routes that look at what they wrote; what the gateway costs more than this is its own work. It
//! protects nothing.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

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

#[derive(Debug)]
struct Stream;

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        read_headers();
        read_clock();
        set_property("keptn.upstream", "configuration-service");
        remove_header("x-token");
        replace_header(":path", "/v1/project");
        Action::Continue
    }
}

/// A request's map of headers, by the ABI's number for it.
const REQUEST: u32 = 0;

fn read_headers() {
    let mut bytes = core::ptr::null_mut();
    let mut size = 0;
    // SAFETY: the host writes a pointer and a size to valid places.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let status = unsafe { env::proxy_get_header_map_pairs(REQUEST, &raw mut bytes, &raw mut size) };
    done(status);
    if !bytes.is_null() {
        // SAFETY: the host got this memory from the SDK's `malloc`, which makes a vector of just this capacity.
        #[allow(unsafe_code, reason = "the ABI is C's")]
        let bytes: Vec<u8> = unsafe { Vec::from_raw_parts(bytes, size, size) };
        drop(bytes);
    }
}

fn read_clock() {
    const MONOTONIC: u32 = 1;
    const PRECISION: u64 = 1_000_000;
    let mut nanoseconds = 0;
    // SAFETY: WASI's function writes one u64 to a valid place and keeps no pointer.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let errno = unsafe { wasi::clock_time_get(MONOTONIC, PRECISION, &raw mut nanoseconds) };
    done(u32::from(errno));
}

fn set_property(name: &str, value: &str) {
    // SAFETY: both pointers are valid for the lengths beside them, and the host copies before it returns.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let status = unsafe { env::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    done(status);
}

fn remove_header(name: &str) {
    // SAFETY: the pointer is valid for the length beside it, and the host keeps none.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let status = unsafe { env::proxy_remove_header_map_value(REQUEST, name.as_ptr(), name.len()) };
    done(status);
}

fn replace_header(name: &str, value: &str) {
    // SAFETY: both pointers are valid for the lengths beside them, and the host copies before it returns.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let status = unsafe {
        env::proxy_replace_header_map_value(REQUEST, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
    done(status);
}

/// A call that does nothing would cost nothing: the VM dies, and the bench says so.
fn done(status: u32) {
    assert!(status == 0, "the host refuses");
}

mod env {
    #[link(wasm_import_module = "env")]
    #[allow(unsafe_code, reason = "the ABI is C's")]
    unsafe extern "C" {
        pub(super) fn proxy_get_header_map_pairs(map: u32, bytes: *mut *mut u8, size: *mut usize) -> u32;
        pub(super) fn proxy_set_property(
            path: *const u8,
            path_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
    }
}

mod wasi {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    #[allow(unsafe_code, reason = "the ABI is C's")]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u16;
    }
}
