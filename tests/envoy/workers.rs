//! Two workers, each with a VM of its own: their clients, steady load, and what the filter counts.

use crate::support::Bed;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use testbed::{
    Bootstrap,
    client::{Raw, Request, Response},
    envoy::Options,
    wait::until,
};
use tokio::task::JoinHandle;

pub(crate) const WORKERS: usize = 2;

/// `/v1/auth` with another token.
pub(crate) fn auth(token: &str) -> Request {
    Request::post("/v1/auth").header("x-token", token)
}

/// A gateway with two workers, and these tokens at api-service.
pub(crate) async fn bed_with(settings: Value, tokens: &[&str]) -> Bed {
    let bed = edited(|bootstrap| bootstrap.configuration(settings)).await;
    for token in tokens {
        bed.api.add_token(token);
    }
    bed
}

/// A gateway with two workers, and any edit of its bootstrap.
pub(crate) async fn edited(edit: impl FnOnce(Bootstrap) -> Bootstrap) -> Bed {
    let options = Options { concurrency: WORKERS, ..Options::default() };
    let named = |bootstrap: Bootstrap| {
        bootstrap.listener("gateway", |mut listener| {
            // Under this name Envoy counts connections by worker.
            listener.json()["stat_prefix"] = json!("gateway");
            listener
        })
    };
    Bed::start_with(&options, |bootstrap| named(edit(bootstrap))).await
}

async fn accepted(bed: &Bed) -> [u64; WORKERS] {
    let stats = bed.envoy.stats().await.unwrap();
    [0, 1].map(|worker| {
        let name = format!("listener.gateway.worker_{worker}.downstream_cx_total");
        *stats.get(&name).unwrap_or_else(|| panic!("Envoy does not count {name}"))
    })
}

/// So many connections to each worker. The kernel spreads connections by address and port, so it takes some more.
/// Nobody else may connect meanwhile.
pub(crate) async fn clients(bed: &Bed, count: usize) -> [Vec<Raw>; WORKERS] {
    let mut found: [Vec<Raw>; WORKERS] = Default::default();
    let mut before = accepted(bed).await;
    while found.iter().any(|clients| clients.len() < count) {
        let client = bed.connect().await;
        let now = until("a worker to accept a connection", async || {
            Some(accepted(bed).await).filter(|now| *now != before)
        });
        let now = now.await.unwrap();
        let worker = (0..WORKERS).find(|worker| now[*worker] > before[*worker]).unwrap();
        before = now;
        if found[worker].len() < count {
            found[worker].push(client);
        }
    }
    found
}

/// One connection to each worker.
pub(crate) async fn pair(bed: &Bed) -> [Raw; WORKERS] {
    clients(bed, 1).await.map(|mut clients| clients.remove(0))
}

impl Bed {
    /// What the filter has counted under this name, all workers together. It writes its counters now and then, so
    /// an even count may be late: see [`Bed::wait_until_counted`].
    pub(crate) async fn counted_so_far(&self, name: &str) -> u64 {
        self.envoy.counter(&format!("wasmcustom.keptn_gateway.{name}")).await.unwrap()
    }

    /// Awaits that a counter of the filter is as `enough` wants it.
    pub(crate) async fn wait_until_counted(&self, name: &str, enough: impl Fn(u64) -> bool) -> u64 {
        let name = format!("wasmcustom.keptn_gateway.{name}");
        self.envoy.wait_for_counter(&name, enough).await.unwrap()
    }

    /// How often api-service was asked about this token.
    pub(crate) fn checks_of(&self, token: &str) -> usize {
        let checks = self.api.records.checks();
        checks.iter().filter(|check| check.header("x-token").as_deref() == Some(token)).count()
    }
}

/// The time a client takes between an answer and its next request: the machine is for the gateway.
const THINKS: Duration = Duration::from_millis(10);

/// Answers by their status: how many, and the first of them.
pub(crate) type Answers = BTreeMap<u16, (usize, Response)>;

/// Clients that send one request after the other.
pub(crate) struct Load {
    stopped: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Answers>>,
}

impl Load {
    /// Each client repeats its request until [`Load::stop`].
    pub(crate) fn start(clients: impl IntoIterator<Item = (Raw, Request)>) -> Self {
        let (stopped, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |(mut client, request): (Raw, Request)| {
            let (stopped, answered) = (stopped.clone(), answered.clone());
            tokio::spawn(async move {
                let mut answers = Answers::new();
                while !stopped.load(Relaxed) {
                    let answer = client.send(&request).await.unwrap();
                    answers.entry(answer.status).or_insert((0, answer)).0 += 1;
                    answered.fetch_add(1, Relaxed);
                    tokio::time::sleep(THINKS).await;
                }
                answers
            })
        };
        let clients = clients.into_iter().map(client).collect();
        Self { stopped, answered, clients }
    }

    /// How many answers there were.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Relaxed)
    }

    /// Awaits so many more answers.
    pub(crate) async fn goes_on(&self, count: usize) {
        let enough = self.answered() + count;
        let there = until(format!("{count} more answers to the load"), async || {
            (self.answered() >= enough).then_some(())
        });
        there.await.unwrap();
    }

    /// Stops, and returns what was answered.
    pub(crate) async fn stop(self) -> Answers {
        self.stopped.store(true, Relaxed);
        let mut all = Answers::new();
        for answers in join_all(self.clients).await {
            for (status, (count, answer)) in answers.unwrap() {
                all.entry(status).or_insert((0, answer)).0 += count;
            }
        }
        all
    }

    /// Stops, and returns how many answers there were: all of them 200.
    pub(crate) async fn stop_unharmed(self) -> usize {
        let mut answers = self.stop().await;
        let good = answers.remove(&200).map_or(0, |(count, _)| count);
        assert!(answers.is_empty(), "beside {good} good answers: {answers:?}");
        good
    }
}
