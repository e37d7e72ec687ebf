//! A directory that lived, as its files lay there after an orderly stop or a kill, and what it answered then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{Disk, MemoryDisk, OpenMode};
use pagewire_log::{
    AppendContext, Cleaner, CleanerLimits, Handles, LoadReport, Log, LogConfig, LogDir, LogDirError,
    LogDirOptions, Origin, PartitionSettings, ScrubLimits, Share, Throttle,
};
use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, control_batch};
use uuid::Uuid;

use crate::answers::Answers;

pub(crate) const ROOT: &str = "/data";
/// The time of the first record.
pub(crate) const START_MS: i64 = 1_700_000_000_000;
/// Leader epochs that wrote.
pub(crate) const EPOCHS: i32 = 4;
/// A plain log, and a compacted one.
pub(crate) const TOPICS: [&str; 2] = ["orders", "keyed"];
/// Later than all records.
const NOW_MS: i64 = START_MS + 10_000;

/// How the directory was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Closed in order.
    Clean,
    /// Killed some records after its checkpoints were written.
    Killed,
    /// Killed before anything of its records was written down.
    Young,
}

pub(crate) const BOTH: [Left; 2] = [Left::Clean, Left::Killed];

/// The files, and the answers of each log.
pub(crate) struct Lived {
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) answers: BTreeMap<&'static str, Answers>,
    /// The recovery point of each log in the checkpoint.
    pub(crate) synced: BTreeMap<&'static str, i64>,
    pub(crate) left: Left,
}

impl Lived {
    pub(crate) fn new(left: Left) -> Self {
        Self::of_life(left, live)
    }

    /// In which `live` writes what is written under one leader epoch.
    pub(crate) fn of_life(left: Left, live: impl Fn(&LogDir, i32)) -> Self {
        let disk = Arc::new(MemoryDisk::new());
        let (dir, _) = open(&disk).expect("an empty directory");
        for topic in TOPICS {
            dir.create(topic, 0, &settings(topic), NOW_MS).expect("a partition");
        }
        for epoch in 0..EPOCHS - 1 {
            live(&dir, epoch);
        }
        if left != Left::Young {
            write_down(&dir);
        }
        live(&dir, EPOCHS - 1);
        if left == Left::Clean {
            assert!(dir.close_clean(NOW_MS).clean);
        }
        let logs = TOPICS.map(|topic| (topic, dir.get(topic, 0)));
        let synced = match left {
            Left::Clean => TOPICS.map(|topic| (topic, i64::MAX)),
            Left::Killed => TOPICS.map(|topic| (topic, recovery_point(&disk, topic))),
            Left::Young => TOPICS.map(|topic| (topic, 0)),
        };
        let files = files(&disk, Path::new(ROOT));
        drop((logs, dir));
        let mut lived = Self { files, answers: BTreeMap::new(), synced: synced.into(), left };
        lived.answers = {
            let again = lived.with(Path::new("nothing"), None);
            assert!(again.report().clean == (left == Left::Clean), "{:?}", again.report());
            TOPICS.map(|topic| (topic, Answers::of(&again.log(topic)))).into()
        };
        lived
    }

    /// Files with this ending.
    pub(crate) fn ending(&self, ending: &str) -> Vec<PathBuf> {
        self.files.keys().filter(|path| path.to_string_lossy().ends_with(ending)).cloned().collect()
    }

    /// Of those in each directory the first, the last, and the one before it.
    pub(crate) fn sample(&self, ending: &str) -> Vec<PathBuf> {
        let mut by_dir: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        for path in self.ending(ending) {
            by_dir.entry(path.parent().expect("a directory").to_owned()).or_default().push(path);
        }
        let of = |paths: &Vec<PathBuf>| {
            let last = paths.len() - 1;
            let places = BTreeSet::from([0, last.saturating_sub(1), last]);
            places.into_iter().map(|at| paths[at].clone()).collect::<Vec<_>>()
        };
        by_dir.values().flat_map(of).collect()
    }

    /// Of those in each directory the shortest that is not empty.
    pub(crate) fn smallest(&self, ending: &str) -> Vec<PathBuf> {
        let mut by_dir: BTreeMap<&Path, PathBuf> = BTreeMap::new();
        for path in self.ending(ending) {
            let len = |path: &Path| self.files.get(path).map_or(0, Vec::len);
            let (dir, found) =
                (self.files.get_key_value(&path).and_then(|(path, _)| path.parent()), len(&path));
            let Some(dir) = dir.filter(|_| found > 0) else { continue };
            if by_dir.get(dir).is_none_or(|known| found < len(known)) {
                by_dir.insert(dir, path);
            }
        }
        by_dir.into_values().collect()
    }

    /// The files on a disk, one of them with other bytes or without any.
    pub(crate) fn on_disk(&self, path: &Path, bytes: Option<&[u8]>) -> Arc<MemoryDisk> {
        let disk = Arc::new(MemoryDisk::new());
        for (name, good) in &self.files {
            if let Some(bytes) = if name == path { bytes } else { Some(&good[..]) } {
                disk.create_dir_all(name.parent().expect("a directory")).expect("made");
                let file = disk.open(name, OpenMode::Create).expect("made");
                file.write_at(0, bytes).expect("written");
            }
        }
        disk
    }

    /// Opens them.
    pub(crate) fn with(&self, path: &Path, bytes: Option<&[u8]>) -> Again {
        opened(self.on_disk(path, bytes))
    }

    /// Other files in their place, left the same way; nobody has asked them anything.
    pub(crate) fn of(&self, files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        Self { files, answers: BTreeMap::new(), synced: self.synced.clone(), left: self.left }
    }
}

/// Opens what is on a disk.
pub(crate) fn opened(disk: Arc<MemoryDisk>) -> Again {
    Again { opened: open(&disk), disk }
}

/// The log in whose directory a file is.
pub(crate) fn topic_of(path: &Path) -> &'static str {
    let is_in = |topic: &&str| path.starts_with(Path::new(ROOT).join(format!("{topic}-0")));
    TOPICS.into_iter().find(is_in).expect("a file of a partition")
}

/// A directory that was opened again.
pub(crate) struct Again {
    pub(crate) opened: Result<(LogDir, LoadReport), LogDirError>,
    pub(crate) disk: Arc<MemoryDisk>,
}

impl Again {
    pub(crate) fn dir(&self) -> &LogDir {
        &self.opened.as_ref().expect("it opens").0
    }

    pub(crate) fn report(&self) -> &LoadReport {
        &self.opened.as_ref().expect("it opens").1
    }

    pub(crate) fn log(&self, topic: &str) -> Arc<Log> {
        self.dir().get(topic, 0).unwrap_or_else(|| panic!("{topic} is not there: {:?}", self.report()))
    }
}

fn open(disk: &Arc<MemoryDisk>) -> Result<(LogDir, LoadReport), LogDirError> {
    let options = LogDirOptions {
        cluster_id: "damage".to_owned(),
        node_id: 1,
        threads: 1,
        handles: Handles::new(64),
        now_ms: NOW_MS,
    };
    let of = |topic: &str| PartitionSettings { leader_epoch: EPOCHS - 1, ..settings(topic) };
    let settings = |topic: &str, _: i32| TOPICS.contains(&topic).then(|| of(topic));
    LogDir::open(Arc::clone(disk) as Arc<dyn Disk>, Path::new(ROOT), &options, &settings, &|_| ())
}

pub(crate) fn settings(topic: &str) -> PartitionSettings {
    let compacted = topic == "keyed";
    let log = LogConfig {
        segment_bytes: 1024,
        index_interval_bytes: 100,
        retention_ms: -1,
        file_delete_delay_ms: 0,
        preallocate: false,
        cleanup_compact: compacted,
        cleanup_delete: !compacted,
        min_cleanable_dirty_ratio: Share::new(0.0),
        ..LogConfig::default()
    };
    let topic_id = Uuid::from_u128(if compacted { 2 } else { 1 } << 64);
    PartitionSettings { topic_id, leader_epoch: 0, log, flush_ms: None, behind: Vec::new() }
}

/// What is written under one leader epoch: every codec, a producer, two transactions, keys that come again.
fn live(dir: &LogDir, epoch: i32) {
    let (orders, keyed) = (dir.get("orders", 0).expect("a log"), dir.get("keyed", 0).expect("a log"));
    let append = |log: &Log, bytes: Bytes, origin| {
        let context = AppendContext { leader_epoch: epoch, origin, now_ms: NOW_MS };
        log.append(bytes, context).expect("an append");
    };
    let time = START_MS + i64::from(epoch) * 200;
    for (at, codec) in Codec::ALL.into_iter().enumerate() {
        let time = time + at as i64 * 30;
        append(&orders, batch(BatchBuilder::new(codec), 4, time), Origin::Client);
        append(&keyed, batch(BatchBuilder::new(codec), 3, time), Origin::Client);
        append(
            &orders,
            batch(BatchBuilder::new(Codec::None).producer(5, 0, epoch * 10 + at as i32 * 2), 2, time + 3),
            Origin::Client,
        );
    }
    for (id, end) in [(7, ControlType::Abort), (8, ControlType::Commit)] {
        let inside = BatchBuilder::new(Codec::None).producer(id, 0, epoch * 2).transactional();
        append(&orders, batch(inside, 2, time + 170), Origin::Client);
        let marker = EndTxnMarker { control_type: end, coordinator_epoch: 0 };
        append(&orders, control_batch(marker, id, 0, time + 180).expect("a marker"), Origin::Coordinator);
    }
}

fn batch(mut builder: BatchBuilder, records: i64, time: i64) -> Bytes {
    for n in 0..records {
        let value = format!("value {time}+{n}");
        builder.append(time + n, Some(&[b'k', n as u8]), Some(value.as_bytes()), &[]).expect("a record");
    }
    builder.build().expect("a batch")
}

fn clean(dir: &LogDir) {
    let (mut cleaner, throttle) = (Cleaner::new(CleanerLimits::default()), Throttle::new(u64::MAX));
    let dirty = dir.dirtiest(NOW_MS).expect("keys that came again");
    let cleaned = dirty.clean(&mut cleaner, NOW_MS, &throttle).expect("cleaned");
    assert!(cleaned.stats.records_kept < cleaned.stats.records_read);
    dir.unlink_due(NOW_MS).expect("unlinked");
}

/// Compacts, deletes, and leaves every checkpoint.
fn write_down(dir: &LogDir) {
    clean(dir);
    dir.get("orders", 0).expect("a log").delete_records_before(4).expect("deleted");
    for topic in TOPICS {
        dir.get(topic, 0).expect("a log").sync().expect("synced");
    }
    // A round that has nothing to say leaves its checkpoint.
    dir.scrub(ScrubLimits { interval_ms: 0, bytes: 1 << 20 }, NOW_MS);
    dir.write_checkpoints().expect("written");
}

fn recovery_point(disk: &MemoryDisk, topic: &str) -> i64 {
    let path = Path::new(ROOT).join(pagewire_disk::checkpoint::RECOVERY_POINT_FILE);
    let checkpoint = pagewire_disk::OffsetCheckpoint::read(disk, &path).expect("read").expect("there");
    checkpoint.get(topic, 0).expect("an entry")
}

/// All files below `dir`, but for the lock.
pub(crate) fn files(disk: &MemoryDisk, dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in disk.read_dir(dir).expect("a directory") {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            files.append(&mut self::files(disk, &path));
        } else if entry.name != pagewire_disk::LOCK_FILE {
            let bytes = pagewire_disk::read_small(disk, &path, 1 << 20).expect("read").expect("there");
            files.insert(path, bytes);
        }
    }
    files
}
