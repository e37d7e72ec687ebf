//! A log to which nothing is appended for a while, or any more, because its partition moves to another log directory.

use std::sync::atomic::Ordering;

use crate::log::Log;

impl Log {
    /// The partition is served from another directory by now, by another log.
    pub fn is_moved(&self) -> bool {
        self.has_left() && self.is_halted()
    }

    /// Appends nothing from now on, and nothing is being appended any more, until it [goes on](Self::go_on).
    pub(crate) fn halt(&self) {
        self.halted.store(true, Ordering::Release);
        drop(self.writer.lock());
    }

    /// Appends again.
    pub(crate) fn go_on(&self) {
        self.halted.store(false, Ordering::Release);
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }
}
