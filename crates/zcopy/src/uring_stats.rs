//! Counters of route `uring`: what it did, and the kernel's own word about it. Zeros where the route is not built in.

use std::sync::atomic::{AtomicU64, Ordering};

/// What route `uring` did; see [`StatsSnapshot::uring`](crate::StatsSnapshot::uring).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UringCounts {
    /// Operations of which the socket took something.
    pub operations: u64,
    /// Operations of which the kernel has reported that it does not need the buffer any more. The rest is in flight.
    pub notifications: u64,
    /// Of these, operations of which it says that it copied the bytes after all (`IORING_NOTIF_USAGE_ZC_COPIED`):
    /// always on loopback and veth, and where a card cannot gather.
    pub copied: u64,
    /// Calls that went by `copy`, because all buffers were being filled or in flight.
    pub no_buffer: u64,
    /// Calls that went by `copy`, because the socket takes little at a time.
    pub small: u64,
    /// Buffers that are registered, which is pinned and counted against `RLIMIT_MEMLOCK`; 256 KiB each. 0 before the
    /// first use, and where none could be.
    pub buffers_registered: u64,
}

#[derive(Debug, Default)]
pub(crate) struct UringStats {
    operations: AtomicU64,
    notifications: AtomicU64,
    copied: AtomicU64,
    no_buffer: AtomicU64,
    small: AtomicU64,
    buffers_registered: AtomicU64,
}

impl UringStats {
    pub(crate) fn snapshot(&self) -> UringCounts {
        // Counters that the others cannot exceed are read last.
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (copied, notifications) = (load(&self.copied), load(&self.notifications));
        UringCounts {
            operations: load(&self.operations),
            notifications,
            copied,
            no_buffer: load(&self.no_buffer),
            small: load(&self.small),
            buffers_registered: load(&self.buffers_registered),
        }
    }
}

#[cfg(all(target_os = "linux", feature = "uring"))]
impl UringStats {
    pub(crate) fn operation(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn no_buffer(&self) {
        self.no_buffer.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn small(&self) {
        self.small.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn registered(&self, buffers: usize) {
        self.buffers_registered.store(buffers as u64, Ordering::Relaxed);
    }

    pub(crate) fn reported(&self, reported: crate::sys::Reported) {
        self.notifications.fetch_add(reported.notifications, Ordering::Relaxed);
        self.copied.fetch_add(reported.copied, Ordering::Relaxed);
    }
}
