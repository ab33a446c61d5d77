//! `/v1/auth`: what the auth endpoint says now.

use gate::authn::{Answer, CheckId, StreamId};
use gate::gate::{ReplyKind, Verdict};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{World, all};

#[test]
fn the_auth_endpoint_is_answered_here() {
    for (status, verdict) in [
        (200, "200 token_good"),
        (401, "401 wrong_token"),
        (403, "403 forbidden"),
        (429, "429 busy, retry-after: 1"),
        (404, "503 auth_contract_broken"),
        (500, "503 auth_unavailable"),
    ] {
        for (method, path) in [("POST", "/v1/auth"), ("GET", "/v1/auth/")] {
            let mut world = World::new("{}");
            let lines = [(":method", method), (":path", path), ("x-token", "some")];
            assert_eq!(world.request(1, &lines), "asks 1");
            assert_eq!(world.answer(1, status), all(1..=1, verdict));
        }
    }
    let mut world = World::new("{}");
    assert_eq!(world.request(1, &[(":method", "POST"), (":path", "/v1/auth")]), "401 no_token");
}

#[test]
fn a_good_token_is_answered_with_nothing() {
    let mut world = World::new("{}");
    world.auth(1, "good");
    let mut woken = world.gate.on_answer(CheckId(1), &Answer::of(200), world.now());
    let Some((StreamId(1), Verdict::Reply(reply))) = woken.pop() else { panic!("{woken:?}") };
    assert_eq!((reply.kind(), reply.denial()), (ReplyKind::TokenGood, None));
    let response = reply.response();
    assert_eq!((response.status, response.body.as_str()), (200, ""));
    assert_eq!(response.headers, [("cache-control", "no-store".to_owned())]);
}

#[test]
fn it_asks_whatever_is_remembered() {
    let mut world = World::new("{}");
    world.learn("good");
    world.ask_and_answer("bad", 401, "401 wrong_token");
    world.counts();
    assert_eq!(world.auth(1, "good"), "asks 3");
    assert_eq!(world.auth(2, "bad"), "asks 4");
    assert_eq!(world.counts(), "checks 2", "and is neither a hit nor a miss");
    assert_eq!(world.answer(3, 200), all(1..=1, "200 token_good"));
    assert_eq!(world.answer(4, 401), all(2..=2, "401 wrong_token"));
}

#[test]
fn it_joins_a_check_under_way() {
    let mut world = World::new("{}");
    assert_eq!(world.get(1, "good"), "asks 1");
    assert_eq!(world.auth(2, "good"), "waits");
    assert_eq!(world.answer(1, 200), [(1, "to api-service".to_owned()), (2, "200 token_good".to_owned())]);
}

#[test]
fn it_is_repeated_for_a_second() {
    for (status, verdict) in [
        (200, "200 token_good"),
        (401, "401 wrong_token"),
        (403, "403 forbidden"),
        (429, "429 busy, retry-after: 1"),
        (500, "503 auth_unavailable"),
    ] {
        let mut world = World::new("{}");
        assert_eq!(world.auth(1, "some"), "asks 1");
        world.answer(1, status);
        world.later(999);
        assert_eq!(world.auth(2, "some"), verdict);
        assert_eq!(world.auth(3, "another"), "asks 2", "what is repeated is of one token");
        world.later(1);
        assert_eq!(world.auth(4, "some"), "asks 3");
    }
}

#[test]
fn who_leaves_before_the_answer_asks_no_more_often() {
    let mut world = World::new("{}");
    world.learn("good");
    world.auth(1, "good");
    world.gone(1);
    world.answer(2, 200);
    assert_eq!(world.auth(2, "good"), "200 token_good");
    world.later(1000);
    // Also where somebody else's check was under way.
    world.get(3, "new");
    world.auth(4, "new");
    world.gone(4);
    world.answer(3, 200);
    assert_eq!(world.auth(5, "new"), "200 token_good");
}

#[test]
fn what_others_were_answered_is_not_repeated_to_it() {
    let mut world = World::new("{}");
    world.learn("good");
    assert_eq!(world.auth(1, "good"), "asks 2");
}

#[test]
fn a_no_heard_meanwhile_counts() {
    let mut world = World::new(r#"{"auth": {"allow": "0s"}}"#);
    world.auth(1, "good");
    assert_eq!(world.answer(1, 200), all(1..=1, "200 token_good"));
    world.later(500);
    world.ask_and_answer("good", 401, "401 wrong_token");
    assert_eq!(world.auth(2, "good"), "401 wrong_token");
}

#[test]
fn what_it_hears_is_remembered() {
    let mut world = World::new("{}");
    world.auth(1, "good");
    world.answer(1, 200);
    assert_eq!(world.get(2, "good"), "to api-service");
    world.later(1000);
    world.auth(3, "good");
    world.answer(2, 401);
    assert_eq!(world.get(4, "good"), "401 wrong_token");
}

#[test]
fn a_busy_auth_service_is_told_even_while_a_yes_is_in_force() {
    let mut world = World::new("{}");
    world.learn("good");
    world.auth(1, "good");
    assert_eq!(world.answer(2, 429), all(1..=1, "429 busy, retry-after: 1"));
    assert_eq!(world.get(2, "good"), "to api-service");
}
