//! Many gateways, their clients and one auth service, in virtual time. What decides is the real [`gate`].
//!
//! Requests come as a Poisson process, and each is of any token at any worker with the same probability. So the requests of one
//! token at one worker are a Poisson process too, and independent of all others.

mod service;
mod setup;
mod worker;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use gate::authn::{Answer, Check, CheckId, StreamId};
use gate::config::Config;
use gate::denial::Denial;
use gate::gate::Verdict;
use gate::request::Request;

pub use service::{Outage, Service};
pub use setup::Setup;
use worker::{Judged, Waiting, Worker, at, may_pass};

/// Something that has happened.
#[derive(Clone, Copy, Debug)]
pub enum Happening {
    /// A check was sent.
    Check {
        /// When.
        at: Duration,
    },
    /// A request has its verdict.
    Verdict {
        /// When.
        at: Duration,
        /// When it came: the same, if it did not have to wait.
        came_at: Duration,
        /// Its token, by its number; nothing: it was a guess.
        token: Option<u32>,
        /// Whether it may pass.
        may_pass: Result<(), Denial>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick { worker: u32 },
    Answer { worker: u32, life: u32, check: u32, status: u16 },
    Restart { gateway: u32 },
}

/// A run.
#[derive(Debug)]
pub struct Simulation {
    setup: Setup,
    config: Config,
    workers: Vec<Worker>,
    names: Vec<String>,
    rng: fastrand::Rng,
    /// What will happen, the earliest first; of what happens at the same time, what was known first.
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    known: u64,
    /// When the next request comes.
    arrives_at: Duration,
    requests: u32,
}

impl Simulation {
    /// A run that has not begun.
    ///
    /// # Panics
    ///
    /// If the configuration is none.
    pub fn new(setup: Setup) -> Self {
        let config = Config::from_json(setup.config.as_bytes());
        let config = config.unwrap_or_else(|problems| panic!("{}\n{problems}", setup.config));
        let mut rng = fastrand::Rng::with_seed(setup.seed);
        let workers: Vec<_> =
            (0..setup.all_workers()).map(|_| Worker::new(config.clone(), rng.u64(..))).collect();
        let names = (0..setup.tokens).map(|token| format!("token-{token}")).collect();
        let mut simulation = Self {
            setup,
            config,
            workers,
            names,
            rng,
            events: BinaryHeap::new(),
            known: 0,
            arrives_at: Duration::ZERO,
            requests: 0,
        };
        simulation.arrives_at = simulation.next_arrival(Duration::ZERO);
        (0..simulation.setup.all_workers()).for_each(|worker| simulation.set_timer(worker, Duration::ZERO));
        simulation
    }

    /// At `at` this gateway is replaced by one that knows nothing.
    pub fn restart(&mut self, gateway: u32, at: Duration) {
        self.expect(at, Event::Restart { gateway });
    }

    /// Goes on until `until`.
    pub fn run(&mut self, until: Duration, observe: &mut impl FnMut(Happening)) {
        loop {
            let next = self.events.peek().map_or(Duration::MAX, |Reverse((at, ..))| *at);
            if next.min(self.arrives_at) >= until {
                return;
            }
            if self.arrives_at < next {
                let now = self.arrives_at;
                self.arrives_at = self.next_arrival(now);
                self.arrive(now, observe);
            } else if let Some(Reverse((now, _, event))) = self.events.pop() {
                self.happen(event, now, observe);
            }
        }
    }

    fn happen(&mut self, event: Event, now: Duration, observe: &mut impl FnMut(Happening)) {
        match event {
            // Another tick may have come before this one.
            Event::Tick { worker } if self.worker(worker).ticks_at != Some(now) => {}
            Event::Tick { worker } => {
                let (ask, judged) = self.worker(worker).tick(now);
                for check in ask {
                    self.send(worker, &check, now, observe);
                }
                tell(judged, now, observe);
                self.set_timer(worker, now);
            }
            Event::Answer { worker, life, .. } if self.worker(worker).life != life => {}
            Event::Answer { worker, check, status, .. } => {
                let asker = self.worker(worker);
                let woken = asker.gate.on_answer(CheckId(check), &Answer::of(status), at(now));
                let judged = asker.judged(woken);
                tell(judged, now, observe);
                self.set_timer(worker, now);
            }
            Event::Restart { gateway } => {
                for worker in gateway * self.setup.workers..(gateway + 1) * self.setup.workers {
                    let (config, seed) = (self.config.clone(), self.rng.u64(..));
                    self.worker(worker).restart(config, seed);
                    self.set_timer(worker, now);
                }
            }
        }
    }

    /// A request comes.
    fn arrive(&mut self, now: Duration, observe: &mut impl FnMut(Happening)) {
        let worker = self.rng.u32(..self.setup.all_workers());
        let share_of_guesses = self.setup.guesses / (self.setup.guesses + self.setup.requests);
        let is_guess = self.setup.guesses > 0.0 && self.rng.f64() < share_of_guesses;
        let token = (!is_guess).then(|| self.rng.u32(..self.setup.tokens));
        if token.is_some_and(|token| now < self.setup.ramp.mul_f64(spread(worker, token))) {
            return;
        }
        self.requests = self.requests.wrapping_add(1);
        let stream = StreamId(self.requests);
        let guess;
        let name = match token {
            Some(token) => &self.names[token as usize],
            None => {
                guess = format!("guess-{}", self.requests);
                &guess
            }
        };
        let headers =
            [(":method", "GET"), (":path", "/v1/event"), (":authority", "api.keptn"), ("x-token", name)];
        let environment = || Some(address_of(token));
        let request =
            Request::read(headers.map(|(name, value)| (name, value.as_bytes())), true, &environment);
        let asked = &mut self.workers[worker as usize];
        let verdict = asked.gate.on_request(stream, &request, at(now));
        match may_pass(&verdict) {
            Some(may_pass) => observe(Happening::Verdict { at: now, came_at: now, token, may_pass }),
            None => asked.wait(stream, Waiting { token, came_at: now }),
        }
        if let Verdict::Ask(check) = verdict {
            self.send(worker, &check, now, observe);
        }
        self.set_timer(worker, now);
    }

    fn send(&mut self, worker: u32, check: &Check, now: Duration, observe: &mut impl FnMut(Happening)) {
        observe(Happening::Check { at: now });
        let headers = check.headers();
        let name = headers.iter().find(|(name, _)| *name == "x-token").map(|(_, value)| *value);
        let token = name.and_then(|name| name.strip_prefix("token-")?.parse().ok());
        let answered = self.setup.service.ask(token, now, check.endpoint.timeout);
        let asker = self.worker(worker);
        let (CheckId(check), life) = (asker.sent(check.flight, now), asker.life);
        self.expect(answered.at, Event::Answer { worker, life, check, status: answered.status });
    }

    fn worker(&mut self, worker: u32) -> &mut Worker {
        &mut self.workers[worker as usize]
    }

    fn set_timer(&mut self, worker: u32, now: Duration) {
        if let Some(at) = self.worker(worker).wants_tick(now) {
            self.expect(at, Event::Tick { worker });
        }
    }

    fn expect(&mut self, at: Duration, event: Event) {
        self.known += 1;
        self.events.push(Reverse((at, self.known, event)));
    }

    fn next_arrival(&mut self, now: Duration) -> Duration {
        let rate = self.setup.requests + self.setup.guesses;
        if rate == 0.0 {
            return Duration::MAX;
        }
        now + Duration::from_secs_f64(-(1.0 - self.rng.f64()).ln() / rate)
    }
}

fn tell(judged: Vec<Judged>, now: Duration, observe: &mut impl FnMut(Happening)) {
    for (Waiting { token, came_at }, may_pass) in judged {
        observe(Happening::Verdict { at: now, came_at, token, may_pass });
    }
}

/// Each token is a client with an address of its own; all guesses are another's.
fn address_of(token: Option<u32>) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(token.map_or(0xC000_0201, |token| 0x0A00_0000 + token)))
}

/// A number from 0 to 1 for each pair, evenly spread: multiples of the golden ratio are.
fn spread(worker: u32, token: u32) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let pair = f64::from(worker) * 1009.0 + f64::from(token);
    (pair * GOLDEN).fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn run(setup: Setup, until: u64) -> Vec<String> {
        let mut seen = Vec::new();
        Simulation::new(setup).run(seconds(until), &mut |happening| seen.push(format!("{happening:?}")));
        seen
    }

    #[test]
    fn the_same_seed_makes_the_same_run_and_another_does_not() {
        let setup = Setup { gateways: 2, workers: 2, tokens: 3, requests: 20.0, ..Setup::default() };
        let first = run(setup.clone(), 60);
        assert!(first.len() > 1000);
        assert_eq!(first, run(setup.clone(), 60));
        assert_ne!(first, run(Setup { seed: 8, ..setup }, 60));
    }

    #[test]
    fn requests_come_as_often_as_it_says_and_each_has_one_verdict() {
        let setup = Setup { tokens: 5, requests: 100.0, guesses: 50.0, ..Setup::default() };
        let (mut good, mut guesses) = (0.0_f64, 0.0_f64);
        Simulation::new(setup).run(seconds(200), &mut |happening| match happening {
            Happening::Verdict { token: Some(_), may_pass, .. } => {
                assert_eq!(may_pass, Ok(()));
                good += 1.0;
            }
            Happening::Verdict { token: None, may_pass, .. } => {
                assert!(may_pass.is_err());
                guesses += 1.0;
            }
            Happening::Check { .. } => {}
        });
        // Four standard deviations of a Poisson count.
        assert!((good - 20_000.0).abs() < 4.0 * 20_000_f64.sqrt(), "{good}");
        assert!((guesses - 10_000.0).abs() < 4.0 * 10_000_f64.sqrt(), "{guesses}");
    }

    #[test]
    fn a_restarted_gateway_asks_again_and_its_neighbour_does_not() {
        let setup = Setup { gateways: 2, workers: 3, tokens: 4, requests: 1000.0, ..Setup::default() };
        let mut simulation = Simulation::new(setup);
        simulation.restart(1, seconds(10));
        let mut checks = Vec::new();
        simulation.run(seconds(20), &mut |happening| {
            if let Happening::Check { at } = happening {
                checks.push(at);
            }
        });
        let before = checks.iter().filter(|at| **at < seconds(10)).count();
        assert_eq!((before, checks.len() - before), (24, 12));
    }
}
