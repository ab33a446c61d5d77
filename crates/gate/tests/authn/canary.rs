//! The canary: an auth endpoint that says yes to everybody is not believed.

use gate::tally::Notice;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{NOBODY, World, all};

fn watched() -> World {
    World::new(
        r#"{
            "auth": {"canary": "1m"},
            "tokens": [{
                "name": "ci",
                "sha256": "948b8c2427cd29047839b8e4a27a08763f8befbafa86be5cce8e46217d75e58a"
            }]
        }"#,
    )
}

#[test]
fn it_is_sent_at_the_start_and_then_at_its_time() {
    let mut world = watched();
    assert_eq!(world.next_tick(), Some(0));
    assert_eq!(world.tick().0, ["asks 1"]);
    let first = world.told("x-token").unwrap();
    assert!(first.len() == 64 && first.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(world.answer(1, 401), NOBODY);
    assert_eq!(world.counts(), "checks 1", "that is as it should be");
    assert_eq!(world.next_tick(), Some(60_000));
    assert_eq!(world.tick_after(60_000), ["asks 2"]);
    assert_ne!(world.told("x-token").unwrap(), first);
}

#[test]
fn none_is_sent_if_none_is_configured() {
    let mut world = World::new("{}");
    assert_eq!(world.next_tick(), None);
    assert_eq!(world.tick(), (vec![], vec![]));
}

#[test]
fn a_yes_to_it_refuses_all_that_rests_on_the_endpoints_yes() {
    let mut world = watched();
    world.tick();
    world.answer(1, 403);
    world.learn("good");
    assert_eq!(world.tick_after(60_000), ["asks 3"]);
    assert_eq!(world.auth(1, "good"), "asks 4");
    assert_eq!(world.answer(4, 200), all(1..=1, "200 token_good"), "it has not failed yet");
    world.counts();
    assert_eq!(world.answer(3, 200), NOBODY);
    let report = world.gate.take_report();
    assert_eq!(crate::world::counts(&report), "canary_failed 1");
    assert_eq!(report.notices, [Notice::CanaryFailed]);
    assert_eq!(world.get(2, "good"), "503 canary_failed");
    assert_eq!(world.get(3, "new"), "503 canary_failed");
    assert_eq!(world.auth(4, "good"), "503 canary_failed");
    assert_eq!(world.counts(), "error 3");
    assert_eq!(world.get(5, "ci-token"), "to api-service", "a listed token does not rest on it");
    assert_eq!(world.request(6, &[(":method", "GET"), (":path", "/swagger.json")]), "to api-service");
}

#[test]
fn who_waits_when_it_fails_is_refused_whatever_the_answer() {
    for status in [200, 401] {
        let mut world = watched();
        world.tick();
        assert_eq!(world.get(1, "some"), "asks 2");
        world.answer(1, 200);
        assert_eq!(world.answer(2, status), all(1..=1, "503 canary_failed"));
    }
}

/// With a deadline of a minute an answer may be older than it looks.
#[test]
fn what_was_asked_before_it_failed_is_not_believed_after_it_passes() {
    let mut world = World::new(r#"{"auth": {"canary": "1s", "deadline": "60s"}}"#);
    world.tick();
    assert_eq!(world.get(1, "some"), "asks 2");
    assert_eq!(world.answer(1, 200), NOBODY);
    assert_eq!(world.tick_after(1000), ["asks 3"]);
    assert_eq!(world.answer(3, 401), NOBODY);
    assert_eq!(world.get(2, "some"), "waits");
    assert_eq!(world.answer(2, 200), all(1..=2, "503 canary_failed"));
    assert_eq!(world.get(3, "some"), "asks 4", "nothing was learnt");
    assert_eq!(world.answer(4, 200), all(3..=3, "to api-service"));
}

#[test]
fn a_no_to_the_next_one_makes_all_well_and_what_was_remembered_is_not() {
    let mut world = watched();
    world.learn("good");
    world.tick();
    world.answer(2, 200);
    assert_eq!(world.next_tick(), Some(5000));
    assert_eq!(world.tick_after(5000), ["asks 3"]);
    assert_eq!(world.answer(3, 500), NOBODY);
    assert_eq!(world.get(1, "good"), "503 canary_failed", "only a no makes it well");
    assert_eq!(world.tick_after(5000), ["asks 4"]);
    world.counts();
    assert_eq!(world.answer(4, 401), NOBODY);
    let report = world.gate.take_report();
    assert_eq!(crate::world::counts(&report), "canary_passed 1");
    assert_eq!(report.notices, [Notice::CanaryPassed]);
    assert_eq!(world.get(2, "good"), "asks 5", "that yes was worth nothing");
}

#[test]
fn its_silence_refuses_nobody() {
    let mut world = watched();
    world.tick();
    assert_eq!(world.answer(1, 503), NOBODY);
    assert_eq!(world.next_tick(), Some(5000));
    world.learn("good");
}

#[test]
fn it_does_not_find_out_whether_a_silent_endpoint_is_back() {
    let mut world = watched();
    for number in 1..=3 {
        world.ask_and_answer(&format!("new-{number}"), 500, "503 auth_unavailable");
    }
    assert_eq!(world.tick_after(1000), [""; 0]);
    assert_eq!(world.next_tick(), Some(5000), "it waits until somebody else has found out");
}
