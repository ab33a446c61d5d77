//! What is remembered of answers, and for how long.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{NOBODY, World, all};

#[test]
fn a_yes_is_remembered_for_its_lifetime() {
    let mut world = World::new("{}");
    world.learn("good");
    world.counts();
    world.later(29_999);
    assert_eq!(world.get(1, "good"), "to api-service");
    assert_eq!(world.counts(), "ok 1, cache_hit 1");
    world.later(1);
    assert_eq!(world.get(2, "good"), "asks 2");
}

#[test]
fn a_yes_in_force_needs_no_address_and_no_time_of_day() {
    let mut world = World::new("{}");
    world.learn("good");
    world.surroundings.was_address_asked.set(false);
    world.get(1, "good");
    assert!(!world.surroundings.was_address_asked.get());
    assert!(!world.surroundings.was_wall_asked.get());
}

#[test]
fn a_no_is_remembered_for_its_lifetime_and_stays_what_it_was() {
    for (status, verdict) in [(401, "401 wrong_token"), (403, "403 forbidden")] {
        let mut world = World::new("{}");
        world.ask_and_answer("bad", status, verdict);
        world.counts();
        world.later(4999);
        assert_eq!(world.get(1, "bad"), verdict);
        assert_eq!(world.counts(), "denied 1, cache_negative_hit 1");
        world.later(1);
        assert_eq!(world.get(2, "bad"), "asks 2");
    }
}

#[test]
fn what_is_said_of_one_token_says_nothing_of_another() {
    let mut world = World::new("{}");
    world.learn("good");
    world.ask_and_answer("bad", 401, "401 wrong_token");
    for other in ["Good", "good2", "goo", "bad2"] {
        world.ask_and_answer(other, 500, "503 auth_unavailable");
        // Or it would begin to fail fast.
        world.ask_and_answer("nobody", 404, "503 auth_contract_broken");
    }
}

#[test]
fn an_answer_that_decides_nothing_is_not_remembered() {
    for status in [429, 404, 302, 500, 504] {
        let mut world = World::new("{}");
        world.get(1, "good");
        world.answer(1, status);
        assert_eq!(world.get(2, "good"), "asks 2", "{status}");
    }
}

#[test]
fn the_lifetimes_are_the_configured_ones() {
    let mut world = World::new(r#"{"auth": {"allow": "2s", "deny": "1s"}}"#);
    world.learn("good");
    world.ask_and_answer("bad", 401, "401 wrong_token");
    world.later(1000);
    assert_eq!(world.get(1, "bad"), "asks 3");
    assert_eq!(world.get(2, "good"), "to api-service");
    world.later(1000);
    assert_eq!(world.get(3, "good"), "asks 4");
}

#[test]
fn a_lifetime_of_nothing_switches_its_half_off() {
    let mut world = World::new(r#"{"auth": {"allow": "0s"}}"#);
    world.learn("good");
    assert_eq!(world.get(1, "good"), "asks 2");
    world.ask_and_answer("bad", 401, "401 wrong_token");
    assert_eq!(world.get(2, "bad"), "401 wrong_token");

    let mut world = World::new(r#"{"auth": {"deny": "0s"}}"#);
    world.ask_and_answer("bad", 401, "401 wrong_token");
    assert_eq!(world.get(1, "bad"), "asks 2");
    world.learn("good");
    assert_eq!(world.get(2, "good"), "to api-service");
}

#[test]
fn the_auth_service_shortens_a_lifetime_and_never_lengthens_it() {
    for (line, lifetime) in [("max-age=7", 7000), ("max-age=3600", 30_000)] {
        let mut world = World::new("{}");
        world.get(1, "good");
        assert_eq!(world.answer_saying(1, "200", ("cache-control", line)), all(1..=1, "to api-service"));
        world.later(lifetime - 1);
        assert_eq!(world.get(2, "good"), "to api-service", "{line}");
        world.later(1);
        assert_eq!(world.get(3, "good"), "asks 2", "{line}");
    }
    let mut world = World::new("{}");
    world.get(1, "bad");
    world.answer_saying(1, "401", ("cache-control", "max-age=2"));
    world.later(1999);
    assert_eq!(world.get(2, "bad"), "401 wrong_token");
    world.later(1);
    assert_eq!(world.get(3, "bad"), "asks 2");
}

#[test]
fn what_must_not_be_stored_is_not() {
    for (status, line) in
        [("200", "no-store"), ("200", "no-cache"), ("200", "max-age=0"), ("401", "no-store")]
    {
        let mut world = World::new("{}");
        world.get(1, "some");
        world.answer_saying(1, status, ("cache-control", line));
        assert_eq!(world.get(2, "some"), "asks 2", "{status} {line}");
    }
}

#[test]
fn a_yes_that_must_not_be_stored_takes_the_old_one_along() {
    let mut world = World::new("{}");
    world.learn("good");
    assert_eq!(world.auth(1, "good"), "asks 2");
    world.answer_saying(2, "200", ("cache-control", "no-store"));
    assert_eq!(world.get(2, "good"), "asks 3");
}

#[test]
fn a_no_heard_is_a_no_at_once() {
    let mut world = World::new("{}");
    world.learn("good");
    assert_eq!(world.auth(1, "good"), "asks 2");
    assert_eq!(world.get(2, "good"), "to api-service");
    assert_eq!(world.answer(2, 401), all(1..=1, "401 wrong_token"));
    assert_eq!(world.get(3, "good"), "401 wrong_token");
}

#[test]
fn a_yes_heard_is_a_yes_at_once() {
    let mut world = World::new("{}");
    world.ask_and_answer("new", 401, "401 wrong_token");
    assert_eq!(world.get(1, "new"), "401 wrong_token");
    assert_eq!(world.auth(2, "new"), "asks 2");
    world.answer(2, 200);
    assert_eq!(world.get(3, "new"), "to api-service");
}

#[test]
fn a_new_yes_takes_the_place_of_the_one_that_was_used_least_recently() {
    let mut world = World::new(r#"{"auth": {"allow_entries": 2}}"#);
    world.learn("a");
    world.learn("b");
    assert_eq!(world.get(1, "a"), "to api-service");
    world.counts();
    world.learn("c");
    assert_eq!(world.counts(), "ok 1, cache_miss 1, checks 1, cache_inserted 1, cache_evicted 1");
    assert_eq!(world.get(2, "a"), "to api-service");
    assert_eq!(world.get(3, "c"), "to api-service");
    assert_eq!(world.get(4, "b"), "asks 4");
}

#[test]
fn a_flood_of_wrong_tokens_evicts_no_right_one() {
    let mut world =
        World::new(r#"{"auth": {"allow_entries": 1, "deny_entries": 2, "throttle": {"burst": 0}}}"#);
    world.learn("good");
    for number in 0..100 {
        world.ask_and_answer(&format!("guess-{number}"), 401, "401 wrong_token");
    }
    assert_eq!(world.get(1, "good"), "to api-service");
    assert_eq!(world.get(2, "guess-99"), "401 wrong_token");
    assert_eq!(world.get(3, "guess-98"), "401 wrong_token");
    assert_eq!(world.get(4, "guess-97"), "asks 102");
    assert_eq!(world.answer(102, 401), all(4..=4, "401 wrong_token"));
    assert_eq!(world.tick(), (vec![], NOBODY.to_vec()));
}
