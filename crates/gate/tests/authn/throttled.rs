//! The throttle: an address has so many wrong tokens checked, and no right client pays for it.

use core::net::IpAddr;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{World, all};

impl World {
    fn from(&mut self, address: &str) -> &mut Self {
        self.surroundings.address = Some(address.parse::<IpAddr>().unwrap());
        self
    }

    /// So many new tokens are asked about, and wrong.
    fn guess(&mut self, times: usize) {
        for _ in 0..times {
            let token = format!("guess-{}", self.asked.len());
            self.ask_and_answer(&token, 401, "401 wrong_token");
        }
    }
}

#[test]
fn who_guesses_is_refused_after_ten_tokens() {
    let mut world = World::new("{}");
    world.guess(10);
    world.counts();
    assert_eq!(world.get(1, "eleventh"), "429 throttled, retry-after: 1");
    assert_eq!(world.auth(2, "eleventh"), "429 throttled, retry-after: 1");
    assert_eq!(world.counts(), "throttled 2, cache_miss 1");
}

#[test]
fn one_more_is_asked_about_each_second() {
    let mut world = World::new("{}");
    world.guess(10);
    for _ in 0..3 {
        world.later(999);
        assert_eq!(world.get(1, "next"), "429 throttled, retry-after: 1");
        world.later(1);
        world.guess(1);
    }
}

#[test]
fn the_rate_is_the_configured_one() {
    let mut world = World::new(r#"{"auth": {"throttle": {"burst": 2, "per_second": 4}}}"#);
    world.guess(2);
    assert_eq!(world.get(1, "next"), "429 throttled, retry-after: 1");
    world.later(250);
    world.guess(1);
    assert_eq!(world.get(1, "next"), "429 throttled, retry-after: 1");
    let mut world = World::new(r#"{"auth": {"throttle": {"burst": 0}}}"#);
    world.guess(100);
}

#[test]
fn a_neighbour_is_not_refused() {
    let mut world = World::new("{}");
    world.guess(10);
    world.from("192.0.2.2").guess(1);
    world.from("2001:db8:0:1::1").guess(10);
    assert_eq!(world.from("2001:db8:0:1:ffff::2").get(1, "next"), "429 throttled, retry-after: 1");
    world.from("2001:db8:0:2::1").guess(1);
    assert_eq!(world.from("::ffff:192.0.2.1").get(1, "next"), "429 throttled, retry-after: 1");
}

#[test]
fn who_is_known_passes_behind_the_same_address() {
    let mut world = World::new("{}");
    world.learn("good");
    world.guess(10);
    assert_eq!(world.get(1, "good"), "to api-service");
    assert_eq!(world.request(2, &[(":method", "GET"), (":path", "/swagger.json")]), "to api-service");
    assert_eq!(world.auth(3, "good"), "asks 12");
    assert_eq!(world.answer(12, 200), all(3..=3, "200 token_good"));
}

#[test]
fn who_was_known_is_asked_about_without_charge() {
    let mut world = World::new(r#"{"auth": {"throttle": {"burst": 1, "per_second": 1}}}"#);
    world.learn("good");
    world.later(30_000);
    world.guess(1);
    assert_eq!(world.get(1, "good"), "asks 3");
    assert_eq!(world.answer(3, 200), all(1..=1, "to api-service"));
    assert_eq!(
        world.get(2, "next"),
        "429 throttled, retry-after: 1",
        "nothing was paid back that was not paid"
    );
}

#[test]
fn a_refresh_costs_nobody() {
    let mut world = World::new(r#"{"auth": {"throttle": {"burst": 1, "per_second": 1}}}"#);
    world.learn("good");
    world.get(1, "good");
    world.later(26_999);
    world.guess(1);
    assert_eq!(world.tick_after(1), ["asks 3"]);
    assert_eq!(world.answer(3, 401), []);
    world.later(999);
    world.guess(1);
}

#[test]
fn only_a_no_is_paid_for() {
    let mut world = World::new(r#"{"auth": {"throttle": {"burst": 1, "per_second": 1}}}"#);
    for (token, status, verdict) in [
        ("a", 200, "to api-service"),
        ("b", 404, "503 auth_contract_broken"),
        ("c", 429, "429 busy, retry-after: 1"),
        ("d", 500, "503 auth_unavailable"),
    ] {
        world.ask_and_answer(token, status, verdict);
    }
    assert_eq!(world.get(1, "e"), "asks 5");
    world.later(3000);
    assert_eq!(world.tick().1, all(1..=1, "503 deadline_passed"), "and no answer is none");
    world.ask_and_answer("f", 403, "403 forbidden");
    assert_eq!(world.get(2, "g"), "429 throttled, retry-after: 1");
}

#[test]
fn an_address_has_no_more_checks_under_way_than_that() {
    let mut world = World::new(r#"{"auth": {"throttle": {"burst": 2, "per_second": 1}}}"#);
    assert_eq!(world.get(1, "a"), "asks 1");
    assert_eq!(world.get(2, "b"), "asks 2");
    assert_eq!(world.get(3, "c"), "429 throttled, retry-after: 1");
    assert_eq!(world.get(4, "a"), "waits", "who waits for another's check is not charged");
    assert_eq!(world.answer(1, 200).len(), 2);
    assert_eq!(world.get(5, "c"), "asks 3");
}

#[test]
fn a_wrong_token_that_is_repeated_costs_once() {
    let mut world = World::new(r#"{"auth": {"throttle": {"burst": 2, "per_second": 1}}}"#);
    world.ask_and_answer("bad", 401, "401 wrong_token");
    for stream in 1..=100 {
        assert_eq!(world.get(stream, "bad"), "401 wrong_token");
    }
    world.guess(1);
}

#[test]
fn who_is_refused_for_want_of_room_has_not_paid() {
    let mut world = World::new(r#"{"auth": {"max_flights": 1, "throttle": {"burst": 1, "per_second": 1}}}"#);
    assert_eq!(world.from("192.0.2.9").get(1, "slow"), "asks 1");
    assert_eq!(world.from("192.0.2.1").get(2, "a"), "503 too_many_flights");
    world.answer(1, 200);
    assert_eq!(world.get(3, "a"), "asks 2");
}
