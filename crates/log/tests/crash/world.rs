//! A disk, a log directory on it, and the model of what should be there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::ForgettingDisk;
use pagewire_log::{
    Handles, LoadReport, Log, LogConfig, LogDir, LogDirError, LogDirOptions, PartitionSettings, Share,
};
use uuid::Uuid;

use crate::chance::Chance;
use crate::model::Partition;
use crate::tally::Tally;

/// The log directory.
pub(crate) const ROOT: &str = "/data";
/// The partitions there may be.
const TOPICS: [(&str, i32); 3] = [("orders", 0), ("orders.late", 3), ("a-b", 12)];

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) disk: ForgettingDisk,
    pub(crate) dir: Option<LogDir>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) config: LogConfig,
    /// Compaction was on at some time: there may be holes.
    pub(crate) holes: bool,
    pub(crate) now_ms: i64,
    pub(crate) leader_epoch: i32,
    /// Ids of topics that were deleted.
    pub(crate) deleted: Vec<Uuid>,
    pub(crate) tally: Tally,
    ids: u128,
    open_files: usize,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let config = config(&mut chance);
        let count = 1 + chance.below(TOPICS.len() as u64) as usize;
        let open_files = chance.pick(&[2, 8, 64]);
        Self {
            chance,
            disk: ForgettingDisk::new(),
            dir: None,
            partitions: TOPICS
                .iter()
                .take(count)
                .map(|(topic, number)| Partition::new(topic, *number))
                .collect(),
            holes: config.cleanup_compact,
            config,
            now_ms: 1_000_000,
            leader_epoch: 0,
            deleted: Vec::new(),
            tally: Tally::default(),
            ids: 1,
            open_files,
        }
    }

    pub(crate) fn new_id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    pub(crate) fn settings(&self, id: Uuid) -> PartitionSettings {
        let (log, leader_epoch) = (self.config.clone(), self.leader_epoch);
        PartitionSettings { topic_id: id, leader_epoch, log, flush_ms: Some(100) }
    }

    /// Opens the directory as a broker would that knows these topics.
    pub(crate) fn open(&self) -> Result<(LogDir, LoadReport), LogDirError> {
        let known: BTreeMap<(String, i32), PartitionSettings> = (self.partitions.iter())
            .filter_map(|at| Some(((at.topic.to_owned(), at.number), self.settings(at.id?))))
            .collect();
        let options = LogDirOptions {
            cluster_id: "crash".to_owned(),
            node_id: 1,
            // One thread, so that the n-th call is always the same one.
            threads: 1,
            handles: Handles::new(self.open_files),
            now_ms: self.now_ms,
        };
        let settings = |topic: &str, number: i32| known.get(&(topic.to_owned(), number)).cloned();
        LogDir::open(Arc::new(self.disk.clone()), Path::new(ROOT), &options, &settings, &|_| {})
    }

    pub(crate) fn dir(&self) -> &LogDir {
        self.dir.as_ref().expect("the directory is open")
    }

    /// The log of the partition at `at`, if it has one.
    pub(crate) fn log(&self, at: usize) -> Option<Arc<Log>> {
        let partition = &self.partitions[at];
        self.dir().get(partition.topic, partition.number)
    }

    /// Partitions whose logs are open.
    pub(crate) fn open_logs(&self) -> Vec<(usize, Arc<Log>)> {
        (0..self.partitions.len()).filter_map(|at| Some((at, self.log(at)?))).collect()
    }

    pub(crate) fn path(partition: &Partition) -> PathBuf {
        Path::new(ROOT).join(format!("{}-{}", partition.topic, partition.number))
    }
}

/// Tiny limits of every kind, so that everything rolls and wraps all the time.
fn config(chance: &mut Chance) -> LogConfig {
    let compacted = chance.one_in(3);
    LogConfig {
        segment_bytes: chance.pick(&[6_000, 8_000, 20_000]),
        segment_index_bytes: chance.pick(&[64, 1024, 1 << 20]),
        index_interval_bytes: chance.pick(&[1, 100, 700, 4096]),
        segment_ms: 5_000,
        segment_jitter_ms: chance.pick(&[0, 1_000]),
        retention_ms: chance.pick(&[-1, 2_000, 60_000]),
        retention_bytes: chance.pick(&[-1, 9_000, 40_000]),
        file_delete_delay_ms: chance.pick(&[0, 500]),
        pace_bytes: 512,
        cleanup_compact: compacted,
        cleanup_delete: !compacted || chance.one_in(3),
        min_cleanable_dirty_ratio: Share::new(chance.pick(&[0.0, 0.5])),
        min_compaction_lag_ms: chance.pick(&[0, 0, 300]),
        delete_retention_ms: chance.pick(&[0, 500, 5_000]),
        ..LogConfig::default()
    }
}
