//! Every call to the host, in bytes and in the gate's words.
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

use crate::abi::{self, Clock, Map};

pub(crate) use crate::abi::{call_root, random};

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

/// Reads all header pairs of the request, in their order and with their repetitions: a getter by name shows
/// only the first of two lines, while the upstream gets both.
pub(crate) fn with_request<T>(read: impl FnOnce(&[(&str, &[u8])]) -> T) -> Result<T, Failed> {
    let bytes = abi::header_pairs(Map::Request)?;
    Ok(read(&abi::pairs(&bytes)?))
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
    abi::set_property("keptn.upstream", name.as_bytes())
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
        abi::nanoseconds(Clock::Wall).ok().map(Duration::from_nanos).map(Wall::since_epoch)
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

/// Reads the answer to a check, inside its callback. Its body is nobody's business.
///
/// Without headers there is no status, and it decides nothing: Envoy says so when the answer outgrew its buffer.
pub(crate) fn with_answer<T>(headers: usize, read: impl FnOnce(&Answer<'_>) -> T) -> T {
    let bytes = match headers {
        0 => Vec::new(),
        _ => abi::header_pairs(Map::Answer).unwrap_or_default(),
    };
    read(&Answer::read(abi::pairs(&bytes).unwrap_or_default()))
}

/// The monotonic clock's time.
pub(crate) fn now() -> Result<Time, Failed> {
    abi::nanoseconds(Clock::Monotonic).map(Duration::from_nanos).map(Time::since_start)
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

/// Answers the request. The answer goes through the filter's own response callbacks too, which are not exported.
pub(crate) fn reply(response: &Response) -> Result<(), Failed> {
    abi::send_local_response(response.status, &response.details, &response.headers, &response.body)
}
