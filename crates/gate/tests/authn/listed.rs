//! Local tokens: known by the hashes in the configuration, without asking anybody.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{Lines, World, all};

/// `printf %s ci-token | sha256sum`.
const CI: &str = "948b8c2427cd29047839b8e4a27a08763f8befbafa86be5cce8e46217d75e58a";

/// `printf %s next-token | sha256sum`.
const NEXT: &str = "394889a5b991a77dee30cc636d3f50a7697bcc1c9e7b9daea8acc2df488ee803";

/// A world that knows `ci-token`; `more` is what else its entry says.
fn listed(more: &str, auth: &str) -> World {
    World::new(&format!(r#"{{"tokens": [{{"name": "ci", "sha256": "{CI}"{more}}}], "auth": {{{auth}}}}}"#))
}

const PROJECT: Lines<'static> =
    &[(":method", "GET"), (":path", "/configuration-service/v1/project"), ("x-token", "ci-token")];

const FORWARDED: &str = "to configuration-service as /v1/project -x-token";

#[test]
fn a_listed_token_passes_without_being_asked_about() {
    let mut world = listed("", "");
    assert_eq!(world.request(1, PROJECT), FORWARDED);
    assert_eq!(world.counts(), "ok 1, local 1");
    assert!(!world.surroundings.was_address_asked.get());
    assert_eq!(world.get(2, "ci-token2"), "asks 1");
}

#[test]
fn two_tokens_of_one_name_are_both_good() {
    let mut world = World::new(&format!(
        r#"{{"tokens": [{{"name": "ci", "sha256": "{CI}"}}, {{"name": "ci", "sha256": "{NEXT}"}}]}}"#
    ));
    assert_eq!(world.get(1, "ci-token"), "to api-service");
    assert_eq!(world.get(2, "next-token"), "to api-service");
}

#[test]
fn the_upstream_is_told_its_name_if_that_is_configured() {
    let forged = [PROJECT, &[("X-Keptn-Client", "admin")]].concat();
    let mut world = listed("", r#""client_header": true"#);
    let verdict = "to configuration-service as /v1/project -X-Keptn-Client -x-token +x-keptn-client: ci";
    assert_eq!(world.request(1, &forged), verdict);
    assert_eq!(world.get(2, "other"), "asks 1");
    assert_eq!(world.answer(1, 200), all(2..=2, "to api-service"), "only a local token has a name");
    let mut world = listed("", "");
    let verdict = "to configuration-service as /v1/project -X-Keptn-Client -x-token";
    assert_eq!(world.request(1, &forged), verdict);
}

#[test]
fn v1_auth_is_told_what_api_service_would_say() {
    let mut world = listed("", "");
    assert_eq!(world.auth(1, "ci-token"), "asks 1");
    assert_eq!(world.answer(1, 401), all(1..=1, "401 wrong_token"));
    assert_eq!(world.request(2, PROJECT), FORWARDED, "what api-service says is not all");
    let mut world = listed(r#", "api": true"#, "");
    assert_eq!(world.auth(1, "ci-token"), "200 token_good");
    assert_eq!(world.counts(), "ok 1, local 1");
}

#[test]
fn a_token_is_good_in_its_time_to_the_second() {
    // 2020-01-01T00:00:00Z is 1577836800 seconds after the epoch.
    let validity = r#", "not_before": "2020-01-01T00:00:00Z", "not_after": "2020-01-01T00:01:00Z""#;
    for (wall, verdict) in [
        (Some(1_577_836_799), "asks 1"),
        (Some(1_577_836_800), FORWARDED),
        (Some(1_577_836_859), FORWARDED),
        (Some(1_577_836_860), "asks 1"),
        (None, "asks 1"),
    ] {
        let mut world = listed(validity, "");
        world.surroundings.wall = wall;
        assert_eq!(world.request(1, PROJECT), verdict, "{wall:?}");
    }
}

#[test]
fn the_time_of_day_is_asked_only_of_tokens_that_have_a_time() {
    let mut world = listed("", "");
    world.request(1, PROJECT);
    assert!(!world.surroundings.was_wall_asked.get());
    let mut world = listed(r#", "not_after": "2020-01-01T00:00:00Z""#, "");
    world.get(1, "another");
    assert!(!world.surroundings.was_wall_asked.get());
    world.request(2, PROJECT);
    assert!(world.surroundings.was_wall_asked.get());
}

#[test]
fn a_token_that_is_over_is_an_unknown_one() {
    let mut world = listed(r#", "not_after": "2020-01-01T00:00:00Z""#, "");
    world.surroundings.wall = Some(1_577_836_800);
    assert_eq!(world.request(1, PROJECT), "asks 1");
    assert_eq!(world.answer(1, 200), all(1..=1, FORWARDED), "api-service may know it too");
    assert_eq!(world.request(2, PROJECT), FORWARDED);
    assert!(world.counts().ends_with("cache_inserted 1"));
}

#[test]
fn a_listed_token_outlives_an_outage() {
    let mut world = listed("", "");
    for number in 1..=3 {
        world.ask_and_answer(&format!("new-{number}"), 500, "503 auth_unavailable");
    }
    assert_eq!(world.request(1, PROJECT), FORWARDED);
}
