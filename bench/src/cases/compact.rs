//! Compaction throughput: what a GiB of a dirty log costs to compact.
//!
//! A topic whose dirty share never suffices is filled, then the share is set to 0. CPU and time count up to the last
//! moment at which the partition shrank, as DescribeLogDirs tells. Meanwhile cleaners look for work often
//! (`log.cleaner.backoff.ms`), or the rest of those would be counted whom a changed setting does not wake.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use pagewire_lab::drive::client::{Acks, Connection, ProduceFrame, topic};
use pagewire_lab::drive::process;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use pagewire_wire::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};

use super::Turn;
use crate::{
    broker::Broker,
    change::{Change, OF_TOPIC},
    client::{self, send},
};

const TOPIC: &str = "compact1";
const RATIO: &str = "min.cleanable.dirty.ratio";
/// How long a cleaner rests that found nothing to do, and for how long it does here.
const REST: &str = "log.cleaner.backoff.ms";
const REST_MS: &str = "100";
/// Records of a batch, each of about 1 KiB.
const RECORDS: usize = 64;
/// Of eight records of a key one stays.
const TIMES: u64 = 8;
/// Different batches: enough that all of them fit in memory, and each is sent once in so many.
const BATCHES_MAX: u64 = 4096;
/// Between two looks, and how long nothing must have changed.
const LOOK: Duration = Duration::from_millis(100);
const STILL: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_mins(10);

/// Batches as they are.
pub(super) fn plain(turn: &Turn<'_>) -> Result<Vec<f64>> {
    run(turn.broker, turn.mib, Codec::None)
}

/// Batches that are taken apart and compressed again.
pub(super) fn zstd(turn: &Turn<'_>) -> Result<Vec<f64>> {
    run(turn.broker, turn.mib, Codec::Zstd)
}

/// A log that waits to be compacted.
pub(super) struct Dirty<'a> {
    broker: &'a Broker,
    connection: Connection,
}

impl<'a> Dirty<'a> {
    /// Writes `mib` MiB that no dirty share is enough for.
    pub(super) fn fill(broker: &'a Broker, mib: u64) -> Result<Self> {
        Self::fill_with(broker, mib, Codec::None)
    }

    fn fill_with(broker: &'a Broker, mib: u64, codec: Codec) -> Result<Self> {
        let mut connection = client::open(broker.address)?;
        create(broker, &mut connection)?;
        // A broker that takes no such setting is measured with its own rest.
        if let Err(why) = Change::of_brokers(REST, Some(REST_MS)).ask(&mut connection) {
            eprintln!("{}: {REST} stays as it is: {why:#}", broker.name);
        }
        fill(&mut connection, mib, codec)?;
        Ok(Self { broker, connection })
    }

    /// From now on every dirty share is enough.
    pub(super) fn release(&mut self) -> Result<()> {
        Change { kind: OF_TOPIC, of: TOPIC, name: RATIO, value: Some("0") }.ask(&mut self.connection)
    }

    /// Bytes of the log.
    pub(super) fn size(&mut self) -> Result<u64> {
        size(&mut self.connection)
    }

    /// Waits until it shrinks no more: what is measured next has no cleaner beside it.
    pub(super) fn await_cleaned(&mut self) -> Result<()> {
        let (begun, mut left, mut shrank) = (Instant::now(), self.size()?, Instant::now());
        while shrank.elapsed() < STILL {
            ensure!(begun.elapsed() < PATIENCE, "{} goes on compacting", self.broker.name);
            std::thread::sleep(LOOK);
            let now = self.size()?;
            if now < left {
                (left, shrank) = (now, Instant::now());
            }
        }
        Ok(())
    }

    pub(super) fn remove(mut self) -> Result<()> {
        // Where it could not be set it cannot be taken back.
        let _ = Change::of_brokers(REST, None).ask(&mut self.connection);
        Ok(topic::delete(&client::dial(), self.broker.address, TOPIC)?)
    }
}

fn run(broker: &Broker, mib: u64, codec: Codec) -> Result<Vec<f64>> {
    let mut dirty = Dirty::fill_with(broker, mib, codec)?;
    let before = dirty.size()?;
    let (cpu, started) = (process::cpu(broker.pid)?, Instant::now());
    dirty.release()?;
    let (mut left, mut shrank, mut spent) = (before, started, cpu);
    while shrank.elapsed() < STILL || left == before {
        ensure!(started.elapsed() < PATIENCE, "{} does not compact", broker.name);
        std::thread::sleep(LOOK);
        let now = dirty.size()?;
        if now < left {
            (left, shrank, spent) = (now, Instant::now(), process::cpu(broker.pid)?);
        }
    }
    dirty.remove()?;
    let gb = before as f64 / 1e9;
    let took = shrank.saturating_duration_since(started).as_secs_f64();
    let left_mib = left as f64 / f64::from(1 << 20);
    let resident_mib = process::memory(broker.pid)?.resident_mib;
    Ok(vec![spent.saturating_sub(cpu).as_secs_f64() / gb, gb * 1e3 / took, left_mib, resident_mib])
}

/// Makes the topic anew.
fn create(broker: &Broker, connection: &mut Connection) -> Result<()> {
    topic::delete(&client::dial(), broker.address, TOPIC)?;
    let settings = [("cleanup.policy", "compact"), ("segment.bytes", "33554432"), (RATIO, "1")];
    let configs = settings.map(|(name, value)| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
        ..CreatableTopicConfig::default()
    });
    let wanted = CreatableTopic {
        name: TOPIC.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.to_vec(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![wanted], timeout_ms: 15_000, ..Default::default() };
    let begun = Instant::now();
    loop {
        let answer = connection.call(&request, 7)?;
        let made = answer.topics.first().context("no answer about the topic")?;
        match made.error_code {
            0 => break,
            // The one before is still going.
            36 if begun.elapsed() < PATIENCE => std::thread::sleep(LOOK),
            code => bail!("the topic cannot be made: error {code} {:?}", made.error_message),
        }
    }
    // Known at once is not writable at once, everywhere.
    topic::leaders(&client::dial(), broker.address, TOPIC, 1)?;
    Ok(())
}

/// Every key as often as the next, spread over the whole log.
fn fill(connection: &mut Connection, mib: u64, codec: Codec) -> Result<()> {
    let records = (mib << 20) / client::VALUE_LEN as u64;
    let (keys, batches) = (records / TIMES, (records / RECORDS as u64).min(BATCHES_MAX));
    let rounds = (records / RECORDS as u64 / batches.max(1)).max(1);
    for round in 0..rounds {
        for number in 0..batches {
            let first = (round * batches + number) * RECORDS as u64;
            let batch = batch(first, keys.max(1), codec)?;
            let mut frame = ProduceFrame::in_version(client::PRODUCE_VERSION, TOPIC, 0, batch, Acks::Leader)?;
            send(connection, &mut frame, 1)?;
        }
    }
    Ok(())
}

fn batch(first: u64, keys: u64, codec: Codec) -> Result<Bytes> {
    let mut builder = BatchBuilder::new(codec);
    for number in first..first + RECORDS as u64 {
        // A multiplier without a common divisor with most counts visits every key before it comes back.
        let key = (number.wrapping_mul(0x9e37_79b1) % keys).to_be_bytes();
        let value = letters(number);
        builder.append(pagewire_lab::drive::client::now_ms(), Some(&key), Some(&value), &[])?;
    }
    Ok(builder.build()?)
}

/// Letters in no order, another lot for each number. A codec makes little more than half of them, so the log is of many segments
/// with every codec: the last one is never compacted.
fn letters(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'A' + (state % 26) as u8
    };
    std::iter::repeat_with(next).take(client::VALUE_LEN).collect()
}

/// Bytes of the partition.
fn size(connection: &mut Connection) -> Result<u64> {
    let wanted = DescribableLogDirTopic { topic: TOPIC.into(), partitions: vec![0], ..Default::default() };
    let request = DescribeLogDirsRequest { topics: Some(vec![wanted]), ..Default::default() };
    let answer = connection.call(&request, 4)?;
    let topics = answer.results.iter().flat_map(|dir| &dir.topics);
    let sizes = topics.flat_map(|topic| &topic.partitions).map(|partition| partition.partition_size);
    Ok(u64::try_from(sizes.sum::<i64>())?)
}
