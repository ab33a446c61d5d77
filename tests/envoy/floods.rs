//! Strangers in numbers: ever new tokens, ever new addresses, clients that never wait for an answer.

#[path = "floods/guesser.rs"]
mod guesser;
#[path = "floods/leaver.rs"]
mod leaver;
#[path = "floods/scan.rs"]
mod scan;

use crate::support::Bed;
use serde_json::json;
use std::{net::IpAddr, time::Instant};
use testbed::{
    bootstrap::Listener,
    client::{Raw, Request, Response},
};

/// How many wrong tokens the shipped configuration lets an address have checked at once; one more each second.
const BURST: usize = 10;

/// Envoy takes the last address in X-Forwarded-For for the client's, as behind one load balancer.
fn behind_a_load_balancer(listener: Listener) -> Listener {
    listener.edit_manager(|manager| manager["xff_num_trusted_hops"] = json!(1))
}

/// A client with an address of its own.
async fn connect(bed: &Bed, source: &str) -> Raw {
    let source: IpAddr = source.parse().unwrap();
    Raw::connect_from(source, bed.envoy.listener("gateway")).await.unwrap()
}

/// The answer to a request from this address, on a connection of its own.
async fn send(bed: &Bed, source: &str, request: &Request) -> Response {
    connect(bed, source).await.send(request).await.unwrap()
}

/// One bucket, from the time when it is full.
struct Bucket(Instant);

impl Bucket {
    fn full() -> Self {
        Self(Instant::now())
    }

    /// How many checks it has been good for until now, at most: however slow the machine is, it refills meanwhile.
    fn most(&self) -> usize {
        let seconds = usize::try_from(self.0.elapsed().as_secs()).unwrap();
        BURST + seconds + 1
    }
}
