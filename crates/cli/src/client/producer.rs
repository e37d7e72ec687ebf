//! Records into batches: one open batch per partition, closed when it is full or has waited long enough.
//!
//! A closed batch carries its producer's sequence number, so that sending it twice writes it once.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec, add_sequence};
use tokio::time::Instant;

use super::partitioner::Partitioner;

/// A header's name and value; `None` is null.
pub(crate) type NewHeader = (String, Option<Vec<u8>>);

/// A record on its way in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NewRecord {
    /// Key; `None` is null.
    pub(crate) key: Option<Vec<u8>>,
    /// Value; `None` is null.
    pub(crate) value: Option<Vec<u8>>,
    /// Headers in order.
    pub(crate) headers: Vec<NewHeader>,
}

/// A closed batch.
#[derive(Debug, Clone)]
pub(crate) struct ClosedBatch {
    /// Where it goes.
    pub(crate) partition: i32,
    /// The batch as it is sent.
    pub(crate) bytes: Bytes,
    /// How many records it has.
    pub(crate) records: u64,
    /// Keys and values of them, in bytes.
    pub(crate) size: u64,
}

/// An idempotent producer's identity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    /// Producer id.
    pub(crate) id: i64,
    /// Producer epoch.
    pub(crate) epoch: i16,
}

/// When batches are closed, and how they are packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batching {
    /// How records are compressed.
    pub(crate) codec: Codec,
    /// Size before compression at which a batch is closed, in bytes.
    pub(crate) batch_bytes: usize,
    /// Age at which it is.
    pub(crate) linger: Duration,
    /// Makes repeated batches harmless.
    pub(crate) identity: Option<Identity>,
}

#[derive(Debug)]
struct Open {
    builder: BatchBuilder,
    since: Instant,
    size: u64,
}

/// Open batches of one topic.
#[derive(Debug)]
pub(crate) struct Accumulator {
    batching: Batching,
    partitioner: Partitioner,
    open: BTreeMap<i32, Open>,
    sequences: BTreeMap<i32, i32>,
}

impl Accumulator {
    /// Empty.
    pub(crate) fn new(batching: Batching, partitioner: Partitioner) -> Self {
        Self { batching, partitioner, open: BTreeMap::new(), sequences: BTreeMap::new() }
    }

    /// Adds a record; a batch that it would overfill, or has filled, is closed.
    pub(crate) fn add(
        &mut self,
        record: &NewRecord,
        now_ms: i64,
        closed: &mut Vec<ClosedBatch>,
    ) -> anyhow::Result<()> {
        let mut partition = self.partitioner.partition(record.key.as_deref());
        let size = record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len);
        let holds = |open: &Open| open.builder.size_in_bytes() + size > self.batching.batch_bytes;
        if self.open.get(&partition).is_some_and(holds) {
            self.close(partition, closed)?;
            partition = self.partitioner.partition(record.key.as_deref());
        }
        let codec = self.batching.codec;
        let open = self.open.entry(partition).or_insert_with(|| Open {
            builder: BatchBuilder::new(codec),
            since: Instant::now(),
            size: 0,
        });
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            record.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref())).collect();
        open.builder
            .append(now_ms, record.key.as_deref(), record.value.as_deref(), &headers)
            .context("a record is too large")?;
        open.size += size as u64;
        if open.builder.size_in_bytes() >= self.batching.batch_bytes {
            self.close(partition, closed)?;
        }
        Ok(())
    }

    /// When the oldest open batch has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.open.values().map(|open| open.since + self.batching.linger).min()
    }

    /// Closes batches that have waited until `now`.
    pub(crate) fn close_due(&mut self, now: Instant, closed: &mut Vec<ClosedBatch>) -> anyhow::Result<()> {
        let linger = self.batching.linger;
        let due: Vec<i32> = self
            .open
            .iter()
            .filter(|(_, open)| open.since + linger <= now)
            .map(|(partition, _)| *partition)
            .collect();
        due.into_iter().try_for_each(|partition| self.close(partition, closed))
    }

    /// Closes all.
    pub(crate) fn close_all(&mut self, closed: &mut Vec<ClosedBatch>) -> anyhow::Result<()> {
        let open: Vec<i32> = self.open.keys().copied().collect();
        open.into_iter().try_for_each(|partition| self.close(partition, closed))
    }

    fn close(&mut self, partition: i32, closed: &mut Vec<ClosedBatch>) -> anyhow::Result<()> {
        let Some(open) = self.open.remove(&partition) else { return Ok(()) };
        let count = open.builder.count();
        let mut builder = open.builder;
        if let Some(identity) = self.batching.identity {
            let next = self.sequences.entry(partition).or_insert(0);
            builder = builder.producer(identity.id, identity.epoch, *next);
            *next = add_sequence(*next, count);
        }
        let bytes = builder.build().context("a batch cannot be packed")?;
        self.partitioner.sent(partition);
        let records = u64::try_from(count).unwrap_or(0);
        closed.push(ClosedBatch { partition, bytes, records, size: open.size });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pagewire_record::{DecompressLimits, batches};

    use super::*;

    fn accumulator(batch_bytes: usize) -> Accumulator {
        let identity = Some(Identity { id: 9, epoch: 0 });
        let batching = Batching { codec: Codec::Lz4, batch_bytes, linger: Duration::from_secs(1), identity };
        Accumulator::new(batching, Partitioner::new(3, None, 1))
    }

    fn record(key: Option<&str>, value: &str) -> NewRecord {
        NewRecord { key: key.map(Into::into), value: Some(value.into()), headers: vec![("h".into(), None)] }
    }

    #[test]
    fn sequences_of_a_partition_follow_each_other() {
        let mut accumulator = accumulator(200);
        let mut closed = Vec::new();
        for _ in 0..20 {
            accumulator.add(&record(Some("k"), &"v".repeat(50)), 5, &mut closed).unwrap();
        }
        accumulator.close_all(&mut closed).unwrap();
        assert!(closed.len() > 2);
        let mut next = 0;
        for batch in &closed {
            assert_eq!(batch.partition, closed[0].partition);
            let read = batches(&batch.bytes).next().unwrap().unwrap();
            assert_eq!((read.header.producer_id, read.header.base_sequence), (9, next));
            next += read.header.records_count;
            assert_eq!(read.records(&DecompressLimits::default()).unwrap().count() as u64, batch.records);
        }
        assert_eq!(next, 20);
    }

    #[test]
    fn a_record_larger_than_a_batch_travels_alone() {
        let mut accumulator = accumulator(200);
        let mut closed = Vec::new();
        accumulator.add(&record(Some("k"), "small"), 5, &mut closed).unwrap();
        accumulator.add(&record(Some("k"), &"v".repeat(500)), 5, &mut closed).unwrap();
        assert_eq!(closed.iter().map(|batch| batch.records).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(accumulator.due(), None);
    }

    #[test]
    fn a_batch_is_due_when_it_has_lingered() {
        let mut accumulator = accumulator(200);
        let mut closed = Vec::new();
        accumulator.add(&record(None, "a"), 5, &mut closed).unwrap();
        let due = accumulator.due().unwrap();
        accumulator.close_due(due - Duration::from_millis(1), &mut closed).unwrap();
        assert!(closed.is_empty());
        accumulator.close_due(due, &mut closed).unwrap();
        assert_eq!(closed.len(), 1);
    }
}
