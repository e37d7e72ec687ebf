//! How far loading a directory has come, for whoever wants to look while it goes on.
//!
//! Counters only: no clock, no line of text. What has to be checked is estimated from lengths of files before anything
//! is opened, from above: a log whose indexes save some of it counts as done with what was saved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::RecoveryReport;

/// Counters of one loading. All of them rise.
#[derive(Debug)]
pub struct LoadMeter {
    path: PathBuf,
    logs_total: AtomicU64,
    logs: AtomicU64,
    bytes_total: AtomicU64,
    /// Rises while segments are checked.
    checked: Arc<AtomicU64>,
    saved: AtomicU64,
    cuts: AtomicU64,
    cut_bytes: AtomicU64,
    rebuilt: AtomicU64,
    is_at_it: AtomicBool,
}

/// What the counters said at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loading {
    /// Partitions' directories found.
    pub logs_total: u64,
    /// Of these, done.
    pub logs: u64,
    /// Bytes of segments that have to be checked; 0 after an orderly stop.
    pub bytes_total: u64,
    /// Of these, done.
    pub bytes: u64,
    /// Bytes whose batches were checked, whether or not they had to be.
    pub checked: u64,
    /// Places where a log was cut.
    pub cuts: u64,
    /// Bytes that were cut off.
    pub cut_bytes: u64,
    /// Derived files that were rebuilt.
    pub rebuilt: u64,
    /// Its disk is being worked on at the moment.
    pub is_at_it: bool,
}

impl LoadMeter {
    pub(super) fn new(path: &Path) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_path_buf(),
            logs_total: AtomicU64::default(),
            logs: AtomicU64::default(),
            bytes_total: AtomicU64::default(),
            checked: Arc::default(),
            saved: AtomicU64::default(),
            cuts: AtomicU64::default(),
            cut_bytes: AtomicU64::default(),
            rebuilt: AtomicU64::default(),
            is_at_it: AtomicBool::default(),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far it is now.
    pub fn look(&self) -> Loading {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (bytes_total, checked) = (get(&self.bytes_total), get(&self.checked));
        Loading {
            logs_total: get(&self.logs_total),
            logs: get(&self.logs),
            bytes_total,
            bytes: checked.saturating_add(get(&self.saved)).min(bytes_total),
            checked,
            cuts: get(&self.cuts),
            cut_bytes: get(&self.cut_bytes),
            rebuilt: get(&self.rebuilt),
            is_at_it: self.is_at_it.load(Ordering::Relaxed),
        }
    }

    /// What whoever checks segments counts with.
    pub(super) fn checked(&self) -> &Arc<AtomicU64> {
        &self.checked
    }

    /// So much was found.
    pub(super) fn begin(&self, logs: usize, bytes: u64) {
        self.logs_total.store(logs as u64, Ordering::Relaxed);
        self.bytes_total.store(bytes, Ordering::Relaxed);
    }

    /// Its disk is worked on as long as `work` lasts.
    pub(crate) fn at_it<T>(&self, work: impl FnOnce() -> T) -> T {
        self.is_at_it.store(true, Ordering::Relaxed);
        let done = work();
        self.is_at_it.store(false, Ordering::Relaxed);
        done
    }

    /// A log of which `estimated` bytes had to be checked is done; `report`, if it was opened.
    pub(super) fn done(&self, estimated: u64, report: Option<&RecoveryReport>) {
        let add = |counter: &AtomicU64, more: u64| counter.fetch_add(more, Ordering::Relaxed);
        add(&self.logs, 1);
        add(&self.saved, estimated.saturating_sub(report.map_or(0, |report| report.scanned_bytes)));
        let Some(report) = report else { return };
        add(&self.cuts, report.cuts.len() as u64);
        add(&self.cut_bytes, report.cuts.iter().map(|cut| cut.bytes).sum());
        add(&self.rebuilt, report.rebuilt.total());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_indexes_save_counts_as_done_when_the_log_is() {
        let meter = LoadMeter::new(Path::new("/d"));
        meter.begin(2, 300);
        meter.checked().fetch_add(50, Ordering::Relaxed);
        assert_eq!((meter.look().bytes, meter.look().logs), (50, 0));
        meter.done(200, Some(&RecoveryReport { scanned_bytes: 50, ..RecoveryReport::default() }));
        assert_eq!((meter.look().bytes, meter.look().checked), (200, 50));
        meter.done(100, None);
        assert_eq!((meter.look().bytes, meter.look().logs), (300, 2));
    }

    #[test]
    fn a_directory_is_worked_on_from_the_beginning_to_the_end() {
        let meter = LoadMeter::new(Path::new("/d"));
        assert!(!meter.look().is_at_it && meter.at_it(|| meter.look().is_at_it) && !meter.look().is_at_it);
    }

    #[test]
    fn a_log_that_was_checked_twice_is_not_more_than_all() {
        let meter = LoadMeter::new(Path::new("/d"));
        meter.begin(1, 100);
        meter.checked().fetch_add(150, Ordering::Relaxed);
        meter.done(100, Some(&RecoveryReport { scanned_bytes: 150, ..RecoveryReport::default() }));
        assert_eq!((meter.look().bytes, meter.look().bytes_total), (100, 100));
    }
}
