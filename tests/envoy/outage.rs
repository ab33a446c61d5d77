//! An auth service that is dead, hangs, or answers what nobody asked for.

use crate::{
    support::{Bed, patient, with_token},
    workers::{Load, WORKERS, bed_with, clients, pair},
};
use serde_json::json;
use std::time::Duration;
use testbed::{
    Envoy,
    client::{Raw, Request, Response},
    keptn::{ApiService, ConfigurationService, Gate, Order, Reply, Scope, Settings},
    wait::until,
};

const TOKENS: [&str; 3] = ["first", "second", "third"];

/// Refused without an answer of the auth service's, as a client should see it.
fn assert_unavailable(answer: &Response) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let seconds = answer.header("retry-after").and_then(|value| value.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=5).contains(&seconds)), "{answer:?}");
}

/// api-service gives no answer for several lifetimes of a yes, under load on both workers, and then is there again.
async fn an_outage(begin: impl AsyncFnOnce(&ApiService), end: impl AsyncFnOnce(&ApiService)) {
    let settings = json!({
        "auth": { "allow": "1s", "stale_if_error": "60s", "timeout": "1s", "deadline": "2s" }
    });
    let bed = bed_with(settings, &[&TOKENS[..], &["idle"]].concat()).await;
    let mut others = Vec::new();
    let mut steady = Vec::new();
    for clients in clients(&bed, TOKENS.len() + 1).await {
        let mut clients = clients.into_iter();
        let mut other = clients.next().unwrap();
        // A token that this worker has seen once, and sees again in the middle of the outage.
        assert_eq!(other.send(&with_token("idle")).await.unwrap().status, 200);
        others.push(other);
        steady.extend(clients.zip(TOKENS.map(with_token)));
    }
    let load = Load::start(steady);
    bed.wait_until_counted("refreshed", |count| count >= 6).await;
    assert_eq!((bed.counted_so_far("stale").await, bed.counted_so_far("failing_fast_begun").await), (0, 0));

    begin(&bed.api).await;
    bed.wait_until_counted("failing_fast_begun", |count| count == WORKERS as u64).await;
    let checks = bed.counted_so_far("checks").await;
    let mut strangers = 0;
    for other in &mut others {
        let enough = bed.denials("failing_fast").await + 20;
        while bed.denials("failing_fast").await < enough {
            strangers += 1;
            assert_unavailable(&other.send(&with_token(&format!("unknown-{strangers}"))).await.unwrap());
        }
        let answer = other.send(&with_token("idle")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // It takes several lifetimes until each worker has sent so many probes.
    bed.wait_until_counted("checks", |count| count >= checks + 4 * WORKERS as u64).await;
    load.goes_on(100).await;
    assert_eq!(bed.counted_so_far("failing_fast_ended").await, 0);
    assert!(bed.counted_so_far("stale").await > 100);

    bed.api.add_token("late");
    bed.api.records.take();
    end(&bed.api).await;
    bed.wait_until_counted("failing_fast_ended", |count| count == WORKERS as u64).await;
    for other in &mut others {
        let answer = other.send(&with_token("late")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // Each worker hears a yes about each token again.
    until("no request to rest on a stale yes", async || {
        let (stale, ok) = (bed.counted_so_far("stale").await, bed.counted_so_far("ok").await);
        bed.wait_until_counted("ok", |count| count >= ok + 500).await;
        (bed.counted_so_far("stale").await == stale).then_some(())
    })
    .await
    .unwrap();
    let refreshed = bed.counted_so_far("refreshed").await;
    bed.wait_until_counted("refreshed", |count| count >= refreshed + 6).await;

    let served = load.stop_unharmed().await;
    // Beside the load: the idle token twice and the late one once for each worker.
    assert_eq!(bed.configuration.records.count(), served + 3 * WORKERS);
    assert_eq!(bed.counted_so_far("failing_fast_begun").await, WORKERS as u64);
}

#[tokio::test]
async fn while_api_service_is_dead_known_tokens_pass_and_unknown_ones_are_told_to_come_back() {
    an_outage(async |api| api.stop_listening().await, async |api| api.listen().unwrap()).await;
}

#[tokio::test]
async fn while_api_service_hangs_known_tokens_pass_and_unknown_ones_are_told_to_come_back() {
    let gate = Gate::new();
    let hang = async |api: &ApiService| api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    an_outage(hang, async |api| {
        api.orders.clear();
        gate.open();
    })
    .await;
}

/// A yes that is over at once, and honoured while there is no other answer.
fn short_yes() -> Order {
    Order::Answer(Reply::status(200).header("cache-control", "max-age=0"))
}

/// Makes api-service say yes to these tokens, one after the other, on this connection.
async fn learn(bed: &Bed, client: &mut Raw, tokens: &[&str]) {
    for token in tokens {
        bed.api.orders.next(1, Scope::Auth, short_yes());
        let answer = client.send(&with_token(token)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn while_the_probe_hangs_no_other_request_waits_for_a_check() {
    // The test ends before any check does by itself.
    let bed = bed_with(patient(json!({})), &["known", "new"]).await;
    let mut workers = pair(&bed).await;
    for client in &mut workers {
        learn(&bed, client, &["known"]).await;
    }
    bed.api.stop_listening().await;
    for client in &mut workers {
        for number in 0..3 {
            assert_unavailable(&client.send(&with_token(&format!("unknown-{number}"))).await.unwrap());
        }
    }
    bed.wait_until_counted("failing_fast_begun", |count| count == WORKERS as u64).await;

    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    bed.api.listen().unwrap();
    // The token in use is the probe's.
    for client in &mut workers {
        assert_eq!(client.send(&with_token("known")).await.unwrap().status, 200);
    }
    gate.wait_for(WORKERS).await.unwrap();
    let checks = bed.api.records.checks().len();
    let refused = bed.denials("failing_fast").await;
    for client in &mut workers {
        for number in 0..100 {
            assert_unavailable(&client.send(&with_token(&format!("stranger-{number}"))).await.unwrap());
            assert_eq!(client.send(&with_token("known")).await.unwrap().status, 200);
        }
    }
    assert_eq!(bed.denials("failing_fast").await, refused + 200);
    assert_eq!((gate.waiting(), bed.api.records.checks().len()), (WORKERS, checks), "nothing but the probes");

    gate.open();
    bed.wait_until_counted("failing_fast_ended", |count| count == WORKERS as u64).await;
    for client in &mut workers {
        assert_eq!(client.send(&with_token("new")).await.unwrap().status, 200);
        assert_eq!(client.send(&with_token("stranger-1")).await.unwrap().status, 401);
    }
}

/// Lets Envoy begin an answer, and then wait for the rest.
fn half_an_answer(gate: &Gate) -> Vec<Order> {
    vec![Order::HugeBody(2), Order::HangInAnswer(gate.clone())]
}

/// Asks for a token that was right and for a new one while api-service is under these orders, and then for one that
/// api-service says yes to, so that the gate never comes to fail fast.
async fn what_becomes_of(bed: &Bed, orders: &[Order]) -> (Response, Response) {
    let mut client = bed.connect().await;
    let tokens = ["known", "new", "good"].map(|name| format!("{name}-{}", bed.api.records.count()));
    learn(bed, &mut client, &[&tokens[0]]).await;
    bed.api.orders.set(Scope::Auth, orders.to_vec());
    let known = client.send(&with_token(&tokens[0])).await.unwrap();
    let new = client.send(&with_token(&tokens[1])).await.unwrap();
    bed.api.orders.clear();
    learn(bed, &mut client, &[&tokens[2]]).await;
    (known, new)
}

#[tokio::test]
async fn what_is_no_answer_is_covered_by_a_yes_that_is_over() {
    let bed = Bed::with(patient(json!({}))).await;
    let gate = Gate::new();
    let status = |status| vec![Order::Answer(Reply::status(status))];
    let cases = [
        status(500),
        status(502),
        status(503),
        status(504),
        vec![Order::ResetBeforeBody],
        vec![Order::Reset],
        vec![Order::Close],
        vec![Order::HalfHeader],
        vec![Order::Garbage(b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec())],
        vec![Order::HugeBody(40 << 20)],
    ];
    for (count, orders) in (1..).zip(cases) {
        let (known, new) = what_becomes_of(&bed, &orders).await;
        assert_eq!(known.status, 200, "{orders:?}: {known:?}");
        assert_unavailable(&new);
        bed.wait_until_counted("stale", |stale| stale == count).await;
        // Learnt, covered, and the one that is asked about in the end.
        assert_eq!(bed.forwarded(), 3 * count as usize, "{orders:?}");
    }
    assert_eq!((gate.waiting(), bed.counted_so_far("failing_fast_begun").await), (0, 0));
}

/// The answer is there before the request's header callback has returned.
#[tokio::test]
async fn a_check_that_is_refused_at_once_holds_up_no_body() {
    // One check that is read, one that waits for the connection, and no third one.
    let bed = Bed::edited(|bootstrap| {
        bootstrap.configuration(patient(json!({}))).edit(|json| {
            let clusters = json["static_resources"]["clusters"].as_array_mut().unwrap();
            let api = clusters.iter_mut().find(|cluster| cluster["name"] == "api-service").unwrap();
            let one = json!({ "priority": "DEFAULT", "max_connections": 1, "max_pending_requests": 1 });
            api["circuit_breakers"]["thresholds"] = json!([one]);
        })
    })
    .await;
    let mut client = bed.connect().await;
    learn(&bed, &mut client, &["known"]).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let read = bed.begin(&with_token("new")).await;
    gate.wait_for(1).await.unwrap();
    let waiting = bed.begin(&with_token("newer")).await;
    bed.under_way(2).await;
    bed.refused(&with_token("newest"), 503, "auth_unavailable").await;
    bed.configuration.records.take();
    bed.configuration.orders.set(Scope::All, Order::Answer(Reply::status(204)));
    let request = Request::post("/configuration-service/v1/project").header("x-token", "known");
    let answer = client.send(&request.body("a body")).await.unwrap();
    assert_eq!(answer.status, 204, "{answer:?}");
    bed.wait_until_counted("stale", |stale| stale == 1).await;
    let received = bed.configuration.records.take();
    assert_eq!((received.len(), &received[0].body[..]), (1, &b"a body"[..]), "{received:?}");
    gate.open();
    drop((read, waiting));
}

#[tokio::test]
async fn no_request_waits_longer_than_its_deadline() {
    let bed = Bed::with(json!({ "auth": { "timeout": "1s", "deadline": "1s" } })).await;
    // It is never opened.
    let gate = Gate::new();
    let cases = [
        vec![Order::Hang(gate.clone())],
        half_an_answer(&gate),
        [vec![Order::HalfHeader], half_an_answer(&gate)].concat(),
    ];
    for (count, orders) in (1..).zip(cases) {
        let (known, new) = what_becomes_of(&bed, &orders).await;
        assert_eq!(known.status, 200, "{orders:?}: {known:?}");
        assert_unavailable(&new);
        bed.wait_until_counted("stale", |stale| stale == count).await;
    }
    // Of an answer that has begun Envoy does not say that it took too long.
    bed.wait_until_counted("timeout", |timeout| timeout >= 1).await;
}

#[tokio::test]
async fn a_broken_contract_is_covered_by_no_stale_yes_and_a_busy_service_is() {
    let bed = Bed::with(patient(json!({}))).await;
    let busy = vec![Order::Answer(Reply::status(429).header("retry-after", "7"))];
    let (known, new) = what_becomes_of(&bed, &busy).await;
    assert_eq!((known.status, new.status), (200, 429), "{known:?} {new:?}");
    assert_eq!(new.header("retry-after").unwrap(), "7");
    bed.wait_until_counted("stale", |count| count == 1).await;

    for status in [302, 400, 404, 418] {
        let broken = vec![Order::Answer(Reply::status(status))];
        let (known, new) = what_becomes_of(&bed, &broken).await;
        assert_unavailable(&known);
        assert_unavailable(&new);
    }
    assert_eq!(bed.denials("auth_contract_broken").await, 8);
    assert_eq!((bed.counted_so_far("stale").await, bed.counted_so_far("failing_fast_begun").await), (1, 0));

    // The broken contract has ended the yes: what comes after is not covered either.
    let mut client = bed.connect().await;
    learn(&bed, &mut client, &["known"]).await;
    bed.api.orders.next(1, Scope::Auth, Order::Answer(Reply::status(400)));
    assert_eq!(client.send(&with_token("known")).await.unwrap().status, 503);
    bed.api.orders.next(1, Scope::Auth, Order::Answer(Reply::status(500)));
    assert_eq!(client.send(&with_token("known")).await.unwrap().status, 503);
    learn(&bed, &mut client, &["known"]).await;
    bed.api.orders.next(1, Scope::Auth, Order::Answer(Reply::status(500)));
    assert_eq!(client.send(&with_token("known")).await.unwrap().status, 200, "until the next yes");
}

#[tokio::test]
async fn a_stale_yes_ends_and_can_be_switched_off() {
    for (stale_if_error, covered) in [("5s", true), ("0s", false)] {
        let bed = Bed::with(json!({ "auth": { "stale_if_error": stale_if_error } })).await;
        let mut client = bed.connect().await;
        learn(&bed, &mut client, &["known"]).await;
        bed.api.orders.set(Scope::Auth, Order::Answer(Reply::status(500)));
        let answer = client.send(&with_token("known")).await.unwrap();
        assert_eq!(answer.status, if covered { 200 } else { 503 }, "{answer:?}");
        let refused = until("the token to be refused", async || {
            let answer = bed.send(&with_token("known")).await;
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            (answer.status == 503).then_some(answer)
        });
        assert_unavailable(&refused.await.unwrap());
        // It stays so.
        assert_unavailable(&client.send(&with_token("known")).await.unwrap());
    }
}

#[tokio::test]
async fn a_definite_no_ends_a_stale_yes() {
    let bed = Bed::with(json!({ "auth": { "deny": "0s" } })).await;
    let mut client = bed.connect().await;
    learn(&bed, &mut client, &["known"]).await;
    bed.api.orders.next(1, Scope::Auth, Order::Answer(Reply::status(500)));
    assert_eq!(client.send(&with_token("known")).await.unwrap().status, 200);
    // From now on it is served at once, until it is asked about again in the background.
    let refused = until("the no", async || {
        let answer = client.send(&with_token("known")).await.unwrap();
        assert!(matches!(answer.status, 200 | 401), "{answer:?}");
        (answer.status == 401).then_some(())
    });
    refused.await.unwrap();
    bed.api.orders.set(Scope::Auth, Order::Answer(Reply::status(500)));
    assert_unavailable(&client.send(&with_token("known")).await.unwrap());
}

/// A check that is read, and then the connection closed instead of an answer: what Envoy sees when it sends one on a
/// connection that is just being closed for idleness.
#[tokio::test]
async fn a_connection_that_is_closed_under_a_check_is_nobodys_business() {
    let bed = Bed::with(patient(json!({}))).await;
    let mut client = bed.connect().await;
    let orders = [Order::Close, Order::Reset, Order::ResetBeforeBody];
    for (count, order) in (1..).zip(orders) {
        let token = format!("token-{count}");
        bed.api.add_token(&token);
        bed.api.orders.next(1, Scope::Auth, order.clone());
        let answer = client.send(&with_token(&token)).await.unwrap();
        assert_eq!((answer.status, bed.checks_of(&token)), (200, 2), "{order:?}: {answer:?}");
        bed.wait_until_counted("checks", |checks| checks == count).await;
    }
}

#[tokio::test]
async fn a_service_that_closes_idle_connections_refuses_nobody() {
    let idle = Duration::from_millis(20);
    let hasty = Settings { idle_timeout: idle, ..Settings::default() };
    let api = ApiService::start_with("unused", &hasty).await.unwrap();
    let configuration = ConfigurationService::start().await.unwrap();
    let envoy = Envoy::start(&Bed::bootstrap(&api, &configuration)).await.unwrap();
    let bed = Bed { api, configuration, envoy };
    let mut client = bed.connect().await;
    for number in 0..100 {
        let token = format!("token-{number}");
        bed.api.add_token(&token);
        let answer = client.send(&with_token(&token)).await.unwrap();
        assert_eq!(answer.status, 200, "{number}: {answer:?}");
        // The next check comes just when its connection is closed.
        tokio::time::sleep(idle).await;
    }
    assert!(bed.api.accepted() > 50, "it closed too few connections: {}", bed.api.accepted());
}
