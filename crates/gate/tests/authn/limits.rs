//! Deadlines, ticks, and how many checks and waiting requests there may be.

use gate::authn::StreamId;
use gate::tally::Notice;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{NOBODY, World, all};

// --- time ---

#[test]
fn nobody_waits_longer_than_the_deadline() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.later(1000);
    world.get(2, "good");
    world.get(3, "other");
    world.later(1999);
    assert_eq!(world.tick(), (vec![], vec![]));
    assert_eq!(world.next_tick(), Some(1));
    world.later(1);
    assert_eq!(world.tick(), (vec![], all(1..=2, "503 deadline_passed")));
    assert_eq!(world.answer(1, 200), NOBODY, "too late");
    assert_eq!(world.next_tick(), Some(1000), "the other one still waits");
    world.later(1000);
    assert_eq!(world.tick(), (vec![], all(3..=3, "503 deadline_passed")));
    assert_eq!(world.next_tick(), None);
}

#[test]
fn an_answer_that_came_too_late_is_not_believed() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.later(3000);
    world.tick();
    assert_eq!(world.answer(1, 200), NOBODY);
    assert_eq!(world.get(2, "good"), "asks 2");
}

#[test]
fn the_deadline_is_the_configured_one() {
    let mut world = World::new(r#"{"auth": {"timeout": "50ms", "deadline": "70ms"}}"#);
    world.get(1, "good");
    world.later(69);
    assert_eq!(world.tick().1, NOBODY);
    world.later(1);
    assert_eq!(world.tick().1, all(1..=1, "503 deadline_passed"));
}

#[test]
fn an_idle_gate_wants_no_ticks() {
    let mut world = World::new("{}");
    assert_eq!(world.next_tick(), None);
    world.request(1, &[(":method", "GET"), (":path", "/swagger.json")]);
    world.request(2, &[(":method", "GET"), (":path", "/v1/project")]);
    assert_eq!(world.next_tick(), None);
    world.get(3, "good");
    assert_eq!(world.next_tick(), Some(3000));
    world.answer(1, 200);
    assert_eq!(world.next_tick(), None, "a yes that nobody uses is not asked about again");
}

#[test]
fn a_clock_that_goes_back_makes_the_gate_forget() {
    let mut world = World::new("{}");
    world.learn("good");
    world.get(1, "waiting");
    world.earlier(500_000);
    assert_eq!(world.get(2, "good"), "asks 3", "who knows how old that yes is");
    assert_eq!(world.next_tick(), Some(3000), "nobody waits until the clock is where it was");
    assert_eq!(world.answer(2, 200), all(1..=1, "to api-service"));
    assert_eq!(world.get(4, "waiting"), "to api-service");
}

// --- limits ---

#[test]
fn checks_under_way_are_limited() {
    let mut world = World::new(r#"{"auth": {"max_flights": 2}}"#);
    assert_eq!(world.get(1, "a"), "asks 1");
    assert_eq!(world.get(2, "b"), "asks 2");
    assert_eq!(world.get(3, "c"), "503 too_many_flights");
    assert!(!world.gate.is_waiting(StreamId(3)));
    assert_eq!(world.get(4, "a"), "waits", "who needs no check of their own may still join");
    world.gone(2);
    assert_eq!(world.get(5, "c"), "503 too_many_flights", "b's check is under way, whoever leaves");
    world.answer(1, 200);
    assert_eq!(world.get(6, "c"), "asks 3");
}

#[test]
fn a_share_of_the_flights_is_kept_for_tokens_that_were_right() {
    let mut world = World::new(r#"{"auth": {"max_flights": 8}}"#);
    world.learn("good");
    world.learn("better");
    world.later(30_000);
    for stream in 1..=7 {
        assert_eq!(world.get(stream, &format!("new-{stream}")), format!("asks {}", stream + 2));
    }
    assert_eq!(world.get(8, "new-8"), "503 too_many_flights");
    assert_eq!(world.get(9, "good"), "asks 10");
    assert_eq!(world.answer(10, 200), all(9..=9, "to api-service"));
}

#[test]
fn a_share_of_the_flights_is_kept_for_refreshes() {
    let mut world = World::new(r#"{"auth": {"max_flights": 8}}"#);
    for token in ["good", "better"] {
        world.learn(token);
        assert_eq!(world.get(1, token), "to api-service");
    }
    world.later(26_999);
    for stream in 1..=7 {
        world.get(stream, &format!("new-{stream}"));
    }
    assert_eq!(world.tick_after(1), ["asks 10"], "one of the two");
    assert_eq!(world.next_tick(), Some(2999), "a refresh that has no room makes no ticks");
    assert_eq!(world.answer(10, 200), NOBODY);
    assert_eq!(world.tick().0, ["asks 11"]);
}

#[test]
fn that_too_much_is_under_way_is_no_reason_for_a_stale_yes() {
    for (limit, reason) in [("max_flights", "too_many_flights"), ("max_waiters", "too_many_waiters")] {
        let mut world = World::new(&format!(r#"{{"auth": {{"{limit}": 1}}}}"#));
        world.learn("revoked");
        world.later(30_000);
        // Its holder can do this with any token, and the auth service would say no.
        assert_eq!(world.get(1, "other"), "asks 2");
        assert_eq!(world.get(2, "revoked"), format!("503 {reason}"));
        assert_eq!(world.auth(3, "revoked"), format!("503 {reason}"));
        assert_eq!(world.counts(), "ok 1, error 2, cache_miss 3, checks 2, cache_inserted 1", "{limit}");
    }
}

#[test]
fn an_eighth_of_the_places_to_wait_is_kept_for_tokens_that_were_right() {
    let mut world = World::new(r#"{"auth": {"max_waiters": 8}}"#);
    world.learn("good");
    world.later(30_000);
    assert_eq!(world.get(1, "wrong"), "asks 2");
    for stream in 2..=7 {
        assert_eq!(world.get(stream, "wrong"), "waits");
    }
    assert_eq!(world.get(8, "wrong"), "503 too_many_waiters");
    assert_eq!(world.get(9, "good"), "asks 3");
    assert_eq!(world.get(10, "good"), "503 too_many_waiters");
}

#[test]
fn waiting_requests_are_limited() {
    let mut world = World::new(r#"{"auth": {"max_waiters": 2}}"#);
    assert_eq!(world.get(1, "a"), "asks 1");
    assert_eq!(world.get(2, "a"), "waits");
    assert_eq!(world.get(3, "a"), "503 too_many_waiters");
    assert_eq!(world.get(4, "b"), "503 too_many_waiters");
    assert!(!world.gate.is_waiting(StreamId(3)));
    world.gone(2);
    assert_eq!(world.get(5, "a"), "waits");
    assert_eq!(world.answer(1, 200), [(1, "to api-service".to_owned()), (5, "to api-service".to_owned())]);
    assert_eq!(world.get(6, "b"), "asks 2");
    // Two were refused, and the log is told once.
    assert_eq!(world.gate.take_report().notices, [Notice::Full]);
}
