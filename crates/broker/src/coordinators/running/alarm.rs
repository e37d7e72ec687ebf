//! The next deadline of a shard, and the sleep until then.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use tokio::sync::Notify;

use crate::clock::steady_ms;

/// The longest sleep: some deadlines are as far away as never.
const SLEEP_MAX: Duration = Duration::from_mins(1);

/// What a shard's task sleeps by. Deadlines are of the steady clock, ms.
pub(in crate::coordinators) struct Alarm {
    until_ms: AtomicI64,
    /// There is an earlier deadline than the one it sleeps for.
    earlier: Notify,
}

impl Alarm {
    pub(in crate::coordinators) const fn new() -> Self {
        Self { until_ms: AtomicI64::new(i64::MAX), earlier: Notify::const_new() }
    }

    /// The next sleep ends at `deadline_ms`, or nothing is due.
    pub(in crate::coordinators) fn set(&self, deadline_ms: Option<i64>) {
        self.until_ms.store(deadline_ms.unwrap_or(i64::MAX), Ordering::Release);
    }

    /// When the next sleep ends.
    pub(in crate::coordinators) fn until_ms(&self) -> i64 {
        self.until_ms.load(Ordering::Acquire)
    }

    /// Wakes whoever sleeps for longer than that.
    pub(in crate::coordinators) fn no_later_than(&self, deadline_ms: Option<i64>) {
        if deadline_ms.is_some_and(|deadline_ms| deadline_ms < self.until_ms()) {
            self.earlier.notify_one();
        }
    }

    /// Until something may be due.
    pub(in crate::coordinators) async fn sleep(&self) {
        let left_ms = self.until_ms().saturating_sub(steady_ms());
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        tokio::select! {
            () = tokio::time::sleep(left.min(SLEEP_MAX)) => {}
            () = self.earlier.notified() => {}
        }
    }
}
