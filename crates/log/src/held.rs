//! How far a log may be cleaned while a backup that has noted its end has not copied it yet.
//!
//! Compaction takes a record because a later one has its key. If that one lies behind the end that was noted, a copy up to
//! there would have neither. So nothing is cleaned at or past the segment that was active then, nor what was not decided
//! then; a clean that was begun before goes no further of itself. What is aborted of it later is not taken either, though a clean
//! drops aborted data wherever it meets it: in the copy it is open, and may yet be committed. Retention is not held: what is too
//! old is no loss.
//!
//! One backup at a time is made of a log.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::log::Log;

/// The offset, `i64::MAX` while nobody holds the log.
#[derive(Debug)]
pub(crate) struct Held(AtomicI64);

impl Default for Held {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MAX))
    }
}

impl Held {
    /// No more than what may be cleaned.
    pub(crate) fn limit(&self, offset: i64) -> i64 {
        offset.min(self.0.load(Ordering::Acquire))
    }

    /// Whether somebody holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.0.load(Ordering::Acquire) != i64::MAX
    }
}

/// Until it is dropped the log is held.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Log>);

impl Hold {
    /// The caller holds the append lock, by which nothing is decided in between.
    pub(crate) fn at(log: &Arc<Log>, offset: i64) -> Self {
        log.held.0.store(offset, Ordering::Release);
        Self(Arc::clone(log))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.held.0.store(i64::MAX, Ordering::Release);
    }
}
