//! Which part of a log is dirty, how far it can be cleaned, and whether it is time: decided purely, as Kafka's
//! `LogCleanerManager` does.
//!
//! ```text
//!   segments  [  clean  |  clean  :  dirty  |  dirty  ][ younger than min.compaction.lag.ms ][ active ]
//!                           first_dirty               until
//! ```
//!
//! The active segment is never cleaned, nor anything at or past the last stable offset: what an open transaction
//! becomes is not known yet.

use crate::config::LogConfig;
use crate::marks::Marks;
use crate::share::Share;

/// A closed segment, as the decision sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClosedSegment {
    pub(crate) base_offset: i64,
    pub(crate) size: u64,
    /// Largest timestamp; its file's time if no record has one.
    pub(crate) newest_ms: Option<i64>,
    /// Largest timestamp of its first batch.
    pub(crate) oldest_ms: Option<i64>,
}

/// What can be cleaned of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cleanable {
    /// Where the log begins: what lies below is neither looked at nor missed.
    pub(crate) log_start: i64,
    /// Below, every key has one record.
    pub(crate) first_dirty: i64,
    /// Nothing at or past this is cleaned now.
    pub(crate) until: i64,
    /// Bytes of the segments below `first_dirty`.
    pub(crate) clean_bytes: u64,
    /// Bytes of the segments from there to `until`.
    pub(crate) dirty_bytes: u64,
    /// How long the oldest dirty record has been dirty for longer than `max.compaction.lag.ms`.
    pub(crate) overdue_ms: i64,
}

impl Cleanable {
    /// The share of bytes that are dirty.
    pub(crate) fn ratio(&self) -> Share {
        Share::of(self.dirty_bytes, self.clean_bytes + self.dirty_bytes)
    }

    /// Whether it is time.
    pub(crate) fn is_due(&self, config: &LogConfig) -> bool {
        self.ratio() > config.min_cleanable_dirty_ratio || self.overdue_ms > 0 && self.dirty_bytes > 0
    }
}

/// Where the dirty part begins; `None` for a checkpoint that cannot be this log's as it is now.
pub(crate) fn first_dirty(checkpoint: Option<i64>, marks: &Marks) -> Option<i64> {
    let checkpoint = checkpoint.unwrap_or(marks.log_start);
    (marks.log_start..=marks.log_end).contains(&checkpoint).then_some(checkpoint)
}

/// What can be cleaned. `closed`: all segments but the active one, oldest first, which begins at `active_base`.
pub(crate) fn cleanable(
    closed: &[ClosedSegment],
    active_base: i64,
    first_dirty: i64,
    marks: &Marks,
    config: &LogConfig,
    now_ms: i64,
) -> Cleanable {
    let after = |at: usize| closed.get(at + 1).map_or(active_base, |next| next.base_offset);
    let dirty = || closed.iter().enumerate().filter(|(at, _)| after(*at) > first_dirty);
    let youngest_allowed = now_ms.saturating_sub(config.min_compaction_lag_ms.max(0));
    let too_young = |segment: &ClosedSegment| {
        config.min_compaction_lag_ms > 0 && segment.newest_ms.is_some_and(|newest| newest > youngest_allowed)
    };
    let young = dirty().find(|(_, segment)| too_young(segment)).map(|(_, segment)| segment.base_offset);
    let stable = marks.last_stable.min(marks.high_watermark);
    let until = active_base.min(stable).min(young.unwrap_or(i64::MAX)).max(first_dirty);
    let bytes = |from: i64, to: i64| -> u64 {
        let within = |(at, segment): &(usize, &ClosedSegment)| segment.base_offset < to && after(*at) > from;
        closed.iter().enumerate().filter(within).map(|(_, segment)| segment.size).sum()
    };
    // Whole segments, as far as their number of bytes is concerned: one that only begins below the end counts not.
    let last_whole =
        closed.iter().enumerate().rfind(|(at, _)| after(*at) <= until).map_or(0, |(at, _)| after(at));
    let oldest_allowed = now_ms.saturating_sub(config.max_compaction_lag_ms.max(0));
    let oldest = dirty().filter_map(|(_, segment)| segment.oldest_ms.filter(|oldest| *oldest > 0)).min();
    Cleanable {
        log_start: marks.log_start,
        first_dirty,
        until,
        clean_bytes: bytes(marks.log_start, first_dirty),
        dirty_bytes: bytes(first_dirty, last_whole),
        overdue_ms: oldest.map_or(0, |oldest| oldest_allowed.saturating_sub(oldest).max(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(log_start: i64, last_stable: i64) -> Marks {
        Marks { log_start, last_stable, high_watermark: 50, log_end: 50, recovery_point: 0 }
    }

    /// Four of ten offsets and 100 bytes each, of times 1000, 2000, ...; the active one begins at 40.
    fn closed() -> Vec<ClosedSegment> {
        (0..4)
            .map(|n| ClosedSegment {
                base_offset: n * 10,
                size: 100,
                newest_ms: Some((n + 1) * 1000),
                oldest_ms: Some((n + 1) * 1000),
            })
            .collect()
    }

    fn config() -> LogConfig {
        LogConfig { cleanup_compact: true, ..LogConfig::default() }
    }

    fn of(first_dirty: i64, last_stable: i64, config: &LogConfig, now_ms: i64) -> Cleanable {
        cleanable(&closed(), 40, first_dirty, &marks(0, last_stable), config, now_ms)
    }

    #[test]
    fn a_log_is_dirty_from_its_checkpoint_to_its_active_segment() {
        let found = of(20, 50, &config(), 0);
        assert_eq!((found.until, found.clean_bytes, found.dirty_bytes), (40, 200, 200));
        assert_eq!(found.ratio(), Share::HALF);
        assert!(!found.is_due(&config()), "more than half");
        assert!(of(10, 50, &config(), 0).is_due(&config()));
    }

    #[test]
    fn nothing_at_or_past_the_last_stable_offset_is_cleaned() {
        let found = of(0, 25, &config(), 0);
        assert_eq!((found.until, found.dirty_bytes), (25, 200));
        assert_eq!(of(30, 25, &config(), 0).until, 30);
    }

    /// DeleteRecords moved the start into a segment with an open transaction. It would be written anew again and again.
    #[test]
    fn nothing_is_dirty_of_a_segment_that_is_not_whole() {
        for last_stable in [3, 5] {
            let found = cleanable(&closed(), 40, 3, &marks(3, last_stable), &config(), 0);
            assert_eq!((found.until, found.dirty_bytes), (last_stable, 0));
        }
    }

    #[test]
    fn a_segment_younger_than_the_least_lag_stays_with_all_after_it() {
        let config = LogConfig { min_compaction_lag_ms: 1000, ..config() };
        assert_eq!(of(0, 50, &config, 3000).until, 20);
        assert_eq!(of(0, 50, &config, 4000).until, 30);
        assert_eq!(of(0, 50, &config, 5000).until, 40);
        assert_eq!(of(20, 50, &config, 1500).until, 20, "what is clean already does not matter");
    }

    #[test]
    fn past_the_longest_lag_it_is_time_whatever_the_ratio() {
        let config = LogConfig { max_compaction_lag_ms: 500, ..config() };
        let found = of(30, 50, &config, 4600);
        assert!(found.overdue_ms == 100 && found.is_due(&config));
        assert!(!of(30, 50, &config, 4500).is_due(&config));
        assert!(!of(40, 50, &config, 9999).is_due(&config), "nothing dirty");
    }

    #[test]
    fn a_clean_log_is_never_due() {
        let always =
            LogConfig { min_cleanable_dirty_ratio: Share::NONE, max_compaction_lag_ms: 0, ..config() };
        assert!(!of(40, 50, &always, i64::MAX).is_due(&always));
        assert!(of(39, 50, &always, 0).is_due(&always));
        assert!(!cleanable(&[], 0, 0, &marks(0, 50), &always, 9).is_due(&always));
    }

    #[test]
    fn a_checkpoint_outside_of_the_log_is_no_checkpoint() {
        assert_eq!(first_dirty(None, &marks(7, 50)), Some(7));
        assert_eq!(first_dirty(Some(9), &marks(7, 50)), Some(9));
        assert_eq!(first_dirty(Some(6), &marks(7, 50)), None);
        assert_eq!(first_dirty(Some(51), &marks(7, 50)), None);
    }
}
