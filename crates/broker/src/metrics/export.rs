//! What is counted, by the names that it has outside: those that Prometheus would give it, in one table.
//!
//! Names end in `_total` where a number only rises until the broker ends. What there is of each log directory has its path as
//! a label: `pagewire_log_dir_size_bytes{dir="/a"}`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pagewire_log::{DirDescription, ScrubCounts};

use super::Metrics;
use crate::cleaner::CleanerGauges;

/// So many directories have numbers of their own: an answer is one line of bounded length.
const DIRS_MAX: usize = 32;

/// What numbers are taken from.
struct Seen<'s> {
    metrics: &'s Metrics,
    dirs: &'s [DirDescription],
    cleaner: &'s CleanerGauges,
}

type Number = fn(&Seen<'_>) -> u64;
/// None where it is not known.
type OfDir = fn(&DirDescription) -> Option<u64>;

/// Of the broker.
const NUMBERS: &[(&str, Number)] = &[
    ("pagewire_connections_total", |seen| seen.metrics.connections_total()),
    ("pagewire_connections", |seen| seen.metrics.connections()),
    ("pagewire_requests_total", |seen| seen.metrics.requests_total()),
    ("pagewire_received_bytes_total", |seen| read(&seen.metrics.bytes_in)),
    ("pagewire_sent_bytes_total", |seen| read(&seen.metrics.bytes_out)),
    ("pagewire_records_in_total", |seen| read(&seen.metrics.records_in)),
    ("pagewire_produce_failed_total", |seen| read(&seen.metrics.produce_failed)),
    ("pagewire_fetch_failed_total", |seen| read(&seen.metrics.fetch_failed)),
    ("pagewire_produce_storage_errors_total", |seen| read(&seen.metrics.produce_storage_errors)),
    ("pagewire_fetch_storage_errors_total", |seen| read(&seen.metrics.fetch_storage_errors)),
    ("pagewire_fetch_parked_total", |seen| read(&seen.metrics.fetch_parked)),
    ("pagewire_fetch_cold_lookups_total", |seen| read(&seen.metrics.fetch_cold_lookups)),
    ("pagewire_fetch_dropped_bytes_total", |seen| read(&seen.metrics.fetch_dropped_bytes)),
    ("pagewire_log_dirs_offline", |seen| count(seen.dirs.iter().filter(|dir| dir.offline.is_some()))),
    ("pagewire_partitions_damaged", |seen| count(logs(seen).filter(|damaged| *damaged > 0))),
    ("pagewire_damaged_stretches", |seen| logs(seen).map(|damaged| damaged as u64).sum()),
    ("pagewire_cleaner_busy", |seen| seen.cleaner.busy),
    ("pagewire_cleaner_due", |seen| seen.cleaner.due),
    ("pagewire_cleaner_cleans_total", |seen| seen.cleaner.cleans),
    ("pagewire_cleaner_failed_total", |seen| seen.cleaner.failed),
    ("pagewire_cleaner_read_bytes_total", |seen| seen.cleaner.bytes_read),
    ("pagewire_cleaner_written_bytes_total", |seen| seen.cleaner.bytes_written),
    ("pagewire_cleaner_max_dirty_percent", |seen| seen.cleaner.max_dirty_percent),
    ("pagewire_cleaner_max_compaction_delay_seconds", |seen| seen.cleaner.max_compaction_delay_secs),
    ("pagewire_cleaner_time_since_last_run_milliseconds", |seen| seen.cleaner.time_since_last_run_ms),
    ("pagewire_cleaner_recopy_percent", |seen| seen.cleaner.cleaner_recopy_percent),
    ("pagewire_cleaner_max_buffer_utilization_percent", |seen| seen.cleaner.max_buffer_utilization_percent),
    ("pagewire_cleaner_max_clean_time_seconds", |seen| seen.cleaner.max_clean_time_secs),
    ("pagewire_cleaner_dead_threads", |seen| seen.cleaner.dead_thread_count),
    ("pagewire_cleaner_uncleanable_partitions", |seen| seen.cleaner.uncleanable_partitions_count),
    ("pagewire_cleaner_uncleanable_bytes", |seen| seen.cleaner.uncleanable_bytes),
    ("pagewire_scrub_bytes_total", |seen| scrubs(seen, |counts| counts.bytes)),
    ("pagewire_scrub_batches_total", |seen| scrubs(seen, |counts| counts.batches)),
    ("pagewire_scrub_logs_total", |seen| scrubs(seen, |counts| counts.logs)),
    ("pagewire_scrub_damaged_stretches_total", |seen| scrubs(seen, |counts| counts.damaged)),
    ("pagewire_scrub_unreadable_segments_total", |seen| scrubs(seen, |counts| counts.unreadable)),
];

/// Of each log directory; those that are not known are left out.
const OF_DIRS: &[(&str, OfDir)] = &[
    ("pagewire_log_dir_offline", |dir| Some(u64::from(dir.offline.is_some()))),
    ("pagewire_log_dir_logs", |dir| Some(dir.logs.len() as u64)),
    ("pagewire_log_dir_size_bytes", |dir| Some(dir.logs.iter().map(|log| log.size_bytes).sum())),
    ("pagewire_log_dir_usable_bytes", |dir| dir.space.map(|space| space.usable_bytes)),
];

/// All numbers.
pub(crate) fn export(
    metrics: &Metrics,
    dirs: &[DirDescription],
    cleaner: &CleanerGauges,
) -> BTreeMap<String, u64> {
    let seen = Seen { metrics, dirs, cleaner };
    let of_all = NUMBERS.iter().map(|(name, number)| ((*name).to_owned(), number(&seen)));
    let of_dirs = dirs.iter().take(DIRS_MAX).flat_map(|dir| {
        let path = dir.path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        let numbers = OF_DIRS.iter().filter_map(|(name, number)| Some((*name, number(dir)?)));
        numbers.map(move |(name, number)| (format!("{name}{{dir=\"{path}\"}}"), number))
    });
    of_all.chain(of_dirs).collect()
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.count() as u64
}

/// How much is damaged in each log.
fn logs<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = usize> + use<'s> {
    seen.dirs.iter().flat_map(|dir| &dir.logs).map(|log| log.damaged)
}

fn scrubs(seen: &Seen<'_>, number: fn(&ScrubCounts) -> u64) -> u64 {
    seen.dirs.iter().map(|dir| number(&dir.scrub)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_there_once_and_documented() {
        let docs = include_str!("../../../../docs/control.md");
        let mut names: Vec<&str> = NUMBERS.iter().map(|(name, _)| *name).collect();
        names.extend(OF_DIRS.iter().map(|(name, _)| *name));
        for name in &names {
            assert!(docs.contains(&format!("`{name}`")), "{name}");
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
