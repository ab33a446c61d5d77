//! What browsers are told when `cors` is configured. Which origins are whose is `cors.rs`'s own tests.

use gate::authn::StreamId;
use gate::denial::{Denial, Response};
use gate::gate::{Gate, ReplyKind, Verdict};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::world::{Lines, World, all, header, request};

const BRIDGE: &str = "https://bridge.example.org";
const CONFIG: &str = r#"{"hosts": ["api.keptn"], "cors": {"origins": ["https://bridge.example.org"]}}"#;

const HOST: (&str, &str) = (":authority", "api.keptn");
const ASKS_FOR: (&str, &str) = ("access-control-request-method", "POST");

fn preflight<'a>(path: &'a str, origin: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", "OPTIONS"), (":path", path), HOST, ("origin", origin), ASKS_FOR]
}

/// Origin and vary of an answer.
fn shared(response: &Response) -> (Option<&str>, Option<&str>) {
    (header(response, "access-control-allow-origin"), header(response, "vary"))
}

const GRANTED: (Option<&str>, Option<&str>) = (Some(BRIDGE), Some("origin"));
const NOT_GRANTED: (Option<&str>, Option<&str>) = (None, Some("origin"));

#[test]
fn a_preflight_is_answered_before_routes_and_token() {
    for path in
        ["/v1/event", "/", "/v1/auth", "/nothing", "/configuration-service/v1/project", "/swagger.json"]
    {
        let mut world = World::new(CONFIG);
        let Verdict::Reply(reply) = world.judge(1, &preflight(path, BRIDGE)) else { panic!("{path}") };
        assert_eq!(reply.kind(), ReplyKind::Preflight);
        let response = reply.response();
        assert_eq!((response.status, response.body.as_str()), (204, ""));
        assert_eq!(header(&response, "access-control-allow-origin"), Some(BRIDGE));
        let methods = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";
        assert_eq!(header(&response, "access-control-allow-methods"), Some(methods));
        assert_eq!(header(&response, "access-control-allow-headers"), Some("content-type, x-token"));
        assert_eq!(header(&response, "access-control-max-age"), Some("600"));
        assert_eq!((world.asked.len(), world.counts().as_str()), (0, ""));
    }
}

#[test]
fn a_preflight_of_a_foreign_origin_is_refused() {
    for origin in ["https://evil.org", "null"] {
        let mut world = World::new(CONFIG);
        let response = world.response(&preflight("/v1/event", origin));
        assert_eq!((response.status, response.details.as_str()), (403, "keptn_gateway.origin_not_allowed"));
        assert_eq!(header(&response, "access-control-allow-origin"), None);
        assert!(header(&response, "vary").is_some_and(|vary| vary.starts_with("origin")));
    }
}

#[test]
fn a_preflight_with_a_bad_path_is_refused_for_its_path() {
    let mut world = World::new(CONFIG);
    assert_eq!(world.request(1, &preflight("/a/../b", BRIDGE)), "400 dot_segment");
}

#[test]
fn a_preflight_for_a_foreign_host_is_left_as_it_is() {
    let mut world = World::new(CONFIG);
    let mut lines = preflight("/v1/event", BRIDGE);
    lines.retain(|line| *line != HOST);
    lines.push((":authority", "bridge.keptn"));
    assert_eq!(world.request(1, &lines), "foreign");
}

#[test]
fn other_options_are_ordinary_requests() {
    let mut world = World::new(CONFIG);
    let head = [(":method", "OPTIONS"), (":path", "/v1/event"), HOST];
    for more in [&[][..], &[("origin", BRIDGE)], &[ASKS_FOR]] {
        assert_eq!(world.request(1, &[&head[..], more].concat()), "401 no_token", "{more:?}");
    }
    let get = [&[(":method", "GET")], &preflight("/v1/event", BRIDGE)[1..]].concat();
    assert_eq!(world.request(1, &get), "401 no_token");
}

#[test]
fn scripts_of_allowed_pages_may_read_a_refusal() {
    let mut world = World::new(CONFIG);
    let head: Lines<'_> = &[(":method", "GET"), (":path", "/v1/event"), HOST];
    let response = world.response(&[head, &[("origin", BRIDGE)]].concat());
    assert_eq!((response.status, shared(&response)), (401, GRANTED));
    let exposed = header(&response, "access-control-expose-headers").unwrap();
    assert!(["retry-after", "x-request-id"].iter().all(|name| exposed.contains(name)), "{exposed}");
    let response = world.response(&[head, &[("origin", "https://evil.org")]].concat());
    assert_eq!((response.status, shared(&response)), (401, NOT_GRANTED));
    assert_eq!(shared(&world.response(head)), NOT_GRANTED);
}

#[test]
fn so_may_they_when_the_refusal_comes_later() {
    let origin = ("origin", BRIDGE);
    for (status, denied) in [(401, 401), (403, 403), (500, 503)] {
        let mut world = World::new(CONFIG);
        let lines = [(":method", "GET"), (":path", "/v1/event"), HOST, ("x-token", "some"), origin];
        assert_eq!(world.request(1, &lines), "asks 1");
        let answer = gate::authn::Answer::of(status);
        let mut woken = world.gate.on_answer(gate::authn::CheckId(1), &answer, world.now());
        let Some((StreamId(1), Verdict::Reply(reply))) = woken.pop() else { panic!("{woken:?}") };
        let response = reply.response();
        assert_eq!((response.status, shared(&response)), (denied, GRANTED));
    }
}

#[test]
fn so_may_they_when_the_host_finds_out() {
    let gate = Gate::new(gate::config::Config::from_json(CONFIG.as_bytes()).unwrap(), 7);
    let lines = [("origin", BRIDGE)];
    let grant = gate.grant(&request(&lines, false, &|| None));
    assert_eq!(shared(&gate.refusal(Denial::BodyTooLarge, grant.as_ref()).response()), GRANTED);
    assert_eq!(shared(&gate.refusal(Denial::BodyTooLarge, None).response()), NOT_GRANTED);
}

#[test]
fn they_may_read_what_v1_auth_says() {
    let mut world = World::new(CONFIG);
    let lines = [(":method", "POST"), (":path", "/v1/auth"), HOST, ("x-token", "good"), ("origin", BRIDGE)];
    assert_eq!(world.request(1, &lines), "asks 1");
    assert_eq!(world.answer(1, 200), all(1..=1, "200 token_good"));
    let response = world.response(&lines);
    assert_eq!((response.status, shared(&response)), (200, GRANTED));
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
}

#[test]
fn without_cors_nothing_is_said_and_options_is_a_method() {
    let mut world = World::new(r#"{"hosts": ["api.keptn"]}"#);
    let lines = preflight("/v1/event", BRIDGE);
    let response = world.response(&lines);
    assert_eq!((response.status, shared(&response)), (401, (None, None)));
    let lines = [&lines[..], &[("x-token", "good")]].concat();
    assert_eq!(world.request(1, &lines), "asks 1");
    assert_eq!(world.answer(1, 200), all(1..=1, "to api-service"));
}
