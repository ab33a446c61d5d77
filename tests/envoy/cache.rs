//! What is remembered, and how little api-service is asked for it.

use crate::{
    support::{Bed, TOKEN, honest, patient, with_token},
    workers::{Load, WORKERS, auth, bed_with, clients, edited, pair},
};
use serde_json::json;
use std::{
    env,
    time::{Duration, Instant},
};
use testbed::{
    client::Request,
    keptn::{Gate, Order, Outcome, Reply, Scope},
    wait::until,
};

fn answer(status: u16, cache_control: &str) -> Order {
    Order::Answer(Reply::status(status).header("cache-control", cache_control))
}

#[tokio::test]
async fn two_hundred_clients_on_one_new_token_are_one_check_a_worker_whoever_leaves() {
    let bed = bed_with(patient(json!({})), &[]).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let (mut leave, mut stay) = (Vec::new(), Vec::new());
    for (worker, mut clients) in clients(&bed, 100).await.into_iter().enumerate() {
        for (count, mut client) in clients.drain(..).enumerate() {
            client.write(&honest().bytes()).await.unwrap();
            if count == 0 {
                // It leads.
                gate.wait_for(worker + 1).await.unwrap();
            }
            if count % 4 == 0 { leave.push(client) } else { stay.push(client) }
        }
    }
    bed.under_way(200).await;
    drop(leave);
    bed.under_way(150).await;
    assert_eq!((gate.waiting(), bed.api.records.count()), (WORKERS, WORKERS));

    gate.open();
    for client in &mut stay {
        let answer = client.read_response(false).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for client in &mut stay {
        assert_eq!(client.send(&honest()).await.unwrap().status, 200);
    }
    assert_eq!((bed.api.records.count(), bed.forwarded()), (WORKERS, 300));
    for (name, count) in
        [("coalesced", 198), ("cache_miss", 200), ("cache_hit", 150), ("checks", 2), ("cache_inserted", 2)]
    {
        bed.wait_for_count(name, count).await;
    }
}

#[tokio::test]
async fn tokens_in_use_are_asked_about_once_in_a_lifetime_and_idle_ones_no_more() {
    const TOKENS: [&str; 3] = ["first", "second", "third"];
    const LIFETIMES: usize = 20;
    let settings = json!({ "auth": { "allow": "1s", "stale_if_error": "0s" } });
    let bed = bed_with(settings, &[&TOKENS[..], &["idle"]].concat()).await;
    let mut steady = Vec::new();
    for clients in clients(&bed, 2 * TOKENS.len() + 1).await {
        let mut clients = clients.into_iter();
        let mut idle = clients.next().unwrap();
        for _ in 0..2 {
            assert_eq!(idle.send(&with_token("idle")).await.unwrap().status, 200);
        }
        steady.extend(clients.zip(TOKENS.iter().cycle().map(|token| with_token(token))));
    }
    let begun = Instant::now();
    let load = Load::start(steady);
    let refreshes = WORKERS * TOKENS.len() * LIFETIMES;
    bed.wait_until_counted("refreshed", |count| count >= refreshes as u64).await;
    let checks = TOKENS.map(|token| bed.checks_of(token));
    // Per worker: one for the new token, and then one at the earliest after 80 % of a lifetime each.
    let most = WORKERS * (1 + begun.elapsed().as_millis() as usize / 800);
    load.stop_unharmed().await;
    assert!(checks.iter().all(|count| *count <= most), "{checks:?} and not {most}");
    // Two uses: one check, and one more in the background because the second use rested on it.
    assert_eq!(bed.checks_of("idle"), 2 * WORKERS);
}

#[tokio::test]
async fn a_yes_in_use_is_asked_about_before_it_ends_so_that_nobody_waits() {
    let bed = bed_with(patient(json!({ "auth": { "allow": "10s", "stale_if_error": "0s" } })), &[]).await;
    let load = {
        let mut clients = pair(&bed).await;
        for client in &mut clients {
            assert_eq!(client.send(&honest()).await.unwrap().status, 200);
        }
        Load::start(clients.into_iter().map(|client| (client, honest())))
    };
    for round in 1..=2 {
        let gate = Gate::new();
        bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
        gate.wait_for(WORKERS).await.unwrap();
        // Now it is asked about, and all the while it is in force.
        gate.open();
        bed.wait_for_count("refreshed", round * WORKERS as u64).await;
    }
    load.stop_unharmed().await;
    bed.wait_for_count("cache_miss", WORKERS as u64).await;
    assert_eq!(bed.counted_so_far("coalesced").await, 0);
}

#[tokio::test]
async fn a_revoked_token_ends_with_the_first_no_and_a_new_one_works_at_once() {
    let settings = json!({ "auth": { "allow": "1s", "deny": "60s", "stale_if_error": "60s" } });
    let bed = bed_with(settings, &["old"]).await;
    let mut workers = pair(&bed).await;
    let mut served = 0;
    for client in &mut workers {
        assert_eq!(client.send(&with_token("old")).await.unwrap().status, 200);
        served += 1;
    }
    bed.api.add_token("new");
    bed.api.revoke_token("old");
    let mut is_refused = [false; WORKERS];
    let refused = until("both workers to refuse the old token", async || {
        for (client, is_refused) in workers.iter_mut().zip(&mut is_refused) {
            let status = client.send(&with_token("old")).await.unwrap().status;
            assert!(status == 401 || (status == 200 && !*is_refused), "{status} after a refusal");
            *is_refused = status == 401;
            served += usize::from(status == 200);
        }
        is_refused.iter().all(|is_refused| *is_refused).then_some(())
    });
    refused.await.unwrap();
    let checks = bed.api.records.checks();
    let noes = checks.iter().filter(|check| check.outcome == Outcome::Answered(401)).count();
    assert_eq!(noes, WORKERS, "one no ends it");
    for client in &mut workers {
        assert_eq!(client.send(&with_token("new")).await.unwrap().status, 200);
        assert_eq!(client.send(&with_token("old")).await.unwrap().status, 401);
    }
    assert_eq!(bed.forwarded(), served + WORKERS);
    assert_eq!(bed.api.records.checks().len(), checks.len() + WORKERS, "the new one's");
}

#[tokio::test]
async fn a_no_heard_on_v1_auth_ends_the_yes_of_its_worker() {
    let bed = bed_with(json!({ "auth": { "allow": "60s", "deny": "60s" } }), &["old"]).await;
    let [mut one, mut other] = pair(&bed).await;
    for client in [&mut one, &mut other] {
        assert_eq!(client.send(&with_token("old")).await.unwrap().status, 200);
    }
    bed.api.revoke_token("old");
    assert_eq!(one.send(&with_token("old")).await.unwrap().status, 200, "it is remembered");
    assert_eq!(one.send(&auth("old")).await.unwrap().status, 401);
    assert_eq!(one.send(&with_token("old")).await.unwrap().status, 401);
    // Each worker has a memory of its own.
    assert_eq!(other.send(&with_token("old")).await.unwrap().status, 200);
    assert_eq!((bed.checks_of("old"), bed.forwarded()), (3, 4));
}

#[tokio::test]
async fn a_no_is_remembered_for_a_while_and_for_its_token_alone() {
    let bed = bed_with(json!({ "auth": { "deny": "2s" } }), &["other"]).await;
    let mut client = bed.connect().await;
    for _ in 0..3 {
        assert_eq!(client.send(&with_token("early")).await.unwrap().status, 401);
    }
    assert_eq!(bed.checks_of("early"), 1);
    bed.wait_for_count("cache_negative_hit", 2).await;
    bed.api.add_token("early");
    assert_eq!(client.send(&with_token("other")).await.unwrap().status, 200);
    let good = until("the new token to be asked about again", async || {
        let answer = client.send(&with_token("early")).await.unwrap();
        assert!(matches!(answer.status, 200 | 401), "{answer:?}");
        (answer.status == 200).then_some(())
    });
    good.await.unwrap();
    assert_eq!(bed.checks_of("early"), 2);
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_asked_about_every_time_and_never_stale() {
    let bed = Bed::with(json!({ "auth": { "throttle": { "burst": 0 } } })).await;
    let mut client = bed.connect().await;
    for (number, (status, cache_control)) in
        [(200, "no-store"), (200, "private, no-cache"), (401, "no-store"), (403, "max-age=0")]
            .into_iter()
            .enumerate()
    {
        let token = format!("token-{number}");
        bed.api.orders.set(Scope::Auth, answer(status, cache_control));
        for checks in 1..=3 {
            assert_eq!(client.send(&with_token(&token)).await.unwrap().status, status, "{cache_control}");
            assert_eq!(bed.checks_of(&token), checks, "{status} {cache_control}");
        }
        bed.api.orders.set(Scope::Auth, Order::Answer(Reply::status(500)));
        let answer = client.send(&with_token(&token)).await.unwrap();
        assert_eq!(answer.status, 503, "{status} {cache_control}: {answer:?}");
    }
    assert_eq!(bed.counted_so_far("stale").await, 0);
}

#[tokio::test]
async fn the_answers_age_shortens_a_lifetime_and_never_lengthens_it() {
    for (allow, cache_control) in [("60s", "max-age=1"), ("1s", "max-age=3600")] {
        let bed = bed_with(json!({ "auth": { "allow": allow } }), &[]).await;
        bed.api.orders.set(Scope::Auth, answer(200, cache_control));
        let load = Load::start(pair(&bed).await.into_iter().map(|client| (client, honest())));
        bed.wait_until_counted("refreshed", |count| count >= 3 * WORKERS as u64).await;
        load.stop_unharmed().await;
    }
}

#[tokio::test]
async fn v1_auth_is_one_check_a_second_for_each_token_and_worker_whatever_comes() {
    let bed = bed_with(json!({ "auth": { "throttle": { "burst": 0 } } }), &["one", "two"]).await;
    let mut load = Vec::new();
    for clients in clients(&bed, 6).await {
        load.extend(clients.into_iter().zip(["one", "two"].iter().cycle().map(|token| auth(token))));
    }
    let begun = Instant::now();
    let load = Load::start(load);
    for order in [None, Some(401), Some(429), Some(400), Some(500), None] {
        bed.api.orders.clear();
        if let Some(status) = order {
            bed.api.orders.set(Scope::Auth, Order::Answer(Reply::status(status)));
        }
        let checks = bed.api.records.count();
        bed.api.records.wait_for(checks + 4).await.unwrap();
    }
    let checks = ["one", "two"].map(|token| bed.checks_of(token));
    let most = WORKERS * (1 + begun.elapsed().as_secs() as usize);
    let answers = load.stop().await;
    assert!(checks.iter().all(|count| *count <= most), "{checks:?} and not {most}");
    assert!(answers.keys().all(|status| [200, 401, 429, 503].contains(status)), "{answers:?}");
    assert!(answers[&200].0 > 100 && answers[&401].0 > 10, "{answers:?}");
    assert_eq!(bed.forwarded(), 0);
}

#[tokio::test]
async fn v1_auth_is_never_answered_by_what_is_remembered_of_other_requests() {
    let bed = Bed::with(json!({})).await;
    let mut client = bed.connect().await;
    // In force, and then over but honoured.
    for cache_control in ["max-age=60", "max-age=0"] {
        bed.api.orders.next(1, Scope::Auth, answer(200, cache_control));
        assert_eq!(client.send(&with_token(cache_control)).await.unwrap().status, 200);
        bed.api.orders.next(1, Scope::Auth, Order::Answer(Reply::status(500)));
        assert_eq!(client.send(&auth(cache_control)).await.unwrap().status, 503);
        assert_eq!(client.send(&with_token(cache_control)).await.unwrap().status, 200);
    }
    assert_eq!(bed.api.records.checks().len(), 4);
}

#[tokio::test]
async fn after_a_vm_has_died_its_worker_remembers_nothing_and_counts_on() {
    let plugin = env::var_os("PLUGIN_WASM_TRAP");
    let plugin =
        plugin.expect("PLUGIN_WASM_TRAP is not set: `./build.sh test` builds that plugin and sets it");
    let bed = edited(|bootstrap| bootstrap.plugin(plugin)).await;
    bed.api.add_token("slow");
    let [mut dies, mut lives] = pair(&bed).await;
    for client in [&mut dies, &mut lives] {
        for _ in 0..2 {
            assert_eq!(client.send(&honest()).await.unwrap().status, 200);
        }
    }
    // Envoy makes a new VM some 0.1 s after the last one at the earliest. A check that takes longer is the clock.
    bed.api.orders.next(1, Scope::Auth, Order::Delay(Duration::from_millis(300)));
    assert_eq!(dies.send(&with_token("slow")).await.unwrap().status, 200);
    bed.wait_for_count("ok", 5).await;

    assert_eq!(dies.send(&honest().header("x-trap", "1")).await.unwrap().status, 503);
    assert_eq!(bed.checks_of(TOKEN), WORKERS);
    for (client, checks) in [(&mut dies, 3), (&mut lives, 3)] {
        for _ in 0..2 {
            assert_eq!(client.send(&honest()).await.unwrap().status, 200);
            assert_eq!(bed.checks_of(TOKEN), checks);
        }
    }
    assert_eq!(bed.envoy.counter("wasm.keptn-gateway.vm_reload_success").await.unwrap(), 1);
    for (name, count) in [("ok", 9), ("checks", 4), ("cache_hit", 5), ("cache_miss", 4)] {
        bed.wait_for_count(name, count).await;
    }
    // Refusals too.
    assert_eq!(dies.send(&Request::get("/v1/event")).await.unwrap().status, 401);
    assert_eq!(bed.denials("no_token").await, 1);
}
