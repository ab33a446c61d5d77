//! One check for many, what its answer means to them, and clients that leave.

use core::time::Duration;

use gate::authn::{Answer, StreamId};
use gate::gate::Verdict;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{NOBODY, World, all};

#[test]
fn everybody_who_asks_the_same_waits_for_one_check() {
    let mut world = World::new("{}");
    assert_eq!(world.get(1, "good"), "asks 1");
    assert_eq!(world.get(2, "good"), "waits");
    assert_eq!(world.get(3, "good"), "waits");
    assert_eq!(world.get(4, "other"), "asks 2");
    assert_eq!(world.answer(1, 200), all(1..=3, "to api-service"));
    assert_eq!(world.answer(2, 401), all(4..=4, "401 wrong_token"));
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn one_check_serves_whatever_its_waiters_want() {
    let mut world = World::new(r#"{"internal": "deny"}"#);
    let line = |path| [(":method", "POST"), (":path", path), ("x-token", "good")];
    assert_eq!(world.request(1, &line("/v1/event")), "asks 1");
    assert_eq!(world.request(2, &line("/v1/auth")), "waits");
    assert_eq!(world.request(3, &line("/v1/project/p/resource")), "waits");
    assert_eq!(world.request(4, &line("/configuration-service/v1/project")), "waits");
    let expected = [
        (1, "to api-service"),
        (2, "200 token_good"),
        (3, "to configuration-service -x-token"),
        (4, "403 internal_operation"),
    ];
    assert_eq!(world.answer(1, 204), expected.map(|(stream, verdict)| (stream, verdict.to_owned())));
}

#[test]
fn the_check_carries_the_token_that_was_shown() {
    let mut world = World::new(r#"{"auth": {"cluster": "c", "authority": "a:8080", "timeout": "500ms"}}"#);
    world.get(1, "first");
    world.get(2, "second");
    for (check, token) in world.asked.iter().zip(["first", "second"]) {
        let headers = check.headers();
        for line in [(":method", "POST"), (":path", "/v1/auth"), (":authority", "a:8080"), ("x-token", token)]
        {
            assert!(headers.contains(&line), "{line:?}");
        }
        assert_eq!(&*check.endpoint.cluster, "c");
        assert_eq!(check.endpoint.timeout, Duration::from_millis(500));
    }
    assert_eq!(world.told("x-forwarded-for").as_deref(), Some("192.0.2.1"));
}

// --- answers ---

#[test]
fn what_an_answer_means_to_all_who_wait() {
    for (status, verdict) in [
        (Some(200), "to api-service"),
        (Some(204), "to api-service"),
        (Some(401), "401 wrong_token"),
        (Some(403), "403 forbidden"),
        (Some(429), "429 busy, retry-after: 1"),
        (Some(302), "503 auth_contract_broken"),
        (Some(404), "503 auth_contract_broken"),
        (Some(500), "503 auth_unavailable"),
        (Some(503), "503 auth_unavailable"),
        (Some(504), "503 auth_timeout"),
        (Some(100), "503 auth_unavailable"),
        (None, "503 auth_unavailable"),
    ] {
        let mut world = World::new("{}");
        world.get(1, "good");
        world.get(2, "good");
        let answer = status.map_or_else(Answer::default, Answer::of);
        assert_eq!(world.answer_with(1, &answer), all(1..=2, verdict), "{status:?}");
        assert_eq!(world.next_tick(), None);
    }
}

#[test]
fn a_throttling_auth_service_says_when_to_come_back() {
    let mut world = World::new("{}");
    world.get(1, "good");
    let woken = world.answer_saying(1, "429", ("retry-after", "7"));
    assert_eq!(woken, all(1..=1, "429 busy, retry-after: 7"));
}

#[test]
fn an_answer_counts_once() {
    let mut world = World::new("{}");
    world.get(1, "bad");
    assert_eq!(world.answer(1, 401), all(1..=1, "401 wrong_token"));
    assert_eq!(world.answer(1, 200), NOBODY);
    // And the number of an answered check says nothing about the next one.
    world.later(5000);
    assert_eq!(world.get(2, "bad"), "asks 2");
    assert_eq!(world.answer(1, 200), NOBODY);
    assert_eq!(world.answer(2, 401), all(2..=2, "401 wrong_token"));
}

#[test]
fn an_answer_to_no_check_wakes_nobody() {
    let mut world = World::new("{}");
    assert_eq!(world.answer(4711, 200), NOBODY);
    world.get(1, "good");
    assert_eq!(world.answer(4711, 200), NOBODY);
    assert!(world.gate.is_waiting(StreamId(1)));
}

#[test]
fn a_check_that_the_host_refuses_wakes_its_waiter_at_once() {
    let mut world = World::new("{}");
    let lines = [(":method", "GET"), (":path", "/v1/project"), ("x-token", "good")];
    let Verdict::Ask(check) = world.judge(1, &lines) else { panic!("no check") };
    assert_eq!(world.cannot_send(&check), all(1..=1, "503 auth_unavailable"));
    assert_eq!(world.next_tick(), None);
    // The next one asks anew, and a report on the old flight changes nothing for it.
    assert_eq!(world.get(2, "good"), "asks 1");
    assert_eq!(world.cannot_send(&check), NOBODY);
    assert_eq!(world.answer(1, 200), all(2..=2, "to api-service"));
}

// --- clients that leave ---

#[test]
fn whoever_leaves_the_others_get_their_answer() {
    for leaving in 1..=3 {
        let mut world = World::new("{}");
        world.get(1, "good");
        world.get(2, "good");
        world.get(3, "good");
        world.gone(leaving);
        assert_eq!(world.tick(), (vec![], vec![]), "nothing is asked again");
        let mut woken = all(1..=3, "to api-service");
        woken.retain(|(stream, _)| *stream != leaving);
        assert_eq!(world.answer(1, 200), woken);
    }
}

#[test]
fn when_everybody_has_left_the_answer_is_remembered() {
    for (status, verdict) in [(200, "to api-service"), (401, "401 wrong_token")] {
        let mut world = World::new("{}");
        world.get(1, "some");
        world.get(2, "some");
        world.gone(1);
        world.gone(2);
        assert_eq!(world.tick(), (vec![], vec![]));
        assert_eq!(world.answer(1, status), NOBODY);
        assert_eq!(world.get(3, "some"), verdict);
    }
}

#[test]
fn who_comes_when_everybody_has_left_waits_for_the_same_check() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.gone(1);
    assert_eq!(world.get(2, "good"), "waits");
    assert_eq!(world.answer(1, 200), all(2..=2, "to api-service"));
}

#[test]
fn a_flight_that_everybody_left_ends_at_its_deadline() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.gone(1);
    assert_eq!(world.next_tick(), Some(3000));
    world.later(3000);
    assert_eq!(world.tick(), (vec![], vec![]));
    assert_eq!(world.next_tick(), None);
    assert_eq!(world.get(2, "good"), "asks 2");
}

#[test]
fn the_end_of_a_request_that_does_not_wait_is_nobodys_business() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.gone(7);
    world.answer(1, 200);
    world.gone(1);
    world.get(2, "other");
    world.gone(1);
    assert_eq!(world.answer(2, 200), all(2..=2, "to api-service"));
}
