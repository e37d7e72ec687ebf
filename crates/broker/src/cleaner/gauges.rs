//! How compaction stands, under the names of Kafka's gauges.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pagewire_log::{CleaningReport, Share, Uncleanable};

use crate::{broker::Broker, clock::now_ms};

/// Kafka's gauges of `kafka.log:type=LogCleaner` and `type=LogCleanerManager`, and counters since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CleanerGauges {
    /// `uncleanable-partitions-count`: partitions that are set aside, with the reasons in `uncleanable`.
    pub uncleanable_partitions_count: u64,
    /// `uncleanable-bytes`: bytes of those.
    pub uncleanable_bytes: u64,
    /// `max-dirty-percent`: of the dirtiest log.
    pub max_dirty_percent: u64,
    /// `max-compaction-delay-secs`: by which `max.compaction.lag.ms` is exceeded at most.
    pub max_compaction_delay_secs: u64,
    /// `time-since-last-run-ms`: since everything due was last done.
    pub time_since_last_run_ms: u64,
    /// `cleaner-recopy-percent`: of the bytes read for the last clean, those written again.
    pub cleaner_recopy_percent: u64,
    /// `max-buffer-utilization-percent`: of the map of keys, in the last clean.
    pub max_buffer_utilization_percent: u64,
    /// `max-clean-time-secs`: of the last clean.
    pub max_clean_time_secs: u64,
    /// `DeadThreadCount`: threads that should be there and are not.
    pub dead_thread_count: u64,
    /// Logs that wait for a thread.
    pub due: u64,
    /// Logs that are being cleaned.
    pub busy: u64,
    /// Cleans that came to their end.
    pub cleans: u64,
    /// Cleans that did not, but for those that somebody ended.
    pub failed: u64,
    /// Bytes read for the former.
    pub bytes_read: u64,
    /// Bytes written by them.
    pub bytes_written: u64,
    /// The partitions that are set aside, with the reasons.
    pub uncleanable: Vec<Uncleanable>,
}

/// Looks at every compacted log. Blocks.
pub(crate) fn gauges(broker: &Broker) -> CleanerGauges {
    let now_ms = now_ms();
    gauges_of(broker, broker.cluster().log_dirs().here().map(|dir| dir.cleaning(now_ms)))
}

/// The same of log directories that were looked at.
pub(crate) fn gauges_of(broker: &Broker, all: impl IntoIterator<Item = CleaningReport>) -> CleanerGauges {
    let now_ms = now_ms();
    let report = all.into_iter().fold(CleaningReport::default(), together);
    let (cleaners, read) = (broker.cleaners(), |counter: &AtomicU64| counter.load(Relaxed));
    let (counts, last) = (&cleaners.counts, *cleaners.counts.last.lock());
    let enabled = broker.config().cleaner.enable;
    CleanerGauges {
        uncleanable_partitions_count: report.uncleanable.len() as u64,
        uncleanable_bytes: report.uncleanable_bytes,
        max_dirty_percent: percent(report.max_dirty),
        max_compaction_delay_secs: (report.max_overdue_ms / 1000).unsigned_abs(),
        time_since_last_run_ms: now_ms.saturating_sub(counts.looked_ms.load(Relaxed)).max(0).unsigned_abs(),
        cleaner_recopy_percent: percent(Share::of(last.bytes_written, last.bytes_read)),
        max_buffer_utilization_percent: percent(last.map_utilisation),
        max_clean_time_secs: last.elapsed.as_secs(),
        dead_thread_count: u64::from(enabled && !cleaners.lead.load(Relaxed)),
        due: report.due as u64,
        busy: report.busy as u64,
        cleans: read(&counts.cleans),
        failed: read(&counts.failed),
        bytes_read: read(&counts.bytes_read),
        bytes_written: read(&counts.bytes_written),
        uncleanable: report.uncleanable,
    }
}

fn together(mut one: CleaningReport, mut other: CleaningReport) -> CleaningReport {
    one.uncleanable.append(&mut other.uncleanable);
    CleaningReport {
        busy: one.busy + other.busy,
        due: one.due + other.due,
        max_dirty: if other.max_dirty > one.max_dirty { other.max_dirty } else { one.max_dirty },
        max_overdue_ms: one.max_overdue_ms.max(other.max_overdue_ms),
        uncleanable: one.uncleanable,
        uncleanable_bytes: one.uncleanable_bytes + other.uncleanable_bytes,
    }
}

fn percent(share: Share) -> u64 {
    share.part_of(100) as u64
}
