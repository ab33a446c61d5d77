//! What is counted. Each request that shows a token where one is needed counts as exactly one of `ok`, `denied`,
//! `error`, `timeout` and `throttled`.

use core::time::Duration;

use gate::authn::Answer;
use gate::gate::Verdict;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::World;

const LINES: [(&str, &str); 3] = [(":method", "GET"), (":path", "/v1/event"), ("x-token", "some")];

#[test]
fn an_answer_is_the_outcome_of_all_who_wait() {
    for (answer, counts) in [
        (Answer::of(200), "ok 2, cache_miss 2, coalesced 1, checks 1, cache_inserted 1"),
        (Answer::of(401), "denied 2, cache_miss 2, coalesced 1, checks 1, cache_inserted 1"),
        (Answer::of(403), "denied 2, cache_miss 2, coalesced 1, checks 1, cache_inserted 1"),
        (Answer::of(404), "error 2, cache_miss 2, coalesced 1, checks 1"),
        (Answer::of(429), "error 2, cache_miss 2, coalesced 1, checks 1"),
        (Answer::of(500), "error 2, cache_miss 2, coalesced 1, checks 1"),
        (Answer::of(504), "timeout 2, cache_miss 2, coalesced 1, checks 1"),
        (Answer::default(), "error 2, cache_miss 2, coalesced 1, checks 1"),
    ] {
        let mut world = World::new("{}");
        world.get(1, "some");
        world.get(2, "some");
        world.answer_with(1, &answer);
        assert_eq!(world.counts(), counts, "{answer:?}");
    }
}

#[test]
fn so_is_the_end_of_the_deadline() {
    let mut world = World::new("{}");
    world.get(1, "some");
    world.later(3000);
    world.tick();
    assert_eq!(world.counts(), "timeout 1, cache_miss 1, checks 1");
}

#[test]
fn who_leaves_has_no_outcome() {
    let mut world = World::new("{}");
    world.get(1, "some");
    world.gone(1);
    world.answer(1, 200);
    assert_eq!(world.counts(), "cache_miss 1, checks 1, cache_inserted 1");
}

#[test]
fn a_check_that_cannot_be_sent_is_an_error() {
    let mut world = World::new("{}");
    let Verdict::Ask(check) = world.judge(1, &LINES) else { panic!("no check") };
    world.cannot_send(&check);
    assert_eq!(world.counts(), "error 1, cache_miss 1, checks 1");
}

#[test]
fn a_limit_is_an_error() {
    for limit in ["max_flights", "max_waiters"] {
        let mut world = World::new(&format!(r#"{{"auth": {{"{limit}": 1}}}}"#));
        world.get(1, "a");
        world.counts();
        world.get(2, "b");
        assert_eq!(world.counts(), "error 1, cache_miss 1", "{limit}");
    }
}

#[test]
fn what_needs_no_token_or_has_none_is_not_counted() {
    let mut world = World::new("{}");
    for lines in [
        &[(":method", "GET"), (":path", "/swagger.json")][..],
        &[(":method", "POST"), (":path", "/swagger.json")],
        &[(":method", "GET"), (":path", "/v1/event")],
        &[(":method", "GET"), (":path", "/v1/event"), ("x-token", "a,b")],
        &[(":method", "GET"), (":path", "/a/../b"), ("x-token", "good")],
        &[(":method", "POST"), (":path", "/v1/event"), ("x-token", "good"), ("content-length", "2000000")],
    ] {
        world.request(1, lines);
        assert_eq!(world.counts(), "", "{lines:?}");
    }
}

#[test]
fn what_is_told_after_the_token_is_still_a_good_token() {
    let mut world = World::new(r#"{"internal": "deny"}"#);
    world.learn("some");
    world.counts();
    let path = "/configuration-service/v1/project/p";
    let lines = [(":method", "DELETE"), (":path", path), LINES[2]];
    assert_eq!(world.request(1, &lines), "403 internal_operation");
    assert_eq!(world.counts(), "ok 1, cache_hit 1");
}

#[test]
fn internal_operations_and_foreign_hosts_are_counted() {
    let mut world = World::new(r#"{"hosts": ["api.keptn"]}"#);
    world.learn("some");
    world.counts();
    let path = "/configuration-service/v1/project/p";
    let lines = [(":method", "DELETE"), (":path", path), (":authority", "api.keptn"), LINES[2]];
    world.request(1, &lines);
    assert_eq!(world.counts(), "ok 1, cache_hit 1, internal 1");
    world.request(2, &LINES);
    assert_eq!(world.counts(), "foreign 1");
}

#[test]
fn how_long_a_check_took_is_known_of_those_that_were_answered() {
    let mut world = World::new("{}");
    world.get(1, "a");
    world.get(2, "b");
    world.later(7);
    world.answer(1, 401);
    world.answer(1, 401);
    world.later(2993);
    world.tick();
    assert_eq!(world.gate.take_report().durations, [Duration::from_millis(7)]);
}

#[test]
fn what_was_counted_is_reported_within_a_quarter_of_a_second() {
    let mut world = World::new("{}");
    world.learn("some");
    world.gate.take_report();
    let now = world.now();
    world.get(1, "some");
    assert_eq!(world.gate.next_tick(), Some(now.after(Duration::from_millis(250))));
    world.later(100);
    world.get(2, "some");
    assert_eq!(world.gate.next_tick(), Some(now.after(Duration::from_millis(250))), "and not put off");
    assert_eq!(world.counts(), "ok 2, cache_hit 2");
}
