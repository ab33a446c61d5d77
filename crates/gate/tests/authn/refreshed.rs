//! A yes in use is asked about again before it ends, so that nobody has to wait.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{NOBODY, World};

/// A world with a yes of 30 s that was used one second after it was heard; and when it is refreshed, in milliseconds
/// from then.
fn in_use() -> (World, u64) {
    let mut world = World::new("{}");
    world.learn("good");
    world.later(1000);
    assert_eq!(world.get(1, "good"), "to api-service");
    let due = u64::try_from(world.next_tick().unwrap()).unwrap();
    assert!((23_000..=26_000).contains(&due), "at 80 to 90 % of its lifetime: {due}");
    (world, due)
}

#[test]
fn a_yes_in_use_is_asked_about_again_before_it_ends() {
    let (mut world, due) = in_use();
    assert_eq!(world.tick_after(due - 1), [""; 0]);
    assert_eq!(world.tick_after(1), ["asks 2"]);
    assert_eq!(world.told("x-token").as_deref(), Some("good"));
    assert_eq!(world.told("x-forwarded-for"), None, "it is nobody's request");
    assert_eq!(world.get(2, "good"), "to api-service", "nobody waits for it");
    world.counts();
    assert_eq!(world.answer(2, 200), NOBODY);
    assert_eq!(world.counts(), "refreshed 1, cache_inserted 1");
    world.later(29_999);
    assert_eq!(world.get(3, "good"), "to api-service", "its lifetime has begun anew");
}

#[test]
fn a_yes_that_nobody_uses_just_ends() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.answer(1, 200);
    assert_eq!(world.next_tick(), None, "who waited for the answer is no use of it");
    assert_eq!(world.tick_after(27_000), [""; 0]);
    assert_eq!(world.tick_after(3000), [""; 0]);
    assert_eq!(world.get(3, "good"), "asks 2");
}

#[test]
fn a_yes_that_is_no_longer_used_is_refreshed_no_more() {
    let (mut world, due) = in_use();
    assert_eq!(world.tick_after(due), ["asks 2"]);
    world.answer(2, 200);
    assert_eq!(world.next_tick(), None);
    assert_eq!(world.tick_after(30_000), [""; 0]);
}

#[test]
fn a_yes_that_is_used_late_is_asked_about_at_once() {
    let mut world = World::new("{}");
    world.learn("good");
    world.later(29_000);
    assert_eq!(world.get(1, "good"), "to api-service");
    assert_eq!(world.next_tick(), Some(0));
    assert_eq!(world.tick().0, ["asks 2"]);
    assert_eq!(world.get(2, "good"), "to api-service");
    assert_eq!(world.tick().0, [""; 0], "once");
}

#[test]
fn a_no_to_a_refresh_ends_the_yes() {
    let (mut world, due) = in_use();
    world.tick_after(due);
    assert_eq!(world.answer(2, 403), NOBODY);
    assert_eq!(world.get(2, "good"), "403 forbidden");
    assert_eq!(world.next_tick(), None);
}

#[test]
fn a_refresh_without_an_answer_is_repeated_after_five_seconds_if_the_yes_is_used() {
    let (mut world, due) = in_use();
    world.tick_after(due);
    world.answer(2, 500);
    assert_eq!(world.next_tick(), None);
    assert_eq!(world.get(2, "good"), "to api-service");
    assert_eq!(world.next_tick(), Some(5000));
    assert_eq!(world.tick_after(5000), ["asks 3"]);
    assert_eq!(world.answer(3, 200), NOBODY);
    assert_eq!(world.get(3, "good"), "to api-service");
}

#[test]
fn who_comes_when_the_yes_is_over_waits_for_the_refresh() {
    let (mut world, due) = in_use();
    world.tick_after(due);
    world.later(29_000 - due);
    assert_eq!(world.get(2, "good"), "waits");
    assert_eq!(world.answer(2, 200), [(2, "to api-service".to_owned())]);
}

#[test]
fn a_token_that_is_being_asked_about_is_not_asked_about_twice() {
    let (mut world, due) = in_use();
    world.later(due);
    assert_eq!(world.auth(2, "good"), "asks 2");
    assert_eq!(world.tick().0, [""; 0]);
    assert_eq!(world.answer(2, 200), [(2, "200 token_good".to_owned())]);
    assert_eq!(world.tick().0, [""; 0]);
}
