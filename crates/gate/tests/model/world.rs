//! Gates in a world of clients, a host and an auth endpoint; beside each gate its model.

use core::cell::Cell;
use core::net::IpAddr;
use core::time::Duration;

use gate::authn::{Answer, Check, CheckId, FlightId, StreamId};
use gate::config::Config;
use gate::gate::{Gate, Verdict, Woken};
use gate::request::{Environment, Request};
use gate::time::{Time, Wall};

use crate::coverage::Seen;
use crate::event::{self, ADDRESSES, BEGIN, CACHE_CONTROL, Case, Event, Fate, Opens, ROUTES, Said, TOKENS};
use crate::rules::{self, Asked, Due, Refusal, Rules};
use crate::settings::Settings;

/// Where the clock begins, in milliseconds: it can go back from there.
const BEGINNING: u64 = 100_000_000;

/// So many gates at most: one serves, the others wait for their last answers.
const MOST_GATES: usize = 3;

/// A gate and its model.
struct House {
    gate: Gate,
    rules: Rules,
    flights: Vec<FlightId>,
}

pub struct World {
    config: fn(usize) -> (Settings, Config),
    houses: Vec<House>,
    clock: u64,
    wall: Option<u64>,
    streams: u32,
    /// Whose each check was, and whether it was answered.
    checks: Vec<(usize, bool)>,
}

/// What the host knows of a request.
struct Client {
    address: Option<IpAddr>,
    wall: Option<u64>,
    was_asked: Cell<bool>,
}

impl Environment for Client {
    fn client(&self) -> Option<IpAddr> {
        self.was_asked.set(true);
        self.address
    }

    fn wall(&self) -> Option<Wall> {
        self.wall.map(|second| Wall::since_epoch(Duration::from_secs(second)))
    }
}

impl World {
    /// All that happens in this case.
    pub fn run(config: fn(usize) -> (Settings, Config), case: &Case) {
        let (houses, checks) = (Vec::new(), Vec::new());
        let mut world = Self { config, houses, clock: BEGINNING, wall: Some(BEGIN), streams: 0, checks };
        world.happens(&Event::Replaced { settings: case.settings });
        for event in &case.events {
            world.happens(event);
            if world.houses.iter().any(|house| house.rules.is_vague) {
                return;
            }
        }
        world.ends();
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Request { token, route, address, fate } => {
                self.request(token, route, address, fate);
            }
            Event::Rush => {
                (0..TOKENS.len())
                    .for_each(|token| self.request(token, 0, token % ADDRESSES.len(), Fate::Sent));
            }
            Event::Unasked { kind } => self.unasked(kind),
            Event::Answer { which, said } => self.answer_one(which, &said),
            Event::Stray { check, gate, said } => {
                // One beyond the last is a check that was never sent.
                let check = u32::try_from(check % (self.checks.len() + 2)).unwrap();
                self.answer(gate % self.houses.len(), check, &said);
            }
            Event::Leaves { which } => self.one_leaves(which),
            Event::Gone { stream } => {
                let stream = u32::try_from(stream % (self.streams as usize + 2)).unwrap();
                (0..self.houses.len()).for_each(|house| self.gone(house, stream));
            }
            Event::Tick { fate } => (0..self.houses.len()).for_each(|house| self.tick(house, fate)),
            Event::Passes { ms, fate } => self.passes(ms, fate),
            Event::Jumps { ms } => self.clock += ms,
            Event::Back { ms } => self.clock = self.clock.saturating_sub(ms),
            Event::Wall(second) => self.wall = second.map(|second| BEGIN.checked_add_signed(second).unwrap()),
            Event::Replaced { settings } if self.houses.len() < MOST_GATES => {
                let (settings, config) = (self.config)(settings);
                let gate = Gate::new(config, self.clock);
                self.houses.push(House { gate, rules: Rules::new(settings), flights: Vec::new() });
            }
            Event::Replaced { .. } => {}
        }
        self.houses.iter().for_each(|house| house.agree());
    }

    fn now(&self) -> Time {
        Time::since_start(Duration::from_millis(self.clock))
    }

    // --- requests ---

    fn request(&mut self, token: usize, route: usize, address: usize, fate: Fate) {
        let (now, clock) = (self.now(), self.clock);
        let last = self.houses.len() - 1;
        let house = &mut self.houses[last];
        self.streams += 1;
        let stream = self.streams;
        let (address, payer) = ADDRESSES[address];
        let (method, path, _) = ROUTES[route];
        let asked = Asked { stream, token, route, payer, is_fresh: event::is_fresh(route) };

        house.rules.observe(clock);
        let dues = house.rules.request(asked, self.wall);

        let client = Client { address, wall: self.wall, was_asked: Cell::new(false) };
        let lines = [
            (":method", method),
            (":path", path),
            (":authority", "api.keptn"),
            ("x-token", event::token(token)),
        ];
        let request = Request::read(lines.iter().map(|(n, v)| (*n, v.as_bytes())), true, &client);
        let verdict = house.gate.on_request(StreamId(stream), &request, now);

        let fits = |due: &&Due| match (due, &verdict) {
            (Due::Ask, Verdict::Ask(_)) | (Due::Wait, Verdict::Wait) => true,
            (Due::Pass, verdict) => passes(verdict, route),
            (Due::Refused(refusal), verdict) => is_refused(verdict, *refusal),
            _ => false,
        };
        let due = dues.iter().find(fits);
        let due = due.unwrap_or_else(|| panic!("{verdict:?} instead of {dues:?}: {asked:?}"));
        house.rules.settle(asked, due);
        assert!(!client.was_asked.get() || !matches!(due, Due::Pass | Due::Wait), "the address is asked for");
        if let Verdict::Ask(check) = verdict {
            assert_eq!(self.note(last, &check), Some(token), "the check is about another token");
            let headers = check.headers();
            let forwarded = headers.iter().find(|(name, _)| *name == "x-forwarded-for");
            assert_eq!(forwarded.map(|(_, value)| (*value).to_owned()), address.map(|ip| ip.to_string()));
            self.send(last, &check, fate);
        }
    }

    fn unasked(&mut self, kind: usize) {
        let ours = (":authority", "api.keptn");
        let (get, event) = ((":method", "GET"), (":path", "/v1/event"));
        let token = ("x-token", TOKENS[0]);
        let lines = match kind {
            0 => &[ours, get, (":path", "/swagger.json"), token][..],
            1 => &[get, (":path", "/"), (":authority", "shop"), token],
            2 => &[ours, get, event],
            3 => &[ours, get, event, token, token],
            4 => &[ours, get, (":path", "/a/../b"), token],
            _ => &[ours, (":method", "POST"), event, token, ("content-length", "1048577")],
        };
        let now = self.now();
        let house = self.houses.last_mut().unwrap();
        self.streams += 1;
        let request = Request::read(lines.iter().map(|(n, v)| (*n, v.as_bytes())), true, &|| None);
        let verdict = house.gate.on_request(StreamId(self.streams), &request, now);
        match (kind, &verdict) {
            (0, Verdict::Forward(permit)) => {
                assert_eq!(permit.upstream().map(|name| &**name), Some("api-service"));
            }
            (1, Verdict::Forward(permit)) => {
                assert_eq!(permit.upstream(), None);
                house.rules.count_foreign(self.clock);
            }
            (2, _) => assert_eq!(reason(&verdict), Some("no_token")),
            (3, _) => assert_eq!(reason(&verdict), Some("many_tokens")),
            (4, _) => assert_eq!(reason(&verdict), Some("dot_segment")),
            (5, _) => assert_eq!(reason(&verdict), Some("body_too_large")),
            _ => panic!("{kind}: {verdict:?}"),
        }
    }

    fn one_leaves(&mut self, which: usize) {
        let all = self.houses.iter().enumerate();
        let all: Vec<_> =
            all.flat_map(|(place, house)| house.rules.waiters().map(move |s| (place, s))).collect();
        if let Some((house, stream)) = which.checked_rem(all.len()).map(|which| all[which]) {
            self.gone(house, stream);
        }
    }

    fn gone(&mut self, house: usize, stream: u32) {
        let house = &mut self.houses[house];
        house.rules.gone(stream);
        house.gate.on_gone(StreamId(stream));
        assert!(!house.gate.is_waiting(StreamId(stream)));
    }

    // --- checks ---

    /// The token that a check is about; nothing: the canary's.
    fn note(&mut self, house: usize, check: &Check) -> Option<usize> {
        let house = &mut self.houses[house];
        assert!(!house.flights.contains(&check.flight), "a flight's number twice");
        house.flights.push(check.flight);
        let headers = check.headers();
        let mut tokens = headers.iter().filter(|(name, _)| *name == "x-token");
        let (_, token) = tokens.next().unwrap();
        assert_eq!(tokens.next(), None);
        event::index(token)
    }

    /// The host sends a check, or refuses to.
    fn send(&mut self, house: usize, check: &Check, fate: Fate) {
        let now = self.now();
        let House { gate, rules, .. } = &mut self.houses[house];
        if let Fate::Refused = fate {
            let expected = rules.refused();
            assert_woken(gate.on_sent(check.flight, None, now), expected);
            return;
        }
        self.checks.push((house, false));
        let number = u32::try_from(self.checks.len() - 1).unwrap();
        rules.sent(number);
        assert!(gate.on_sent(check.flight, Some(CheckId(number)), now).is_empty());
        if let Fate::Answered(said) = fate {
            self.answer(house, number, &said);
        }
    }

    fn answer_one(&mut self, which: usize, said: &Said) {
        let all = self.houses.iter().enumerate();
        let all: Vec<_> =
            all.flat_map(|(place, house)| house.rules.checks().map(move |c| (place, c))).collect();
        if let Some((house, check)) = which.checked_rem(all.len()).map(|which| all[which]) {
            self.answer(house, check, said);
        }
    }

    fn answer(&mut self, house: usize, check: u32, said: &Said) {
        let (now, is_old) = (self.now(), house + 1 < self.houses.len());
        let House { gate, rules, .. } = &mut self.houses[house];
        match self.checks.get_mut(check as usize) {
            Some((owner, _)) if *owner != house => rules.coverage.saw(Seen::OtherGate),
            Some((_, true)) => rules.coverage.saw(Seen::AnsweredTwice),
            Some((_, was_answered)) => *was_answered = true,
            None => {}
        }
        rules.observe(self.clock);
        let expected = rules.answered(check, said);
        if is_old && !expected.is_empty() {
            rules.coverage.saw(Seen::OldGate);
        }
        let status = said.status.map(|status| status.to_string());
        let mut lines: Vec<_> =
            CACHE_CONTROL[said.keep].0.iter().map(|line| ("cache-control", *line)).collect();
        lines.extend(status.as_deref().map(|status| (":status", status)));
        lines.push(("retry-after", said.retry_after));
        let answer = Answer::read(lines.iter().map(|(n, v)| (*n, v.as_bytes())));
        assert_woken(gate.on_answer(CheckId(check), &answer, now), expected);
    }

    // --- time ---

    fn tick(&mut self, place: usize, fate: Fate) {
        let now = self.now();
        let House { gate, rules, .. } = &mut self.houses[place];
        rules.observe(self.clock);
        let tick = gate.on_tick(now);
        assert_woken(tick.woken, rules.overdue());
        let mut ask = tick.ask.as_slice();
        let is_canary_due = rules.is_canary_due();
        if is_canary_due {
            let (canary, rest) = ask.split_first().expect("the canary is due");
            assert_eq!(self.note(place, canary), None, "the canary's token is nobody's");
            self.houses[place].rules.canary_asked();
            ask = rest;
        }
        for check in ask {
            let token =
                self.note(place, check).expect("a check in the background is about a token that was used");
            self.houses[place].rules.refresh_asked(token);
        }
        self.houses[place].rules.nothing_is_left();
        for (check, is_canary) in
            tick.ask.iter().zip(core::iter::once(is_canary_due).chain(core::iter::repeat(false)))
        {
            self.send(place, check, if is_canary { canary_fate(fate) } else { fate });
        }
        let House { gate, rules, .. } = &mut self.houses[place];
        rules.reported(&gate.take_report());
        let next = gate.next_tick();
        // A check that is over makes room for the next one.
        let makes_room = !matches!(fate, Fate::Sent) && !tick.ask.is_empty();
        assert!(makes_room || next.is_none_or(|next| next > now), "a tick that leads to the next");
    }

    /// Time passes, with all the ticks that are wanted meanwhile; not too many, though.
    fn passes(&mut self, ms: u64, fate: Fate) {
        let end = self.clock + ms;
        for _ in 0..64 {
            let next =
                self.houses.iter().enumerate().filter_map(|(house, it)| Some((it.next_tick()?, house)));
            let Some((at, house)) = next.min().filter(|(at, _)| *at <= end) else { break };
            self.clock = self.clock.max(at);
            self.tick(house, fate);
            self.houses[house].agree();
        }
        self.clock = end;
    }

    // --- the end ---

    fn ends(&mut self) {
        // No answer comes any more: everybody gets a verdict in time, and then there is nothing to do.
        let deadline = self.houses.iter().map(|house| house.rules.deadline()).max().unwrap();
        self.happens(&Event::Tick { fate: Fate::Sent });
        self.happens(&Event::Passes { ms: deadline, fate: Fate::Sent });
        for house in &self.houses {
            assert_eq!(house.rules.waiting(), 0);
            assert!((0..=self.streams).all(|stream| !house.gate.is_waiting(StreamId(stream))));
        }
        for place in 0..self.houses.len() {
            self.comes_to_rest(place);
        }
        self.happens(&Event::Jumps { ms: 3_600_000 });
        // And nobody is kept out by what was.
        let said = Said { status: Some(200), retry_after: "", keep: 0 };
        let known = TOKENS.len();
        self.happens(&Event::Request { token: known - 1, route: 0, address: 1, fate: Fate::Answered(said) });
    }

    fn comes_to_rest(&mut self, place: usize) {
        if self.houses[place].rules.has_canary() {
            return;
        }
        for _ in 0..64 {
            let Some(at) = self.houses[place].next_tick() else { return };
            self.clock = self.clock.max(at);
            self.tick(place, Fate::Sent);
            self.houses[place].agree();
        }
        panic!("there is always one more tick");
    }
}

impl House {
    fn next_tick(&self) -> Option<u64> {
        let beginning = Time::since_start(Duration::ZERO);
        // A tick in the middle of a millisecond comes after it.
        let ms = |time: Time| time.since(beginning).as_nanos().div_ceil(1_000_000);
        self.gate.next_tick().map(|time| u64::try_from(ms(time)).unwrap())
    }

    /// The gate and the model agree about who waits, and about whether and when there is something to do.
    fn agree(&self) {
        if self.rules.is_vague {
            return;
        }
        for stream in self.rules.waiters() {
            assert!(self.gate.is_waiting(StreamId(stream)), "{stream} does not wait any more");
        }
        match (self.next_tick(), self.rules.next_tick()) {
            (None, None | Some((_, u64::MAX))) => {}
            (Some(at), Some((from, by))) => {
                // When it is late it does not matter how late.
                let [at, from, by] = [at, from, by].map(|time| time.max(self.rules.latest()));
                assert!((from..=by).contains(&at), "a tick at {at}, not {from}-{by}");
            }
            (at, expected) => panic!("a tick at {at:?}, not {expected:?}"),
        }
    }
}

/// Most endpoints refuse a token that nobody has. Those that say 204 here do not.
fn canary_fate(fate: Fate) -> Fate {
    match fate {
        Fate::Answered(said @ Said { status: Some(200), .. }) => {
            Fate::Answered(Said { status: Some(401), ..said })
        }
        _ => fate,
    }
}

/// Exactly those who are due are woken, each once, each with what is due to its route.
fn assert_woken(woken: Woken, mut expected: rules::Woken) {
    for (StreamId(stream), verdict) in woken {
        let place = expected.iter().position(|(waiter, ..)| *waiter == stream);
        let (_, route, due) = expected.swap_remove(place.unwrap_or_else(|| panic!("{stream} is woken")));
        let is_due = match due {
            Ok(()) => passes(&verdict, route),
            Err(refusal) => is_refused(&verdict, refusal),
        };
        assert!(is_due, "{verdict:?} instead of {due:?}");
    }
    assert!(expected.is_empty(), "not woken: {expected:?}");
}

/// Whether this is what a yes opens.
fn passes(verdict: &Verdict, route: usize) -> bool {
    match (verdict, ROUTES[route].2) {
        (Verdict::Forward(permit), Opens::Upstream(name)) => {
            permit.upstream().is_some_and(|it| **it == *name)
        }
        (Verdict::Reply(reply), Opens::Reply(status)) => {
            let reason = reason(verdict);
            let is_due = matches!(reason, None | Some("method_not_allowed" | "internal_operation"));
            is_due && reply.clone().response().status == status
        }
        _ => false,
    }
}

fn is_refused(verdict: &Verdict, (expected, seconds): Refusal) -> bool {
    let Verdict::Reply(reply) = verdict else { return false };
    let headers = reply.clone().response().headers;
    let retry_after = headers.iter().find(|(name, _)| *name == "retry-after");
    let retry_after = retry_after.map(|(_, value)| value.parse::<u64>().unwrap());
    let is_in_time = match (seconds, retry_after) {
        (None, None) => true,
        (Some((from, to)), Some(it)) => (from..=to).contains(&it),
        _ => false,
    };
    reason(verdict) == Some(expected) && is_in_time
}

fn reason(verdict: &Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Reply(reply) => reply.denial().map(|denial| denial.reason()),
        _ => None,
    }
}
