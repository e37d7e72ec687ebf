//! A directory as a broker of Kafka's leaves it: metadata log, checkpoints, partitions.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::checkpoint::{RECOVERY_POINT_FILE, format_id};
use pagewire_disk::{CleanMark, OffsetCheckpoint, OsDisk, PartitionMetadata};
use pagewire_log::{AppendContext, Log, LogConfig, OpenOptions, Origin};
use pagewire_record::{BatchBuilder, Codec, patch_header};
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const CLUSTER: &str = "5L6g3nShT-eMCtK--X86sw";

/// One broker's directory. Records of the metadata log are kept until [`Kafka::stop`].
pub(crate) struct Kafka {
    pub(crate) root: TempDir,
    node: i32,
    records: Vec<Vec<u8>>,
    recovery: OffsetCheckpoint,
}

impl Kafka {
    pub(crate) fn new(node: i32) -> Self {
        let kafka = Self {
            root: tempfile::tempdir().unwrap(),
            node,
            records: vec![record(12, &[&text("metadata.version"), &30i16.to_be_bytes(), &[0]])],
            recovery: OffsetCheckpoint::new(),
        };
        fs::create_dir_all(kafka.dir()).unwrap();
        let id = format_id(kafka.directory_id());
        let meta = format!("#\nnode.id={node}\ndirectory.id={id}\nversion=1\ncluster.id={CLUSTER}\n");
        fs::write(kafka.dir().join("meta.properties"), meta).unwrap();
        fs::write(kafka.dir().join(".lock"), "").unwrap();
        kafka
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("kafka")
    }

    /// Its id in `meta.properties`.
    pub(crate) fn directory_id(&self) -> Uuid {
        Uuid::from_u128(self.node as u128 + 777)
    }

    /// Where an import would go.
    pub(crate) fn to(&self) -> PathBuf {
        self.root.path().join("pagewire")
    }

    pub(crate) fn partition_dir(&self, topic: &str, index: i32) -> PathBuf {
        self.dir().join(format!("{topic}-{index}"))
    }

    /// A topic whose partitions are all led by this broker.
    pub(crate) fn topic(&mut self, name: &str, partitions: i32) -> Uuid {
        let id = self.bare_topic(name);
        for index in 0..partitions {
            self.placed(id, index, (self.node, &[self.node]), 3);
        }
        id
    }

    /// A topic without partitions.
    pub(crate) fn bare_topic(&mut self, name: &str) -> Uuid {
        let id = Uuid::new_v4();
        self.push(record(2, &[&text(name), id.as_bytes(), &[0]]));
        id
    }

    /// A partition, its leader and those in sync with it.
    pub(crate) fn placed(&mut self, id: Uuid, index: i32, (leader, isr): (i32, &[i32]), epoch: i32) {
        let none = [1];
        let numbers = ints(isr);
        let (index, leader, epoch) = (index.to_be_bytes(), leader.to_be_bytes(), epoch.to_be_bytes());
        let fields: [&[u8]; 11] =
            [&index, id.as_bytes(), &numbers, &numbers, &none, &none, &leader, &epoch, &[0; 4], &none, &[0]];
        self.push(record_of(3, 1, &fields));
    }

    /// A partition that this broker leads, and the directory where it is.
    pub(crate) fn placed_in(&mut self, id: Uuid, index: i32, directory: Uuid) {
        let (none, numbers, directories) =
            ([1], ints(&[self.node]), [&[2][..], directory.as_bytes()].concat());
        let (index, leader) = (index.to_be_bytes(), self.node.to_be_bytes());
        let fields: [&[u8]; 11] = [
            &index,
            id.as_bytes(),
            &numbers,
            &numbers,
            &none,
            &none,
            &leader,
            &[0; 4],
            &[0; 4],
            &directories,
            &[0],
        ];
        self.push(record_of(3, 1, &fields));
    }

    pub(crate) fn push(&mut self, record: Vec<u8>) {
        self.records.push(record);
    }

    /// Settings of a topic (2), of brokers (4) or something else.
    pub(crate) fn config(&mut self, kind: u8, owner: &str, name: &str, value: &str) {
        self.push(record(4, &[&[kind], &text(owner), &text(name), &text(value), &[0]]));
    }

    /// Writes so many batches of three records each into a partition; the next offset.
    pub(crate) fn fill(&mut self, topic: &str, id: Uuid, index: i32, batches: i32) -> i64 {
        let codecs = Codec::ALL.iter().cycle();
        self.write(topic, id, index, (0..batches).zip(codecs).map(|(number, codec)| batch(*codec, number)))
    }

    /// Writes these batches into a partition, in segments of a few of them; the next offset.
    pub(crate) fn write(
        &mut self,
        topic: &str,
        id: Uuid,
        index: i32,
        batches: impl IntoIterator<Item = Bytes>,
    ) -> i64 {
        let dir = self.partition_dir(topic, index);
        let disk = Arc::new(OsDisk::new());
        let options = OpenOptions {
            config: LogConfig { segment_bytes: 2048, index_interval_bytes: 100, ..LogConfig::default() },
            recovery_point: 0,
            log_start_offset: 0,
            clean: false,
            leader_epoch: 3,
            now_ms: 0,
        };
        let (log, _) = Log::open(disk.clone(), &dir, topic, index, options).unwrap();
        for batch in batches {
            let context = AppendContext { leader_epoch: 3, origin: Origin::Client, now_ms: 0 };
            log.append(batch, context).unwrap();
        }
        let end = log.marks().log_end;
        log.close(0).unwrap();
        PartitionMetadata { topic_id: id }.write(&*disk, &dir.join("partition.metadata")).unwrap();
        self.recovery.set(topic, index, end);
        end
    }

    /// What was on the disk for certain of one partition when Kafka was killed.
    pub(crate) fn recovery_point(&mut self, topic: &str, index: i32, offset: i64) {
        self.recovery.set(topic, index, offset);
    }

    /// Writes what Kafka writes at an orderly stop.
    pub(crate) fn stop(&self) {
        self.kill();
        CleanMark::write(&OsDisk::new(), &self.dir()).unwrap();
    }

    /// Writes what a Kafka that was killed leaves.
    pub(crate) fn kill(&self) {
        self.recovery.write(&OsDisk::new(), &self.dir().join(RECOVERY_POINT_FILE)).unwrap();
        let dir = self.dir().join("__cluster_metadata-0");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{:020}.log", 0)), metadata_segment(&self.records)).unwrap();
    }
}

/// Three records, the first with a key.
pub(crate) fn batch(codec: Codec, number: i32) -> Bytes {
    let mut builder = BatchBuilder::new(codec).producer(4000, 1, number * 3);
    for at in 0..3 {
        let value = format!("value {number}.{at} {}", "x".repeat(40));
        builder.append(1000 + i64::from(number), Some(b"key"), Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// Records of the metadata log, a few a batch, from offset 0 on.
pub(crate) fn metadata_segment(records: &[Vec<u8>]) -> Vec<u8> {
    let (mut bytes, mut offset) = (Vec::new(), 0);
    for chunk in records.chunks(4) {
        let mut builder = BatchBuilder::new(Codec::None);
        for record in chunk {
            builder.append(1_700_000_000_000, None, Some(record), &[]).unwrap();
        }
        let mut batch = builder.build().unwrap().to_vec();
        patch_header(batch.first_chunk_mut().unwrap(), offset, 1);
        bytes.extend(batch);
        offset += chunk.len() as i64;
    }
    bytes
}

pub(crate) fn record(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    record_of(kind, 0, fields)
}

fn record_of(kind: u8, version: u8, fields: &[&[u8]]) -> Vec<u8> {
    [&[1, kind, version][..], &fields.concat()].concat()
}

/// A compact string.
pub(crate) fn text(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes()].concat()
}

/// A compact array.
fn ints(numbers: &[i32]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(numbers.len() + 1).unwrap()];
    bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    bytes
}

/// Every file below `dir` with its bytes.
pub(crate) fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}
