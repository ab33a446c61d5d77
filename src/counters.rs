//! Counters, as Envoy shows them under `wasmcustom.keptn_gateway.`.

use std::cell::RefCell;

use gate::denial::Denial;
use gate::tally::{Counter, Report};
use hashbrown::HashMap;

use crate::host::{self, Failed};

/// A metric, by what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Metric {
    Counter(&'static str),
    /// Requests refused for this reason.
    Refused(&'static str),
    /// How long checks took that were answered, in milliseconds.
    CheckDuration,
}

impl Metric {
    fn define(self) -> Result<u32, Failed> {
        match self {
            Self::Counter(name) => host::define_counter(&format!("keptn_gateway.{name}")),
            Self::Refused(reason) => host::define_counter(&format!("keptn_gateway.refused.{reason}")),
            Self::CheckDuration => host::define_histogram("keptn_gateway.check_duration_ms"),
        }
    }
}

/// The metrics. The host knows them by numbers, so each is defined once.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    numbers: RefCell<HashMap<Metric, u32>>,
}

impl Counters {
    /// Defines all of them: Envoy shows as 0 what has not happened yet, and nothing has to be defined later.
    pub(crate) fn define(&self) {
        for counter in Counter::ALL {
            self.write(Metric::Counter(counter.name()), |_| Ok(()));
        }
        for denial in Denial::ALL {
            self.write(Metric::Refused(denial.reason()), |_| Ok(()));
        }
        self.write(Metric::CheckDuration, |_| Ok(()));
    }

    /// Counts a refusal, at once: it is the one call that a refused request costs.
    pub(crate) fn count_refusal(&self, reason: &'static str) {
        self.write(Metric::Refused(reason), |number| host::increment(number, 1));
    }

    /// Writes what has happened since the last report.
    pub(crate) fn write_report(&self, report: &Report) {
        for (counter, count) in &report.counts {
            self.write(Metric::Counter(counter.name()), |number| host::increment(number, *count));
        }
        for duration in &report.durations {
            let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            self.write(Metric::CheckDuration, |number| host::record(number, milliseconds));
        }
    }

    /// A metric that the host refuses is no reason to refuse a request.
    fn write(&self, metric: Metric, write: impl FnOnce(u32) -> Result<(), Failed>) {
        let known = self.numbers.borrow().get(&metric).copied();
        let number = match known {
            Some(number) => Ok(number),
            None => metric.define().inspect(|number| {
                self.numbers.borrow_mut().insert(metric, *number);
            }),
        };
        if number.and_then(write).is_err() {
            log::error!("cannot write the metric {metric:?}");
        }
    }
}
