//! The parts of the answer: directories, compaction, damage. What may be many is told in part, for the answer is one line of
//! bounded length; how many there are is told besides.

use std::path::Path;
use std::time::Duration;

use pagewire_log::DirDescription;
use serde::Serialize;

use crate::bounded::fitting;
use crate::broker::Broker;
use crate::cleaner::CleanerGauges;
use crate::control::verbs::opening::Opening;

/// Partitions, or damaged places, that are told one by one.
const TOLD_MAX: usize = 16;
/// Bytes that those of a kind take at most.
const TOLD_BYTES_MAX: usize = 8 << 10;
/// Bytes that missing logs take.
const MISSING_BYTES_MAX: usize = 4 << 10;
/// Bytes that directories take.
const DIRECTORIES_BYTES_MAX: usize = 12 << 10;
/// Bytes of a reason that are told.
const REASON_MAX: usize = 512;

fn shortened(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_MAX));
    reason
}

/// A log directory.
#[derive(Serialize)]
pub(super) struct Directory {
    path: String,
    /// Why it takes no writes, if so.
    offline: Option<String>,
    /// When that was noticed.
    offline_since_ms: Option<i64>,
    /// For how long its disk has not answered, if it has not for long.
    #[serde(skip_serializing_if = "Option::is_none")]
    hanging_ms: Option<u64>,
    /// Nothing of it is served.
    away: bool,
    /// How far its opening is, while `online` is at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<Opening>,
    logs: usize,
    /// Of these, those that take no writes although the directory does.
    logs_offline: usize,
    /// Logs that should be there besides and are not served.
    logs_missing: usize,
    size_bytes: u64,
    usable_bytes: Option<u64>,
    scrub: Scrub,
}

/// What the scrub of a directory did since the start.
#[derive(Serialize)]
struct Scrub {
    bytes: u64,
    batches: u64,
    logs: u64,
    damaged: u64,
    unreadable: u64,
}

impl Directory {
    /// As many as fit.
    pub(super) fn some(
        dirs: &[DirDescription],
        since_ms: impl Fn(&Path) -> Option<i64>,
        hanging: impl Fn(&Path) -> Option<Duration>,
    ) -> Vec<Self> {
        let one = |dir: &DirDescription| Self::of(dir, since_ms(&dir.path), hanging(&dir.path));
        fitting(dirs.iter().map(one), DIRECTORIES_BYTES_MAX)
    }

    fn of(dir: &DirDescription, since_ms: Option<i64>, hanging: Option<Duration>) -> Self {
        let scrub = dir.scrub;
        Self {
            path: dir.path.display().to_string(),
            offline: dir.offline.as_ref().map(|offline| shortened(offline.reason.to_string())),
            offline_since_ms: since_ms,
            hanging_ms: hanging.map(|hanging| u64::try_from(hanging.as_millis()).unwrap_or(u64::MAX)),
            away: dir.away,
            opening: dir.opening.map(Opening::from),
            logs: dir.logs.len(),
            logs_offline: dir.logs.iter().filter(|log| log.offline.is_some()).count(),
            logs_missing: dir.missing.len(),
            size_bytes: dir.logs.iter().map(|log| log.size_bytes).sum(),
            usable_bytes: dir.space.map(|space| space.usable_bytes),
            scrub: Scrub {
                bytes: scrub.bytes,
                batches: scrub.batches,
                logs: scrub.logs,
                damaged: scrub.damaged,
                unreadable: scrub.unreadable,
            },
        }
    }
}

/// How compaction stands; the other numbers are counted for metrics.
#[derive(Serialize)]
pub(super) struct Compaction {
    busy: u64,
    due: u64,
    cleans: u64,
    failed: u64,
    bytes_read: u64,
    bytes_written: u64,
    max_dirty_percent: u64,
    uncleanable_partitions_count: u64,
    uncleanable_bytes: u64,
    /// Some of those.
    uncleanable: Vec<SetAside>,
}

#[derive(Serialize)]
struct SetAside {
    topic: String,
    partition: i32,
    reason: String,
    since_ms: i64,
}

impl Compaction {
    pub(super) fn of(gauges: CleanerGauges) -> Self {
        let told = gauges.uncleanable.into_iter().take(TOLD_MAX).map(|log| SetAside {
            topic: log.topic,
            partition: log.partition,
            reason: shortened(log.reason),
            since_ms: log.since_ms,
        });
        Self {
            busy: gauges.busy,
            due: gauges.due,
            cleans: gauges.cleans,
            failed: gauges.failed,
            bytes_read: gauges.bytes_read,
            bytes_written: gauges.bytes_written,
            max_dirty_percent: gauges.max_dirty_percent,
            uncleanable_partitions_count: gauges.uncleanable_partitions_count,
            uncleanable_bytes: gauges.uncleanable_bytes,
            uncleanable: fitting(told, TOLD_BYTES_MAX),
        }
    }
}

/// Logs that take no writes although their directories do.
#[derive(Serialize)]
pub(super) struct OfflineLogs {
    partitions: usize,
    some: Vec<OfflineLog>,
}

/// One that does not do what it should, and why.
#[derive(Serialize)]
struct OfflineLog {
    topic: String,
    partition: i32,
    reason: String,
}

impl OfflineLogs {
    pub(super) fn of(dirs: &[DirDescription]) -> Self {
        let offline = || {
            let logs = dirs.iter().flat_map(|dir| &dir.logs);
            logs.filter_map(|log| Some((log, log.offline.as_ref()?)))
        };
        let told = offline().take(TOLD_MAX).map(|(log, why)| OfflineLog {
            topic: log.topic.to_string(),
            partition: log.partition,
            reason: shortened(why.reason.to_string()),
        });
        Self { partitions: offline().count(), some: fitting(told, TOLD_BYTES_MAX) }
    }
}

/// Logs that are not served from the directories that should have them.
#[derive(Serialize)]
pub(super) struct MissingLogs {
    partitions: usize,
    some: Vec<OfflineLog>,
}

impl MissingLogs {
    pub(super) fn of(dirs: &[DirDescription]) -> Self {
        let missing = || dirs.iter().flat_map(|dir| &dir.missing);
        let told = missing().take(TOLD_MAX).map(|log| OfflineLog {
            topic: log.topic.clone(),
            partition: log.partition,
            reason: shortened(log.reason.clone()),
        });
        Self { partitions: missing().count(), some: fitting(told, MISSING_BYTES_MAX) }
    }
}

/// Records that are known to be damaged, and are refused to readers.
#[derive(Serialize)]
pub(super) struct Damage {
    partitions: usize,
    stretches: usize,
    some: Vec<Place>,
}

#[derive(Serialize)]
struct Place {
    topic: String,
    partition: i32,
    /// The first offset that may be concerned.
    offset: i64,
    /// The first one behind.
    next_offset: i64,
}

impl Damage {
    pub(super) fn of(broker: &Broker, dirs: &[DirDescription]) -> Self {
        let damaged = || dirs.iter().flat_map(|dir| &dir.logs).filter(|log| log.damaged > 0);
        let places = damaged().flat_map(|log| {
            let found = broker.cluster().log_dirs().get(&log.topic, log.partition);
            let stretches = found.map(|found| found.damage()).unwrap_or_default();
            stretches.into_iter().map(|stretch| Place {
                topic: log.topic.to_string(),
                partition: log.partition,
                offset: stretch.offset,
                next_offset: stretch.next_offset,
            })
        });
        Self {
            partitions: damaged().count(),
            stretches: damaged().map(|log| log.damaged).sum(),
            some: fitting(places.take(TOLD_MAX), TOLD_BYTES_MAX),
        }
    }
}
