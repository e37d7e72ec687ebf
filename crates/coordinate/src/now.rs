//! The time, told by two clocks.

/// One moment. Both clocks are read by the caller, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the Unix epoch, for what is kept: when an offset was committed, since when a group is as it
    /// is. May be set forward or back at any time.
    pub wall_ms: i64,
    /// Milliseconds since some moment in this process' life, never going back or jumping: deadlines are counted in
    /// them, so that a clock that is set expels nobody.
    pub steady_ms: i64,
}

impl Now {
    /// A moment at which both clocks show the same: in simulations.
    pub const fn both(ms: i64) -> Self {
        Self { wall_ms: ms, steady_ms: ms }
    }

    /// How long ago something was, of which the log tells the time and memory, in the same life of the process, the steady
    /// one. None if nobody knows: it never was (0), or the wall clock was set back behind it.
    pub(crate) fn since(&self, wall_ms: i64, steady_ms: Option<i64>) -> Option<i64> {
        match steady_ms {
            Some(steady_ms) => Some(self.steady_ms.saturating_sub(steady_ms)),
            None if wall_ms == 0 || wall_ms > self.wall_ms => None,
            None => Some(self.wall_ms.saturating_sub(wall_ms)),
        }
    }

    /// The time on the steady clock `after_ms` from now; negative is now.
    pub(crate) fn deadline(&self, after_ms: i64) -> i64 {
        self.steady_ms.saturating_add(after_ms.max(0))
    }
}
