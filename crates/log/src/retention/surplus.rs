//! Which of a log's segments go: decided purely, from their ends, sizes and largest times.

use crate::config::LogConfig;
use crate::marks::Marks;

/// A segment as the decision sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// First offset after it.
    pub(crate) next_offset: i64,
    pub(crate) size: u64,
    pub(crate) active: bool,
}

/// How many of the oldest segments are not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Surplus {
    /// These lie below the log start.
    pub(crate) below_start: usize,
    /// The next ones are too many by size.
    pub(crate) too_many: usize,
    /// The next ones are too old.
    pub(crate) too_old: usize,
}

impl Surplus {
    /// Whatever the reason.
    pub(crate) fn all(self) -> usize {
        self.below_start + self.too_many + self.too_old
    }
}

/// How many of the oldest segments lie below the log start or are too many by size: the active one only where nothing at all is
/// kept, and it has something.
pub(crate) fn surplus(candidates: &[Candidate], config: &LogConfig, marks: &Marks) -> Surplus {
    let is_over = |candidate: &Candidate| candidate.next_offset <= limit(marks);
    let below_start = |c: &&Candidate| !c.active && is_over(c) && c.next_offset <= marks.log_start;
    let below_start = candidates.iter().take_while(below_start).count();
    if !config.cleanup_delete || config.retention_bytes < 0 {
        return Surplus { below_start, ..Surplus::default() };
    }
    let rest = candidates.iter().skip(below_start);
    let total: u64 = rest.clone().map(|candidate| candidate.size).sum();
    let mut excess = total.saturating_sub(config.retention_bytes as u64);
    let too_many = rest.take_while(|candidate| {
        let goes =
            is_over(candidate) && excess >= candidate.size && (!candidate.active || candidate.size > 0);
        excess = excess.saturating_sub(candidate.size);
        goes
    });
    Surplus { below_start, too_many: too_many.count(), too_old: 0 }
}

/// Whether a segment is too old. One without timestamps is as old as its last change, which the caller gives.
pub(crate) fn is_expired(largest_timestamp: i64, config: &LogConfig, now_ms: i64) -> bool {
    config.cleanup_delete
        && config.retention_ms >= 0
        && now_ms.saturating_sub(largest_timestamp) > config.retention_ms
}

/// Only what was given out goes. An open transaction keeps nothing, as in Kafka: what is left of it is decided by its marker.
pub(crate) fn limit(marks: &Marks) -> i64 {
    marks.high_watermark
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(log_start: i64, end: i64) -> Marks {
        Marks { log_start, last_stable: end, high_watermark: end, log_end: end, recovery_point: 0 }
    }

    fn four() -> Vec<Candidate> {
        (1..=4).map(|n| Candidate { next_offset: n * 10, size: 100, active: n == 4 }).collect()
    }

    fn config(retention_bytes: i64) -> LogConfig {
        LogConfig { retention_bytes, retention_ms: 1000, ..LogConfig::default() }
    }

    fn all(candidates: &[Candidate], config: &LogConfig, marks: &Marks) -> usize {
        surplus(candidates, config, marks).all()
    }

    #[test]
    fn size_retention_keeps_at_least_its_bytes() {
        assert_eq!(all(&four(), &config(400), &marks(0, 40)), 0);
        assert_eq!(all(&four(), &config(301), &marks(0, 40)), 0);
        assert_eq!(all(&four(), &config(300), &marks(0, 40)), 1);
        assert_eq!(all(&four(), &config(150), &marks(0, 40)), 2);
        assert_eq!(all(&four(), &config(1), &marks(0, 40)), 3, "one segment has more than that");
        assert_eq!(all(&four(), &config(0), &marks(0, 40)), 4, "nothing is to be kept");
        assert_eq!(all(&four(), &config(-1), &marks(0, 40)), 0);
    }

    #[test]
    fn an_active_segment_without_a_record_stays() {
        let fresh = Candidate { next_offset: 40, size: 0, active: true };
        let all_of = |before: &[Candidate]| all(&[before, &[fresh]].concat(), &config(0), &marks(0, 40));
        assert_eq!((all_of(&[]), all_of(&four()[..3])), (0, 3));
    }

    #[test]
    fn segments_below_the_log_start_go_whatever_the_policy() {
        let compacted = LogConfig { cleanup_delete: false, ..config(0) };
        assert_eq!(all(&four(), &compacted, &marks(19, 40)), 1);
        assert_eq!(all(&four(), &compacted, &marks(20, 40)), 2);
        assert_eq!(all(&four(), &compacted, &marks(40, 40)), 3);
    }

    #[test]
    fn what_lies_below_the_log_start_is_not_counted_as_too_many() {
        let both = surplus(&four(), &config(150), &marks(10, 40));
        assert_eq!(both, Surplus { below_start: 1, too_many: 1, too_old: 0 });
    }

    #[test]
    fn nothing_above_the_high_watermark_goes_and_an_open_transaction_keeps_nothing() {
        let behind = Marks { last_stable: 15, high_watermark: 25, ..marks(0, 40) };
        assert_eq!(all(&four(), &config(0), &behind), 2);
    }

    #[test]
    fn a_segment_is_too_old_when_its_newest_record_is() {
        assert!(!is_expired(5000, &config(-1), 6000));
        assert!(is_expired(5000, &config(-1), 6001));
        assert!(!is_expired(9000, &config(-1), 6001), "from the future");
        assert!(!is_expired(0, &LogConfig { retention_ms: -1, ..config(-1) }, i64::MAX));
        assert!(!is_expired(0, &LogConfig { cleanup_delete: false, ..config(-1) }, i64::MAX));
    }
}
