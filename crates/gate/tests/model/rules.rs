//! What a gate has to do, by the rules of the documents: slow and plain, lists that are searched.
//!
//! The model predicts every verdict, wake-up, check and count. Where the gate is free (it spreads refreshes and probes
//! by chance), the model has bounds, and follows what the gate did within them.

mod checks;
mod meaning;
mod memory;
mod requests;
mod ticks;

use core::time::Duration;

use gate::tally::{Counter, Report};

use crate::coverage::{Coverage, Seen};
use crate::ledger::Ledger;
use crate::settings::Settings;
use meaning::Meaning;
use memory::{Half, No, Yes};

/// While failing fast: the longest time between the sending of two probes, in milliseconds.
const LONGEST_PAUSE: u64 = 5000;

/// A background check is not sent again before this, when the last one decided nothing.
const ASKED_AGAIN_AFTER: u64 = 5000;

/// Why a request is refused, and what `Retry-After` says, if anything: from … to.
pub type Refusal = (&'static str, Option<(u64, u64)>);

/// What a request may get.
#[derive(Clone, Debug)]
pub enum Due {
    Pass,
    Refused(Refusal),
    Ask,
    Wait,
}

/// What those who waited get.
pub type Woken = Vec<(u32, usize, Result<(), Refusal>)>;

/// A request with a token.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub stream: u32,
    pub token: usize,
    pub route: usize,
    pub payer: usize,
    pub is_fresh: bool,
}

#[derive(Debug)]
struct Flight {
    number: u64,
    /// Nothing: the canary's.
    token: Option<usize>,
    check: Option<u32>,
    sent_at: u64,
    overdue_at: u64,
    payer: Option<usize>,
    is_refresh: bool,
    /// Somebody wanted a fresh answer, whether they still wait or not.
    is_fresh: bool,
    /// Streams, their routes, and whether they want a fresh answer.
    waiters: Vec<(u32, usize, bool)>,
}

#[derive(Debug)]
struct Failing {
    /// The flight's number.
    probe: Option<u64>,
    next_from: u64,
    next_by: u64,
    pause: u64,
}

#[derive(Debug)]
struct Canary {
    next_at: u64,
    flight: Option<u64>,
    has_failed: bool,
    /// What was asked up to this flight is not believed.
    believed_after: u64,
}

#[derive(Debug)]
pub struct Rules {
    settings: Settings,
    pub coverage: Coverage,
    ledger: Ledger,
    /// The latest time that the gate was told.
    latest: u64,
    yes: Half<Yes>,
    no: Half<No>,
    /// What was said to `/v1/auth`, and when.
    repeats: Vec<(usize, Meaning, u64)>,
    flights: Vec<Flight>,
    flights_ever: u64,
    /// What is missing in whose bucket, in thousandths, and when that was.
    buckets: Vec<(usize, u64, u64)>,
    silences: u64,
    answered_at: Option<u64>,
    failing: Option<Failing>,
    canary: Option<Canary>,
    /// Counted since the last report, all together and first when.
    totals: [u64; Counter::ALL.len()],
    durations: Vec<u64>,
    unreported_since: Option<u64>,
    /// From here on the model cannot tell what is remembered.
    pub is_vague: bool,
}

impl Rules {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            coverage: Coverage::new(),
            ledger: Ledger::new(settings),
            latest: 0,
            yes: Half { most: settings.allow_entries, entries: Vec::new() },
            no: Half { most: settings.deny_entries, entries: Vec::new() },
            repeats: Vec::new(),
            flights: Vec::new(),
            flights_ever: 0,
            buckets: Vec::new(),
            silences: 0,
            answered_at: None,
            failing: None,
            canary: (settings.canary > 0).then_some(Canary {
                next_at: 0,
                flight: None,
                has_failed: false,
                believed_after: 0,
            }),
            totals: [0; Counter::ALL.len()],
            durations: Vec::new(),
            unreported_since: None,
            is_vague: false,
        }
    }

    fn saw(&mut self, seen: Seen) {
        self.coverage.saw(seen);
    }

    pub fn count(&mut self, counter: Counter) {
        self.totals[counter as usize] += 1;
        self.unreported_since.get_or_insert(self.latest);
    }

    /// A foreign request is none of the model's business; its time is not looked at.
    pub fn count_foreign(&mut self, now: u64) {
        self.totals[Counter::Foreign as usize] += 1;
        self.unreported_since.get_or_insert(now);
    }

    pub const fn latest(&self) -> u64 {
        self.latest
    }

    pub const fn deadline(&self) -> u64 {
        self.settings.deadline
    }

    pub const fn has_canary(&self) -> bool {
        self.canary.is_some()
    }

    fn count_verdict(&mut self, verdict: &Result<(), Refusal>) {
        self.count(match verdict {
            Ok(()) => Counter::Ok,
            Err(("wrong_token" | "forbidden", _)) => Counter::Denied,
            Err(("auth_timeout" | "deadline_passed", _)) => Counter::Timeout,
            Err(("throttled", _)) => Counter::Throttled,
            Err(_) => Counter::Error,
        });
    }

    /// The gate is told the time. If its clock goes back, nothing that was known is.
    pub fn observe(&mut self, now: u64) {
        if now < self.latest {
            self.saw(Seen::WentBack);
            if self.flights.iter().any(|flight| !flight.waiters.is_empty()) {
                self.saw(Seen::WentBackWaiting);
            }
            self.yes.entries.clear();
            self.no.entries.clear();
            self.repeats.clear();
            self.ledger.went_back();
            for flight in &mut self.flights {
                flight.sent_at = now;
                flight.payer = None;
                flight.overdue_at = now + self.settings.deadline;
            }
            self.answered_at = None;
            if let Some(failing) = &mut self.failing {
                failing.next_from = failing.next_from.min(now);
                failing.next_by = failing.next_by.min(now + LONGEST_PAUSE);
            }
            // Nobody is locked out for as long as the clock went back.
            self.buckets.clear();
            if let Some(canary) = &mut self.canary {
                canary.next_at = canary.next_at.min(now + self.settings.canary);
            }
            // The notice has to be written.
            self.unreported_since = Some(self.unreported_since.map_or(now, |since| since.min(now)));
        }
        self.latest = now;
    }

    /// The gate has reported what happened since it last did: that has to be what the model has counted.
    pub fn reported(&mut self, report: &Report) {
        for counter in Counter::ALL {
            let counts = report.counts.iter().filter(|(known, _)| known == counter);
            let reported: u64 = counts.map(|(_, count)| count).sum();
            assert_eq!(reported, self.totals[*counter as usize], "{}", counter.name());
        }
        let durations: Vec<_> = self.durations.drain(..).map(Duration::from_millis).collect();
        assert_eq!(report.durations, durations);
        self.totals = [0; Counter::ALL.len()];
        self.unreported_since = None;
    }
}
