//! Disks, a log directory on each, and the model of what should be there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::Disk;
use pagewire_log::{
    Handles, LoadReport, LockedDir, Log, LogConfig, LogDir, LogDirError, LogDirOptions, LogDirs,
    PartitionSettings, Share,
};
use uuid::Uuid;

use crate::chance::Chance;
use crate::disks::{Place, ROOTS};
use crate::model::Partition;
use crate::restored::Backup;
use crate::tally::Tally;

/// The partitions there may be.
const TOPICS: [(&str, i32); 3] = [("orders", 0), ("orders.late", 3), ("a-b", 12)];

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) places: Vec<Place>,
    pub(crate) dirs: Option<Arc<LogDirs>>,
    /// A log is being copied while the others go on.
    pub(crate) is_backing_up: bool,
    /// The last backup.
    pub(crate) kept: Option<Backup>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) config: LogConfig,
    /// Compaction was on at some time: there may be holes.
    pub(crate) holes: bool,
    /// The last process ended with the power.
    pub(crate) lost_power: bool,
    /// The process is to die before a sync of a directory.
    pub(crate) dies_naming: bool,
    /// How many other ends than its own lie before this one. One that is amid a compaction's renames has others.
    pub(crate) others: u8,
    /// Things happen to files.
    pub(crate) rots: bool,
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
        let rots = chance.one_in(2);
        let places = if chance.one_in(3) { ROOTS.len() } else { 1 };
        Self {
            chance,
            places: ROOTS.into_iter().take(places).map(Place::new).collect(),
            dirs: None,
            is_backing_up: false,
            kept: None,
            partitions: TOPICS
                .iter()
                .take(count)
                .zip((0..places).cycle())
                .map(|((topic, number), place)| Partition::new(topic, *number, place))
                .collect(),
            holes: config.cleanup_compact,
            lost_power: false,
            dies_naming: false,
            others: 0,
            rots,
            config,
            now_ms: 1_000_000,
            leader_epoch: 0,
            deleted: Vec::new(),
            tally: Tally::default(),
            ids: 1,
            open_files,
        }
    }

    /// The same world after another end: the process has died, and the power is gone.
    pub(crate) fn other(&self) -> Self {
        let others = self.others + 1;
        Self {
            dirs: None,
            others,
            dies_naming: false,
            lost_power: true,
            tally: Tally::default(),
            ..self.clone()
        }
    }

    /// Something that compaction wrote has not all of its names yet, or had not a moment ago.
    pub(crate) fn is_replacing(&self) -> bool {
        let left = [".log.swap", ".index.swap", ".timeindex.swap", ".log.deleted"];
        self.partitions.iter().any(|partition| {
            let disk = &self.places[partition.place].disk;
            // Of a process that has died nobody is answered any more.
            let left_by = if disk.is_dead() { disk.killed() } else { disk.clone() };
            let names = left_by.read_dir(&self.path(partition)).unwrap_or_default();
            names.iter().any(|entry| left.iter().any(|suffix| entry.name.ends_with(suffix)))
        })
    }

    /// As far from every other one as ids are that were drawn: one bit between two of them means damage.
    pub(crate) fn new_id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    pub(crate) fn settings(&self, id: Uuid) -> PartitionSettings {
        let (log, leader_epoch) = (self.config.clone(), self.leader_epoch);
        PartitionSettings { topic_id: id, leader_epoch, log, flush_ms: Some(100), behind: Vec::new() }
    }

    /// Opens the directories as a broker would that knows these topics, and which directories it has served.
    pub(crate) fn open(&self) -> Result<(LogDirs, LoadReport), LogDirError> {
        let lock = |place: &Place| match place.id {
            Some(id) => LockedDir::lock_known(place.used(), place.path(), id),
            None => LockedDir::lock(place.used(), place.path()),
        };
        let locked = self.places.iter().map(|place| (place.path().to_path_buf(), lock(place))).collect();
        let known = self.known();
        LogDirs::load(locked, &self.options(), &|topic, number| known.settings(topic, number), &|_| {})
    }

    /// What is known of the topics.
    pub(crate) fn known(&self) -> Known {
        let settings = |at: &Partition| Some(((at.topic.to_owned(), at.number), self.settings(at.id?)));
        Known(self.partitions.iter().filter_map(settings).collect())
    }

    pub(crate) fn options(&self) -> LogDirOptions {
        LogDirOptions {
            cluster_id: "crash".to_owned(),
            node_id: 1,
            // One thread, so that the n-th call is always the same one.
            threads: 1,
            handles: Handles::new(self.open_files),
            now_ms: self.now_ms,
        }
    }

    pub(crate) fn dirs(&self) -> &Arc<LogDirs> {
        self.dirs.as_ref().expect("the directories are open")
    }

    /// The open directories, with their places.
    pub(crate) fn each_dir(&self) -> Vec<(usize, Arc<LogDir>)> {
        let place = |dir: &LogDir| self.places.iter().position(|place| place.path() == dir.path());
        self.dirs().here().map(|dir| (place(&dir).expect("one of ours"), dir)).collect()
    }

    /// That of the partition at `at`.
    pub(crate) fn dir_of(&self, at: usize) -> Arc<LogDir> {
        let path = self.place_of(at).path();
        self.dirs().here().find(|dir| dir.path() == path).expect("the directory is open")
    }

    pub(crate) fn place_of(&self, at: usize) -> &Place {
        &self.places[self.partitions[at].place]
    }

    /// The disk under this directory is ill.
    pub(crate) fn is_ill_at(&self, path: &Path) -> bool {
        self.places.iter().any(|place| place.path() == path && place.is_ill())
    }

    /// The process has died.
    pub(crate) fn is_dead(&self) -> bool {
        self.places.iter().any(|place| place.disk.is_dead())
    }

    /// Something may fail there: the process has died, or the disk is sick.
    pub(crate) fn may_fail(&self, place: usize) -> bool {
        self.is_dead() || self.places[place].is_ill()
    }

    /// The process dies in one of so many calls to come.
    pub(crate) fn die_within(&mut self, calls: u64) {
        self.dies_naming = false;
        let (changes, seed) = (1 + self.chance.below(calls), self.chance.next());
        self.chance.among(&self.places).disk.die_in(changes, seed);
    }

    /// The process dies before one of so many syncs of a directory to come: whatever names it changed may fare apart then.
    pub(crate) fn die_naming_within(&mut self, syncs: u64) {
        let syncs = 1 + self.chance.below(syncs);
        self.chance.among(&self.places).disk.die_before_dir_sync(syncs);
        self.dies_naming = true;
    }

    /// Not while somebody looks.
    pub(crate) fn live_on(&mut self) {
        self.places.iter().for_each(|place| place.disk.die_in(u64::MAX, 0));
        self.dies_naming = false;
    }

    /// The log of the partition at `at`, if it has one.
    pub(crate) fn log(&self, at: usize) -> Option<Arc<Log>> {
        let partition = &self.partitions[at];
        self.dirs().get(partition.topic, partition.number)
    }

    /// Partitions whose logs are open.
    pub(crate) fn open_logs(&self) -> Vec<(usize, Arc<Log>)> {
        (0..self.partitions.len()).filter_map(|at| Some((at, self.log(at)?))).collect()
    }

    pub(crate) fn path(&self, partition: &Partition) -> PathBuf {
        self.places[partition.place].path().join(format!("{}-{}", partition.topic, partition.number))
    }
}

/// The settings of the partitions of known topics.
pub(crate) struct Known(BTreeMap<(String, i32), PartitionSettings>);

impl Known {
    pub(crate) fn settings(&self, topic: &str, number: i32) -> Option<PartitionSettings> {
        self.0.get(&(topic.to_owned(), number)).cloned()
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
