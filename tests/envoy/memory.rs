//! Uploads from strangers, paused until their token is judged, leave memory flat.

use crate::support::{Bed, honest, post};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;
use testbed::{
    client::{H2, Request},
    keptn::{Gate, Order, Scope},
};

const STREAMS: usize = 100;
const PER_CONNECTION: usize = 10;
const BODY: usize = 1 << 20;
/// How much Envoy may grow for one paused upload. Measured are 20 KiB over HTTP/1 and 145 KiB over HTTP/2; without
/// envoy.yaml's buffer limit, or without its HTTP/2 window, 1,000 KiB: all that is sent.
const ALLOWED_KIB: u64 = 300;

/// Awaits that Envoy reads no more of what waits in its sockets, and returns its memory. Each request that it serves
/// meanwhile is at least one turn of its only worker's loop, in which it reads every socket that has something.
async fn memory_when_all_is_read(bed: &Bed) -> u64 {
    let read = async || bed.envoy.counter("http.gateway.downstream_cx_rx_bytes_buffered").await.unwrap();
    let mut pulse = bed.connect().await;
    let mut last = 0;
    let mut quiet = 0;
    while quiet < 10 {
        assert_eq!(pulse.send(&Request::get("/v1/docs")).await.unwrap().status, 200);
        let now = read().await;
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
    }
    bed.envoy.rss_kib().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_uploads_of_strangers_leave_memory_flat() {
    // Longer than the test, so that all of them wait at the same time.
    let bed = Bed::with(json!({ "auth": { "timeout": "60s", "deadline": "60s" } })).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let body = vec![7; BODY];
    // Long enough for a busy machine; it ends the pouring and is not measured.
    let patience = Duration::from_millis(500);

    let before = memory_when_all_is_read(&bed).await;
    let request = post("/v1/event").header("content-length", BODY.to_string());
    let mut http1 = join_all((0..STREAMS).map(|_| bed.begin(&request))).await;
    bed.under_way(STREAMS as u64).await;
    join_all(http1.iter_mut().map(async |client| client.pour(&body, patience).await.unwrap())).await;
    let with_http1 = memory_when_all_is_read(&bed).await;

    let mut connections = Vec::new();
    let mut http2 = Vec::new();
    for _ in 0..STREAMS / PER_CONNECTION {
        let mut connection = H2::connect(bed.envoy.listener("gateway")).await.unwrap();
        for _ in 0..PER_CONNECTION {
            http2.push(connection.open(&post("/v1/event")).await.unwrap());
        }
        connections.push(connection);
    }
    bed.under_way(2 * STREAMS as u64).await;
    let poured = http2.iter_mut().map(async |stream| stream.pour(body.clone(), patience).await.unwrap());
    join_all(poured).await;
    let with_both = memory_when_all_is_read(&bed).await;
    for (what, from, to) in [("HTTP/1", before, with_http1), ("HTTP/2", with_http1, with_both)] {
        let grown = to.saturating_sub(from) / STREAMS as u64;
        assert!(grown <= ALLOWED_KIB, "{grown} KiB for each paused upload over {what}");
    }
    gate.open();
    assert_eq!(bed.send(&honest()).await.status, 200);
}
