//! Our broker under every kind of load that leaves its mark in files, and what it answered at the end.
//!
//! Several rounds, each into all topics, by plain and idempotent producers, with a stop or a kill in between. In the
//! last run nothing is compacted or deleted any more, so that what is served is what lies there afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use pagewire_wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use pagewire_wire::messages::find_coordinator_request::FindCoordinatorRequest;
use pagewire_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use pagewire_wire::messages::offset_fetch_request::OffsetFetchRequest;
use pagewire_wire::messages::offset_fetch_response::OffsetFetchResponseTopic;
use tempfile::TempDir;

use super::keyed::Keyed;
use crate::harness::commands::run;
use crate::harness::raw::{Producer, Raw, text};
use crate::harness::{Broker, until};
use crate::workspace::copy_tree;

/// Every topic has as many partitions, `__consumer_offsets` too.
pub(super) const PARTITIONS: i32 = 2;
const ROUNDS: usize = 5;
const BATCHES: usize = 40;
const COMMITS: usize = 120;
/// As much as a commit may carry, so that few of them fill a segment.
const METADATA_BYTES: usize = 3900;

/// Name and settings. Segments are tiny, so that rolls happen all the time.
pub(super) const TOPICS: &[(&str, &[(&str, &str)])] = &[
    ("plain", &[("internal.segment.bytes", "60000")]),
    ("by-time", &[("segment.ms", "2000")]),
    ("append-time", &[("message.timestamp.type", "LogAppendTime"), ("internal.segment.bytes", "30000")]),
    ("indexed", &[("index.interval.bytes", "1"), ("segment.index.bytes", "240")]),
    ("bounded", &[("retention.bytes", "100000"), ("internal.segment.bytes", "20000")]),
    ("cut", &[("internal.segment.bytes", "20000")]),
    ("recoded", &[("compression.type", "zstd"), ("internal.segment.bytes", "20000")]),
    (
        "compacted",
        &[
            ("cleanup.policy", "compact"),
            ("internal.segment.bytes", "20000"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("delete.retention.ms", "0"),
        ],
    ),
    (
        "compacted-bounded",
        &[
            ("cleanup.policy", "compact,delete"),
            ("internal.segment.bytes", "20000"),
            ("retention.bytes", "60000"),
            ("min.cleanable.dirty.ratio", "0.01"),
        ],
    ),
];
/// Topics with gaps between their offsets.
pub(super) const COMPACTED: [&str; 3] = ["compacted", "compacted-bounded", OFFSETS];
pub(super) const OFFSETS: &str = "__consumer_offsets";
pub(super) const GROUPS: [&str; 3] = ["readers", "writers", "others"];

/// While it is under load: everything that is done by the clock is done often.
const BUSY: &[&str] = &[
    "--set",
    "log.cleaner.backoff.ms=50",
    "--set",
    "log.retention.check.interval.ms=200",
    "--set",
    "log.flush.offset.checkpoint.interval.ms=500",
];
/// At the end: nothing is.
const STILL: &[&str] =
    &["--set", "log.cleaner.enable=false", "--set", "log.retention.check.interval.ms=3600000"];

/// What a partition served at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) bytes: Bytes,
}

/// The last batch of an idempotent producer.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    pub(super) producer: Producer,
    pub(super) batch: Bytes,
    pub(super) base_offset: i64,
    pub(super) next_sequence: i32,
}

/// What a group has committed.
pub(super) type Committed = Vec<Vec<OffsetFetchResponseTopic>>;

/// What a broker knew.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) served: Vec<Served>,
    pub(super) sent: Vec<Sent>,
    pub(super) committed: Committed,
}

impl Known {
    fn of(broker: &Broker, load: &Load) -> Result<Self> {
        Ok(Self {
            served: served(broker.address())?,
            sent: load.sent.values().cloned().collect(),
            committed: committed(broker.address())?,
        })
    }
}

/// One broker's directory at four moments of its life, with what it knew.
#[derive(Debug)]
pub(super) struct Story {
    directory: TempDir,
    /// Before it stopped in order.
    pub(super) stopped: Known,
    /// Before it was killed with all that it had taken meanwhile.
    pub(super) killed: Known,
}

/// A moment, by the name of its copy.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    Stopped,
    /// What a backup of the broker that served became in a restore.
    Restored,
    Killed,
    /// Started on what the kill left, and stopped in order.
    Recovered,
}

impl Story {
    /// The whole load, and every end.
    pub(super) fn tell(binary: &Path) -> Result<Self> {
        let settings = ["offsets.topic.num.partitions=2", "offsets.topic.segment.bytes=1048576"];
        let mut broker = Broker::start(binary, &settings)?;
        create_topics(broker.address())?;
        let mut load = Load::new(broker.address())?;
        broker.serve_with(BUSY, &[]);
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                broker.stop()?;
            } else {
                broker.kill();
            }
            broker.start_again()?;
            load.round(broker.address())?;
        }
        until_compacted(&broker.data_dir())?;
        broker.stop()?;
        broker.serve_with(STILL, &[]);
        broker.start_again()?;
        let directory = Broker::directory()?;
        let place = |moment| place(directory.path(), moment);
        let stopped = Known::of(&broker, &load)?;
        back_up_and_restore(binary, &broker.data_dir(), directory.path())?;
        broker.stop()?;
        copy_tree(&broker.data_dir(), &place(Moment::Stopped))?;
        broker.start_again()?;
        load.appends(broker.address())?;
        let killed = Known::of(&broker, &load)?;
        broker.kill();
        copy_tree(&broker.data_dir(), &place(Moment::Killed))?;
        broker.start_again()?;
        broker.stop()?;
        copy_tree(&broker.data_dir(), &place(Moment::Recovered))?;
        Ok(Self { directory, stopped, killed })
    }

    /// Its directory at that moment.
    pub(super) fn at(&self, moment: Moment) -> PathBuf {
        place(self.directory.path(), moment)
    }
}

fn place(directory: &Path, moment: Moment) -> PathBuf {
    directory.join(match moment {
        Moment::Stopped => "stopped",
        Moment::Restored => "restored",
        Moment::Killed => "killed",
        Moment::Recovered => "recovered",
    })
}

/// Of a broker that serves.
fn back_up_and_restore(binary: &Path, data_dir: &Path, directory: &Path) -> Result<()> {
    let (backup, restored) = (directory.join("backup"), place(directory, Moment::Restored));
    for (what, from, to) in
        [("backup", data_dir, backup.as_path()), ("restore", backup.as_path(), restored.as_path())]
    {
        let mut command = Command::new(binary);
        command.arg(what).arg("--from").arg(from).arg("--to").arg(to);
        run(&mut command, "")?.succeeded().with_context(|| what.to_owned())?;
    }
    Ok(())
}

/// The same topics, in any broker.
pub(super) fn create_topics(address: &str) -> Result<()> {
    let mut client = Raw::connect(address)?;
    for (name, configs) in TOPICS {
        client.create_topic(name, PARTITIONS, configs)?;
    }
    Ok(())
}

/// Everything that every partition has.
pub(super) fn served(address: &str) -> Result<Vec<Served>> {
    let mut client = Raw::connect(address)?;
    let mut all = Vec::new();
    for topic in TOPICS.iter().map(|(name, _)| *name).chain([OFFSETS]) {
        for partition in 0..PARTITIONS {
            let mut asked = || -> Result<Served> {
                let start = client.offset(topic, partition, -2)?;
                let end = client.offset(topic, partition, -1)?;
                let bytes = client.read_all(topic, partition)?;
                Ok(Served { topic, partition, start, end, bytes })
            };
            all.push(asked().with_context(|| format!("{topic}-{partition}"))?);
        }
    }
    Ok(all)
}

/// Everything that every group has committed.
pub(super) fn committed(address: &str) -> Result<Committed> {
    let mut client = Raw::connect(address)?;
    let mut all = Vec::new();
    for group in GROUPS {
        let request =
            OffsetFetchRequest { group_id: text(group), topics: None, ..OffsetFetchRequest::default() };
        let mut found = Vec::new();
        until("a coordinator that has loaded", || {
            ask_coordinator(&mut client, group)?;
            let answer = client.call(&request, 5)?;
            found = answer.topics;
            Ok(answer.error_code == 0)
        })?;
        found.sort_by_key(|topic| topic.name.as_str().to_owned());
        for topic in &mut found {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
        all.push(found);
    }
    Ok(all)
}

/// Who coordinates a group; the first to ask makes the topic.
pub(super) fn ask_coordinator(client: &mut Raw, group: &str) -> Result<()> {
    until("a coordinator", || {
        let request = FindCoordinatorRequest { key: text(group), ..FindCoordinatorRequest::default() };
        Ok(client.call(&request, 3)?.error_code == 0)
    })
}

/// Until the cleaner has been over the compacted topics, the committed offsets too.
fn until_compacted(data_dir: &Path) -> Result<()> {
    until("compaction", || {
        let text = fs::read_to_string(data_dir.join("cleaner-offset-checkpoint")).unwrap_or_default();
        let reached = |topic: &str| {
            text.lines().any(|line| {
                line.strip_prefix(topic).is_some_and(|rest| rest.starts_with(' ') && !rest.ends_with(" 0"))
            })
        };
        Ok(COMPACTED.iter().all(|topic| reached(topic)))
    })
}

/// Who writes what.
#[derive(Debug)]
struct Load {
    streams: BTreeMap<(&'static str, i32), Keyed>,
    producers: BTreeMap<(&'static str, i32), (Producer, i32)>,
    sent: BTreeMap<(&'static str, i32), Sent>,
    commits: i64,
}

impl Load {
    fn new(address: &str) -> Result<Self> {
        let mut client = Raw::connect(address)?;
        let (mut streams, mut producers) = (BTreeMap::new(), BTreeMap::new());
        let an_hour_ago = now_ms()? - 3_600_000;
        for (seed, (topic, _)) in (0..).zip(TOPICS) {
            for partition in 0..PARTITIONS {
                let place = (*topic, partition);
                let keyless = !COMPACTED.contains(topic);
                let seed = seed * 2 + u64::from(partition.unsigned_abs());
                let mut stream = Keyed::new(seed, 50, an_hour_ago);
                stream.set_keyless(keyless);
                streams.insert(place, stream);
                producers.insert(place, (client.init_producer()?, 0));
            }
        }
        Ok(Self { streams, producers, sent: BTreeMap::new(), commits: 0 })
    }

    /// Some batches into every partition, some commits, some records deleted.
    fn round(&mut self, address: &str) -> Result<()> {
        self.appends(address)?;
        let mut client = Raw::connect(address)?;
        (0..PARTITIONS).try_for_each(|partition| cut(&mut client, partition))
    }

    /// Some batches into every partition, and some commits.
    fn appends(&mut self, address: &str) -> Result<()> {
        let mut client = Raw::connect(address)?;
        for (&(topic, partition), stream) in &mut self.streams {
            let producer = self.producers.get_mut(&(topic, partition)).context("no producer")?;
            for _ in 0..BATCHES {
                let idempotent = stream.below(2) == 0;
                let (batch, count) = stream.batch(idempotent.then_some(*producer))?;
                let base_offset = client
                    .append(topic, partition, &batch)
                    .with_context(|| format!("{topic}-{partition}"))?;
                if idempotent {
                    producer.1 += count;
                    let (producer, next_sequence) = *producer;
                    let sent = Sent { topic, partition, producer, batch, base_offset, next_sequence };
                    self.sent.insert((topic, partition), sent);
                }
            }
        }
        (0..COMMITS).try_for_each(|_| self.commit(&mut client))
    }

    fn commit(&mut self, client: &mut Raw) -> Result<()> {
        self.commits += 1;
        let group = GROUPS[usize::try_from(self.commits)? % GROUPS.len()];
        let metadata = format!("{:0METADATA_BYTES$}", self.commits);
        let partition = |partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: self.commits,
            committed_metadata: Some(text(&metadata)),
            ..OffsetCommitRequestPartition::default()
        };
        let topics = vec![OffsetCommitRequestTopic {
            name: text("plain"),
            partitions: (0..PARTITIONS).map(partition).collect(),
            ..OffsetCommitRequestTopic::default()
        }];
        let request = OffsetCommitRequest {
            group_id: text(group),
            generation_id_or_member_epoch: -1,
            topics,
            ..OffsetCommitRequest::default()
        };
        until("a commit", || {
            let answer = client.call(&request, 7)?;
            let codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|p| p.error_code);
            let codes: Vec<i16> = codes.collect();
            if codes.iter().any(|code| matches!(code, 14..=16)) {
                ask_coordinator(client, group)?;
                return Ok(false);
            }
            ensure!(codes.iter().all(|code| *code == 0), "errors {codes:?}");
            Ok(true)
        })
    }
}

/// Deletes the older half of what there is, which ends somewhere in a batch.
fn cut(client: &mut Raw, partition: i32) -> Result<()> {
    let (start, end) = (client.offset("cut", partition, -2)?, client.offset("cut", partition, -1)?);
    let partitions =
        vec![DeleteRecordsPartition { partition_index: partition, offset: i64::midpoint(start, end) }];
    let topics = vec![DeleteRecordsTopic { name: text("cut"), partitions }];
    let answer = client.call(&DeleteRecordsRequest { topics, timeout_ms: 10_000 }, 2)?;
    let failed = answer.topics.iter().flat_map(|topic| &topic.partitions).any(|p| p.error_code != 0);
    ensure!(!failed, "DeleteRecords: {answer:?}");
    Ok(())
}

pub(super) fn now_ms() -> Result<i64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_millis())?)
}
