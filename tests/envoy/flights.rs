//! Requests that wait for a check together.

use crate::support::{Bed, TOKEN, asking, event, honest, patient, post, with_token};
use serde_json::json;
use testbed::{
    client::{H2, Raw, Request, Response},
    envoy::Options,
    keptn::{ApiService, ConfigurationService, Gate, Order, Outcome, Received, Reply, Scope},
};

async fn answer(mut client: Raw) -> Response {
    client.read_response(false).await.unwrap()
}

/// Where nothing is remembered: all have left, and none was harmed. A request that comes now gets what it would have got.
async fn assert_nothing_is_left_over(bed: &Bed) {
    bed.under_way(0).await;
    bed.api.orders.clear();
    let checks = bed.api.records.checks().len();
    let answer = bed.send(&honest()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let now = bed.api.records.checks();
    assert_eq!(now.len(), checks + 1, "nobody was under way, so it is asked anew: {now:#?}");
}

#[tokio::test]
async fn requests_with_the_same_token_are_one_check() {
    let bed = Bed::with(patient(asking(json!({})))).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let mut clients = Vec::new();
    for count in 0..8 {
        clients.push(bed.begin(&if count % 2 == 0 { honest() } else { event() }).await);
    }
    // /v1/auth joins too.
    clients.push(bed.begin(&post("/v1/auth")).await);
    bed.under_way(9).await;
    gate.wait_for(1).await.unwrap();
    assert_eq!((bed.api.records.count(), bed.forwarded()), (1, 0), "they wait for one check");

    gate.open();
    for client in clients {
        let answer = answer(client).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(bed.api.records.checks().len(), 1);
    assert_eq!(bed.forwarded(), 8, "/v1/auth is answered here");
    bed.wait_for_count("coalesced", 8).await;
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn a_request_joins_the_check_of_v1_auth() {
    let bed = Bed::with(patient(json!({}))).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let first = bed.begin(&post("/v1/auth")).await;
    gate.wait_for(1).await.unwrap();
    let second = bed.begin(&honest()).await;
    bed.under_way(2).await;
    gate.open();
    let (first, second) = (answer(first).await, answer(second).await);
    assert_eq!((first.status, first.body.len(), second.status), (200, 0, 200), "{first:?} {second:?}");
    assert_eq!((bed.api.records.count(), bed.configuration.records.count()), (1, 1));
}

/// Each reply comes back to the VM inside of the one before: with some hundreds its stack was at its end.
#[tokio::test]
async fn many_who_wait_for_one_answer_do_not_kill_the_vm() {
    let bed = Bed::with(patient(asking(json!({})))).await;
    for (token, status) in [("wrong", 401), (TOKEN, 200)] {
        let gate = Gate::new();
        bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
        let mut clients = Vec::new();
        for _ in 0..800 {
            clients.push(bed.begin(&with_token(token)).await);
        }
        bed.under_way(800).await;
        gate.open();
        for client in clients {
            assert_eq!(answer(client).await.status, status);
        }
    }
    assert_eq!(bed.envoy.counter("wasm.keptn-gateway.vm_reload_success").await.unwrap(), 0);
    assert_eq!(bed.api.records.checks().len(), 2);
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn different_tokens_are_different_checks() {
    let bed = Bed::with(patient(json!({}))).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let good = bed.begin(&honest()).await;
    gate.wait_for(1).await.unwrap();
    let wrong = bed.begin(&with_token("wrong")).await;
    // Waiting behind a good one makes no token good.
    let also_wrong = bed.begin(&with_token(&format!("{TOKEN}x"))).await;
    gate.wait_for(3).await.unwrap();
    gate.open();
    assert_eq!(answer(good).await.status, 200);
    assert_eq!(answer(wrong).await.status, 401);
    assert_eq!(answer(also_wrong).await.status, 401);
    assert_eq!((bed.api.records.checks().len(), bed.forwarded()), (3, 1));
}

#[tokio::test]
async fn what_refuses_the_leader_refuses_all_who_wait() {
    let bed = Bed::with(patient(json!({}))).await;
    for (order, status, reason) in [
        (Order::Answer(Reply::status(401)), 401, "wrong_token"),
        (Order::Answer(Reply::status(418)), 503, "auth_contract_broken"),
        (Order::Close, 503, "auth_unavailable"),
    ] {
        let gate = Gate::new();
        bed.api.orders.set(Scope::Auth, vec![Order::Hang(gate.clone()), order]);
        // A token that nothing is remembered of.
        let post = |target| Request::post(target).header("x-token", reason);
        let leader = bed.begin(&with_token(reason)).await;
        gate.wait_for(1).await.unwrap();
        let clients = [leader, bed.begin(&post("/v1/event")).await, bed.begin(&post("/v1/auth")).await];
        bed.under_way(3).await;
        gate.open();
        for client in clients {
            let answer = answer(client).await;
            assert_eq!(answer.status, status, "{reason}: {answer:?}");
        }
        assert_eq!((bed.denials(reason).await, bed.forwarded()), (3, 0));
    }
    bed.api.orders.clear();
    assert_eq!(bed.send(&honest()).await.status, 200);
}

#[tokio::test]
async fn a_connection_may_take_leader_and_followers_along() {
    let bed = Bed::with(patient(asking(json!({})))).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let mut leaves = H2::connect(bed.envoy.listener("gateway")).await.unwrap();
    let mut streams = vec![leaves.open(&honest()).await.unwrap()];
    gate.wait_for(1).await.unwrap();
    for _ in 0..3 {
        streams.push(leaves.open(&honest()).await.unwrap());
    }
    let stays = bed.begin(&event()).await;
    bed.under_way(5).await;
    drop((streams, leaves));
    bed.under_way(1).await;
    gate.open();
    assert_eq!(answer(stays).await.status, 200);
    assert_eq!((bed.api.records.checks().len(), bed.forwarded()), (1, 1));
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn followers_are_served_when_the_leader_leaves() {
    let bed = Bed::with(patient(asking(json!({})))).await;
    let gate = Gate::new();
    // A second check would say no to all.
    bed.api.orders.set(Scope::Auth, Order::Answer(Reply::status(401)));
    bed.api.orders.next(1, Scope::Auth, Order::Hang(gate.clone()));

    let leader = bed.begin(&honest()).await;
    gate.wait_for(1).await.unwrap();
    let followers =
        [bed.begin(&honest()).await, bed.begin(&event()).await, bed.begin(&post("/v1/auth")).await];
    bed.under_way(4).await;
    drop(leader);
    bed.under_way(3).await;
    let late = bed.begin(&honest()).await;
    bed.under_way(4).await;
    gate.open();
    for client in followers.into_iter().chain([late]) {
        let answer = answer(client).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(bed.api.records.checks().len(), 1, "they are served by the leader's check");
    assert_eq!((bed.denials("wrong_token").await, bed.forwarded()), (0, 3));
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn a_check_cannot_be_lost_because_it_is_the_roots() {
    let bed = Bed::with(patient(asking(json!({})))).await;
    // Whoever leads, and however they leave: one after the other until one is left.
    let h2 = async || H2::connect(bed.envoy.listener("gateway")).await.unwrap();
    for (round, request) in [honest(), event(), post("/v1/auth")].iter().enumerate() {
        let gate = Gate::new();
        bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
        bed.api.records.take();
        bed.configuration.records.take();
        let mut connection = h2().await;
        let leader = connection.open(request).await.unwrap();
        gate.wait_for(1).await.unwrap();
        let (closes, resets) = (bed.begin(request).await, bed.begin(request).await);
        let stays = bed.begin(&honest()).await;
        bed.under_way(4).await;
        drop((leader, connection));
        bed.under_way(3).await;
        drop(closes);
        bed.under_way(2).await;
        resets.reset();
        bed.under_way(1).await;
        gate.open();
        assert_eq!(answer(stays).await.status, 200, "round {round}");
        assert_eq!((bed.api.records.checks().len(), bed.forwarded()), (1, 1), "round {round}");
    }
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn the_answer_that_nobody_waits_for_any_more_is_remembered() {
    let bed = Bed::with(patient(json!({ "auth": { "deny": "10m" } }))).await;
    // A yes, a no, and for a leader of each kind.
    for (count, (first, token, status)) in [
        (honest(), TOKEN, 200),
        (Request::post("/v1/event").header("x-token", "wrong"), "wrong", 401),
        (Request::post("/v1/auth").header("x-token", "wrong-too"), "wrong-too", 401),
    ]
    .into_iter()
    .enumerate()
    {
        let gate = Gate::new();
        bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
        let leader = bed.begin(&first).await;
        gate.wait_for(1).await.unwrap();
        let follower = bed.begin(&first).await;
        bed.under_way(2).await;
        drop((leader, follower));
        bed.under_way(0).await;
        gate.open();
        bed.wait_for_count("cache_inserted", count as u64 + 1).await;

        let answer = bed.send(&with_token(token)).await;
        assert_eq!((answer.status, bed.api.records.checks().len()), (status, count + 1), "{answer:?}");
    }
    assert_eq!(bed.forwarded(), 1, "what nobody waits for any more is not forwarded");
    bed.wait_for_count("cache_hit", 1).await;
    bed.wait_for_count("cache_negative_hit", 2).await;
}

#[tokio::test]
async fn a_follower_that_leaves_harms_nobody() {
    let bed = Bed::with(patient(asking(json!({})))).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let leader = bed.begin(&honest()).await;
    gate.wait_for(1).await.unwrap();
    let (leaves, stays) = (bed.begin(&honest()).await, bed.begin(&honest()).await);
    bed.under_way(3).await;
    leaves.reset();
    bed.under_way(2).await;
    gate.open();
    assert_eq!(answer(leader).await.status, 200);
    assert_eq!(answer(stays).await.status, 200);
    assert_eq!((bed.api.records.checks().len(), bed.forwarded()), (1, 2));
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn an_answer_that_comes_after_all_have_left_harms_nobody() {
    let bed = Bed::with(patient(asking(json!({})))).await;
    // On a connection that breaks the check is asked once more, and a moment passes before it is.
    for (order, asked) in
        [(Order::Answer(Reply::status(200)), 1), (Order::Answer(Reply::status(401)), 1), (Order::Close, 2)]
    {
        let gate = Gate::new();
        bed.api.records.take();
        bed.api.orders.set(Scope::Auth, vec![Order::Hang(gate.clone()), order]);
        let leader = bed.begin(&honest()).await;
        gate.wait_for(1).await.unwrap();
        let follower = bed.begin(&event()).await;
        bed.under_way(2).await;
        drop(leader);
        bed.under_way(1).await;
        drop(follower);
        bed.under_way(0).await;
        gate.open();
        let answered = |list: &[Received]| {
            list.len() == asked && list.iter().all(|check| check.outcome != Outcome::Open)
        };
        bed.api.records.wait_until("the answer that comes too late", answered).await.unwrap();
        bed.envoy.wait_for_counter("cluster.api-service.upstream_rq_active", |now| now == 0).await.unwrap();
        assert_nothing_is_left_over(&bed).await;
    }
    assert_eq!(bed.forwarded(), 3, "those that came afterwards, and none that had left");
}

#[tokio::test]
async fn whoever_comes_after_all_have_left_joins_the_check_that_is_under_way() {
    let bed = Bed::with(patient(asking(json!({})))).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let leader = bed.begin(&honest()).await;
    gate.wait_for(1).await.unwrap();
    drop(leader);
    bed.under_way(0).await;
    let late = bed.begin(&honest()).await;
    bed.under_way(1).await;
    gate.open();
    assert_eq!(answer(late).await.status, 200);
    assert_eq!((bed.api.records.checks().len(), bed.forwarded()), (1, 1));
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn the_deadline_ends_everybody_who_waits() {
    let bed = Bed::with(asking(json!({ "auth": { "timeout": "2s", "deadline": "2s" } }))).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let leader = bed.begin(&honest()).await;
    gate.wait_for(1).await.unwrap();
    let followers =
        [bed.begin(&honest()).await, bed.begin(&event()).await, bed.begin(&post("/v1/auth")).await];
    drop(leader);
    for client in followers {
        let answer = answer(client).await;
        assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("1")), "{answer:?}");
    }
    // Both times are over at the same moment, Envoy's for the check and our own: either may be first.
    let denials = bed.denials("deadline_passed").await + bed.denials("auth_timeout").await;
    assert_eq!((denials, bed.api.records.checks().len(), bed.forwarded()), (3, 1, 0));
    bed.wait_for_count("timeout", 3).await;
    // Envoy gives the check up, and its answer is nobody's.
    gate.wait_for(0).await.unwrap();
    gate.open();
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn more_checks_than_allowed_are_refused() {
    let bed = Bed::with(patient(asking(json!({ "auth": { "max_flights": 2 } })))).await;
    bed.api.add_token("second");
    bed.api.add_token("third");
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let mut clients = vec![bed.begin(&honest()).await, bed.begin(&with_token("second")).await];
    gate.wait_for(2).await.unwrap();
    let refusal = bed.refused(&with_token("third"), 503, "too_many_flights").await;
    assert_eq!(refusal.header("retry-after").unwrap(), "1");
    // Who needs no check of their own, or none at all, is served.
    clients.push(bed.begin(&with_token("second")).await);
    bed.under_way(3).await;
    assert_eq!(bed.send(&Request::get("/swagger.json")).await.status, 200);
    gate.open();
    for client in clients {
        assert_eq!(answer(client).await.status, 200);
    }
    assert_eq!(bed.api.records.checks().len(), 2);
    assert_eq!(bed.send(&with_token("third")).await.status, 200);
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn more_waiters_than_allowed_are_refused() {
    let bed = Bed::with(patient(asking(json!({ "auth": { "max_waiters": 2 } })))).await;
    bed.api.add_token("second");
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    let leader = bed.begin(&honest()).await;
    gate.wait_for(1).await.unwrap();
    let leaves = bed.begin(&honest()).await;
    bed.under_way(2).await;
    let refusal = bed.refused(&honest(), 503, "too_many_waiters").await;
    assert_eq!(refusal.header("retry-after").unwrap(), "1");
    bed.refused(&with_token("second"), 503, "too_many_waiters").await;
    // Who leaves makes room.
    drop(leaves);
    bed.under_way(1).await;
    let follower = bed.begin(&honest()).await;
    bed.under_way(2).await;
    gate.open();
    assert_eq!(answer(leader).await.status, 200);
    assert_eq!(answer(follower).await.status, 200);
    assert_eq!(bed.api.records.checks().len(), 1);
    assert_nothing_is_left_over(&bed).await;
}

#[tokio::test]
async fn two_configurations_in_one_vm_share_nothing() {
    let api = ApiService::start(TOKEN).await.unwrap();
    let other = ApiService::start("theirs").await.unwrap();
    let configuration = ConfigurationService::start().await.unwrap();
    let edit = |bootstrap: testbed::Bootstrap| {
        let bootstrap = bootstrap.configuration(patient(json!({})));
        bootstrap.another_cluster("other-api", other.address()).another_listener("other", |listener| {
            let settings = json!({ "auth": { "cluster": "other-api", "deny": "10m" }, "max_body_bytes": 3 });
            listener.vm_id("keptn-gateway").configuration(patient(settings))
        })
    };
    let envoy = testbed::Envoy::start(&edit(Bed::bootstrap(&api, &configuration))).await.unwrap();
    let bed = Bed { api, configuration, envoy };
    let active = "wasm.envoy.wasm.runtime.v8.active";
    let alone = Bed::start().await.envoy.counter(active).await.unwrap();
    assert_eq!(bed.envoy.counter(active).await.unwrap(), alone, "both listeners are in one VM");

    let (gate, others_gate) = (Gate::new(), Gate::new());
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    other.orders.set(Scope::Auth, Order::Hang(others_gate.clone()));
    let client = bed.begin(&honest()).await;
    gate.wait_for(1).await.unwrap();
    let mut others_client = Raw::connect(bed.envoy.listener("other")).await.unwrap();
    others_client.write(&honest().bytes()).await.unwrap();
    // The same token is asked about once more, and elsewhere.
    others_gate.wait_for(1).await.unwrap();
    others_gate.open();
    let refusal = others_client.read_response(false).await.unwrap();
    assert_eq!(refusal.status, 401, "{refusal:?}");
    gate.open();
    assert_eq!(answer(client).await.status, 200);
    // Each has its own memory of it.
    assert_eq!(bed.send(&honest()).await.status, 200);
    assert_eq!(others_client.send(&honest()).await.unwrap().status, 401);
    assert_eq!((bed.api.records.checks().len(), other.records.checks().len()), (1, 1));

    assert_eq!(bed.send(&event()).await.status, 200);
    assert_eq!(others_client.send(&event()).await.unwrap().status, 413);
}

#[tokio::test]
async fn every_worker_serves() {
    let options = Options { concurrency: 2, ..Options::default() };
    let named = |bootstrap: testbed::Bootstrap| {
        bootstrap.configuration(patient(json!({}))).listener("gateway", |mut listener| {
            listener.json()["stat_prefix"] = json!("gateway");
            listener
        })
    };
    let bed = Bed::start_with(&options, named).await;
    let gate = Gate::new();
    bed.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
    // The kernel spreads connections over the workers, by address and port.
    let workers = [0, 1].map(|worker| format!("listener.gateway.worker_{worker}.downstream_cx_active"));
    let mut clients = Vec::new();
    while bed.envoy.stats().await.map(|stats| workers.iter().any(|name| stats[name] < 3)).unwrap() {
        clients.push(bed.begin(&honest()).await);
    }
    bed.under_way(clients.len() as u64).await;
    // Each worker has a VM, which asks once and remembers.
    gate.wait_for(2).await.unwrap();
    gate.open();
    let count = clients.len();
    for client in clients {
        let answer = answer(client).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for _ in 0..8 {
        assert_eq!(bed.send(&honest()).await.status, 200);
    }
    assert_eq!((bed.api.records.checks().len(), bed.forwarded()), (2, count + 8));
}
