//! The canary: a token that nobody has, and that api-service must refuse.

use crate::{
    support::{Bed, TOKEN, honest, with_token},
    workers::{WORKERS, auth, bed_with, pair},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use testbed::{
    client::{Raw, Request},
    keptn::{Order, Outcome, Received, Reply, Scope},
    wait::until,
};

/// Its hash is listed.
const LOCAL: &str = "local-token";

async fn bed() -> Bed {
    let sha256: String = Sha256::digest(LOCAL).iter().map(|byte| format!("{byte:02x}")).collect();
    let tokens = json!([{ "name": "operator", "sha256": sha256 }]);
    bed_with(json!({ "auth": { "canary": "1s" }, "tokens": tokens }), &[]).await
}

/// Awaits that each of these gets this status for an honest request.
async fn all_get(status: u16, workers: &mut [Raw]) {
    for client in workers {
        let found = until(format!("an honest request to be {status}"), async || {
            (client.send(&honest()).await.unwrap().status == status).then_some(())
        });
        found.await.unwrap();
    }
}

#[tokio::test]
async fn each_worker_asks_about_tokens_that_nobody_has() {
    let bed = bed().await;
    // Nobody has sent a request.
    let checks = bed.api.records.wait_for(4 * WORKERS).await.unwrap();
    let tokens: BTreeSet<_> = checks.iter().map(|check| check.header("x-token").unwrap()).collect();
    assert_eq!(tokens.len(), checks.len(), "one was used twice");
    let is_random = |token: &String| token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(tokens.iter().all(is_random), "{tokens:?}");
    for check in &checks {
        assert_eq!((check.method.as_str(), check.path().as_str()), ("POST", "/v1/auth"));
        assert_eq!(check.header("x-forwarded-for"), None);
    }
    let refused = |list: &[Received]| {
        list.iter().filter(|check| check.outcome == Outcome::Answered(401)).count() >= 4 * WORKERS
    };
    bed.api.records.wait_until("the refusals", refused).await.unwrap();
    assert_eq!(bed.counted_so_far("canary_failed").await, 0);
    assert_eq!(bed.send(&honest()).await.status, 200);
}

#[tokio::test]
async fn what_says_yes_to_everybody_is_not_believed_until_it_refuses_again() {
    let bed = bed().await;
    let mut workers = pair(&bed).await;
    all_get(200, &mut workers).await;

    bed.api.orders.set(Scope::Auth, Order::Answer(Reply::status(200)));
    all_get(503, &mut workers).await;
    let forwarded = bed.configuration.records.count();
    for client in &mut workers {
        let before = bed.denials("canary_failed").await;
        for request in [honest(), with_token("wrong"), auth(TOKEN), auth("wrong")] {
            let answer = client.send(&request).await.unwrap();
            assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("1")));
        }
        assert_eq!(bed.denials("canary_failed").await, before + 4);
        // What does not rest on api-service's yes goes on.
        assert_eq!(client.send(&Request::get("/swagger.json")).await.unwrap().status, 200);
        assert_eq!(client.send(&with_token(LOCAL)).await.unwrap().status, 200);
    }
    assert_eq!(bed.configuration.records.count(), forwarded + WORKERS, "the local token's");

    bed.api.orders.clear();
    all_get(200, &mut workers).await;
    for client in &mut workers {
        assert_eq!(client.send(&with_token("wrong")).await.unwrap().status, 401);
    }
    let failed = bed.wait_until_counted("canary_failed", |count| count >= WORKERS as u64).await;
    bed.wait_for_count("canary_passed", failed).await;
}
