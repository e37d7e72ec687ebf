//! What compaction has done since the start.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use pagewire_log::CleanStats;
use parking_lot::Mutex;

use crate::{clock::now_ms, metrics::add};

/// Counters, and the last clean.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) cleans: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) bytes_read: AtomicU64,
    pub(super) bytes_written: AtomicU64,
    /// When everything due had been looked at.
    pub(super) looked_ms: AtomicI64,
    pub(super) last: Mutex<CleanStats>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            cleans: AtomicU64::default(),
            failed: AtomicU64::default(),
            bytes_read: AtomicU64::default(),
            bytes_written: AtomicU64::default(),
            looked_ms: AtomicI64::new(now_ms()),
            last: Mutex::default(),
        }
    }
}

impl Counts {
    pub(super) fn note(&self, stats: &CleanStats) {
        add(&self.cleans, 1);
        add(&self.bytes_read, stats.map_bytes_read + stats.bytes_read);
        add(&self.bytes_written, stats.bytes_written);
        *self.last.lock() = *stats;
    }

    pub(super) fn note_failure(&self) {
        add(&self.failed, 1);
    }

    pub(super) fn note_look(&self, now_ms: i64) {
        self.looked_ms.store(now_ms, Relaxed);
    }
}
