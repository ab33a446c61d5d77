//! Every counter, through Envoy's own statistics: with two workers, each with a VM of its own, and after their death.
//!
//! A deed is something that happens at one worker, with all that it adds to the statistics. What it does not name must
//! not change: each deed is compared with all of the filter's counters.

#[path = "counters/deeds.rs"]
mod deeds;
#[path = "counters/ledger.rs"]
mod ledger;

use crate::{
    support::with_token,
    workers::{self, WORKERS},
};
use deeds::{LOCAL, Worker};
use gate::{
    denial::Denial,
    tally::{Counter, Notice},
};
use ledger::Ledger;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, env};
use testbed::{
    client::Request,
    keptn::{Order, Reply, Scope},
    wait::until,
};

/// Every token here begins with it, so that none can hide in a log.
const SECRET: &str = "sesame-";

/// The counters of the canary, which has a test of its own.
const CANARY: [Counter; 2] = [Counter::CanaryFailed, Counter::CanaryPassed];

fn names<'a>(counters: impl IntoIterator<Item = &'a Counter>) -> BTreeSet<String> {
    counters.into_iter().map(|counter| counter.name().to_owned()).collect()
}

fn lines(log: &str, notice: Notice) -> u64 {
    log.matches(notice.text()).count() as u64
}

#[tokio::test]
async fn every_counter_counts_its_deed_at_every_worker_and_after_the_death_of_its_vm() {
    const LIVES: usize = 2;
    let plugin = env::var_os("PLUGIN_WASM_TRAP");
    let plugin =
        plugin.expect("PLUGIN_WASM_TRAP is not set: `./build.sh test` builds that plugin and sets it");
    let hash: String = Sha256::digest(LOCAL).iter().map(|byte| format!("{byte:02x}")).collect();
    let settings = json!({
        "hosts": ["gateway.test"],
        // One no is remembered, so that the next one has to push it out.
        "auth": { "allow": "1h", "deny": "10m", "deny_entries": 1, "timeout": "60s", "deadline": "60s" },
        "tokens": [{ "name": "nightly", "sha256": hash }],
    });
    let bed = workers::edited(|bootstrap| {
        let bootstrap = bootstrap.configuration(settings).plugin(plugin);
        bootstrap.listener("gateway", |listener| {
            listener.edit_manager(|manager| manager["xff_num_trusted_hops"] = json!(1))
        })
    })
    .await;
    let mut ledger = Ledger::open(&bed).await;
    let nothing_yet: BTreeSet<String> = names(Counter::ALL)
        .into_iter()
        .chain(Denial::ALL.iter().map(|denial| format!("refused.{}", denial.reason())))
        .collect();
    assert_eq!(ledger.names(), nothing_yet, "all are there before anything happens, and no others");

    let mut connections = workers::clients(&bed, 2).await;
    for life in 0..LIVES {
        let mut workers = Vec::new();
        for (number, connections) in connections.iter_mut().enumerate() {
            let mut worker = Worker::new(&bed, connections, format!("{SECRET}{life}-{number}"));
            worker.do_every_deed(&mut ledger).await;
            ledger.is_right("all deeds of a worker").await;
            // What each of them adds is shown once.
            ledger.each = false;
            workers.push(worker);
        }
        // It takes a while until something happens in the background: for all workers together.
        for worker in &mut workers {
            worker.leave_a_stale_yes(&mut ledger).await;
        }
        ledger.adds("background", &[("refreshed", 2), ("checks", 2), ("cache_inserted", 2)]).await;
        ledger.is_right("the background of all workers").await;
        for worker in &mut workers {
            worker.die().await;
        }
    }
    // What was counted before is still counted, and nothing twice.
    ledger.is_right("the death of all VMs").await;

    let untouched = ledger.untouched();
    let counted: BTreeSet<String> = names(Counter::ALL).difference(&untouched).cloned().collect();
    assert_eq!(counted, &names(Counter::ALL) - &names(&CANARY), "each counter needs a deed");
    let outcomes = ["ok", "denied", "error", "timeout", "throttled"].map(|name| ledger.get(name));
    assert_eq!(outcomes.iter().sum::<u64>(), ledger.requests, "one outcome for each request with a token");
    ledger.agrees_with_prometheus().await;

    let log = bed.envoy.log();
    let vms = (LIVES * WORKERS) as u64;
    assert_eq!(lines(&log, Notice::FailingFastBegun), ledger.get("failing_fast_begun"));
    assert_eq!(lines(&log, Notice::FailingFastEnded), ledger.get("failing_fast_ended"));
    assert_eq!(lines(&log, Notice::Stale), vms, "once for each token, not for each request");
    assert_eq!(lines(&log, Notice::ContractBroken), vms);
    assert_eq!(log.matches("an internal operation is used").count() as u64, ledger.get("internal"));
    let requests = usize::try_from(ledger.requests).unwrap();
    let access_log = bed.envoy.wait_for_access_log("every request", |lines| lines.len() >= requests).await;
    assert!(!log.contains(SECRET) && !json!(access_log.unwrap()).to_string().contains(SECRET));
}

#[tokio::test]
async fn the_canary_counts_its_turns() {
    let bed = workers::edited(|bootstrap| {
        bootstrap.configuration(json!({ "auth": { "canary": "1s", "throttle": { "burst": 0 } } }))
    })
    .await;
    let mut pair = workers::pair(&bed).await;
    let known = with_token(crate::support::TOKEN);
    for client in &mut pair {
        assert_eq!(client.send(&known).await.unwrap().status, 200);
    }
    // An auth service that has lost its secret: who was known is refused too, by every worker.
    bed.api.orders.set(Scope::Auth, Order::Answer(Reply::status(200)));
    let failed = Denial::CanaryFailed.reason();
    for client in &mut pair {
        let refusal = until("the canary to fail", async || {
            let answer = client.send(&known).await.unwrap();
            (answer.status == 503).then_some(answer)
        });
        assert_eq!(refusal.await.unwrap().json()["code"], 503);
    }
    assert_eq!(bed.denials(failed).await, WORKERS as u64);
    bed.wait_for_count("error", WORKERS as u64).await;
    // Envoy's main thread has a VM too. No client comes there, but it has a canary as the workers have.
    let vms = WORKERS as u64 + 1;
    bed.wait_for_count("canary_failed", vms).await;
    bed.api.orders.clear();
    for client in &mut pair {
        let answer = until("the canary to pass", async || {
            Some(client.send(&known).await.unwrap()).filter(|answer| answer.status == 200)
        });
        answer.await.unwrap();
    }
    bed.wait_for_count("canary_passed", vms).await;
    bed.wait_for_count("canary_failed", vms).await;
    let log = bed.envoy.log();
    assert_eq!((lines(&log, Notice::CanaryFailed), lines(&log, Notice::CanaryPassed)), (vms, vms));
}

#[tokio::test]
async fn the_reason_of_a_refusal_is_a_label() {
    let bed = workers::edited(|bootstrap| bootstrap).await;
    for client in &mut workers::pair(&bed).await {
        assert_eq!(client.send(&Request::get("/v1/event")).await.unwrap().status, 401);
        assert_eq!(client.send(&Request::new("BREW", "/v1/event")).await.unwrap().status, 400);
    }
    let page = bed.envoy.admin_get("/stats/prometheus").await.unwrap();
    let samples: Vec<&str> = page.lines().filter(|line| line.contains("keptn_gateway_refused")).collect();
    assert!(samples.contains(&"keptn_gateway_refused{reason=\"no_token\"} 2"), "{samples:#?}");
    // A sample without the label would be counted once more by every sum.
    let labelled = |line: &&&str| line.starts_with("keptn_gateway_refused{reason=\"");
    assert_eq!(samples.iter().filter(labelled).count(), Denial::ALL.len());
    let types: Vec<&&str> = samples.iter().filter(|line| !labelled(line)).collect();
    assert_eq!(types, [&"# TYPE keptn_gateway_refused counter"]);
}
