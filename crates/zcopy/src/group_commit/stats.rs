//! Counters of a group commit: relaxed atomics, read as a struct.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::SyncFailure;

#[derive(Debug, Default)]
pub(super) struct Counters {
    syncs: AtomicU64,
    not_begun: AtomicU64,
    failed: AtomicU64,
    waiters: AtomicU64,
    turned_away: AtomicU64,
    waiting: AtomicUsize,
}

/// What a [`GroupCommit`](crate::GroupCommit) did so far. `waiters / syncs` is what sharing saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupCommitStats {
    /// Syncs that began, the failed one included.
    pub syncs: u64,
    /// Syncs that could not begin, and were asked for again.
    pub not_begun: u64,
    /// Syncs that failed: 0 or 1.
    pub failed: u64,
    /// Waits that were let in.
    pub waiters: u64,
    /// Waits that were too many, and [`CommitError::Busy`](crate::CommitError::Busy) at once.
    pub turned_away: u64,
    /// How many wait now.
    pub waiting: usize,
}

impl Counters {
    pub(super) fn snapshot(&self) -> GroupCommitStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        GroupCommitStats {
            syncs: load(&self.syncs),
            not_begun: load(&self.not_begun),
            failed: load(&self.failed),
            waiters: load(&self.waiters),
            turned_away: load(&self.turned_away),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    pub(super) fn round(&self, outcome: &Result<u64, SyncFailure>) {
        match outcome {
            Err(SyncFailure::NotBegun(_)) => count(&self.not_begun),
            Ok(_) => count(&self.syncs),
            Err(SyncFailure::Failed(_)) => {
                count(&self.syncs);
                count(&self.failed);
            }
        }
    }

    /// Lets one more wait, unless `max` do already.
    pub(super) fn enter(&self, max: usize) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= max {
            self.leave();
            count(&self.turned_away);
            return false;
        }
        count(&self.waiters);
        true
    }

    pub(super) fn leave(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
