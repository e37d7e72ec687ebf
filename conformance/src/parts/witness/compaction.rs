//! The same records into our broker and into Apache Kafka, compacted by both: the same records stay.
//!
//! Every round appends, then lets both compact once, up to the active segment, and compares everything that is served. The
//! share of dirty bytes from which on they compact is 1 (never) while records are appended, so that the rounds of both are
//! the same. Records have times of their own and segments are tiny, so that both roll at the same offsets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use pagewire_record::{BatchHeader, DecompressLimits, complete_batches};
use pagewire_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::keyed::Keyed;
use super::workload::now_ms;
use super::{Cases, Context};
use crate::clients::KafkaClasses;
use crate::harness::Broker;
use crate::harness::raw::{Producer, Raw, text};
use crate::parts::kafka::Kafka;

const TOPIC: &str = "both";
const PARTITIONS: i32 = 3;
const ROUNDS: usize = 4;
const BATCHES: usize = 60;
const TOPIC_RESOURCE: i8 = 2;
const RATIO: &str = "min.cleanable.dirty.ratio";
/// Java's cleaner looks every so often, as ours.
const BACKOFF: &str = "log.cleaner.backoff.ms=100";
/// A round of compaction takes well under a second each; the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) fn cases(context: &Context<'_>, classes: &KafkaClasses, cases: &mut Cases<'_>) {
    let kept: &[(&str, &str)] = &[("cleanup.policy", "compact"), ("delete.retention.ms", "86400000")];
    let dropped: &[(&str, &str)] = &[("cleanup.policy", "compact"), ("delete.retention.ms", "0")];
    let lag: &[(&str, &str)] = &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "3600000")];
    for (name, configs, keyless) in [
        ("both_compact_alike_where_tombstones_are_kept", kept, false),
        ("both_compact_alike_where_tombstones_go_at_once", dropped, false),
        ("both_compact_alike_where_records_must_be_old", lag, false),
        ("both_compact_alike_what_was_written_before_compaction_was_wanted", kept, true),
    ] {
        cases.run(name, || alike(context, classes, configs, keyless));
    }
}

/// A broker under comparison.
struct Side {
    name: &'static str,
    client: Raw,
    data_dir: PathBuf,
    producer: Producer,
}

impl Side {
    fn new(name: &'static str, address: &str, data_dir: PathBuf) -> Result<Self> {
        let mut client = Raw::connect(address)?;
        let producer = client.init_producer()?;
        Ok(Self { name, client, data_dir, producer })
    }

    fn alter(&mut self, name: &str, value: &str) -> Result<()> {
        let config = AlterableConfig { name: text(name), config_operation: 0, value: Some(text(value)) };
        let resource = AlterConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: text(TOPIC),
            configs: vec![config],
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let answer = self.client.call(&request, 1)?;
        ensure!(answer.responses.iter().all(|one| one.error_code == 0), "{}: {answer:?}", self.name);
        Ok(())
    }

    /// Waits until the cleaner has been up to the active segment of every partition, or as far as records are old
    /// enough: then nothing changes any more.
    fn until_clean(&self, reached: &BTreeMap<i32, i64>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let clean = clean_offsets(&self.data_dir)?;
            if reached.iter().all(|(partition, offset)| clean.get(partition) == Some(offset)) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{}: compacted up to {clean:?}, it should be {reached:?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Partitions and the offsets below which they are clean.
fn clean_offsets(data_dir: &Path) -> Result<BTreeMap<i32, i64>> {
    let text = fs::read_to_string(data_dir.join("cleaner-offset-checkpoint")).unwrap_or_default();
    let mut offsets = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix(TOPIC)) {
        let mut numbers = line.split_whitespace();
        if let (Some(partition), Some(offset)) = (numbers.next(), numbers.next()) {
            offsets.insert(partition.parse()?, offset.parse()?);
        }
    }
    Ok(offsets)
}

/// The base offset of each partition's active segment.
fn active_segments(data_dir: &Path) -> Result<BTreeMap<i32, i64>> {
    let mut active = BTreeMap::new();
    for partition in 0..PARTITIONS {
        let mut newest = 0;
        for entry in fs::read_dir(data_dir.join(format!("{TOPIC}-{partition}")))? {
            let name = entry?.file_name();
            if let Some(base) = name.to_str().and_then(|name| name.strip_suffix(".log")) {
                newest = newest.max(base.parse()?);
            }
        }
        active.insert(partition, newest);
    }
    Ok(active)
}

fn alike(
    context: &Context<'_>,
    classes: &KafkaClasses,
    configs: &[(&str, &str)],
    keyless: bool,
) -> Result<()> {
    let broker = Broker::start(&context.binary, &[BACKOFF])?;
    let mut kafka = Kafka::format(classes, &[BACKOFF])?;
    kafka.start()?;
    let mut ours = Side::new("ours", broker.address(), broker.data_dir())?;
    let mut theirs = Side::new("Kafka", kafka.address(), kafka.log_dir())?;
    let begun = now_ms()? - 2 * 3_600_000;
    for side in [&mut ours, &mut theirs] {
        let mut all = configs.to_vec();
        if keyless {
            all.retain(|(name, _)| *name != "cleanup.policy");
        }
        all.extend([("internal.segment.bytes", "20000"), (RATIO, "1")]);
        side.client.create_topic(TOPIC, PARTITIONS, &all)?;
    }
    let mut streams: Vec<Keyed> =
        (0..PARTITIONS.unsigned_abs()).map(|seed| Keyed::new(seed.into(), 40, begun)).collect();
    let mut sequences = vec![0; streams.len()];
    for round in 0..ROUNDS {
        let without_keys = keyless && round == 0;
        for (partition, (stream, sequence)) in (0..).zip(streams.iter_mut().zip(&mut sequences)) {
            stream.set_keyless(without_keys);
            for _ in 0..BATCHES {
                append(stream, sequence, partition, [&mut ours, &mut theirs])?;
            }
        }
        if keyless && round == 0 {
            for side in [&mut ours, &mut theirs] {
                side.alter("cleanup.policy", "compact")?;
            }
        }
        compact([&mut ours, &mut theirs], configs)?;
        compare([&mut ours, &mut theirs]).with_context(|| format!("round {round}"))?;
    }
    Ok(())
}

/// The same batch to both. Half of them are an idempotent producer's, whose ids differ.
fn append(stream: &mut Keyed, sequence: &mut i32, partition: i32, sides: [&mut Side; 2]) -> Result<()> {
    let idempotent = stream.below(2) == 0;
    let before = stream.clone();
    let mut ends = Vec::new();
    for side in sides {
        *stream = before.clone();
        let (batch, count) = stream.batch(idempotent.then_some((side.producer, *sequence)))?;
        ends.push((side.client.append(TOPIC, partition, &batch)?, count));
    }
    ensure!(ends.windows(2).all(|pair| pair.first() == pair.last()), "appended at {ends:?}");
    if idempotent {
        *sequence += ends.first().map_or(0, |(_, count)| *count);
    }
    Ok(())
}

/// Lets both compact, once, as far as they can.
fn compact(sides: [&mut Side; 2], configs: &[(&str, &str)]) -> Result<()> {
    let mut reached = Vec::new();
    for side in sides {
        let active = active_segments(&side.data_dir)?;
        ensure!(active.values().all(|base| *base > 0), "{}: nothing was rolled: {active:?}", side.name);
        side.alter(RATIO, "0")?;
        if configs.iter().any(|(name, _)| *name == "min.compaction.lag.ms") {
            settle(side)?;
        } else {
            side.until_clean(&active)?;
        }
        side.alter(RATIO, "1")?;
        reached.push((active, clean_offsets(&side.data_dir)?));
    }
    let [ours, theirs] = &reached[..] else { bail!("two sides") };
    ensure!(ours == theirs, "active segments and clean offsets: {ours:?}, Kafka: {theirs:?}");
    Ok(())
}

/// Waits until the cleaner has stopped to get any further.
fn settle(side: &Side) -> Result<()> {
    let (mut last, mut same) = (clean_offsets(&side.data_dir)?, 0);
    let deadline = Instant::now() + PATIENCE;
    while same < 40 {
        ensure!(Instant::now() < deadline, "{}: compaction goes on and on", side.name);
        std::thread::sleep(Duration::from_millis(50));
        let now = clean_offsets(&side.data_dir)?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    Ok(())
}

/// What a consumer sees of a record.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    offset: i64,
    timestamp: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(Bytes, Option<Bytes>)>,
}

/// What does not differ by the producer's id or the clock of a batch.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    base_offset: i64,
    last_offset: i64,
    records: i32,
    codec: u8,
    is_idempotent: bool,
    base_sequence: i32,
    max_timestamp: i64,
    has_delete_horizon: bool,
}

fn compare(sides: [&mut Side; 2]) -> Result<()> {
    let [ours, theirs] = sides;
    for partition in 0..PARTITIONS {
        let (our_frames, our_records) = seen(&ours.client.read_all(TOPIC, partition)?)?;
        let (their_frames, their_records) = seen(&theirs.client.read_all(TOPIC, partition)?)?;
        first_difference(&our_records, &their_records)
            .with_context(|| format!("records of partition {partition}"))?;
        first_difference(&our_frames, &their_frames)
            .with_context(|| format!("batches of partition {partition}"))?;
        ensure!(our_records.len() > 10, "only {} records are left", our_records.len());
    }
    Ok(())
}

fn first_difference<T: PartialEq + std::fmt::Debug>(ours: &[T], theirs: &[T]) -> Result<()> {
    let at = ours.iter().zip(theirs).position(|(one, other)| one != other);
    let at = at.or((ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())));
    match at {
        None => Ok(()),
        Some(at) => bail!(
            "{} here, {} in Kafka; number {at} is {:?}, in Kafka {:?}",
            ours.len(),
            theirs.len(),
            ours.get(at),
            theirs.get(at)
        ),
    }
}

fn seen(bytes: &Bytes) -> Result<(Vec<Frame>, Vec<Seen>)> {
    let (mut frames, mut records) = (Vec::new(), Vec::new());
    for batch in complete_batches(bytes) {
        let batch = batch?;
        frames.push(frame(&batch.header));
        for record in batch.records(&DecompressLimits::default())? {
            let record = record?;
            let headers = record.headers.iter().map(|header| (header.key.clone(), header.value.clone()));
            records.push(Seen {
                offset: record.offset,
                timestamp: record.timestamp,
                headers: headers.collect(),
                key: record.key,
                value: record.value,
            });
        }
    }
    Ok((frames, records))
}

fn frame(header: &BatchHeader) -> Frame {
    Frame {
        base_offset: header.base_offset,
        last_offset: header.last_offset(),
        records: header.records_count,
        codec: header.codec_id(),
        is_idempotent: header.has_producer_id(),
        base_sequence: header.base_sequence,
        max_timestamp: header.max_timestamp,
        has_delete_horizon: header.delete_horizon_ms().is_some(),
    }
}
