//! Failing fast: an auth service that gives no answer holds nobody up.

use gate::gate::Verdict;
use gate::tally::Notice;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{World, all, counts};

/// A world in which the auth service has just been silent for the third time in a row, with a yes of old.
fn failing() -> World {
    let mut world = World::new("{}");
    world.learn("known");
    for number in 1..=3 {
        world.ask_and_answer(&format!("new-{number}"), 500, "503 auth_unavailable");
    }
    world
}

#[test]
fn after_three_silences_in_a_row_unknown_tokens_are_refused_at_once() {
    let mut world = World::new("{}");
    world.ask_and_answer("one", 500, "503 auth_unavailable");
    world.ask_and_answer("two", 504, "503 auth_timeout");
    world.counts();
    world.ask_and_answer("three", 503, "503 auth_unavailable");
    let report = world.gate.take_report();
    assert_eq!(counts(&report), "error 1, cache_miss 1, checks 1, failing_fast_begun 1");
    assert_eq!(report.notices, [Notice::FailingFastBegun, Notice::Unanswered]);
    assert_eq!(world.get(1, "four"), "503 failing_fast, retry-after: 1");
    assert_eq!(world.auth(2, "four"), "503 failing_fast, retry-after: 1");
    assert_eq!(world.counts(), "error 2, cache_miss 1");
}

#[test]
fn a_check_past_its_deadline_is_a_silence_too() {
    let mut world = World::new("{}");
    for number in 1..=2 {
        world.ask_and_answer(&format!("silent-{number}"), 500, "503 auth_unavailable");
    }
    world.get(3, "unknown");
    world.gone(3);
    world.later(3000);
    world.tick();
    assert_eq!(world.get(4, "unknown"), "503 failing_fast, retry-after: 1");
}

#[test]
fn a_check_that_the_host_does_not_send_is_no_silence_of_the_services() {
    let mut world = World::new("{}");
    let lines = [(":method", "GET"), (":path", "/v1/event"), ("x-token", "unknown")];
    for stream in 1..=10 {
        let Verdict::Ask(check) = world.judge(stream, &lines) else { panic!("no check") };
        world.cannot_send(&check);
    }
    assert_eq!(world.gate.take_report().notices, [Notice::Unsent, Notice::Unanswered], "once each");
    // While failing fast, it does not take the next probe's place.
    let mut world = failing();
    world.later(500);
    let Verdict::Ask(check) = world.judge(1, &lines) else { panic!("no probe") };
    world.cannot_send(&check);
    world.later(1000);
    assert!(matches!(world.judge(2, &lines), Verdict::Ask(_)));
}

#[test]
fn only_silences_in_a_row_count() {
    for status in [200, 401, 403, 429, 404] {
        let mut world = World::new("{}");
        for round in 0..5 {
            for number in 1..=2 {
                world.ask_and_answer(&format!("silent-{round}-{number}"), 500, "503 auth_unavailable");
            }
            let stream = 7;
            let asks = world.get(stream, &format!("answered-{round}"));
            let check = asks.strip_prefix("asks ").unwrap_or_else(|| panic!("{status}: {asks}")).parse();
            world.answer(check.unwrap(), status);
        }
    }
}

#[test]
fn silence_of_what_was_asked_before_the_last_answer_does_not_count() {
    let mut world = World::new("{}");
    for stream in 1..=5 {
        world.get(stream, &format!("old-{stream}"));
    }
    world.later(100);
    world.learn("good");
    for check in 1..=5 {
        world.answer(check, 500);
    }
    world.ask_and_answer("another", 401, "401 wrong_token");
}

#[test]
fn what_is_known_needs_no_answer() {
    let mut world = failing();
    assert_eq!(world.get(1, "known"), "to api-service");
    assert_eq!(world.request(2, &[(":method", "GET"), (":path", "/swagger.json")]), "to api-service");
}

#[test]
fn one_request_at_a_time_tries_again() {
    let mut world = failing();
    world.later(500);
    assert_eq!(world.get(1, "a"), "asks 5");
    assert_eq!(world.get(2, "a"), "waits", "who asks the same may wait for it");
    assert_eq!(world.get(3, "b"), "503 failing_fast, retry-after: 1");
    assert_eq!(world.answer(5, 500), all(1..=2, "503 auth_unavailable"));
    assert_eq!(world.get(4, "b"), "503 failing_fast, retry-after: 1");
    world.later(1000);
    assert_eq!(world.get(5, "b"), "asks 6", "twice as long after the first");
}

#[test]
fn attempts_become_rarer_but_never_rarer_than_every_five_seconds() {
    let mut world = failing();
    let mut last_pause = 0;
    for attempt in 0..8 {
        let mut pause = 0;
        let check = loop {
            let verdict = world.get(1, "a");
            if let Some(check) = verdict.strip_prefix("asks ") {
                break check.parse().unwrap();
            }
            let seconds = verdict.strip_prefix("503 failing_fast, retry-after: ").unwrap();
            assert!(("1"..="5").contains(&seconds), "{verdict}");
            world.later(10);
            pause += 10;
        };
        assert!(pause <= 5000, "{pause}");
        assert!(attempt > 4 || pause > last_pause, "{pause} after {last_pause}");
        last_pause = pause;
        assert_eq!(world.answer(check, 500), all(1..=1, "503 auth_unavailable"));
    }
    assert!(last_pause >= 4000, "{last_pause}");
}

#[test]
fn the_first_answer_ends_it_whatever_it_is() {
    for (status, verdict) in [
        (200, "to api-service"),
        (401, "401 wrong_token"),
        (429, "429 busy, retry-after: 1"),
        (404, "503 auth_contract_broken"),
    ] {
        let mut world = failing();
        world.counts();
        world.later(500);
        world.get(1, "a");
        assert_eq!(world.answer(5, status), all(1..=1, verdict));
        let report = world.gate.take_report();
        assert!(report.notices.contains(&Notice::FailingFastEnded));
        assert!(counts(&report).contains("failing_fast_ended 1"));
        assert_eq!(world.get(2, "b"), "asks 6");
        assert_eq!(world.get(3, "c"), "asks 7");
    }
}

#[test]
fn a_refresh_tries_again_as_well_and_no_token_is_invented_for_it() {
    let mut world = failing();
    assert_eq!(world.next_tick(), None, "nobody needs an answer");
    assert_eq!(world.get(1, "known"), "to api-service");
    assert_eq!(world.tick_after(27_000), ["asks 5"]);
    assert_eq!(world.told("x-token").as_deref(), Some("known"));
    assert_eq!(world.get(2, "a"), "503 failing_fast, retry-after: 1", "that is the attempt");
    assert_eq!(world.answer(5, 200), []);
    assert_eq!(world.get(3, "a"), "asks 6");
}

#[test]
fn a_refresh_that_is_due_waits_for_its_turn() {
    let mut world = World::new("{}");
    world.learn("known");
    world.get(1, "known");
    world.later(26_900);
    for number in 1..=3 {
        world.ask_and_answer(&format!("new-{number}"), 500, "503 auth_unavailable");
    }
    world.later(100);
    assert_eq!(world.tick().0, [""; 0]);
    let next = world.next_tick().unwrap();
    assert!((1..=400).contains(&next), "{next}");
    assert_eq!(world.tick_after(u64::try_from(next).unwrap()), ["asks 5"]);
}
