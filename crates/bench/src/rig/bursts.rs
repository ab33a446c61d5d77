//! Many requests at once that show one new token: what happens when a client starts all its workers.

use crate::rig::{
    connection::Connection,
    load::{Answers, Load, Token},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use testbed::{Error, Result};

/// What came of all bursts.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answers: Answers,
    /// Of each burst, from its first request to the end of its last answer; the shortest first.
    pub(crate) latencies: Vec<Duration>,
}

/// Sends `count` bursts of `size` requests, each on a connection of its own. The token of each burst is new; `run` sets
/// them apart from another run's.
///
/// # Errors
/// A connection is refused, or breaks.
pub(crate) async fn run(target: SocketAddr, size: usize, count: u32, run: u32) -> Result<Outcome> {
    let load = Load { token: Token::New, ..Load::HIT };
    let mut connections = Vec::new();
    for _ in 0..size {
        connections.push(Connection::open(target).await.map_err(Error::during("connecting"))?);
    }
    let mut outcome = Outcome { answers: Answers::default(), latencies: Vec::new() };
    for n in 0..count {
        let request = load.request(run, n.into());
        let start = Instant::now();
        for connection in &mut connections {
            connection.send(&request).await.map_err(Error::during("sending a burst"))?;
        }
        for connection in &mut connections {
            outcome
                .answers
                .add(connection.receive().await.map_err(Error::during("awaiting a burst's answers"))?);
        }
        outcome.latencies.push(start.elapsed());
    }
    outcome.latencies.sort_unstable();
    Ok(outcome)
}
