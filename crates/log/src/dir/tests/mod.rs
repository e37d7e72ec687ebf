//! Facts about a whole log directory, on disks that fail and forget.

mod aborted;
mod backup;
mod backup_earlier;
mod backup_txns;
mod beside;
mod checkpoints;
mod clean;
mod crash;
mod create;
mod evident;
mod foretold;
mod gone;
mod idle;
mod later;
mod leftovers;
mod lengths;
mod load;
mod lost;
mod lost_point;
mod missing;
mod notes;
mod offline;
mod onward;
mod orphans;
mod rounds;
mod settled;
mod strays;
mod sums;
mod survey;
mod taken_away;
mod together;
mod undecided;
mod unknown;
mod unnoted;
mod vouched;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use bytes::Bytes;
use pagewire_disk::{Disk, FailingDisk, MemoryDisk, OpenMode};
use pagewire_record::{BatchBuilder, Codec};
use parking_lot::Mutex;
use uuid::Uuid;

use super::{LoadReport, LogDir, LogDirError, LogDirOptions, Notice, PartitionSettings};
use crate::verify::{Event, Finding, Severity, Topics, VerifyOptions, verify};
use crate::{AppendContext, AppendError, Appended, Handles, Log, LogConfig, Origin, ReadUpTo};

const A: Uuid = Uuid::from_u128(0xA);
const B: Uuid = Uuid::from_u128(0xB0B);

/// What a check says, notes aside.
fn found(world: &World, topics: Option<&Topics>) -> Vec<Finding> {
    let (mut found, options) = (Vec::new(), VerifyOptions { topics, ..VerifyOptions::default() });
    let told = verify(&world.disk, root(), options, &mut |event| {
        if let Event::Found(finding) = event {
            found.push(finding);
        }
    });
    told.expect("checked");
    found.retain(|finding| finding.severity > Severity::Note);
    found
}

/// A disk, and what the metadata says of its topics.
struct World {
    disk: Arc<dyn Disk>,
    topics: Mutex<BTreeMap<String, Uuid>>,
    config: LogConfig,
    /// In which logs are opened.
    leader_epoch: AtomicI32,
}

impl World {
    fn new() -> Self {
        Self::on(Arc::new(MemoryDisk::new()))
    }

    /// On a disk that can fail.
    fn failing() -> (FailingDisk, Self) {
        let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
        (failing.clone(), Self::on(Arc::new(failing)))
    }

    fn on(disk: Arc<dyn Disk>) -> Self {
        let config = LogConfig {
            segment_bytes: 400,
            retention_ms: 1000,
            file_delete_delay_ms: 50,
            preallocate: false,
            ..LogConfig::default()
        };
        Self { disk, topics: Mutex::default(), config, leader_epoch: AtomicI32::new(0) }
    }

    /// The same topics on another disk.
    fn moved_to(&self, disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            topics: Mutex::new(self.topics.lock().clone()),
            config: self.config.clone(),
            leader_epoch: AtomicI32::new(self.leader_epoch.load(Ordering::Relaxed)),
        }
    }

    fn knows(self, topic: &str, id: Uuid) -> Self {
        self.learns(topic, Some(id));
        self
    }

    fn learns(&self, topic: &str, id: Option<Uuid>) {
        match id {
            Some(id) => self.topics.lock().insert(topic.to_owned(), id),
            None => self.topics.lock().remove(topic),
        };
    }

    fn settings(&self, topic: &str) -> Option<PartitionSettings> {
        let topic_id = *self.topics.lock().get(topic)?;
        let leader_epoch = self.leader_epoch.load(Ordering::Relaxed);
        Some(PartitionSettings {
            topic_id,
            leader_epoch,
            log: self.config.clone(),
            flush_ms: None,
            behind: Vec::new(),
        })
    }

    fn try_open(&self) -> Result<(LogDir, LoadReport), LogDirError> {
        let settings = |topic: &str, _| self.settings(topic);
        LogDir::open(Arc::clone(&self.disk), root(), &options(), &settings, &|_| {})
    }

    fn open(&self) -> (LogDir, LoadReport) {
        self.try_open().expect("opens")
    }

    fn create(&self, dir: &LogDir, topic: &str, partition: i32) -> Arc<Log> {
        dir.create(topic, partition, &self.settings(topic).expect("known"), 0).expect("creates")
    }

    fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let path = root().join(path);
        self.disk.create_dir_all(path.parent().expect("parent")).expect("directory");
        let file = self.disk.open(&path, OpenMode::Create).expect("create");
        file.set_len(0).expect("cut");
        file.write_at(0, bytes).expect("write");
    }

    fn get(&self, path: impl AsRef<Path>) -> String {
        let bytes = pagewire_disk::read_small(&*self.disk, &root().join(path), 1 << 20).expect("read");
        String::from_utf8(bytes.expect("there")).expect("text")
    }

    fn has(&self, path: impl AsRef<Path>) -> bool {
        self.disk.exists(&root().join(path)).expect("exists")
    }

    /// What the files of a directory hold, by name.
    fn files(&self, dir: &str) -> Vec<Vec<u8>> {
        let entries = self.disk.read_dir(&root().join(dir)).expect("list");
        let paths = entries.into_iter().map(|entry| root().join(dir).join(entry.name));
        let read = |path: PathBuf| pagewire_disk::read_small(&*self.disk, &path, 1 << 20).expect("read");
        paths.map(|path| read(path).expect("there")).collect()
    }

    /// The files of a directory, with their names.
    fn files_of(&self, dir: &str) -> Vec<(String, Vec<u8>)> {
        let names = self.disk.read_dir(&root().join(dir)).expect("list").into_iter().map(|entry| entry.name);
        names.zip(self.files(dir)).collect()
    }

    /// Names of directories in the log directory.
    fn dirs(&self) -> Vec<String> {
        let entries = self.disk.read_dir(root()).expect("list");
        entries.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.name).collect()
    }
}

fn options() -> LogDirOptions {
    let (cluster_id, handles) = ("cluster".to_owned(), Handles::new(64));
    LogDirOptions { cluster_id, node_id: 1, threads: 3, handles, now_ms: 0 }
}

fn root() -> &'static Path {
    Path::new("/data")
}

fn path(name: &str) -> PathBuf {
    root().join(name)
}

fn batch(timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(timestamp, Some(b"key"), Some(&[7; 60]), &[]).expect("record");
    builder.build().expect("batch")
}

fn try_append(log: &Log, timestamp: i64) -> Result<Appended, AppendError> {
    log.append(batch(timestamp), AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: timestamp })
}

/// Appends batches of one record each.
fn append(log: &Log, count: usize) {
    for _ in 0..count {
        try_append(log, 1).expect("append");
    }
}

/// Whether every record from the log's start to its end can be read.
fn reads_all(log: &Log) -> bool {
    let marks = log.marks();
    let mut offset = marks.log_start;
    while offset < marks.log_end {
        let slice = log.read(offset, 1 << 20, ReadUpTo::LogEnd, true).expect("read");
        let range =
            slice.range.unwrap_or_else(|| panic!("no records at {offset}: {marks:?}, {:?}", log.segments()));
        let bytes = range.read_to_vec().expect("bytes");
        let last =
            pagewire_record::batches(&bytes).map(|batch| batch.expect("whole").header.last_offset()).last();
        offset = last.expect("a batch") + 1;
    }
    offset == marks.log_end
}

fn log_end(dir: &LogDir, topic: &str, partition: i32) -> i64 {
    dir.get(topic, partition).expect("open").marks().log_end
}

fn notices(report: &LoadReport) -> Vec<String> {
    report.notices.iter().map(Notice::to_string).collect()
}
