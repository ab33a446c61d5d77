//! Every call to the host, in bytes.
//!
//! The SDK's String getters panic on a header that is not UTF-8, which any client can send; `clippy.toml`
//! bans them. What can fail says so, and whoever called refuses the request.

use core::net::IpAddr;
use core::time::Duration;

use gate::authn::{Answer, Check, CheckId, StreamId};
use gate::denial::Response;
use gate::request::Environment;
use gate::time::{Time, Wall};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, Status};

/// A call to the host that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed;

impl From<Status> for Failed {
    fn from(_: Status) -> Self {
        Self
    }
}

/// Envoy's log level for this plugin.
pub(crate) fn log_level() -> Result<LogLevel, Failed> {
    Ok(hostcalls::get_log_level()?)
}

/// The plugin's configuration, as JSON.
pub(crate) fn configuration(size: usize) -> Result<Vec<u8>, Failed> {
    Ok(hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size)?.unwrap_or_default())
}

/// All header pairs of the request, in their order and with their repetitions: a getter by name shows
/// only the first of two lines, while the upstream gets both.
pub(crate) fn request_headers() -> Result<Vec<(String, Vec<u8>)>, Failed> {
    Ok(hostcalls::get_map_bytes(MapType::HttpRequestHeaders)?)
}

/// Sets a header line of the request, whatever there was of that name. Headers are gone once the
/// request goes on.
pub(crate) fn set_request_header(name: &str, value: &str) -> Result<(), Failed> {
    Ok(hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, name, Some(value.as_bytes()))?)
}

/// Takes all lines of this name from the request.
pub(crate) fn remove_request_header(name: &str) -> Result<(), Failed> {
    Ok(hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, name, None)?)
}

/// Names the upstream in filter state, as `wasm.keptn.upstream`, where the routes look for it.
pub(crate) fn select_upstream(name: &str) -> Result<(), Failed> {
    Ok(hostcalls::set_property(vec!["keptn.upstream"], Some(name.as_bytes()))?)
}

/// Makes Envoy look for a route again, now that filter state says which.
///
/// Taking a header away does so, with the ABI that the SDK declares, also when it is not there. Envoy's foreign
/// function of this name is no help: up to 1.36 it acts on the request whose callback runs, not on the one that
/// [`act_on`] names, and that one would meet no route (`requests_with_the_same_token_are_one_check`).
pub(crate) fn clear_route_cache() -> Result<(), Failed> {
    remove_request_header("x-keptn-client")
}

/// Lets a paused request go on.
pub(crate) fn resume_request() -> Result<(), Failed> {
    Ok(hostcalls::resume_http_request()?)
}

/// Makes the following calls act on `stream`, which need not be the one whose callback runs.
pub(crate) fn act_on(stream: StreamId) -> Result<(), Failed> {
    Ok(hostcalls::set_effective_context(stream.0)?)
}

/// What the gate asks about the request that the host's calls act on.
#[derive(Debug)]
pub(crate) struct Surroundings;

impl Environment for Surroundings {
    /// As Envoy trusts it (`use_remote_address`, `xff_num_trusted_hops`).
    fn client(&self) -> Option<IpAddr> {
        let address = hostcalls::get_property(vec!["source", "address"]).ok()??;
        let address = String::from_utf8(address).ok()?;
        let (host, _port) = address.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        // A link-local address has its interface behind it.
        let host = host.split_once('%').map_or(host, |(host, _interface)| host);
        // An address of IPv4 on an IPv6 socket is the IPv4 address.
        host.parse().ok().map(|address: IpAddr| address.to_canonical())
    }

    fn wall(&self) -> Option<Wall> {
        clock(REALTIME).ok().map(Wall::since_epoch)
    }
}

/// Sends a check. The host refuses at once when the cluster is unknown or has no healthy host.
///
/// The answer goes to the context whose callback runs, and is lost with it: call this from the root's only.
pub(crate) fn send(check: &Check) -> Option<CheckId> {
    let endpoint = &check.endpoint;
    hostcalls::dispatch_http_call(&endpoint.cluster, check.headers(), None, Vec::new(), endpoint.timeout)
        .ok()
        .map(CheckId)
}

/// Runs the root context's `on_queue_ready`, from inside a stream's callback.
///
/// To the host every callout is the root's. The SDK files it under the context whose callback it is running,
/// and drops its answer when that is gone (`followers_are_served_when_the_leader_leaves`). There is no call
/// by which a stream could make the root run, but there is the SDK's own entry for the host.
pub(crate) fn call_root(root: u32) {
    const NO_QUEUE: u32 = 0;
    // SAFETY: the function is the SDK's, of this very module. It borrows the table of root contexts, which no
    // callback of a stream has borrowed.
    #[allow(unsafe_code, reason = "the SDK exports it for the host alone")]
    unsafe {
        proxy_on_queue_ready(root, NO_QUEUE);
    }
}

#[allow(unsafe_code, reason = "the SDK exports it for the host alone")]
unsafe extern "C" {
    fn proxy_on_queue_ready(root: u32, queue: u32);
}

/// Reads the answer to a check, inside its callback. Its body is nobody's business.
///
/// Without headers there is no status: Envoy says so when the answer outgrew its buffer. Envoy would then answer the
/// question for headers with none; of a host that answers it with an error the SDK makes a panic.
pub(crate) fn with_answer<T>(headers: usize, read: impl FnOnce(&Answer<'_>) -> T) -> T {
    let pairs = match headers {
        0 => Vec::new(),
        _ => hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders).unwrap_or_default(),
    };
    read(&Answer::read(pairs.iter().map(|(name, value)| (name.as_str(), value.as_slice()))))
}

/// The monotonic clock's time. The SDK has the wall clock only, which may jump.
pub(crate) fn now() -> Result<Time, Failed> {
    clock(MONOTONIC).map(Time::since_start)
}

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

fn clock(clock: u32) -> Result<Duration, Failed> {
    let mut nanoseconds = 0;
    // SAFETY: WASI's function writes one u64 to a valid place and keeps no pointer.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let errno = unsafe { wasi::clock_time_get(clock, 1_000_000, &raw mut nanoseconds) };
    if errno == 0 { Ok(Duration::from_nanos(nanoseconds)) } else { Err(Failed) }
}

/// Eight random bytes: the target has no randomness of its own, and hash maps need a seed.
pub(crate) fn random() -> Result<u64, Failed> {
    let mut bytes = [0; 8];
    // SAFETY: WASI's function writes `len` bytes to a valid place and keeps no pointer.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let errno = unsafe { wasi::random_get(bytes.as_mut_ptr(), bytes.len()) };
    if errno == 0 { Ok(u64::from_le_bytes(bytes)) } else { Err(Failed) }
}

/// Makes the root's timer fire so often, or not at all.
pub(crate) fn set_tick_period(period: Option<Duration>) -> Result<(), Failed> {
    Ok(hostcalls::set_tick_period(period.unwrap_or_default())?)
}

/// Defines a counter; again, if it exists already.
pub(crate) fn define_counter(name: &str) -> Result<u32, Failed> {
    Ok(hostcalls::define_metric(MetricType::Counter, name)?)
}

/// Defines a histogram; again, if it exists already.
pub(crate) fn define_histogram(name: &str) -> Result<u32, Failed> {
    Ok(hostcalls::define_metric(MetricType::Histogram, name)?)
}

/// Adds to a counter.
pub(crate) fn increment(counter: u32, by: u64) -> Result<(), Failed> {
    Ok(hostcalls::increment_metric(counter, i64::try_from(by).unwrap_or(i64::MAX))?)
}

/// Adds a value to a histogram.
pub(crate) fn record(histogram: u32, value: u64) -> Result<(), Failed> {
    Ok(hostcalls::record_metric(histogram, value)?)
}

/// Answers the request. The answer comes back to the filter's own response callbacks, so it has none.
///
/// The SDK's wrapper passes no response-code details; the access log wants them.
pub(crate) fn reply(response: &Response) -> Result<(), Failed> {
    const NO_GRPC_STATUS: i32 = -1;
    let headers = serialize(&response.headers);
    // SAFETY: all pointers are valid for the lengths beside them, and the host copies before it returns.
    #[allow(unsafe_code, reason = "the ABI is C's")]
    let status = unsafe {
        proxy_send_local_response(
            u32::from(response.status),
            response.details.as_ptr(),
            response.details.len(),
            response.body.as_ptr(),
            response.body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    };
    if status == 0 { Ok(()) } else { Err(Failed) }
}

/// Header pairs as proxy-wasm's ABI wants them: their number, all lengths, then all strings, each ended by
/// a zero byte.
fn serialize(pairs: &[(&str, String)]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::from(length(pairs.len()));
    for (name, value) in pairs {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [*name, value.as_str()]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[link(wasm_import_module = "env")]
#[allow(unsafe_code, reason = "the ABI is C's")]
unsafe extern "C" {
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

mod wasi {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    #[allow(unsafe_code, reason = "the ABI is C's")]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u16;
        pub(super) fn random_get(buffer: *mut u8, length: usize) -> u16;
    }
}
