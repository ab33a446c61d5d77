//! A token that was right goes on for a while when no answer about it is to be had.

use gate::authn::Answer;
use gate::tally::Notice;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{NOBODY, World, all};

/// A world with a yes of 30 s that has just ended, and is honoured for 5 min more.
fn ended() -> World {
    let mut world = World::new("{}");
    world.learn("good");
    world.later(30_000);
    world.counts();
    world
}

/// And a check of that token that had no answer.
fn unanswered() -> World {
    let mut world = ended();
    world.get(1, "good");
    assert_eq!(world.answer(2, 500), all(1..=1, "to api-service"));
    world.counts();
    world
}

#[test]
fn whoever_waited_for_no_answer_passes() {
    for status in [Some(500), Some(503), Some(504), None] {
        let mut world = ended();
        assert_eq!(world.get(1, "good"), "asks 2", "it might have an answer");
        assert_eq!(world.get(2, "good"), "waits");
        let answer = status.map_or_else(Answer::default, Answer::of);
        assert_eq!(world.answer_with(2, &answer), all(1..=2, "to api-service"));
        let report = world.gate.take_report();
        assert_eq!(crate::world::counts(&report), "ok 2, cache_miss 2, stale 2, coalesced 1, checks 1");
        assert_eq!(report.notices, [Notice::Stale], "the log says so once");
    }
}

#[test]
fn whoever_waited_until_the_deadline_passes() {
    let mut world = ended();
    world.get(1, "good");
    world.later(3000);
    assert_eq!(world.tick(), (vec![], all(1..=1, "to api-service")));
}

#[test]
fn after_that_nobody_waits() {
    let mut world = unanswered();
    assert_eq!(world.get(2, "good"), "to api-service");
    assert_eq!(world.counts(), "ok 1, cache_miss 1, stale 1");
}

#[test]
fn it_is_asked_about_in_the_background_every_five_seconds() {
    let mut world = unanswered();
    assert_eq!(world.get(2, "good"), "to api-service");
    assert_eq!(world.next_tick(), Some(5000));
    assert_eq!(world.tick_after(5000), ["asks 3"]);
    assert_eq!(world.get(3, "good"), "to api-service", "meanwhile too");
    assert_eq!(world.answer(3, 500), NOBODY);
    assert_eq!(world.get(4, "good"), "to api-service");
    assert_eq!(world.tick_after(5000), ["asks 4"]);
    assert_eq!(world.answer(4, 200), NOBODY);
    world.counts();
    assert_eq!(world.get(5, "good"), "to api-service");
    assert_eq!(world.counts(), "ok 1, cache_hit 1", "all is normal");
}

#[test]
fn it_ends_with_its_time() {
    let mut world = unanswered();
    world.later(299_999);
    assert_eq!(world.get(2, "good"), "to api-service");
    world.later(1);
    assert_eq!(world.get(3, "good"), "asks 3");
    assert_eq!(world.answer(3, 500), all(3..=3, "503 auth_unavailable"));
}

#[test]
fn it_ends_with_a_no() {
    for (status, verdict) in [(401, "401 wrong_token"), (403, "403 forbidden")] {
        let mut world = unanswered();
        world.get(2, "good");
        world.tick_after(5000);
        assert_eq!(world.answer(3, status), NOBODY);
        assert_eq!(world.get(3, "good"), verdict);
        world.later(5000);
        assert_eq!(world.get(4, "good"), "asks 4");
        assert_eq!(world.answer(4, 500), all(4..=4, "503 auth_unavailable"), "it does not come back");
    }
}

#[test]
fn a_broken_contract_is_covered_by_no_stale_yes() {
    let mut world = ended();
    world.get(1, "good");
    assert_eq!(world.answer(2, 404), all(1..=1, "503 auth_contract_broken"));
    assert_eq!(world.notices(), [Notice::ContractBroken]);
    assert_eq!(world.get(2, "good"), "asks 3");
    assert_eq!(world.answer(3, 500), all(2..=2, "503 auth_unavailable"), "nor is what comes after it");
    world.ask_and_answer("good", 200, "to api-service");
    world.later(30_000);
    world.ask_and_answer("good", 500, "to api-service");
}

#[test]
fn a_broken_contract_leaves_a_yes_in_force_alone() {
    let mut world = World::new("{}");
    world.learn("good");
    world.get(1, "good");
    assert_eq!(world.tick_after(27_000), ["asks 2"]);
    world.answer(2, 404);
    assert_eq!(world.get(2, "good"), "to api-service");
    world.later(3000);
    world.ask_and_answer("good", 500, "503 auth_unavailable");
}

#[test]
fn a_busy_auth_service_is_covered() {
    let mut world = ended();
    world.get(1, "good");
    assert_eq!(world.answer_saying(2, "429", ("retry-after", "60")), all(1..=1, "to api-service"));
    assert_eq!(world.get(2, "good"), "to api-service");
    let mut stranger = World::new("{}");
    stranger.ask_and_answer("good", 429, "429 busy, retry-after: 1");
}

#[test]
fn what_was_not_to_be_stored_is_not_stale_either() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.answer_saying(1, "200", ("cache-control", "no-store"));
    assert_eq!(world.get(2, "good"), "asks 2");
    assert_eq!(world.answer(2, 500), all(2..=2, "503 auth_unavailable"));
}

#[test]
fn nothing_is_stale_if_that_is_switched_off() {
    let mut world = World::new(r#"{"auth": {"stale_if_error": "0s"}}"#);
    world.learn("good");
    world.later(29_999);
    assert_eq!(world.get(1, "good"), "to api-service");
    world.later(1);
    world.ask_and_answer("good", 500, "503 auth_unavailable");
}

#[test]
fn an_old_yes_is_none_for_v1_auth() {
    let mut world = unanswered();
    assert_eq!(world.auth(2, "good"), "asks 3");
    assert_eq!(world.get(3, "good"), "to api-service");
    assert_eq!(world.answer(3, 500), all(2..=2, "503 auth_unavailable"));
}

#[test]
fn while_failing_fast_an_old_yes_serves_at_once() {
    let mut world = ended();
    for stream in 1..=3 {
        world.ask_and_answer(&format!("other-{stream}"), 500, "503 auth_unavailable");
    }
    assert_eq!(world.get(1, "good"), "to api-service", "nobody has to find out once more");
    assert_eq!(world.get(2, "unknown"), "503 failing_fast, retry-after: 1");
}

#[test]
fn once_others_are_answered_it_is_asked_about_before_it_serves() {
    let mut world = unanswered();
    world.later(1000);
    world.ask_and_answer("other", 401, "401 wrong_token");
    assert_eq!(world.get(2, "good"), "to api-service", "the silence was a moment ago");
    world.later(5000);
    world.ask_and_answer("good", 401, "401 wrong_token");

    let mut world = unanswered();
    world.later(60_000);
    assert_eq!(world.get(2, "good"), "to api-service", "nobody has been answered");
}
