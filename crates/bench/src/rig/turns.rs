//! The closed loop, in turns: all that are compared are up, and each is asked for a moment, again and again.
//!
//! What a shared machine's neighbours do lasts for seconds. Who is measured after another has another machine; those who
//! take turns this short have had the same one in the end. While it is not its turn, a load is stopped (SIGSTOP), and its
//! proxy has nothing to do. CPU time is counted for each proxy's processes, and so is nobody else's.

use crate::rig::{
    cores::{cpu_ns, cpu_ns_since},
    load::{Answers, Load},
    measure::{CONNECTIONS, judge},
    wrk::Wrk,
};
use std::{
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};
use testbed::Result;

/// How long a turn is.
const TURN: Duration = Duration::from_millis(100);

/// So many of them, in words.
pub(crate) fn in_words(count: u32) -> String {
    format!("{count} turns of {} ms", TURN.as_millis())
}

/// How often it is looked whether a proxy is still at work.
const LOOK: Duration = Duration::from_millis(1);

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

/// Lets all take so many turns, at least one, each time in an order drawn anew.
///
/// # Errors
/// Of each by itself: its load does not run, its proxy has ended, or an answer is wrong.
pub(crate) fn run(
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
    all.into_iter().map(|running| running?.outcome()).collect()
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
        // It has asked for some things that the proxy is still busy with.
        let mut at_work = (cpu_ns(&self.entrant.pids)?, Instant::now());
        loop {
            sleep(LOOK);
            let now = (cpu_ns(&self.entrant.pids)?, Instant::now());
            if now.0 != at_work.0 {
                at_work = now;
            } else if !is_last || wrk.is_over() {
                break;
            }
        }
        self.took += at_work.1 - start;
        self.cpu_ns += cpu_ns_since(before, &self.entrant.pids)?;
        Ok(())
    }

    fn outcome(self) -> Result<Outcome> {
        let answers = self.wrk.map_or_else(|| Ok(Answers::default()), |mut wrk| wrk.answers())?;
        judge("the closed loop", &answers, &self.entrant.load)?;
        Ok(Outcome { count: answers.count(), took: self.took, cpu_ns: self.cpu_ns })
    }
}
