//! Strangers who ask and never wait, while api-service is slow.

use super::{BURST, Bucket, connect, send};
use crate::support::{Bed, honest, patient, post, with_token};
use serde_json::json;
use testbed::{
    client::Request,
    keptn::{Gate, Order, Scope},
};

/// Sends a request and leaves without its answer. Envoy knows both when this returns.
async fn ask_and_leave(bed: &Bed, source: &str, request: &Request) {
    let total = "http.gateway.downstream_rq_total";
    let before = bed.envoy.counter(total).await.unwrap();
    let mut client = connect(bed, source).await;
    client.write(&request.bytes()).await.unwrap();
    bed.envoy.wait_for_counter(total, |count| count == before + 1).await.unwrap();
    drop(client);
    bed.under_way(0).await;
}

/// The next check is answered, whatever the others run into.
fn answer_the_next_check(bed: &Bed) {
    bed.api.orders.next(1, Scope::Auth, Vec::new());
}

#[tokio::test]
async fn a_stranger_who_never_waits_has_no_more_checks_than_its_bucket_holds() {
    const TOKENS: usize = 40;
    // Who has left does not wait any more.
    let settings = json!({ "auth": { "max_waiters": 1, "deny": "10m" } });
    let bed = Bed::with(patient(settings)).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let bucket = Bucket::full();
    for number in 0..TOKENS {
        ask_and_leave(&bed, "127.7.0.1", &with_token(&format!("left-{number}"))).await;
    }
    let throttled = usize::try_from(bed.denials("throttled").await).unwrap();
    let under_way = TOKENS - throttled;
    assert!((BURST..=bucket.most()).contains(&under_way), "{under_way} checks, of at most {}", bucket.most());
    gate.wait_for(under_way).await.unwrap();

    // Another client's new token is asked about meanwhile, whatever it is.
    bed.api.add_token("another");
    for (token, status) in [("another", 200), ("wrong", 401)] {
        answer_the_next_check(&bed);
        let answer = send(&bed, "127.7.0.2", &with_token(token)).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    assert_eq!(gate.waiting(), under_way);

    // What api-service says at last is heard, though nobody waits for it.
    gate.open();
    bed.wait_for_count("cache_inserted", under_way as u64 + 2).await;
    let checks = bed.api.records.checks();
    let answer = send(&bed, "127.7.0.1", &with_token("left-0")).await;
    assert_eq!((answer.status, bed.api.records.checks().len()), (401, checks.len()), "{answer:?}");
}

#[tokio::test]
async fn strangers_from_everywhere_leave_a_share_of_the_checks_to_those_who_are_known() {
    const FLIGHTS: usize = 16;
    const STRANGERS: usize = FLIGHTS - FLIGHTS / 8;
    let bed = Bed::with(patient(json!({ "auth": { "max_flights": FLIGHTS, "allow": "1h" } }))).await;
    assert_eq!(bed.send(&honest()).await.status, 200);
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    for number in 0..2 * FLIGHTS {
        ask_and_leave(&bed, &format!("127.7.1.{number}"), &with_token(&format!("left-{number}"))).await;
    }
    gate.wait_for(STRANGERS).await.unwrap();
    assert_eq!(bed.denials("too_many_flights").await, (2 * FLIGHTS - STRANGERS) as u64);

    // New tokens are refused at once while that lasts, everybody's.
    bed.api.add_token("new");
    let answer = send(&bed, "127.7.2.1", &with_token("new")).await;
    assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("1")), "{answer:?}");
    // Who is known is served, and can be asked about.
    assert_eq!(bed.send(&honest()).await.status, 200);
    answer_the_next_check(&bed);
    assert_eq!(bed.send(&post("/v1/auth")).await.status, 200);
    assert_eq!(bed.api.records.checks().len(), 1 + STRANGERS + 1);

    gate.open();
    bed.wait_for_count("cache_inserted", STRANGERS as u64 + 2).await;
    assert_eq!(send(&bed, "127.7.2.1", &with_token("new")).await.status, 200);
}

#[tokio::test]
async fn strangers_who_wait_are_bounded_and_make_room_when_they_leave() {
    const WAITERS: usize = 16;
    const STRANGERS: usize = WAITERS - WAITERS / 8;
    const CHECKS: usize = 2;
    let bed = Bed::with(patient(json!({ "auth": { "max_waiters": WAITERS, "allow": "1h" } }))).await;
    assert_eq!(bed.send(&honest()).await.status, 200);
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let mut strangers = Vec::new();
    for number in 0..STRANGERS {
        // One address is enough: who asks what is being asked already is not charged.
        let mut client = connect(&bed, "127.7.3.1").await;
        client.write(&with_token(&format!("waits-{}", number % CHECKS)).bytes()).await.unwrap();
        strangers.push(client);
    }
    bed.under_way(STRANGERS as u64).await;
    gate.wait_for(CHECKS).await.unwrap();
    bed.api.add_token("new");
    bed.refused(&with_token("new"), 503, "too_many_waiters").await;
    // Who is known is served, and there is a place for them to wait.
    assert_eq!(bed.send(&honest()).await.status, 200);
    answer_the_next_check(&bed);
    assert_eq!(bed.send(&post("/v1/auth")).await.status, 200);

    // The strangers' checks go on when they leave, and take nobody's place.
    strangers.clear();
    bed.under_way(0).await;
    answer_the_next_check(&bed);
    assert_eq!(bed.send(&with_token("new")).await.status, 200);
    assert_eq!(gate.waiting(), CHECKS);
    gate.open();
}
