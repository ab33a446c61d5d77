//! The closed loop, in turns: all that are compared are up, and each is asked for a moment, again and again.
//!
//! What a shared machine's neighbours do lasts for seconds. Who is measured after another has another machine; those who
//! take turns this short have had the same one in the end. While it is not its turn, a load is stopped (SIGSTOP), and its
//! proxy has nothing to do but its timers. CPU time is counted by process, so that nobody's work is another's.

use crate::rig::{
    cores::{cpu_ns, cpu_ns_since, is_running},
    load::{Answers, Load},
    measure::{CONNECTIONS, judge},
    wrk::Wrk,
};
use std::{
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};
use testbed::{Error, Result};

/// How long a turn is.
const TURN: Duration = Duration::from_millis(100);

/// So many of them, in words.
pub(crate) fn in_words(count: u32) -> String {
    format!("{count} turns of {} ms", TURN.as_millis())
}

/// How often it is looked whether a proxy is still at work.
const LOOK: Duration = Duration::from_millis(1);

/// CPU time between two looks that is no request's: Envoy's timers.
const TIMERS_NS: u64 = 200_000;

/// How long a proxy may be at work after its turn, and wrk after it was told to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// One of those who take turns.
#[derive(Clone, Debug)]
pub(crate) struct Entrant {
    pub(crate) load: Load,
    pub(crate) target: SocketAddr,
    /// The proxy's processes.
    pub(crate) pids: Vec<u32>,
    /// Sets this run's new tokens apart from other runs'.
    pub(crate) run: u32,
}

/// What came of all turns of one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// How many answers there were.
    pub(crate) count: u64,
    /// How long its turns took.
    pub(crate) took: Duration,
    /// CPU time of the proxy's processes in them.
    pub(crate) cpu_ns: u64,
}

impl Outcome {
    /// CPU time of the proxy per request, in µs.
    pub(crate) fn cpu_us_per_request(&self) -> f64 {
        self.cpu_ns as f64 / 1000.0 / self.count as f64
    }
}

/// Lets all take so many turns, at least one, each time in an order drawn anew. `phase` is what errors call it.
///
/// # Errors
/// Of each by itself: its load does not run, its proxy has ended, or an answer is wrong.
pub(crate) fn run(
    phase: &str,
    entrants: impl Iterator<Item = Entrant>,
    turns: u32,
    random: &mut fastrand::Rng,
) -> Vec<Result<Outcome>> {
    let mut all: Vec<Result<Running>> = entrants.map(|entrant| Ok(Running::new(entrant))).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    for turn in 1..=turns {
        random.shuffle(&mut order);
        for index in &order {
            if let Ok(running) = &mut all[*index]
                && let Err(error) = running.turn(turn == turns)
            {
                all[*index] = Err(error);
            }
        }
    }
    all.into_iter().map(|running| running?.outcome(phase)).collect()
}

#[derive(Debug)]
struct Running {
    entrant: Entrant,
    /// From the first turn on.
    wrk: Option<Wrk>,
    took: Duration,
    cpu_ns: u64,
}

impl Running {
    fn new(entrant: Entrant) -> Self {
        Self { entrant, wrk: None, took: Duration::ZERO, cpu_ns: 0 }
    }

    fn turn(&mut self, is_last: bool) -> Result<()> {
        let Entrant { load, target, run, .. } = self.entrant;
        let before = cpu_ns(&self.entrant.pids)?;
        let start = Instant::now();
        let wrk = match &mut self.wrk {
            Some(wrk) => {
                wrk.go_on()?;
                wrk
            }
            none => none.insert(Wrk::start(target, &load, CONNECTIONS, run)?),
        };
        sleep(TURN);
        if is_last {
            wrk.end()?
        } else {
            wrk.stop()?
        }
        let end = self.rest(is_last)?;
        self.took += end - start;
        self.cpu_ns += cpu_ns_since(before, &self.entrant.pids)?;
        Ok(())
    }

    /// Awaits that the proxy has done what it was asked for, and where it is the last turn the end of wrk, which asks until
    /// then. Returns when the proxy was at work last.
    fn rest(&mut self, is_last: bool) -> Result<Instant> {
        let pids = &self.entrant.pids;
        let deadline = Instant::now() + PATIENCE;
        let mut at_work = Instant::now();
        let mut used = cpu_ns(pids)?;
        loop {
            sleep(LOOK);
            // In this order: the kernel counts a thread's time when it stops running, and else once in some milliseconds.
            let now = cpu_ns(pids)?;
            if is_running(pids) || now > used + TIMERS_NS {
                at_work = Instant::now();
            } else if now == used && (!is_last || self.wrk.as_mut().is_none_or(Wrk::is_over)) {
                return Ok(at_work);
            }
            if Instant::now() > deadline {
                return Err(Error::new(format!(
                    "the proxy or wrk is still at work {PATIENCE:?} after the turn"
                )));
            }
            used = now;
        }
    }

    fn outcome(self, phase: &str) -> Result<Outcome> {
        let answers = self.wrk.map_or_else(|| Ok(Answers::default()), |mut wrk| wrk.answers())?;
        judge(phase, &answers, &self.entrant.load)?;
        Ok(Outcome { count: answers.count(), took: self.took, cpu_ns: self.cpu_ns })
    }
}
