//! What only a real host can show.
//!
//! Each test starts an Envoy of its own with the shipped `envoy.yaml`, its two services replaced by stand-ins under
//! the test's control. `./build.sh test` runs all of it twice: with the newest and with the oldest Envoy we support.

#[path = "envoy/beside.rs"]
mod beside;
#[path = "envoy/bodies.rs"]
mod bodies;
#[path = "envoy/cache.rs"]
mod cache;
#[path = "envoy/canary.rs"]
mod canary;
#[path = "envoy/checks.rs"]
mod checks;
#[path = "envoy/configuration.rs"]
mod configuration;
#[path = "envoy/counters.rs"]
mod counters;
#[path = "envoy/dispatch.rs"]
mod dispatch;
#[path = "envoy/document.rs"]
mod document;
#[path = "envoy/flights.rs"]
mod flights;
#[path = "envoy/floods.rs"]
mod floods;
#[path = "envoy/headers.rs"]
mod headers;
#[path = "envoy/memory.rs"]
mod memory;
#[path = "envoy/outage.rs"]
mod outage;
#[path = "envoy/protocol.rs"]
mod protocol;
#[path = "envoy/reload.rs"]
mod reload;
#[path = "envoy/replies.rs"]
mod replies;
#[path = "envoy/standalone.rs"]
mod standalone;
#[path = "envoy/status.rs"]
mod status;
#[path = "envoy/strangers.rs"]
mod strangers;
#[path = "envoy/support.rs"]
mod support;
#[path = "envoy/websocket.rs"]
mod websocket;
#[path = "envoy/workers.rs"]
mod workers;
