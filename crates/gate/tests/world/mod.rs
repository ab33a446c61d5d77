//! A gate, a clock, and a host that sends every check under the next number.

use core::cell::Cell;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

use gate::authn::{Answer, Check, CheckId, StreamId};
use gate::config::Config;
use gate::denial::Response;
use gate::gate::{Gate, Verdict, Woken};
use gate::request::{Environment, Request};
use gate::tally::{Notice, Report};
use gate::time::{Time, Wall};

pub(crate) type Lines<'a> = &'a [(&'a str, &'a str)];

/// Who is woken, and with what.
pub(crate) type Woke = Vec<(u32, String)>;

pub(crate) const NOBODY: [(u32, String); 0] = [];

/// Late enough that the clock can go back.
const BEGINNING: Duration = Duration::from_secs(1000);

/// What the host knows of a client and of the time of day, and whether it was asked.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) address: Option<IpAddr>,
    /// In seconds.
    pub(crate) wall: Option<u64>,
    pub(crate) was_address_asked: Cell<bool>,
    pub(crate) was_wall_asked: Cell<bool>,
}

impl Environment for Surroundings {
    fn client(&self) -> Option<IpAddr> {
        self.was_address_asked.set(true);
        self.address
    }

    fn wall(&self) -> Option<Wall> {
        self.was_wall_asked.set(true);
        self.wall.map(|second| Wall::since_epoch(Duration::from_secs(second)))
    }
}

pub(crate) struct World {
    pub(crate) gate: Gate,
    pub(crate) asked: Vec<Check>,
    pub(crate) surroundings: Surroundings,
    clock: Duration,
}

impl World {
    pub(crate) fn new(config: &str) -> Self {
        let config = Config::from_json(config.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let surroundings = Surroundings {
            address: Some(IpAddr::from([192, 0, 2, 1])),
            wall: None,
            was_address_asked: Cell::new(false),
            was_wall_asked: Cell::new(false),
        };
        Self { gate: Gate::new(config, 7), asked: Vec::new(), surroundings, clock: BEGINNING }
    }

    // --- time ---

    pub(crate) fn now(&self) -> Time {
        Time::since_start(self.clock)
    }

    /// Time passes, and the root's timer does not fire.
    pub(crate) fn later(&mut self, milliseconds: u64) {
        self.clock = self.clock.checked_add(Duration::from_millis(milliseconds)).unwrap();
    }

    pub(crate) fn earlier(&mut self, milliseconds: u64) {
        self.clock = self.clock.checked_sub(Duration::from_millis(milliseconds)).unwrap();
    }

    /// In how many milliseconds the root's timer is to fire for anything but a report.
    pub(crate) fn next_tick(&mut self) -> Option<u128> {
        drop(self.gate.take_report());
        let now = self.now();
        self.gate.next_tick().map(|at| at.since(now).as_millis())
    }

    /// A tick: the checks that the root has sent, and who is woken.
    pub(crate) fn tick(&mut self) -> (Vec<String>, Woke) {
        let now = self.now();
        let tick = self.gate.on_tick(now);
        let asked = tick.ask.into_iter().map(|check| self.send(check)).collect();
        (asked, self.woken(tick.woken))
    }

    /// A tick later than now: the checks that the root has sent. Nobody is woken.
    pub(crate) fn tick_after(&mut self, milliseconds: u64) -> Vec<String> {
        self.later(milliseconds);
        let (asked, woken) = self.tick();
        assert_eq!(woken, NOBODY);
        asked
    }

    // --- requests ---

    /// The verdict on a request with these header lines and no body. A check is sent.
    pub(crate) fn request(&mut self, stream: u32, lines: Lines<'_>) -> String {
        match self.judge(stream, lines) {
            Verdict::Ask(check) => self.send(check),
            verdict => shown(verdict),
        }
    }

    pub(crate) fn judge(&mut self, stream: u32, lines: Lines<'_>) -> Verdict {
        let now = self.now();
        self.gate.on_request(StreamId(stream), &request(lines, true, &self.surroundings), now)
    }

    /// The answer of the gateway's own to a request.
    pub(crate) fn response(&mut self, lines: Lines<'_>) -> Response {
        match self.judge(1, lines) {
            Verdict::Reply(reply) => reply.response(),
            verdict => panic!("{verdict:?}"),
        }
    }

    /// An ordinary request for api-service.
    pub(crate) fn get(&mut self, stream: u32, token: &str) -> String {
        self.request(
            stream,
            &[(":method", "GET"), (":path", "/v1/project"), (":authority", "api.keptn"), ("x-token", token)],
        )
    }

    /// A request for `/v1/auth`.
    pub(crate) fn auth(&mut self, stream: u32, token: &str) -> String {
        self.request(stream, &[(":method", "POST"), (":path", "/v1/auth"), ("x-token", token)])
    }

    pub(crate) fn gone(&mut self, stream: u32) {
        self.gate.on_gone(StreamId(stream));
        assert!(!self.gate.is_waiting(StreamId(stream)));
    }

    /// The check's number is that of all checks so far.
    pub(crate) fn send(&mut self, check: Check) -> String {
        let now = self.now();
        let flight = check.flight;
        self.asked.push(check);
        let number = u32::try_from(self.asked.len()).unwrap();
        assert!(self.gate.on_sent(flight, Some(CheckId(number)), now).is_empty());
        format!("asks {number}")
    }

    /// The host refuses to send this check.
    pub(crate) fn cannot_send(&mut self, check: &Check) -> Woke {
        let woken = self.gate.on_sent(check.flight, None, self.now());
        self.woken(woken)
    }

    /// A header line of the latest check.
    pub(crate) fn told(&self, name: &str) -> Option<String> {
        let headers = self.asked.last().unwrap().headers();
        headers.into_iter().find(|(header, _)| *header == name).map(|(_, value)| value.to_owned())
    }

    // --- answers ---

    /// The answer to a check, and who is woken by it.
    pub(crate) fn answer(&mut self, check: u32, status: u16) -> Woke {
        self.answer_with(check, &Answer::of(status))
    }

    /// The answer to a check, with one line besides its status.
    pub(crate) fn answer_saying(&mut self, check: u32, status: &str, line: (&str, &str)) -> Woke {
        let pairs = [(":status", status), line].map(|(name, value)| (name, value.as_bytes()));
        self.answer_with(check, &Answer::read(pairs))
    }

    pub(crate) fn answer_with(&mut self, check: u32, answer: &Answer<'_>) -> Woke {
        let woken = self.gate.on_answer(CheckId(check), answer, self.now());
        self.woken(woken)
    }

    /// The auth endpoint says yes to `token`, which nobody has asked about before.
    pub(crate) fn learn(&mut self, token: &str) {
        self.ask_and_answer(token, 200, "to api-service");
    }

    /// A request with `token` asks, and has this verdict after this answer.
    pub(crate) fn ask_and_answer(&mut self, token: &str, status: u16, verdict: &str) {
        const STREAM: u32 = 1_000_000;
        let number = u32::try_from(self.asked.len()).unwrap().checked_add(1).unwrap();
        assert_eq!(self.get(STREAM, token), format!("asks {number}"), "{token}");
        assert_eq!(self.answer(number, status), all(STREAM..=STREAM, verdict), "{token}");
    }

    fn woken(&self, woken: Woken) -> Woke {
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

    // --- counters ---

    /// What was counted since this was asked last: `ok 1, checks 1`.
    pub(crate) fn counts(&mut self) -> String {
        counts(&self.gate.take_report())
    }

    /// What the log is to say, of what has happened since the last report.
    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        self.gate.take_report().notices
    }
}

pub(crate) fn counts(report: &Report) -> String {
    let counts: Vec<_> =
        report.counts.iter().map(|(counter, count)| format!("{} {count}", counter.name())).collect();
    counts.join(", ")
}

pub(crate) fn request<'a>(lines: Lines<'a>, ends: bool, environment: &'a dyn Environment) -> Request<'a> {
    Request::read(lines.iter().map(|(name, value)| (*name, value.as_bytes())), ends, environment)
}

/// `to api-service`, with what is changed on the way; `foreign`; `401 wrong_token`; `waits`.
pub(crate) fn shown(verdict: Verdict) -> String {
    match verdict {
        Verdict::Forward(permit) => {
            let Some(upstream) = permit.upstream() else {
                assert_eq!((permit.path(), permit.is_internal()), (None, false));
                assert_eq!((permit.remove().count(), permit.set().count()), (0, 0));
                return "foreign".to_owned();
            };
            let path = permit.path().map(|path| format!(" as {path}")).unwrap_or_default();
            let removed: String = permit.remove().map(|name| format!(" -{name}")).collect();
            let set: String = permit
                .set()
                .map(|(name, value)| match name {
                    "x-keptn-client" => format!(" +{name}: {value}"),
                    _ => format!(" +{name}"),
                })
                .collect();
            let internal = if permit.is_internal() { ", internal" } else { "" };
            format!("to {upstream}{path}{removed}{set}{internal}")
        }
        Verdict::Reply(reply) => {
            let response = reply.response();
            let reason = response.details.strip_prefix("keptn_gateway.").unwrap();
            let extra = header(&response, "retry-after")
                .filter(|_| response.status == 429 || reason == "failing_fast")
                .map(|value| format!(", retry-after: {value}"))
                .or_else(|| header(&response, "allow").map(|value| format!(", allow: {value}")));
            format!("{} {reason}{}", response.status, extra.unwrap_or_default())
        }
        Verdict::Ask(check) => panic!("{check:?} is not sent"),
        Verdict::Wait => "waits".to_owned(),
    }
}

/// A header line of an answer.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
}

pub(crate) fn all(streams: RangeInclusive<u32>, verdict: &str) -> Woke {
    streams.map(|stream| (stream, verdict.to_owned())).collect()
}
