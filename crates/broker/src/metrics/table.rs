//! What is counted: names as Prometheus would give them, what they mean, and where the number comes from.
//!
//! Names end in `_total` where a number only rises until the broker ends.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pagewire_log::{DirDescription, ScrubCounts};
use pagewire_zcopy::{RouteCounts, StatsSnapshot};

use super::Metrics;
use crate::cleaner::CleanerGauges;
use crate::moves::MoveGauges;

/// What numbers are taken from.
pub(crate) struct Seen<'s> {
    pub(crate) metrics: &'s Metrics,
    /// How record bytes went from files to sockets.
    pub(crate) sent: &'s StatsSnapshot,
    pub(crate) dirs: &'s [DirDescription],
    pub(crate) cleaner: &'s CleanerGauges,
    /// Partitions that nobody serves.
    pub(crate) offline_partitions: usize,
    /// Log directories whose disk does not answer.
    pub(crate) hanging_dirs: usize,
    /// Partitions that move between log directories.
    pub(crate) moves: MoveGauges,
    /// The metadata could not be changed when that was last wanted, or its file is gone.
    pub(crate) metadata_trouble: bool,
}

/// A number.
pub(super) struct Row<F> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) read: F,
}

const fn row<F: Copy>(name: &'static str, help: &'static str, read: F) -> Row<F> {
    Row { name, help, read }
}

type Number = fn(&Seen<'_>) -> u64;
type OfRoute = fn(&RouteCounts) -> u64;
/// None where it is not known.
type OfDir = fn(&DirDescription) -> Option<u64>;

/// Of the broker.
pub(super) const NUMBERS: &[Row<Number>] = &[
    row("pagewire_connections_total", "Connections accepted", |seen| seen.metrics.connections_total()),
    row("pagewire_connections", "Connections that are open", |seen| seen.metrics.connections()),
    row("pagewire_requests_total", "Requests of every kind", |seen| seen.metrics.requests_total()),
    row("pagewire_received_bytes_total", "Bytes received on connections", |seen| {
        read(&seen.metrics.bytes_in)
    }),
    row("pagewire_sent_bytes_total", "Bytes sent on connections", |seen| read(&seen.metrics.bytes_out)),
    row(
        "pagewire_cold_offloads_total",
        "Ranges of files that another thread read first, because they were not in memory",
        |seen| seen.sent.cold_offloads,
    ),
    row("pagewire_records_in_total", "Records appended", |seen| read(&seen.metrics.records_in)),
    row("pagewire_produce_failed_total", "Partitions of produce requests that were refused", |seen| {
        read(&seen.metrics.produce_failed)
    }),
    row("pagewire_fetch_failed_total", "Partitions of fetches that were refused", |seen| {
        read(&seen.metrics.fetch_failed)
    }),
    row(
        "pagewire_produce_storage_errors_total",
        "Partitions of produce requests that a disk did not take",
        |seen| read(&seen.metrics.produce_storage_errors),
    ),
    row(
        "pagewire_fetch_storage_errors_total",
        "Partitions of fetches that a disk did not give out",
        |seen| read(&seen.metrics.fetch_storage_errors),
    ),
    row("pagewire_fetch_parked_total", "Fetches that waited for records", |seen| {
        read(&seen.metrics.fetch_parked)
    }),
    row(
        "pagewire_fetch_cold_lookups_total",
        "Fetches that waited for a disk to find their records",
        |seen| read(&seen.metrics.fetch_cold_lookups),
    ),
    row(
        "pagewire_fetch_dropped_bytes_total",
        "Bytes of the page cache dropped behind lagging consumers",
        |seen| read(&seen.metrics.fetch_dropped_bytes),
    ),
    row(
        "pagewire_log_dirs_offline",
        "Log directories that take no writes, or of which nothing is served",
        |seen| count(seen.dirs.iter().filter(|dir| dir.offline.is_some())),
    ),
    row(
        "pagewire_log_dirs_hanging",
        "Log directories whose disk has not answered for 30 seconds or more",
        |seen| seen.hanging_dirs as u64,
    ),
    row("pagewire_logs_offline", "Logs that take no writes although their directory does", |seen| {
        let logs = seen.dirs.iter().flat_map(|dir| &dir.logs);
        logs.filter(|log| log.offline.is_some()).count() as u64
    }),
    row(
        "pagewire_partitions_offline",
        "Partitions without a leader: nothing is read or written. Those that only take no writes are not among them",
        |seen| seen.offline_partitions as u64,
    ),
    row("pagewire_partitions_damaged", "Partitions in which records are known to be damaged", |seen| {
        count(damaged(seen).filter(|stretches| *stretches > 0))
    }),
    row(
        "pagewire_damaged_stretches",
        "Stretches of records that are known to be damaged, and are refused",
        |seen| damaged(seen).map(|stretches| stretches as u64).sum(),
    ),
    row(
        "pagewire_partitions_held_back",
        "Partitions in which a transaction is open, so that readers of committed records stop before it",
        |seen| count(held_back(seen).filter(|offsets| *offsets > 0)),
    ),
    row(
        "pagewire_held_back_offsets_max",
        "Of the partition where they are most, offsets that readers of committed records do not get",
        |seen| held_back(seen).max().unwrap_or(0),
    ),
    row(
        "pagewire_transaction_partitions_not_loaded",
        "Partitions of __transaction_state that cannot be read: their transactions stand still",
        |seen| read(&seen.metrics.transactions_not_loaded),
    ),
    row(
        "pagewire_metadata_trouble",
        "Whether topics, settings and producer ids cannot be changed, or what is changed is lost with the broker",
        |seen| u64::from(seen.metadata_trouble),
    ),
    row("pagewire_moves_copying", "Partitions that are being copied to another log directory", |seen| {
        seen.moves.copying
    }),
    row(
        "pagewire_moves_waiting",
        "Partitions that are to move to another log directory and wait for their turn, or for what keeps them",
        |seen| seen.moves.waiting,
    ),
    row("pagewire_moves_done_total", "Partitions that have moved to another log directory", |seen| {
        seen.moves.done
    }),
    row("pagewire_moves_failed_total", "Moves to another log directory that were given up", |seen| {
        seen.moves.failed
    }),
    row("pagewire_moves_copied_bytes_total", "Bytes copied by moves to another log directory", |seen| {
        seen.moves.copied_bytes
    }),
    row("pagewire_cleaner_busy", "Logs that are being compacted", |seen| seen.cleaner.busy),
    row("pagewire_cleaner_due", "Logs that wait to be compacted", |seen| seen.cleaner.due),
    row("pagewire_cleaner_cleans_total", "Compactions that came to their end", |seen| seen.cleaner.cleans),
    row("pagewire_cleaner_failed_total", "Compactions that did not", |seen| seen.cleaner.failed),
    row("pagewire_cleaner_read_bytes_total", "Bytes read by compaction", |seen| seen.cleaner.bytes_read),
    row("pagewire_cleaner_written_bytes_total", "Bytes written by compaction", |seen| {
        seen.cleaner.bytes_written
    }),
    row(
        "pagewire_cleaner_max_dirty_percent",
        "Of the dirtiest log, how much of it is not compacted",
        |seen| seen.cleaner.max_dirty_percent,
    ),
    row(
        "pagewire_cleaner_max_compaction_delay_seconds",
        "The longest that a log waits beyond max.compaction.lag.ms",
        |seen| seen.cleaner.max_compaction_delay_secs,
    ),
    row("pagewire_cleaner_time_since_last_run_milliseconds", "Since everything due was compacted", |seen| {
        seen.cleaner.time_since_last_run_ms
    }),
    row("pagewire_cleaner_recopy_percent", "Of the last compaction, how much stayed", |seen| {
        seen.cleaner.cleaner_recopy_percent
    }),
    row(
        "pagewire_cleaner_max_buffer_utilization_percent",
        "Of the last compaction, how full its map of keys was",
        |seen| seen.cleaner.max_buffer_utilization_percent,
    ),
    row("pagewire_cleaner_max_clean_time_seconds", "Of the last compaction, how long it took", |seen| {
        seen.cleaner.max_clean_time_secs
    }),
    row("pagewire_cleaner_dead_threads", "Threads of compaction that should be there and are not", |seen| {
        seen.cleaner.dead_thread_count
    }),
    row("pagewire_cleaner_uncleanable_partitions", "Partitions set aside by compaction", |seen| {
        seen.cleaner.uncleanable_partitions_count
    }),
    row("pagewire_cleaner_uncleanable_bytes", "Bytes of the partitions set aside by compaction", |seen| {
        seen.cleaner.uncleanable_bytes
    }),
    row("pagewire_scrub_bytes_total", "Bytes read again by the scrub", |seen| {
        scrubs(seen, |counts| counts.bytes)
    }),
    row("pagewire_scrub_batches_total", "Batches read again by the scrub", |seen| {
        scrubs(seen, |counts| counts.batches)
    }),
    row("pagewire_scrub_logs_total", "Logs read again by the scrub to their end", |seen| {
        scrubs(seen, |counts| counts.logs)
    }),
    row(
        "pagewire_scrub_damaged_stretches_total",
        "Damaged stretches that the scrub found, each as often as it did",
        |seen| scrubs(seen, |counts| counts.damaged),
    ),
    row("pagewire_scrub_unreadable_segments_total", "Segments that the scrub could not read", |seen| {
        scrubs(seen, |counts| counts.unreadable)
    }),
];

/// Of each route from a file to a socket.
pub(super) const OF_ROUTES: &[Row<OfRoute>] = &[
    row("pagewire_file_bytes_sent_total", "Bytes of files sent by the route", |route| route.bytes),
    row("pagewire_file_send_calls_total", "System calls of the route that sent, or tried to", |route| {
        route.calls
    }),
    row(
        "pagewire_route_refusals_total",
        "Times the kernel refused the route, so that another one sent",
        |route| route.refusals,
    ),
];

/// Of each log directory; those that are not known are left out.
pub(super) const OF_DIRS: &[Row<OfDir>] = &[
    row(
        "pagewire_log_dir_offline",
        "Whether the log directory takes no writes, or nothing of it is served",
        |dir| Some(u64::from(dir.offline.is_some())),
    ),
    row(
        "pagewire_log_dir_full",
        "Whether something did not fit on the log directory's disk, and there is no room yet",
        |dir| Some(u64::from(dir.full)),
    ),
    row("pagewire_log_dir_logs", "Logs in the log directory", |dir| Some(dir.logs.len() as u64)),
    row("pagewire_log_dir_size_bytes", "Bytes of the log directory's logs", |dir| {
        Some(dir.logs.iter().map(|log| log.size_bytes).sum())
    }),
    row("pagewire_log_dir_usable_bytes", "Bytes free on the log directory's file system", |dir| {
        dir.space.map(|space| space.usable_bytes)
    }),
];

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.count() as u64
}

/// How much is damaged in each log.
fn damaged<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = usize> + use<'s> {
    seen.dirs.iter().flat_map(|dir| &dir.logs).map(|log| log.damaged)
}

/// How many offsets open transactions keep from readers of committed records in each log.
fn held_back<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = u64> + use<'s> {
    let logs = seen.dirs.iter().flat_map(|dir| &dir.logs);
    logs.map(|log| u64::try_from(log.held_back).unwrap_or(0))
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
        let of_all = NUMBERS.iter().map(|row| (row.name, row.help));
        let mut rows: Vec<_> = of_all.chain(OF_DIRS.iter().map(|row| (row.name, row.help))).collect();
        for (name, help) in &rows {
            assert!(docs.contains(&format!("| `{name}` | {help} |")), "| `{name}` | {help} |");
        }
        let all = rows.len();
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.0);
        assert_eq!(rows.len(), all);
    }
}
