//! Counters of what was moved from a socket, into a file or to another socket, by which way.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that were moved from a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MovedCounts {
    /// Through a buffer.
    pub copied_bytes: u64,
    /// Through a pipe, by `splice(2)`.
    pub spliced_bytes: u64,
}

impl MovedCounts {
    /// All of them.
    pub fn bytes(&self) -> u64 {
        self.copied_bytes.saturating_add(self.spliced_bytes)
    }
}

/// The counters behind it.
#[derive(Debug, Default)]
pub(crate) struct MovedStats {
    copied: AtomicU64,
    spliced: AtomicU64,
}

impl MovedStats {
    /// `bytes` more have arrived.
    pub(crate) fn moved(&self, bytes: u64, spliced: bool) {
        if spliced { &self.spliced } else { &self.copied }.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> MovedCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MovedCounts { copied_bytes: load(&self.copied), spliced_bytes: load(&self.spliced) }
    }
}
