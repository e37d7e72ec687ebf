//! A log to which nothing is appended for a while, or any more, because its partition moves to another log directory.
//!
//! ```text
//!   goes on ──▶ last round ──▶ complete ──▶ the log has left its directory, goes on there, or is offline
//!      ▲            │ called off: it took too long
//!      └────────────┘   whoever makes the round comes back at some time, and finds that the log is not its any more
//! ```

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::log::Log;

/// Number of the next round.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Which round keeps appends from a log, if one does.
#[derive(Debug, Default)]
pub(crate) struct Halting(AtomicU64);

impl Halting {
    fn is_halted(&self) -> bool {
        self.0.load(Ordering::Acquire) != GOES_ON
    }

    /// Whether it was as it `was`, and is as it `shall` be now.
    fn change(&self, was: u64, shall: u64) -> bool {
        self.0.compare_exchange(was, shall, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// Appends are taken.
const GOES_ON: u64 = 0;

impl Log {
    /// The partition is served from another directory by now, by another log.
    pub fn is_moved(&self) -> bool {
        self.has_left() && self.is_halted()
    }

    /// It takes no appends now.
    pub fn is_halted(&self) -> bool {
        self.halted.is_halted()
    }
}

/// The last round of a move, during which the log takes no appends. Who watches how long that takes can call it off.
#[derive(Debug, Clone)]
pub struct LastRound {
    log: Arc<Log>,
    number: u64,
    is_called_off: Arc<AtomicBool>,
}

impl LastRound {
    pub(crate) fn of(log: &Arc<Log>) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { log: Arc::clone(log), number, is_called_off: Arc::default() }
    }

    const fn under_way(&self) -> u64 {
        self.number << 1
    }

    const fn complete(&self) -> u64 {
        self.under_way() | 1
    }

    /// The log goes on where it is, whatever becomes of the round. `false`: the round has ended, and its owner stores where the log
    /// goes.
    pub fn call_off(&self) -> bool {
        // One that has not begun does not begin any more.
        self.is_called_off.store(true, Ordering::SeqCst);
        self.log.halted.change(self.under_way(), GOES_ON);
        self.log.halted.0.load(Ordering::SeqCst) != self.complete()
    }

    /// Appends nothing from now on, and nothing is being appended any more, until what this returns ends. `None`: it was called
    /// off, or another round of the log is under way.
    pub(crate) fn begin(&self) -> Option<Halted> {
        let log = &self.log;
        if !log.halted.change(GOES_ON, self.under_way()) {
            return None;
        }
        let halted = Halted(self.clone());
        // Whoever calls it off from now on finds it under way.
        if self.is_called_off.load(Ordering::SeqCst) {
            return None;
        }
        drop(log.writer.lock());
        Some(halted)
    }
}

/// A log that is halted for its switch. However this ends, the log stands still for no longer: it has left its directory, goes on
/// there, or is offline, which is said.
#[derive(Debug)]
pub(crate) struct Halted(LastRound);

impl Halted {
    /// Its copy may be the log from now on, for all that is known: it goes on only where [that is not so](Self::go_on). `false`:
    /// the round was called off, and the log goes on.
    pub(crate) fn completed(&self) -> bool {
        self.0.log.halted.change(self.0.under_way(), self.0.complete())
    }

    /// It was not called off.
    pub(crate) fn is_under_way(&self) -> bool {
        self.0.log.halted.0.load(Ordering::SeqCst) == self.0.under_way()
    }

    /// The copy is not the log, and will not be.
    pub(crate) fn go_on(self) {
        self.0.log.halted.change(self.0.complete(), GOES_ON);
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        let (log, complete) = (&self.0.log, self.0.complete());
        log.halted.change(self.0.under_way(), GOES_ON);
        if log.halted.0.load(Ordering::SeqCst) != complete || log.has_left() {
            return;
        }
        let why = io::Error::other("whether it is the log from now on is not known");
        log.poison(&why, "its copy in another log directory could not be taken back");
        log.halted.change(complete, GOES_ON);
    }
}
