//! A log to which nothing is appended for a while, or any more, because its partition moves to another log directory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::log::Log;

impl Log {
    /// The partition is served from another directory by now, by another log.
    pub fn is_moved(&self) -> bool {
        self.has_left() && self.is_halted()
    }

    /// Appends nothing from now on, and nothing is being appended any more, until what this returns ends.
    pub(crate) fn halt(self: &Arc<Self>) -> Halted {
        let halted = Halted { log: Arc::clone(self), is_copied: false };
        self.halted.store(true, Ordering::Release);
        drop(self.writer.lock());
        halted
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }
}

/// A log that is halted for its switch. However this ends, the log stands still for no longer: it has left its directory, goes on
/// there, or is offline, which is said.
#[derive(Debug)]
pub(crate) struct Halted {
    log: Arc<Log>,
    is_copied: bool,
}

impl Halted {
    /// Its copy may be the log by now, for all that is known: it goes on only where [that is not so](Self::go_on).
    pub(crate) fn copied(mut self) -> Self {
        self.is_copied = true;
        self
    }

    /// The copy is not the log, and will not be.
    pub(crate) fn go_on(mut self) {
        self.is_copied = false;
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        if self.is_copied {
            if self.log.has_left() {
                return;
            }
            let why = io::Error::other("whether it is the log from now on is not known");
            self.log.poison(&why, "its copy in another log directory could not be taken back");
        }
        self.log.halted.store(false, Ordering::Release);
    }
}
