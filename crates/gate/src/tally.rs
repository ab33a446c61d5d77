//! What has happened: counted by the gate, written to Envoy's statistics by the filter, some of it to the log.

use core::time::Duration;

use crate::denial::Denial;
use crate::time::Time;

/// How long counts wait to be written together: a request then costs no call to the host for them.
const WRITTEN_EVERY: Duration = Duration::from_millis(250);

/// How many durations wait to be written. More are lost, which no host can bring about with its own time-outs.
const MAX_DURATIONS: usize = 4096;

macro_rules! counters {
    ($($name:ident $word:literal $meaning:literal)*) => {
        /// A counter, as Envoy shows it under `wasmcustom.keptn_gateway.`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Counter {
            $(#[doc = $meaning] $name,)*
        }

        impl Counter {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in Envoy's statistics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What it counts, as the documents say it.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

counters! {
    Ok "ok" "Requests whose token is good, be it known, asked about, stale or local."
    Denied "denied" "Requests whose token the auth service refuses (401, 403), now or a moment ago."
    Error "error" "Requests whose token could not be judged: no answer, a broken contract, a busy auth service, failing fast, too much under way, a failed canary."
    Timeout "timeout" "Requests whose token was not judged in time: by the auth service, or by `auth.deadline`."
    Throttled "throttled" "Requests refused because their address has had too many wrong tokens checked."
    CacheHit "cache_hit" "Requests that a remembered yes let pass."
    CacheNegativeHit "cache_negative_hit" "Requests that a remembered no refused."
    CacheMiss "cache_miss" "Requests with a token of which nothing was remembered that decides."
    Stale "stale" "Requests that passed on a yes that is over, because no answer could be had."
    Coalesced "coalesced" "Requests that waited for a check that was under way already."
    Checks "checks" "Checks begun: what the auth service is asked, and what Envoy then refuses to send."
    Refreshed "refreshed" "Checks in the background that were answered with yes, so that nobody had to wait."
    Local "local" "Requests that a listed hash let pass."
    Inserted "cache_inserted" "Answers remembered."
    Evicted "cache_evicted" "Answers forgotten because there were too many."
    FailingFastBegun "failing_fast_begun" "The auth service gave no answer several times in a row: failing fast began."
    FailingFastEnded "failing_fast_ended" "It answered again: failing fast ended."
    CanaryFailed "canary_failed" "The auth service said yes to a token that nobody has: from then on everything is refused that rests on its yes."
    CanaryPassed "canary_passed" "It refused such a token again."
    Internal "internal" "Requests let through to operations that the API marks as INTERNAL."
    Foreign "foreign" "Requests for hosts that are not ours, left as they are."
}

/// Something that an operator should read in the log: once for each report, however often it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the texts say it")]
pub enum Notice {
    Stale,
    FailingFastBegun,
    FailingFastEnded,
    CanaryFailed,
    CanaryPassed,
    ContractBroken,
    Unsent,
    Unanswered,
    Busy,
    Full,
    ClockWentBack,
}

impl Notice {
    /// What the log says.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Stale => {
                "stale: there is no answer about a token that was right; it is honoured for a while"
            }
            Self::FailingFastBegun => {
                "the auth service gives no answer: unknown tokens are refused at once, and it is tried again now and then"
            }
            Self::FailingFastEnded => "the auth service answers again",
            Self::CanaryFailed => {
                "the auth service says yes to a token that nobody has: every yes of its is refused until it does not"
            }
            Self::CanaryPassed => {
                "the auth service refuses a token that nobody has, as it should: it is believed again"
            }
            Self::ContractBroken => {
                "the auth service answered a check with neither 2xx, 401, 403, 429 nor 5xx"
            }
            Self::Unsent => {
                "no check can be sent: is there a cluster by the name of auth.cluster, with a host in it and room in its limits?"
            }
            Self::Unanswered => "requests are refused because their tokens' checks had no answer",
            Self::Busy => "requests are refused because the auth service throttles",
            Self::Full => "requests are refused because too many wait, or too many tokens are being checked",
            Self::ClockWentBack => {
                "the monotonic clock went back: everything that was remembered is forgotten"
            }
        }
    }

    /// Whether it is good news.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::FailingFastEnded | Self::CanaryPassed)
    }
}

/// What has happened since the last report.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How often, of what happened at all.
    pub counts: Vec<(Counter, u64)>,
    /// How long checks took that were answered.
    pub durations: Vec<Duration>,
    /// What the log should say.
    pub notices: Vec<Notice>,
}

/// Counts what happens until it is reported.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: [u64; Counter::ALL.len()],
    durations: Vec<Duration>,
    notices: Vec<Notice>,
    due_at: Option<Time>,
}

impl Tally {
    pub(crate) fn count(&mut self, counter: Counter, now: Time) {
        if let Some(count) = self.counts.get_mut(counter as usize) {
            *count = count.saturating_add(1);
        }
        self.is_due(now);
    }

    /// One request that needs a token has its verdict.
    pub(crate) fn count_outcome<T>(&mut self, outcome: &Result<T, Denial>, now: Time) {
        let counter = match outcome {
            Ok(_) => Counter::Ok,
            Err(Denial::WrongToken | Denial::Forbidden) => Counter::Denied,
            Err(Denial::AuthTimeout | Denial::DeadlinePassed) => Counter::Timeout,
            Err(Denial::Throttled { .. }) => Counter::Throttled,
            Err(_) => Counter::Error,
        };
        self.count(counter, now);
        let notice = match outcome {
            Err(Denial::AuthUnavailable | Denial::AuthTimeout | Denial::DeadlinePassed) => Notice::Unanswered,
            Err(Denial::TooManyFlights | Denial::TooManyWaiters) => Notice::Full,
            Err(Denial::Busy { .. }) => Notice::Busy,
            _ => return,
        };
        self.notice(notice, now);
    }

    pub(crate) fn took(&mut self, duration: Duration, now: Time) {
        if self.durations.len() < MAX_DURATIONS {
            self.durations.push(duration);
        }
        self.is_due(now);
    }

    /// Something for the log; once, until it is reported.
    pub(crate) fn notice(&mut self, notice: Notice, now: Time) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
        self.is_due(now);
    }

    /// The clock has gone back: the report is not put off until it is where it was.
    pub(crate) fn clock_went_back(&mut self, now: Time) {
        self.due_at = self.due_at.map(|at| at.min(now.after(WRITTEN_EVERY)));
    }

    /// When a report is due, if there is anything to report.
    pub(crate) const fn due_at(&self) -> Option<Time> {
        self.due_at
    }

    pub(crate) fn report(&mut self) -> Report {
        self.due_at = None;
        let counts = core::mem::take(&mut self.counts);
        let counted = Counter::ALL.iter().copied().zip(counts).filter(|(_, count)| *count > 0);
        Report {
            counts: counted.collect(),
            durations: core::mem::take(&mut self.durations),
            notices: core::mem::take(&mut self.notices),
        }
    }

    fn is_due(&mut self, now: Time) {
        self.due_at.get_or_insert(now.after(WRITTEN_EVERY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_what_happened_since_the_last_one() {
        let now = Time::since_start(Duration::from_secs(9));
        let mut tally = Tally::default();
        assert_eq!(tally.due_at(), None);
        assert_eq!(tally.report(), Report::default());
        for counter in Counter::ALL {
            tally.count(*counter, now);
        }
        tally.count(Counter::Foreign, now.after(WRITTEN_EVERY));
        tally.took(Duration::from_millis(3), now);
        tally.notice(Notice::Stale, now);
        tally.notice(Notice::Stale, now);
        assert_eq!(tally.due_at(), Some(now.after(WRITTEN_EVERY)), "what came first decides");
        let report = tally.report();
        let expected: Vec<_> = Counter::ALL
            .iter()
            .map(|counter| (*counter, if *counter == Counter::Foreign { 2 } else { 1 }))
            .collect();
        assert_eq!(report.counts, expected);
        assert_eq!((report.durations.len(), report.notices), (1, vec![Notice::Stale]));
        assert_eq!((tally.due_at(), tally.report()), (None, Report::default()));
    }

    #[test]
    fn names_are_one_word_each() {
        let mut names: Vec<_> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Counter::ALL.len());
    }
}
