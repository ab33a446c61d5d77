//! What the gate does with events: requests, answers, clients that leave, and time.
//!
//! What single paths and headers get is in `tests/cases/`; here it is about what happens when.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

use core::time::Duration;

use gate::authn::{Answer, Check, CheckId, FlightId, StreamId};
use gate::config::Config;
use gate::gate::{Gate, Verdict, Woken};
use gate::request::Request;
use gate::time::Time;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Lines<'a> = &'a [(&'a str, &'a str)];

/// A gate, a clock, and a host that sends every check under the next number.
struct World {
    gate: Gate,
    clock: Duration,
    asked: Vec<Check>,
}

impl World {
    fn new(config: &str) -> Self {
        let config = Config::from_json(config.as_bytes()).unwrap();
        Self { gate: Gate::new(config, 7), clock: Duration::ZERO, asked: Vec::new() }
    }

    fn now(&self) -> Time {
        Time::since_start(self.clock)
    }

    fn later(&mut self, milliseconds: u64) {
        self.clock = self.clock.checked_add(Duration::from_millis(milliseconds)).unwrap();
    }

    /// The verdict on a request with these header lines and no body. A check is sent.
    fn request(&mut self, stream: u32, lines: Lines<'_>) -> String {
        match self.judge(stream, lines) {
            Verdict::Ask(check) => self.send(check),
            verdict => shown(verdict),
        }
    }

    fn judge(&mut self, stream: u32, lines: Lines<'_>) -> Verdict {
        let client = || Some("192.0.2.1".to_owned());
        let now = self.now();
        self.gate.on_request(StreamId(stream), &request(lines, true, &client), now)
    }

    fn send(&mut self, check: Check) -> String {
        self.asked.push(check.clone());
        let number = u32::try_from(self.asked.len()).unwrap();
        assert!(self.gate.on_sent(check.flight, Some(CheckId(number))).is_empty());
        format!("asks {number}")
    }

    /// An ordinary request for api-service.
    fn get(&mut self, stream: u32, token: &str) -> String {
        self.request(
            stream,
            &[(":method", "GET"), (":path", "/v1/project"), (":authority", "api.keptn"), ("x-token", token)],
        )
    }

    /// The answer to a check, and who is woken by it.
    fn answer(&mut self, check: u32, status: u16) -> Vec<(u32, String)> {
        self.answer_with(check, Answer { status: Some(status), retry_after: None })
    }

    fn answer_with(&mut self, check: u32, answer: Answer<'_>) -> Vec<(u32, String)> {
        let woken = self.gate.on_answer(CheckId(check), answer);
        self.woken(woken)
    }

    /// A tick: the checks that the root has sent, and who is woken.
    fn tick(&mut self) -> (Vec<String>, Vec<(u32, String)>) {
        let now = self.now();
        let tick = self.gate.on_tick(now);
        let asked = tick.ask.into_iter().map(|check| self.send(check)).collect();
        (asked, self.woken(tick.woken))
    }

    fn gone(&mut self, stream: u32) {
        self.gate.on_gone(StreamId(stream));
        assert!(!self.gate.is_waiting(StreamId(stream)));
    }

    fn woken(&self, woken: Woken) -> Vec<(u32, String)> {
        let mut seen: Vec<_> = woken
            .into_iter()
            .map(|(stream, verdict)| {
                assert!(!self.gate.is_waiting(stream), "{stream:?} is woken and still waits");
                (stream.0, shown(verdict))
            })
            .collect();
        seen.sort();
        seen
    }

    fn tick_period(&self) -> Option<u128> {
        self.gate.tick_period().map(|period| period.as_millis())
    }
}

fn request<'a>(lines: Lines<'a>, ends: bool, client: &'a dyn Fn() -> Option<String>) -> Request<'a> {
    Request::read(lines.iter().map(|(name, value)| (*name, value.as_bytes())), ends, client)
}

/// `to api-service`, with what is changed on the way; `foreign`; `401 wrong_token`; `waits`.
fn shown(verdict: Verdict) -> String {
    match verdict {
        Verdict::Forward(permit) => {
            let Some(upstream) = permit.upstream() else {
                assert_eq!((permit.path(), permit.is_internal()), (None, false));
                assert_eq!((permit.remove().count(), permit.set().count()), (0, 0));
                return "foreign".to_owned();
            };
            let path = permit.path().map(|path| format!(" as {path}")).unwrap_or_default();
            let removed: String = permit.remove().map(|name| format!(" -{name}")).collect();
            let internal = if permit.is_internal() { ", internal" } else { "" };
            let set: String = permit.set().map(|(name, _)| format!(" +{name}")).collect();
            format!("to {upstream}{path}{removed}{set}{internal}")
        }
        Verdict::Reply(reply) => {
            let response = reply.response();
            let reason = response.details.strip_prefix("keptn_gateway.").unwrap();
            let header = |name: &str| response.headers.iter().find(|(header, _)| *header == name);
            let extra = header("retry-after")
                .filter(|_| response.status == 429)
                .or_else(|| header("allow"))
                .map(|(name, value)| format!(", {name}: {value}"));
            format!("{} {reason}{}", response.status, extra.unwrap_or_default())
        }
        Verdict::Ask(check) => panic!("{check:?} is not sent"),
        Verdict::Wait => "waits".to_owned(),
    }
}

fn all(streams: core::ops::RangeInclusive<u32>, verdict: &str) -> Vec<(u32, String)> {
    streams.map(|stream| (stream, verdict.to_owned())).collect()
}

const NOBODY: [(u32, String); 0] = [];

// --- one check for many ---

#[test]
fn everybody_who_asks_the_same_waits_for_one_check() {
    let mut world = World::new("{}");
    assert_eq!(world.get(1, "good"), "asks 1");
    assert_eq!(world.get(2, "good"), "waits");
    assert_eq!(world.get(3, "good"), "waits");
    assert_eq!(world.get(4, "other"), "asks 2");
    assert_eq!(world.answer(1, 200), all(1..=3, "to api-service"));
    assert_eq!(world.answer(2, 401), all(4..=4, "401 wrong_token"));
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn one_check_serves_whatever_its_waiters_want() {
    let mut world = World::new(r#"{"internal": "deny"}"#);
    let line = |path| [(":method", "POST"), (":path", path), ("x-token", "good")];
    assert_eq!(world.request(1, &line("/v1/event")), "asks 1");
    assert_eq!(world.request(2, &line("/v1/auth")), "waits");
    assert_eq!(world.request(3, &line("/v1/project/p/resource")), "waits");
    assert_eq!(world.request(4, &line("/configuration-service/v1/project")), "waits");
    let expected = [
        (1, "to api-service"),
        (2, "200 token_good"),
        (3, "to configuration-service -x-token"),
        (4, "403 internal_operation"),
    ];
    assert_eq!(world.answer(1, 204), expected.map(|(stream, verdict)| (stream, verdict.to_owned())));
}

#[test]
fn an_answer_is_for_those_who_wait_and_not_for_those_who_come_later() {
    let mut world = World::new("{}");
    world.get(1, "good");
    assert_eq!(world.answer(1, 200), all(1..=1, "to api-service"));
    assert_eq!(world.get(2, "good"), "asks 2");
    assert_eq!(world.answer(2, 401), all(2..=2, "401 wrong_token"));
}

#[test]
fn the_check_carries_the_token_that_was_shown() {
    let mut world = World::new(r#"{"auth": {"cluster": "c", "authority": "a:8080", "timeout": "500ms"}}"#);
    world.get(1, "first");
    world.get(2, "second");
    for (check, token) in world.asked.iter().zip(["first", "second"]) {
        let headers = check.headers();
        for line in [(":method", "POST"), (":path", "/v1/auth"), (":authority", "a:8080"), ("x-token", token)]
        {
            assert!(headers.contains(&line), "{line:?}");
        }
        assert_eq!(&*check.endpoint.cluster, "c");
        assert_eq!(check.endpoint.timeout, Duration::from_millis(500));
    }
}

// --- answers ---

#[test]
fn what_an_answer_means_to_all_who_wait() {
    for (status, verdict) in [
        (Some(200), "to api-service"),
        (Some(204), "to api-service"),
        (Some(401), "401 wrong_token"),
        (Some(403), "403 forbidden"),
        (Some(429), "429 busy, retry-after: 1"),
        (Some(302), "503 auth_contract_broken"),
        (Some(404), "503 auth_contract_broken"),
        (Some(500), "503 auth_unavailable"),
        (Some(503), "503 auth_unavailable"),
        (Some(504), "503 auth_unavailable"),
        (Some(100), "503 auth_unavailable"),
        (None, "503 auth_unavailable"),
    ] {
        let mut world = World::new("{}");
        world.get(1, "good");
        world.get(2, "good");
        assert_eq!(
            world.answer_with(1, Answer { status, retry_after: None }),
            all(1..=2, verdict),
            "{status:?}"
        );
        assert_eq!(world.tick_period(), None);
    }
}

#[test]
fn a_throttling_auth_service_says_when_to_come_back() {
    let mut world = World::new("{}");
    world.get(1, "good");
    let answer = Answer { status: Some(429), retry_after: Some(b"7") };
    assert_eq!(world.answer_with(1, answer), all(1..=1, "429 busy, retry-after: 7"));
}

#[test]
fn an_answer_counts_once() {
    let mut world = World::new("{}");
    world.get(1, "good");
    assert_eq!(world.answer(1, 401), all(1..=1, "401 wrong_token"));
    assert_eq!(world.answer(1, 200), NOBODY);
    // And the number of an answered check says nothing about the next one.
    world.get(2, "good");
    assert_eq!(world.answer(1, 200), NOBODY);
    assert_eq!(world.answer(2, 401), all(2..=2, "401 wrong_token"));
}

#[test]
fn an_answer_to_no_check_wakes_nobody() {
    let mut world = World::new("{}");
    assert_eq!(world.answer(4711, 200), NOBODY);
    world.get(1, "good");
    assert_eq!(world.answer(4711, 200), NOBODY);
    assert!(world.gate.is_waiting(StreamId(1)));
}

#[test]
fn a_check_that_the_host_refuses_wakes_its_waiter_at_once() {
    let mut world = World::new("{}");
    let lines = [(":method", "GET"), (":path", "/v1/project"), ("x-token", "good")];
    let Verdict::Ask(check) = world.judge(1, &lines) else { panic!("no check") };
    let woken = world.gate.on_sent(check.flight, None);
    assert_eq!(world.woken(woken), all(1..=1, "503 auth_unavailable"));
    assert_eq!(world.tick_period(), None);
    // The next one asks anew, and a report on the old flight changes nothing for it.
    assert_eq!(world.get(2, "good"), "asks 1");
    assert!(world.gate.on_sent(check.flight, None).is_empty());
    assert_eq!(world.answer(1, 200), all(2..=2, "to api-service"));
}

// --- clients that leave ---

#[test]
fn when_the_leader_leaves_the_root_asks_again_once() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.get(3, "good");
    world.gone(1);
    assert_eq!(world.tick_period(), Some(1), "an orphan does not wait for the ordinary tick");
    assert_eq!(world.answer(1, 200), NOBODY, "the answer went to a context that is gone");
    assert_eq!(world.tick(), (vec!["asks 2".to_owned()], vec![]));
    let [first, again] = world.asked.as_slice() else { panic!("{:?}", world.asked) };
    assert_eq!((first.flight, first.headers()), (again.flight, again.headers()));
    assert_eq!(world.tick_period(), Some(100));
    assert_eq!(world.tick(), (vec![], vec![]), "once");
    assert_eq!(world.answer(2, 200), all(2..=3, "to api-service"));
    assert_eq!(world.tick_period(), None);
}

#[test]
fn a_follower_of_an_orphan_does_not_become_its_leader() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.gone(1);
    world.tick();
    world.gone(2);
    assert_eq!(world.tick(), (vec![], vec![]), "the root asked: its answer will come whoever leaves");
    // So who comes now need not ask.
    assert_eq!(world.get(3, "good"), "waits");
    assert_eq!(world.answer(2, 200), all(3..=3, "to api-service"));
    assert_eq!(world.tick_period(), None);
}

#[test]
fn an_orphan_takes_in_who_comes_before_it_is_asked_again() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.gone(1);
    assert_eq!(world.get(3, "good"), "waits");
    assert_eq!(world.tick().0, ["asks 2"]);
    assert_eq!(world.answer(2, 401), all(2..=3, "401 wrong_token"));
}

#[test]
fn two_orphans_are_asked_about_separately() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.get(3, "other");
    world.get(4, "other");
    world.gone(1);
    world.gone(3);
    assert_eq!(world.tick().0, ["asks 3", "asks 4"]);
    assert_eq!(world.answer(4, 401), all(4..=4, "401 wrong_token"));
    assert_eq!(world.answer(3, 200), all(2..=2, "to api-service"));
}

#[test]
fn when_a_leader_without_followers_leaves_nobody_asks_again() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.gone(1);
    assert_eq!(world.tick_period(), None);
    assert_eq!(world.tick(), (vec![], vec![]));
    assert_eq!(world.answer(1, 200), NOBODY);
    assert_eq!(world.get(2, "good"), "asks 2");
}

#[test]
fn when_a_follower_leaves_the_others_wait_on() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.get(3, "good");
    world.gone(2);
    assert_eq!(world.tick_period(), Some(100));
    assert_eq!(world.answer(1, 200), [(1, "to api-service".to_owned()), (3, "to api-service".to_owned())]);
}

#[test]
fn when_everybody_leaves_the_answer_finds_nobody() {
    for leaving in [[1, 2], [2, 1]] {
        let mut world = World::new("{}");
        world.get(1, "good");
        world.get(2, "good");
        leaving.into_iter().for_each(|stream| world.gone(stream));
        assert_eq!(world.tick_period(), None, "{leaving:?}");
        assert_eq!(world.tick(), (vec![], vec![]), "{leaving:?}");
        assert_eq!(world.answer(1, 200), NOBODY, "{leaving:?}");
    }
}

#[test]
fn an_orphan_whose_new_check_is_refused_gets_its_verdict() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.gone(1);
    let now = world.now();
    let tick = world.gate.on_tick(now);
    let flights: Vec<FlightId> = tick.ask.iter().map(|check| check.flight).collect();
    let woken: Woken = flights.into_iter().flat_map(|flight| world.gate.on_sent(flight, None)).collect();
    assert_eq!(world.woken(woken), all(2..=2, "503 auth_unavailable"));
    assert_eq!(world.tick_period(), None);
}

#[test]
fn the_end_of_a_request_that_does_not_wait_is_nobodys_business() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.gone(7);
    world.answer(1, 200);
    world.gone(1);
    world.get(2, "good");
    world.gone(1);
    assert_eq!(world.answer(2, 200), all(2..=2, "to api-service"));
}

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
    world.later(1);
    assert_eq!(world.tick(), (vec![], all(1..=2, "503 deadline_passed")));
    assert_eq!(world.answer(1, 200), NOBODY, "too late");
    assert_eq!(world.tick_period(), Some(100), "the other one still waits");
    world.later(1000);
    assert_eq!(world.tick(), (vec![], all(3..=3, "503 deadline_passed")));
    assert_eq!(world.tick_period(), None);
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
fn an_orphan_past_its_deadline_is_not_asked_about() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.gone(1);
    world.later(3000);
    assert_eq!(world.tick(), (vec![], all(2..=2, "503 deadline_passed")));
    assert_eq!(world.tick_period(), None);
}

#[test]
fn asking_again_does_not_move_the_deadline() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.later(2900);
    world.gone(1);
    assert_eq!(world.tick().0, ["asks 2"]);
    world.later(100);
    assert_eq!(world.tick(), (vec![], all(2..=2, "503 deadline_passed")));
    assert_eq!(world.answer(2, 200), NOBODY);
}

#[test]
fn a_flight_that_everybody_left_ends_at_its_deadline() {
    let mut world = World::new("{}");
    world.get(1, "good");
    world.get(2, "good");
    world.gone(1);
    world.tick();
    world.gone(2);
    assert_eq!(world.tick_period(), Some(100), "the root's check is under way");
    world.later(3000);
    assert_eq!(world.tick(), (vec![], vec![]));
    assert_eq!(world.tick_period(), None);
}

#[test]
fn an_idle_gate_wants_no_ticks() {
    let mut world = World::new("{}");
    assert_eq!(world.tick_period(), None);
    world.request(1, &[(":method", "GET"), (":path", "/swagger.json")]);
    world.request(2, &[(":method", "GET"), (":path", "/v1/project")]);
    assert_eq!(world.tick_period(), None);
    world.get(3, "good");
    assert_eq!(world.tick_period(), Some(100));
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
    world.answer(1, 200);
    assert_eq!(world.get(5, "c"), "asks 3");
    world.gone(2);
    assert_eq!(world.get(6, "d"), "asks 4");
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
}

// --- the order of decisions ---

/// Everything that can be wrong with a request, mended one by one.
#[test]
fn the_first_fault_decides() {
    let long = "2000000";
    for (authority, method, upgrade, path, tokens, length, verdict) in [
        ("other", "BREW", "foo", "/a/../b", &[][..], long, "foreign"),
        ("api.keptn", "BREW", "foo", "/a/../b", &[], long, "400 bad_method"),
        ("api.keptn", "PUT", "foo", "/a/../b", &[], long, "400 upgrade_refused"),
        ("api.keptn", "PUT", "", "/a/../b", &[], long, "400 dot_segment"),
        ("api.keptn", "PUT", "", "/a%2Fb", &[], long, "400 encoded_slash"),
        ("api.keptn", "PUT", "", "/v1/project/p/resource/.git%2Fx", &[], long, "400 git_folder"),
        ("api.keptn", "PUT", "", "/configuration-service/v1/project/p", &[], long, "401 no_token"),
        ("api.keptn", "PUT", "", "/configuration-service/v1/project/p", &["a", "b"], long, "401 many_tokens"),
        (
            "api.keptn",
            "PUT",
            "",
            "/configuration-service/v1/project/p",
            &["a b"],
            long,
            "401 malformed_token",
        ),
        ("api.keptn", "PUT", "", "/configuration-service/v1/project/p", &["good"], "1x", "400 bad_length"),
        (
            "api.keptn",
            "PUT",
            "",
            "/configuration-service/v1/project/p",
            &["good"],
            long,
            "413 body_too_large",
        ),
        ("api.keptn", "PUT", "", "/configuration-service/v1/project/p", &["good"], "5", "asks 1"),
    ] {
        let mut world = World::new(r#"{"hosts": ["api.keptn"], "internal": "deny"}"#);
        let mut lines = vec![(":method", method), (":path", path), (":authority", authority)];
        lines.extend((!upgrade.is_empty()).then_some(("upgrade", upgrade)));
        lines.extend(tokens.iter().map(|token| ("x-token", *token)));
        lines.push(("content-length", length));
        assert_eq!(world.request(1, &lines), verdict, "{lines:?}");
        let asks = verdict.starts_with("asks");
        assert_eq!((world.asked.len(), world.gate.is_waiting(StreamId(1))), (usize::from(asks), asks));
    }
}

#[test]
fn what_the_api_offers_is_told_after_the_token_alone() {
    let config = r#"{
        "internal": "deny",
        "routes": [{"path": "/mine/{*rest}", "methods": ["GET", "HEAD"], "upstream": "api-service"}]
    }"#;
    for (method, path, after_yes) in [
        ("POST", "/mine/x", "405 method_not_allowed, allow: GET, HEAD"),
        ("DELETE", "/configuration-service/v1/project/p", "403 internal_operation"),
        ("DELETE", "/configuration-service/v1/project/p/", "403 internal_operation"),
        ("GET", "/configuration-service/v1/project/p", "to configuration-service as /v1/project/p -x-token"),
        ("GET", "/mine/x", "to api-service"),
        ("GET", "/nothing/there", "to api-service"),
    ] {
        let mut world = World::new(config);
        let head = [(":method", method), (":path", path)];
        assert_eq!(world.request(1, &head), "401 no_token", "{method} {path}");
        let lines = [head[0], head[1], ("x-token", "some")];
        assert_eq!(world.request(2, &lines), "asks 1", "{method} {path}");
        assert_eq!(world.answer(1, 401), all(2..=2, "401 wrong_token"), "{method} {path}");
        world.request(3, &lines);
        assert_eq!(world.answer(2, 200), all(3..=3, after_yes), "{method} {path}");
    }
}

#[test]
fn internal_operations_pass_unless_denied_and_are_known_as_such() {
    let mut world = World::new("{}");
    let path = "/configuration-service/v1/project/p/stage/s/";
    assert_eq!(world.request(1, &[(":method", "DELETE"), (":path", path), ("x-token", "good")]), "asks 1");
    let verdict = "to configuration-service as /v1/project/p/stage/s/ -x-token, internal";
    assert_eq!(world.answer(1, 200), all(1..=1, verdict));
}

// --- nobody is asked ---

#[test]
fn public_documents_and_websockets_need_no_check() {
    let jwt = ("token", "eyJh.eyJz.c2ln");
    let upgrade = ("upgrade", "websocket");
    let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (lines, verdict) in [
        (&[(":method", "GET"), (":path", "/swagger-ui/a.css")][..], "to api-service"),
        (&[(":method", "HEAD"), (":path", "/v1/docs/")], "to api-service"),
        (&[(":method", "GET"), (":path", "/swagger.json"), ("x-token", "wrong")], "to api-service"),
        (&[(":method", "POST"), (":path", "/swagger.json")], "405 method_not_allowed, allow: GET, HEAD"),
        (
            &[(":method", "GET"), (":path", "/swagger.json"), ("content-length", "1048577")],
            "413 body_too_large",
        ),
        (
            &[(":method", "GET"), (":path", "/configuration-service/swagger-ui/swagger.yaml")],
            "to configuration-service as /swagger-ui/swagger.yaml",
        ),
        (
            &[
                (":method", "GET"),
                (":path", "/configuration-service/swagger-ui/swagger.yaml"),
                ("x-token", "a"),
                ("x-token", "b"),
            ],
            "to configuration-service as /swagger-ui/swagger.yaml -x-token",
        ),
        (&[(":method", "GET"), (":path", "/"), upgrade, jwt, key], "to api-service"),
        // As it comes over HTTP/2.
        (&[(":method", "GET"), (":path", "/"), upgrade, jwt], "to api-service +sec-websocket-key"),
        (&[(":method", "GET"), (":path", "/"), upgrade], "401 bad_channel_token"),
        (&[(":method", "GET"), (":path", "/"), upgrade, ("token", "no.jwt")], "401 bad_channel_token"),
        (&[(":method", "GET"), (":path", "/"), upgrade, jwt, jwt], "401 bad_channel_token"),
        (&[(":method", "POST"), (":path", "/"), upgrade, jwt], "400 upgrade_refused"),
        (&[(":method", "GET"), (":path", "/v1/event"), upgrade, jwt], "400 upgrade_refused"),
    ] {
        let mut world = World::new("{}");
        assert_eq!(world.request(1, lines), verdict, "{lines:?}");
        assert!(world.asked.is_empty() && !world.gate.is_waiting(StreamId(1)));
    }
}

#[test]
fn a_channel_can_be_demanded() {
    let lines = [(":method", "GET"), (":path", "/"), ("upgrade", "websocket"), ("token", "eyJh.eyJz.c2ln")];
    let id = |id| [&lines[..], &[("keptn-ws-channel-id", id)]].concat();
    let mut world = World::new(r#"{"websocket": {"require_channel_id": true}}"#);
    assert_eq!(world.request(1, &lines), "400 no_channel_id");
    assert_eq!(world.request(2, &id("")), "400 no_channel_id");
    let twice = [&id("4711")[..], &[("keptn-ws-channel-id", "4712")]].concat();
    assert_eq!(world.request(3, &twice), "400 no_channel_id");
    assert_eq!(world.request(4, &id("4711")), "to api-service +sec-websocket-key");
}

// --- /v1/auth ---

#[test]
fn the_auth_endpoint_is_answered_here() {
    for (status, verdict) in [
        (200, "200 token_good"),
        (401, "401 wrong_token"),
        (403, "403 forbidden"),
        (500, "503 auth_unavailable"),
    ] {
        for (method, path) in [("POST", "/v1/auth"), ("GET", "/v1/auth/")] {
            let mut world = World::new("{}");
            let lines = [(":method", method), (":path", path), ("x-token", "some")];
            assert_eq!(world.request(1, &lines), "asks 1");
            assert_eq!(world.answer(1, status), all(1..=1, verdict));
        }
    }
    let mut world = World::new("{}");
    assert_eq!(world.request(1, &[(":method", "POST"), (":path", "/v1/auth")]), "401 no_token");
}

#[test]
fn a_good_token_is_answered_with_nothing() {
    let mut world = World::new("{}");
    world.request(1, &[(":method", "POST"), (":path", "/v1/auth"), ("x-token", "good")]);
    let answer = Answer { status: Some(200), retry_after: None };
    let woken = world.gate.on_answer(CheckId(1), answer);
    let [(StreamId(1), Verdict::Reply(reply))] = woken.as_slice() else { panic!("{woken:?}") };
    let response = reply.response();
    assert_eq!((response.status, response.body.as_str()), (200, ""));
    assert_eq!(response.headers, [("cache-control", "no-store".to_owned())]);
}

// --- what is changed on the way ---

#[test]
fn headers_that_only_the_gateway_may_set_are_taken_away() {
    let mut world = World::new("{}");
    let lines = [
        (":method", "GET"),
        (":path", "/swagger.json"),
        ("X-Real_IP", "6.6.6.6"),
        ("x-envoy-retry-on", "5xx"),
        ("x-keptn-client", "me"),
        ("x-forwarded-for", "6.6.6.6"),
    ];
    assert_eq!(world.request(1, &lines), "to api-service -X-Real_IP -x-envoy-retry-on -x-keptn-client");
    let lines =
        [&lines[2..4], &[(":method", "GET"), (":path", "/v1/project/p/resource/a%2fb"), ("x-token", "t")]];
    assert_eq!(world.request(2, &lines.concat()), "asks 1");
    let verdict =
        "to configuration-service as /v1/project/p/resource/a%2Fb -X-Real_IP -x-envoy-retry-on -x-token";
    assert_eq!(world.answer(1, 200), all(2..=2, verdict));
}

#[test]
fn a_path_that_is_canonical_already_is_not_set_again() {
    for (path, verdict) in [
        ("/swagger-ui/a%20b?x=//%41", "to api-service"),
        ("/swagger-ui/a", "to api-service"),
        ("/swagger-ui//a?x=//%41", "to api-service as /swagger-ui/a?x=//%41"),
        ("/swagger-ui/%61", "to api-service as /swagger-ui/a"),
        ("/swagger-ui/a%c3", "to api-service as /swagger-ui/a%C3"),
    ] {
        let mut world = World::new("{}");
        assert_eq!(world.request(1, &[(":method", "GET"), (":path", path)]), verdict, "{path}");
    }
}

#[test]
fn own_upstreams_get_the_token_when_they_want_it() {
    let config = r#"{
        "upstreams": [{"name": "wants", "token": "keep"}, {"name": "wants-not"}],
        "routes": [
            {"path": "/wants/{*rest}", "upstream": "wants", "strip": "/wants"},
            {"path": "/wants-not/{*rest}", "upstream": "wants-not", "access": "public"}
        ]
    }"#;
    let mut world = World::new(config);
    let lines = |path| [(":method", "PATCH"), (":path", path), ("x-token", "good")];
    world.request(1, &lines("/wants/a/?b"));
    assert_eq!(world.answer(1, 200), all(1..=1, "to wants as /a/?b"));
    assert_eq!(world.request(2, &lines("/wants-not/a")), "to wants-not -x-token");
}

#[test]
fn foreign_requests_are_left_as_they_are() {
    let mut world = World::new(r#"{"hosts": ["api.keptn"]}"#);
    for lines in [
        &[(":method", "GET"), (":path", "/v1/project"), (":authority", "shop.example.org")][..],
        &[
            (":method", "BREW"),
            (":path", "//a/../b"),
            (":authority", "shop.example.org"),
            ("x-real-ip", "6.6.6.6"),
            ("x-token", "a"),
            ("upgrade", "foo"),
            ("content-length", "99999999"),
        ],
        &[(":method", "GET"), (":path", "/")],
        &[(":method", "GET"), (":path", "/"), (":authority", "api.keptn"), (":authority", "api.keptn")],
    ] {
        assert_eq!(world.request(1, lines), "foreign", "{lines:?}");
    }
    let ours = [(":method", "GET"), (":path", "/v1/project"), (":authority", "API.keptn.:8080")];
    assert_eq!(world.request(2, &ours), "401 no_token");
}

// --- bodies ---

#[test]
fn a_body_of_unknown_length_is_counted() {
    let gate = Gate::new(Config::from_json(br#"{"hosts": ["api.keptn"], "max_body_bytes": 42}"#).unwrap(), 7);
    let count = |lines: Lines<'_>, ends| gate.body_to_count(&request(lines, ends, &|| None));
    let ours = (":authority", "api.keptn");
    assert_eq!(count(&[ours], false), Some(42));
    assert_eq!(count(&[ours, ("transfer-encoding", "chunked")], false), Some(42));
    assert_eq!(count(&[ours], true), None);
    assert_eq!(count(&[ours, ("content-length", "41")], false), None);
    assert_eq!(count(&[ours, ("upgrade", "websocket")], false), None);
    assert_eq!(count(&[(":authority", "shop.example.org")], false), None);
}

#[test]
fn a_body_may_be_as_long_as_the_limit() {
    let mut world = World::new(r#"{"max_body_bytes": 42}"#);
    let lines = |length| {
        [(":method", "POST"), (":path", "/v1/event"), ("x-token", "good"), ("content-length", length)]
    };
    assert_eq!(world.request(1, &lines("43")), "413 body_too_large");
    assert_eq!(world.request(2, &lines("42")), "asks 1");
}
