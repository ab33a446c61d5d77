//! Time as the gate knows it: an argument.

use core::time::Duration;

/// A point of the *monotonic* clock: it means nothing but its distance to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(Duration);

impl Time {
    /// This long after the clock's own beginning.
    pub const fn since_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The point `later` from here.
    #[must_use]
    pub const fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How long after `earlier` this is; nothing, if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A point of the *wall* clock, which can be set and jumps. It is asked about the validity of local tokens alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(Duration);

impl Wall {
    /// This long after 1970-01-01T00:00:00Z.
    pub const fn since_epoch(elapsed: Duration) -> Self {
        Self(elapsed)
    }
}
