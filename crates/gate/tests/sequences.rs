//! Events in any order keep what must hold: nothing is forwarded on a token's route without a yes to a check
//! with that very token, every request that waits gets exactly one verdict, and nothing is kept of requests
//! that are over.
//!
//! A model beside the gate knows who waits for what. It is written from the rules and not from the code:
//! flights are a plain list that is searched.

// proptest wants threads and files.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

use core::time::Duration;

use gate::authn::{Answer, Check, CheckId, FlightId, StreamId};
use gate::config::Config;
use gate::gate::{Gate, Reply, Verdict, Woken};
use gate::request::Request;
use gate::time::Time;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const MAX_FLIGHTS: usize = 3;
const MAX_WAITERS: usize = 6;
const DEADLINE: Duration = Duration::from_millis(300);
const TOKENS: [&str; 5] = ["amber", "beryl", "coral", "diamond", "emerald"];

/// Routes, and what a yes opens.
const ROUTES: [(&str, &str, Opens); 6] = [
    ("GET", "/v1/project", Opens::Upstream("api-service")),
    ("PUT", "/v1/project/p/resource/a%2Fb", Opens::Upstream("configuration-service")),
    ("DELETE", "/configuration-service/v1/project/p", Opens::Reply(403)),
    ("POST", "/v1/auth", Opens::Reply(200)),
    ("GET", "/mine", Opens::Upstream("mine")),
    ("POST", "/mine", Opens::Reply(405)),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Opens {
    Upstream(&'static str),
    Reply(u16),
}

#[derive(Clone, Debug)]
enum Event {
    /// A request with a token for a token's route. If it is to ask, the host sends the check or refuses.
    Request { token: usize, route: usize, is_sent: bool },
    /// A request that needs no check: a public document, a token that is none, a foreign host.
    Unasked { kind: usize },
    /// The answer to one of the checks sent so far, be it answered, lost or none of ours.
    Answer { check: usize, status: Option<u16> },
    /// One of the requests so far is over, be it for the second time.
    Gone { stream: usize },
    /// The root's timer.
    Tick { is_sent: bool },
    /// Time passes.
    Later { milliseconds: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let status = prop_oneof![
        4 => Just(Some(200)),
        3 => prop::sample::select(&[401, 403, 429, 302, 404, 500, 503, 504][..]).prop_map(Some),
        1 => Just(None),
    ];
    let is_sent = || prop::bool::weighted(0.9);
    prop_oneof![
        8 => (0..TOKENS.len(), 0..ROUTES.len(), is_sent())
            .prop_map(|(token, route, is_sent)| Event::Request { token, route, is_sent }),
        1 => (0..5_usize).prop_map(|kind| Event::Unasked { kind }),
        4 => (any::<usize>(), status).prop_map(|(check, status)| Event::Answer { check, status }),
        4 => any::<usize>().prop_map(|stream| Event::Gone { stream }),
        3 => is_sent().prop_map(|is_sent| Event::Tick { is_sent }),
        2 => (1..200_u64).prop_map(|milliseconds| Event::Later { milliseconds }),
    ]
}

/// A flight as the model sees it.
#[derive(Debug)]
struct Flight {
    id: FlightId,
    token: usize,
    /// The callout that can bring the answer.
    check: Option<u32>,
    leader: Option<u32>,
    /// Streams and their routes.
    waiters: Vec<(u32, usize)>,
    since: Duration,
}

struct World {
    gate: Gate,
    clock: Duration,
    streams: u32,
    checks: u32,
    flights: Vec<Flight>,
}

impl World {
    fn new() -> Self {
        let config = format!(
            r#"{{
                "hosts": ["api.keptn"],
                "internal": "deny",
                "auth": {{
                    "timeout": "100ms", "deadline": "{}ms",
                    "max_flights": {MAX_FLIGHTS}, "max_waiters": {MAX_WAITERS}
                }},
                "upstreams": [{{"name": "mine"}}],
                "routes": [{{"path": "/mine", "methods": ["GET"], "upstream": "mine"}}]
            }}"#,
            DEADLINE.as_millis()
        );
        let config = Config::from_json(config.as_bytes()).unwrap();
        Self { gate: Gate::new(config, 7), clock: Duration::ZERO, streams: 0, checks: 0, flights: Vec::new() }
    }

    fn now(&self) -> Time {
        Time::since_start(self.clock)
    }

    fn waiting(&self) -> usize {
        self.flights.iter().map(|flight| flight.waiters.len()).sum()
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Request { token, route, is_sent } => self.request(token, route, is_sent),
            Event::Unasked { kind } => self.unasked(kind),
            Event::Answer { check, status } => {
                // One beyond the last is a check that was never sent.
                let check = u32::try_from(check % (self.checks as usize + 2)).unwrap();
                self.answer(check, status);
            }
            Event::Gone { stream } => {
                self.gone(u32::try_from(stream % (self.streams as usize + 2)).unwrap());
            }
            Event::Tick { is_sent } => self.tick(is_sent),
            Event::Later { milliseconds } => self.clock += Duration::from_millis(milliseconds),
        }
        self.agree();
    }

    fn judge(&mut self, lines: &[(&str, &str)]) -> (u32, Verdict) {
        self.streams += 1;
        let request = Request::read(lines.iter().map(|(n, v)| (*n, v.as_bytes())), true, &|| None);
        let now = self.now();
        (self.streams, self.gate.on_request(StreamId(self.streams), &request, now))
    }

    fn request(&mut self, token: usize, route: usize, is_sent: bool) {
        let (method, path, _) = ROUTES[route];
        let is_full = self.waiting() >= MAX_WAITERS;
        let under_way = self.flights.len();
        let lines =
            [(":method", method), (":path", path), (":authority", "api.keptn"), ("x-token", TOKENS[token])];
        let (stream, verdict) = self.judge(&lines);
        let flight = self.flights.iter_mut().find(|flight| flight.token == token);
        match (verdict, flight) {
            (verdict, _) if is_full => assert_eq!(denied(&verdict), "too_many_waiters"),
            (Verdict::Wait, Some(flight)) => flight.waiters.push((stream, route)),
            (Verdict::Ask(check), None) if under_way < MAX_FLIGHTS => {
                assert!(
                    self.flights.iter().all(|flight| flight.id != check.flight),
                    "a flight's number twice"
                );
                self.flights.push(Flight {
                    id: check.flight,
                    token,
                    check: None,
                    leader: Some(stream),
                    waiters: vec![(stream, route)],
                    since: self.clock,
                });
                self.send(&check, is_sent);
            }
            (verdict, None) if under_way >= MAX_FLIGHTS => assert_eq!(denied(&verdict), "too_many_flights"),
            (verdict, flight) => panic!("{verdict:?} with {flight:?}"),
        }
    }

    fn unasked(&mut self, kind: usize) {
        let ours = (":authority", "api.keptn");
        let (get, event) = ((":method", "GET"), (":path", "/v1/event"));
        let (_, verdict) = match kind {
            0 => self.judge(&[ours, get, (":path", "/swagger.json"), ("x-token", TOKENS[0])]),
            1 => self.judge(&[get, (":path", "/"), (":authority", "shop"), ("x-token", TOKENS[0])]),
            2 => self.judge(&[ours, get, event]),
            3 => self.judge(&[ours, get, event, ("x-token", TOKENS[0]), ("x-token", TOKENS[0])]),
            _ => self.judge(&[ours, get, (":path", "/a/../b"), ("x-token", TOKENS[0])]),
        };
        match (kind, &verdict) {
            (0, Verdict::Forward(permit)) => {
                assert_eq!(permit.upstream().map(|name| &**name), Some("api-service"))
            }
            (1, Verdict::Forward(permit)) => assert_eq!(permit.upstream(), None),
            (2, _) => assert_eq!(denied(&verdict), "no_token"),
            (3, _) => assert_eq!(denied(&verdict), "many_tokens"),
            (4, _) => assert_eq!(denied(&verdict), "dot_segment"),
            _ => panic!("{kind}: {verdict:?}"),
        }
    }

    /// The host sends a check, or refuses to.
    fn send(&mut self, check: &Check, is_sent: bool) {
        let place = self.flights.iter().position(|flight| flight.id == check.flight).unwrap();
        let token = check.headers().into_iter().find(|(name, _)| *name == "x-token").unwrap().1;
        assert_eq!(token, TOKENS[self.flights[place].token], "the check is about another token");
        assert_eq!(self.flights[place].check, None, "it is asked already");
        if is_sent {
            self.checks += 1;
            self.flights[place].check = Some(self.checks);
            assert!(self.gate.on_sent(check.flight, Some(CheckId(self.checks))).is_empty());
        } else {
            let woken = self.gate.on_sent(check.flight, None);
            let flight = self.flights.remove(place);
            assert_woken(woken, &[flight], |_| Expected::Denied("auth_unavailable"));
        }
    }

    fn answer(&mut self, check: u32, status: Option<u16>) {
        let woken = self.gate.on_answer(CheckId(check), Answer { status, retry_after: None });
        let answered = self.take(|flight| flight.check == Some(check));
        assert_woken(woken, &answered, |route| match status {
            Some(200) => Expected::Opened(ROUTES[route].2),
            Some(401) => Expected::Denied("wrong_token"),
            Some(403) => Expected::Denied("forbidden"),
            Some(429) => Expected::Denied("busy"),
            Some(302 | 404) => Expected::Denied("auth_contract_broken"),
            _ => Expected::Denied("auth_unavailable"),
        });
    }

    fn gone(&mut self, stream: u32) {
        self.gate.on_gone(StreamId(stream));
        for flight in &mut self.flights {
            flight.waiters.retain(|(waiter, _)| *waiter != stream);
            if flight.leader == Some(stream) {
                // The host drops the answer with the context.
                flight.leader = None;
                flight.check = None;
            }
        }
        // Without a callout and without anybody who waits there is nothing to be known any more.
        self.take(|flight| flight.check.is_none() && flight.waiters.is_empty());
    }

    fn tick(&mut self, is_sent: bool) {
        let now = self.now();
        let tick = self.gate.on_tick(now);
        let clock = self.clock;
        let overdue = self.take(|flight| clock - flight.since >= DEADLINE);
        assert_woken(tick.woken, &overdue, |_| Expected::Denied("deadline_passed"));
        for check in &tick.ask {
            self.send(check, is_sent);
        }
        assert!(self.flights.iter().all(|flight| flight.check.is_some()), "an orphan is not asked about");
    }

    fn take(&mut self, is_over: impl Fn(&Flight) -> bool) -> Vec<Flight> {
        self.flights.extract_if(.., |flight| is_over(flight)).collect()
    }

    /// The gate and the model agree about who waits, and about whether there is anything to do.
    fn agree(&self) {
        for stream in 0..=self.streams {
            let waits = self.flights.iter().any(|f| f.waiters.iter().any(|(waiter, _)| *waiter == stream));
            assert_eq!(self.gate.is_waiting(StreamId(stream)), waits, "stream {stream}");
        }
        let expected = if self.flights.is_empty() {
            None
        } else if self.flights.iter().any(|flight| flight.check.is_none()) {
            Some(Duration::from_millis(1))
        } else {
            Some(Duration::from_millis(100))
        };
        assert_eq!(self.gate.tick_period(), expected, "{:?}", self.flights);
    }
}

/// What a woken request gets.
enum Expected {
    Opened(Opens),
    Denied(&'static str),
}

/// Exactly those who waited for `over` are woken, each once, each with what is due to its route.
fn assert_woken(woken: Woken, over: &[Flight], expected: impl Fn(usize) -> Expected) {
    let mut waiters: Vec<_> = over.iter().flat_map(|flight| &flight.waiters).copied().collect();
    for (StreamId(stream), verdict) in woken {
        let place = waiters.iter().position(|(waiter, _)| *waiter == stream);
        let (_, route) = waiters.swap_remove(place.unwrap_or_else(|| panic!("{stream} did not wait")));
        match expected(route) {
            Expected::Denied(reason) => assert_eq!(denied(&verdict), reason),
            Expected::Opened(opens) => assert_eq!(opened(&verdict), opens),
        }
    }
    assert!(waiters.is_empty(), "{waiters:?} still wait");
}

fn opened(verdict: &Verdict) -> Opens {
    match verdict {
        Verdict::Forward(permit) => {
            let name = permit.upstream().unwrap();
            let known = ["api-service", "configuration-service", "mine"];
            Opens::Upstream(known.into_iter().find(|known| **known == **name).unwrap())
        }
        Verdict::Reply(reply) => Opens::Reply(reply.response().status),
        Verdict::Ask(_) | Verdict::Wait => panic!("{verdict:?}"),
    }
}

fn denied(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Reply(Reply::Denied(denial)) => denial.reason(),
        _ => panic!("{verdict:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/sequences.proptest-regressions"
        )))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn events_in_any_order_keep_what_must_hold(events in vec(event(), 0..120)) {
        let mut world = World::new();
        for event in &events {
            world.happens(event);
        }
        // And when all are gone, or their time is over, nothing is left.
        if events.len() % 2 == 0 {
            (0..=world.streams).for_each(|stream| world.happens(&Event::Gone { stream: stream as usize }));
            prop_assert_eq!(world.waiting(), 0);
        }
        world.happens(&Event::Later { milliseconds: 300 });
        world.happens(&Event::Tick { is_sent: true });
        prop_assert_eq!(world.flights.len(), 0);
        prop_assert_eq!(world.gate.tick_period(), None);
        // Nobody is kept out by what was.
        for (token, count) in TOKENS.into_iter().zip(1..=MAX_FLIGHTS) {
            let lines = [(":method", "GET"), (":path", "/mine"), (":authority", "api.keptn"), ("x-token", token)];
            prop_assert!(matches!(world.judge(&lines), (_, Verdict::Ask(_))), "{}", count);
        }
    }
}
