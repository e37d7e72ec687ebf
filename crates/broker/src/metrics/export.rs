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
    use pagewire_disk::Space;
    use pagewire_log::{LogDescription, Offline};

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

    /// Ten connections of which three are gone, five requests, and every counter another number.
    fn metrics() -> Metrics {
        let metrics = Metrics::default();
        (0..10).for_each(|_| metrics.connection_opened());
        (0..3).for_each(|_| metrics.connection_closed());
        (0..5).for_each(|api| metrics.request(api));
        let counters = [
            &metrics.bytes_in,
            &metrics.bytes_out,
            &metrics.records_in,
            &metrics.produce_failed,
            &metrics.fetch_failed,
            &metrics.produce_storage_errors,
            &metrics.fetch_storage_errors,
            &metrics.fetch_parked,
            &metrics.fetch_cold_lookups,
            &metrics.fetch_dropped_bytes,
        ];
        for (counter, number) in counters.into_iter().zip(101..) {
            counter.store(number, Relaxed);
        }
        metrics
    }

    fn cleaner() -> CleanerGauges {
        CleanerGauges {
            busy: 201,
            due: 202,
            cleans: 203,
            failed: 204,
            bytes_read: 205,
            bytes_written: 206,
            max_dirty_percent: 207,
            max_compaction_delay_secs: 208,
            time_since_last_run_ms: 209,
            cleaner_recopy_percent: 210,
            max_buffer_utilization_percent: 211,
            max_clean_time_secs: 212,
            dead_thread_count: 213,
            uncleanable_partitions_count: 214,
            uncleanable_bytes: 215,
            uncleanable: Vec::new(),
        }
    }

    /// A directory with two logs of 1000 bytes, one of them damaged in three places, and one that is away.
    fn dirs() -> [DirDescription; 2] {
        let log = |partition, damaged| LogDescription {
            topic: "t".into(),
            topic_id: uuid::Uuid::nil(),
            partition,
            size_bytes: 1000,
            damaged,
        };
        let here = DirDescription {
            path: "/a \"b\"".into(),
            away: false,
            opening: None,
            offline: None,
            space: Some(Space { total_bytes: 9000, usable_bytes: 8000 }),
            logs: vec![log(0, 3), log(1, 0)],
            scrub: ScrubCounts { bytes: 301, batches: 302, logs: 303, damaged: 304, unreadable: 305 },
        };
        let offline = Offline { reason: "gone".into(), kind: std::io::ErrorKind::NotFound };
        let away = DirDescription {
            path: "/away".into(),
            away: true,
            offline: Some(offline),
            space: None,
            logs: Vec::new(),
            scrub: ScrubCounts::default(),
            ..here.clone()
        };
        [here, away]
    }

    #[test]
    fn each_name_has_the_number_that_it_promises() {
        let expected = [
            ("pagewire_connections_total", 10),
            ("pagewire_connections", 7),
            ("pagewire_requests_total", 5),
            ("pagewire_received_bytes_total", 101),
            ("pagewire_sent_bytes_total", 102),
            ("pagewire_records_in_total", 103),
            ("pagewire_produce_failed_total", 104),
            ("pagewire_fetch_failed_total", 105),
            ("pagewire_produce_storage_errors_total", 106),
            ("pagewire_fetch_storage_errors_total", 107),
            ("pagewire_fetch_parked_total", 108),
            ("pagewire_fetch_cold_lookups_total", 109),
            ("pagewire_fetch_dropped_bytes_total", 110),
            ("pagewire_log_dirs_offline", 1),
            ("pagewire_partitions_damaged", 1),
            ("pagewire_damaged_stretches", 3),
            ("pagewire_cleaner_busy", 201),
            ("pagewire_cleaner_due", 202),
            ("pagewire_cleaner_cleans_total", 203),
            ("pagewire_cleaner_failed_total", 204),
            ("pagewire_cleaner_read_bytes_total", 205),
            ("pagewire_cleaner_written_bytes_total", 206),
            ("pagewire_cleaner_max_dirty_percent", 207),
            ("pagewire_cleaner_max_compaction_delay_seconds", 208),
            ("pagewire_cleaner_time_since_last_run_milliseconds", 209),
            ("pagewire_cleaner_recopy_percent", 210),
            ("pagewire_cleaner_max_buffer_utilization_percent", 211),
            ("pagewire_cleaner_max_clean_time_seconds", 212),
            ("pagewire_cleaner_dead_threads", 213),
            ("pagewire_cleaner_uncleanable_partitions", 214),
            ("pagewire_cleaner_uncleanable_bytes", 215),
            ("pagewire_scrub_bytes_total", 301),
            ("pagewire_scrub_batches_total", 302),
            ("pagewire_scrub_logs_total", 303),
            ("pagewire_scrub_damaged_stretches_total", 304),
            ("pagewire_scrub_unreadable_segments_total", 305),
            (r#"pagewire_log_dir_offline{dir="/a \"b\""}"#, 0),
            (r#"pagewire_log_dir_logs{dir="/a \"b\""}"#, 2),
            (r#"pagewire_log_dir_size_bytes{dir="/a \"b\""}"#, 2000),
            (r#"pagewire_log_dir_usable_bytes{dir="/a \"b\""}"#, 8000),
            (r#"pagewire_log_dir_offline{dir="/away"}"#, 1),
            (r#"pagewire_log_dir_logs{dir="/away"}"#, 0),
            (r#"pagewire_log_dir_size_bytes{dir="/away"}"#, 0),
        ];
        let expected: BTreeMap<String, u64> =
            expected.into_iter().map(|(name, number)| (name.to_owned(), number)).collect();
        assert_eq!(export(&metrics(), &dirs(), &cleaner()), expected);
    }

    #[test]
    fn an_answer_is_bounded_however_many_directories_there_are() {
        let [here, _] = dirs();
        let many: Vec<_> = (0..100)
            .map(|number| DirDescription { path: format!("/{number}").into(), ..here.clone() })
            .collect();
        let all = export(&metrics(), &many, &cleaner());
        let named = all.keys().filter(|name| name.starts_with("pagewire_log_dir_logs{")).count();
        assert_eq!(named, DIRS_MAX);
        assert_eq!(all["pagewire_scrub_bytes_total"], 100 * 301, "all of them count together");
    }
}
