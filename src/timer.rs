//! The root's timer: it follows what the gate wants, with as few calls to the host as that takes.

use core::time::Duration;

use gate::time::Time;

use crate::host;

/// The host's timer takes whole milliseconds, and 0 switches it off.
const SHORTEST: Duration = Duration::from_millis(1);

/// What the host's timer, which is periodic, is set to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timer {
    /// Nothing: it is off.
    period: Option<Duration>,
    /// When it fires next.
    fires_at: Option<Time>,
}

impl Timer {
    /// The gate wants a tick at `at`, or none. Only a timer that would be late is touched: one that fires early, or
    /// for nothing, does no harm.
    #[must_use]
    pub(crate) fn wanted(self, at: Option<Time>, now: Time) -> Self {
        match at {
            // The period may be the same, but it is to begin now.
            Some(at) if self.fires_at.is_none_or(|fires_at| at < fires_at) => {
                Self { period: None, ..self }.set(Some(at), now)
            }
            _ => self,
        }
    }

    /// It has fired at `now`, and the gate wants the next tick at `at`, or none.
    #[must_use]
    pub(crate) fn fired(self, at: Option<Time>, now: Time) -> Self {
        self.set(at, now)
    }

    fn set(self, at: Option<Time>, now: Time) -> Self {
        let period = at.map(|at| at.since(now).max(SHORTEST));
        if period != self.period && host::set_tick_period(period).is_err() {
            log::error!("the host has no timer");
            return self;
        }
        Self { period, fires_at: period.map(|period| now.after(period)) }
    }
}
