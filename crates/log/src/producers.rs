//! Idempotent producers of one partition: the last five batches of each, and what the next one may be.
//!
//! Pure: decides on headers, changes only by [`ProducerTable::record`]ing batches that are in the log. Rules of KIP-98
//! and Kafka's `ProducerAppendInfo`; open transactions are followed far enough to refuse a stray batch, their offsets
//! are the place where the last stable offset will come from.

use std::collections::HashMap;

use pagewire_record::{BatchHeader, NO_PRODUCER_EPOCH, NO_SEQUENCE};

use crate::answers::{Origin, ProducerInfo};
use crate::errors::AppendError;

/// Batches remembered per producer: what a client may have in flight.
pub(crate) const BATCHES_KEPT: usize = 5;

/// A batch that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchMeta {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
}

impl BatchMeta {
    /// Sequence of the first record, wrapped.
    pub(crate) fn first_sequence(&self) -> i32 {
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }

    /// Offset of the first record.
    pub(crate) fn first_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// One producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    /// Oldest first; only the first `kept` count.
    batches: [Option<BatchMeta>; BATCHES_KEPT],
    pub(crate) coordinator_epoch: i32,
    pub(crate) txn_first_offset: Option<i64>,
    /// Largest timestamp of its last batch (or marker).
    pub(crate) last_timestamp: i64,
    /// When it last wrote, by this broker's clock; what expiration looks at. Not in the snapshot.
    last_seen_ms: i64,
}

impl Producer {
    fn new(epoch: i16) -> Self {
        Self {
            epoch,
            batches: [None; BATCHES_KEPT],
            coordinator_epoch: -1,
            txn_first_offset: None,
            last_timestamp: -1,
            last_seen_ms: 0,
        }
    }

    /// As read from a snapshot.
    pub(crate) fn restored(
        epoch: i16,
        last: Option<BatchMeta>,
        coordinator_epoch: i32,
        txn: Option<i64>,
        timestamp: i64,
    ) -> Self {
        let batches = [last, None, None, None, None];
        let (txn_first_offset, last_timestamp) = (txn, timestamp);
        Self { batches, coordinator_epoch, txn_first_offset, last_timestamp, ..Self::new(epoch) }
    }

    /// The newest batch of this epoch.
    pub(crate) fn last(&self) -> Option<&BatchMeta> {
        self.batches.iter().rev().flatten().next()
    }

    fn push(&mut self, batch: BatchMeta) {
        if self.batches.iter().all(Option::is_some) {
            self.batches.rotate_left(1);
            self.batches[BATCHES_KEPT - 1] = None;
        }
        if let Some(free) = self.batches.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(batch);
        }
    }

    /// Nothing it may have in flight is unknown: five batches, or all of its epoch.
    fn is_complete(&self) -> bool {
        let first = self.batches.iter().flatten().next();
        self.batches.iter().all(Option::is_some) || first.is_none_or(|first| first.first_sequence() == 0)
    }

    /// Takes the batches before its only one from what the log says of it, as far back as they follow each other.
    fn complete_from(&mut self, found: &Self) {
        if found.epoch != self.epoch || found.last() != self.last() {
            return;
        }
        let chain: Vec<BatchMeta> = found.batches.iter().rev().flatten().copied().collect();
        let follows = |pair: &[BatchMeta]| {
            let [newer, older] = pair else { return false };
            newer.first_sequence() == older.last_sequence.wrapping_add(1) & i32::MAX
                && older.last_offset < newer.first_offset()
        };
        let kept = 1 + chain.windows(2).take_while(|pair| follows(pair)).count();
        self.batches = [None; BATCHES_KEPT];
        for batch in chain.into_iter().take(kept).rev() {
            self.push(batch);
        }
    }

    fn duplicate_of(&self, header: &BatchHeader) -> Option<&BatchMeta> {
        if header.producer_epoch != self.epoch {
            return None;
        }
        self.batches.iter().flatten().find(|batch| {
            batch.first_sequence() == header.base_sequence && batch.last_sequence == header.last_sequence()
        })
    }
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Append it.
    New,
    /// It is there already.
    Duplicate(BatchMeta),
}

/// All producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct ProducerTable(HashMap<i64, Producer>);

impl ProducerTable {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.0.iter().map(|(id, producer)| (*id, producer))
    }

    /// Puts a producer from a snapshot in place.
    pub(crate) fn restore(&mut self, id: i64, producer: Producer, now_ms: i64) {
        self.0.insert(id, Producer { last_seen_ms: now_ms, ..producer });
    }

    /// Whether any producer whose last batch lies at or above `offset` may have batches before it that are not known.
    pub(crate) fn is_incomplete_from(&self, offset: i64) -> bool {
        self.0.values().any(|producer| {
            producer.last().is_some_and(|last| last.last_offset >= offset) && !producer.is_complete()
        })
    }

    /// Records a batch of a known producer in `found`, another table.
    pub(crate) fn note_known(&self, header: &BatchHeader, found: &mut Self) {
        if !header.is_control() && self.0.contains_key(&header.producer_id) {
            found.record(header, 0, self.0.len());
        }
    }

    /// Adds batches before the last one of each producer, where `found` agrees with what is known.
    pub(crate) fn complete_from(&mut self, found: &Self) {
        for (id, producer) in &mut self.0 {
            if let Some(found) = found.0.get(id) {
                producer.complete_from(found);
            }
        }
    }

    /// Whether a batch may be appended.
    pub(crate) fn check(&self, header: &BatchHeader, origin: Origin) -> Result<Verdict, AppendError> {
        if !header.has_producer_id() {
            return Ok(Verdict::New);
        }
        let producer_id = header.producer_id;
        let Some(known) = self.0.get(&producer_id) else {
            // Its state may have expired or been deleted with the log: any sequence is believed.
            return Ok(Verdict::New);
        };
        if origin == Origin::Client
            && let Some(batch) = known.duplicate_of(header)
        {
            return Ok(Verdict::Duplicate(*batch));
        }
        let (got, current) = (header.producer_epoch, known.epoch);
        if got < current {
            return Err(AppendError::InvalidProducerEpoch { producer_id, got, current });
        }
        if origin == Origin::Coordinator {
            return Ok(Verdict::New);
        }
        if known.txn_first_offset.is_some() && !header.is_transactional() {
            return Err(AppendError::InvalidTxnState { producer_id });
        }
        let last = if got == current { known.last().map(|batch| batch.last_sequence) } else { None };
        let follows = match last {
            Some(last) => header.base_sequence == last.wrapping_add(1) & i32::MAX,
            None => header.base_sequence == 0 || current == NO_PRODUCER_EPOCH,
        };
        if follows {
            return Ok(Verdict::New);
        }
        let last = last.unwrap_or(NO_SEQUENCE);
        Err(AppendError::OutOfOrderSequence { producer_id, got: header.base_sequence, last })
    }

    /// A batch with its final offsets is in the log.
    pub(crate) fn record(&mut self, header: &BatchHeader, now_ms: i64, max: usize) {
        if !header.has_producer_id() {
            return;
        }
        if self.0.len() >= max && !self.0.contains_key(&header.producer_id) {
            self.forget_oldest((self.0.len() + 1).saturating_sub(max) + max / 16);
        }
        let known = self.0.entry(header.producer_id).or_insert_with(|| Producer::new(header.producer_epoch));
        if known.epoch != header.producer_epoch {
            let kept = (known.coordinator_epoch, known.txn_first_offset);
            *known = Producer::new(header.producer_epoch);
            (known.coordinator_epoch, known.txn_first_offset) = kept;
        }
        known.last_timestamp = header.max_timestamp;
        known.last_seen_ms = now_ms;
        if header.is_control() {
            known.txn_first_offset = None;
            return;
        }
        known.push(BatchMeta {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        if header.is_transactional() && known.txn_first_offset.is_none() {
            known.txn_first_offset = Some(header.base_offset);
        }
    }

    /// Forgets producers that were silent for `expiration_ms`, except those in a transaction.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        let before = self.0.len();
        self.0.retain(|_, producer| {
            producer.txn_first_offset.is_some()
                || now_ms.saturating_sub(producer.last_seen_ms) < expiration_ms
        });
        if self.0.len() < before / 2 {
            self.0.shrink_to_fit();
        }
        before - self.0.len()
    }

    /// Forgets this many: those that were silent for longest, transactions last.
    pub(crate) fn forget_oldest(&mut self, surplus: usize) {
        let mut ages: Vec<(bool, i64, i64)> =
            self.0.iter().map(|(id, p)| (p.txn_first_offset.is_some(), p.last_seen_ms, *id)).collect();
        ages.sort_unstable();
        for (_, _, id) in ages.iter().take(surplus) {
            self.0.remove(id);
        }
    }

    /// As DescribeProducers shows them, by id.
    pub(crate) fn describe(&self) -> Vec<ProducerInfo> {
        let mut all: Vec<ProducerInfo> = self
            .iter()
            .map(|(producer_id, producer)| ProducerInfo {
                producer_id,
                producer_epoch: producer.epoch,
                last_sequence: producer.last().map_or(NO_SEQUENCE, |batch| batch.last_sequence),
                last_timestamp: producer.last_timestamp,
                coordinator_epoch: producer.coordinator_epoch,
                current_txn_start_offset: producer.txn_first_offset.unwrap_or(-1),
            })
            .collect();
        all.sort_unstable_by_key(|producer| producer.producer_id);
        all
    }
}

#[cfg(test)]
#[path = "producers_tests.rs"]
mod tests;
