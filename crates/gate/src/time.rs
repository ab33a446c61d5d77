//! Time as the gate knows it: an argument.

use core::time::Duration;

/// A point of the *monotonic* clock: it never jumps, and means nothing but its distance to another.
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
}
