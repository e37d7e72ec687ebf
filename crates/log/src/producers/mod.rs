//! Idempotent producers of one partition: the last five batches of each, its open transaction, and what the next batch
//! may be.
//!
//! Pure: decides on headers and markers, changes only by [`ProducerTable::record`]ing batches that are in the log. Rules
//! of KIP-98 and Kafka's `ProducerAppendInfo`. A producer with an open transaction is never forgotten, or readers would
//! be shown what nobody has decided on; so the number of open transactions is bounded by refusing more.

pub(crate) mod budget;
pub(crate) mod producer;
pub(crate) mod snapshot;

use std::collections::HashMap;

use pagewire_record::{BatchHeader, ControlType, EndTxnMarker, NO_PRODUCER_EPOCH, NO_SEQUENCE};

use crate::answers::{Origin, ProducerInfo};
use crate::errors::AppendError;
use crate::producers::producer::{BatchMeta, Producer};
use crate::txns::index::AbortedTxn;
use crate::txns::open::OpenTxns;
use crate::txns::verification::{Guard, TxnStart, Verifications};

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    New,
    /// It is there already.
    Duplicate(BatchMeta),
}

/// What is about to be appended, or is in the log.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'b> {
    /// Its header.
    pub header: &'b BatchHeader,
    /// Of a control batch: what it says.
    pub marker: Option<EndTxnMarker>,
}

/// Whether a batch of the producer with this id and epoch is to be believed.
type Good<'a, E> = dyn FnMut((i64, i16), &BatchMeta) -> Result<bool, E> + 'a;

/// All producers of one partition. For whoever wants to try its rules without a log; a [`Log`](crate::Log) has its own.
#[derive(Debug, Clone, Default)]
pub struct ProducerTable {
    known: HashMap<i64, Producer>,
    open: OpenTxns,
    asked: Verifications,
}

impl ProducerTable {
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn knows(&self, id: i64) -> bool {
        self.known.contains_key(&id)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many transactions are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Whether a producer's transaction is open, and of this epoch.
    pub fn is_in_transaction(&self, id: i64, epoch: i16) -> bool {
        self.known.get(&id).is_some_and(|known| known.epoch == epoch && known.txn_first_offset.is_some())
    }

    /// The guard for a question to the coordinator; none if there is nothing to ask: the transaction is open, or the producer
    /// is fenced here already.
    pub fn verify(&mut self, start: TxnStart, now_ms: i64) -> Option<Guard> {
        let is_open = self.is_in_transaction(start.producer_id, start.producer_epoch);
        let is_fenced =
            self.known.get(&start.producer_id).is_some_and(|known| start.producer_epoch < known.epoch);
        (!is_open && !is_fenced).then(|| self.asked.begin(start, now_ms))
    }

    /// The coordinator said that this epoch is over.
    pub fn refuse(&mut self, producer: (i64, i16), guard: Guard) {
        self.asked.refuse(producer, guard);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.known.iter().map(|(id, producer)| (*id, producer))
    }

    /// First offset of the earliest open transaction.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.open.first()
    }

    /// First offset and producer of each open transaction, the earliest first.
    pub(crate) fn open(&self) -> impl Iterator<Item = (i64, i64)> {
        self.open.iter()
    }

    /// The open transaction of a producer may have ended where nothing can be read: what it writes next begins another.
    pub(crate) fn end_unseen(&mut self, id: i64) {
        let Self { known, open, .. } = self;
        if let Some(first_offset) = known.get_mut(&id).and_then(|known| known.txn_first_offset.take()) {
            open.end(first_offset);
        }
    }

    /// Puts a producer from a snapshot in place.
    pub(crate) fn restore(&mut self, id: i64, mut producer: Producer, now_ms: i64) {
        if let Some(first_offset) = producer.txn_first_offset {
            self.open.begin(first_offset, id);
        }
        producer.last_seen_ms = now_ms;
        self.known.insert(id, producer);
    }

    /// Whether any producer whose last batch lies at or above `offset` may have batches before it that are not known.
    pub(crate) fn is_incomplete_from(&self, offset: i64) -> bool {
        self.known.values().any(|producer| {
            producer.last().is_some_and(|last| last.last_offset >= offset) && !producer.is_complete()
        })
    }

    /// Records a batch of a known producer in `found`, another table.
    pub(crate) fn note_known(&self, header: &BatchHeader, found: &mut Self) {
        if !header.is_control() && self.known.contains_key(&header.producer_id) {
            found.record(Entry { header, marker: None }, 0, self.known.len());
        }
    }

    /// Adds batches before the last one of each producer, where `found` agrees with what is known, as far as they are
    /// `good`: each is asked for, with its producer's id and epoch.
    pub(crate) fn complete_from<E>(&mut self, found: &Self, good: &mut Good<'_, E>) -> Result<(), E> {
        for (id, producer) in self.known.iter_mut().filter(|(_, producer)| !producer.is_complete()) {
            if let Some(found) = found.known.get(id) {
                let epoch = found.epoch;
                producer.complete_from(found, &mut |batch| good((*id, epoch), batch))?;
            }
        }
        Ok(())
    }

    /// Whether a batch may be appended. No more than `max` transactions may be open.
    ///
    /// # Errors
    /// An older epoch, a sequence out of order, a transaction that nobody vouches for, a marker that is none or too late, a
    /// transaction too many.
    pub fn check(&self, entry: Entry<'_>, origin: Origin, max: usize) -> Result<Verdict, AppendError> {
        let header = entry.header;
        if !header.has_producer_id() {
            return Ok(Verdict::New);
        }
        let (producer_id, known) = (header.producer_id, self.known.get(&header.producer_id));
        if header.is_control() {
            return check_marker(entry, known, origin.marker_version());
        }
        let in_txn = known.is_some_and(|known| known.txn_first_offset.is_some());
        if header.is_transactional() && !in_txn && self.open.len() >= max {
            return Err(AppendError::TooManyTransactions { max });
        }
        if origin.checks_sequences()
            && let Some(batch) = known.and_then(|known| known.duplicate_of(header))
        {
            return Ok(Verdict::Duplicate(*batch));
        }
        known.map_or(Ok(()), |known| check_epoch(header, known))?;
        self.check_begun(header, origin)?;
        if origin.checks_sequences() && self.begins(header) {
            self.asked.check_sequence(header, known.is_some_and(|known| known.last().is_some()))?;
        }
        let Some(known) = known else {
            // Its state may have expired or been deleted with the log: any sequence is believed.
            return Ok(Verdict::New);
        };
        if origin.checks_sequences() {
            check_sequence(header, known)?;
        }
        if in_txn && !header.is_transactional() {
            return Err(AppendError::InvalidTxnState { producer_id });
        }
        Ok(Verdict::New)
    }

    /// Whether a batch is the first of a transaction here.
    fn begins(&self, header: &BatchHeader) -> bool {
        header.is_transactional() && !self.is_in_transaction(header.producer_id, header.producer_epoch)
    }

    /// A transaction begins here with the coordinator's consent, where that is to be shown.
    fn check_begun(&self, header: &BatchHeader, origin: Origin) -> Result<(), AppendError> {
        let producer_id = header.producer_id;
        if self.begins(header) && !origin.may_begin(|guard| self.asked.allow(producer_id, guard)) {
            return Err(AppendError::NotInTransaction { producer_id });
        }
        Ok(())
    }

    /// The entry that an ABORT marker gets in the transactions' index; `None` for any other batch, and for a transaction
    /// without records here. To be asked before the marker is recorded.
    pub(crate) fn aborted_by(&self, entry: Entry<'_>) -> Option<AbortedTxn> {
        let header = entry.header;
        let first_offset = self.known.get(&header.producer_id)?.txn_first_offset?;
        let last_offset = header.base_offset;
        let last_stable_offset = self.open.first_but(header.producer_id).unwrap_or(last_offset + 1);
        (entry.marker?.control_type == ControlType::Abort).then_some(AbortedTxn {
            producer_id: header.producer_id,
            first_offset,
            last_offset,
            last_stable_offset,
        })
    }

    /// A batch with its final offsets is in the log. Of more than `max` producers the ones that were silent for longest are
    /// forgotten, but none with an open transaction.
    pub fn record(&mut self, entry: Entry<'_>, now_ms: i64, max: usize) {
        let header = entry.header;
        // A control batch that says nothing was emptied by compaction, with all of its transaction.
        if !header.has_producer_id() || header.is_control() && entry.marker.is_none() {
            return;
        }
        if self.known.len() >= max && !self.known.contains_key(&header.producer_id) {
            self.forget_oldest((self.known.len() + 1).saturating_sub(max) + max / 16);
        }
        let Self { known, open, asked } = self;
        if header.is_transactional() {
            asked.end(header.producer_id);
        }
        let known = known.entry(header.producer_id).or_insert_with(|| Producer::new(header.producer_epoch));
        if known.epoch != header.producer_epoch {
            let kept = (known.coordinator_epoch, known.txn_first_offset);
            *known = Producer::new(header.producer_epoch);
            (known.coordinator_epoch, known.txn_first_offset) = kept;
        }
        known.last_timestamp = header.max_timestamp;
        known.last_seen_ms = now_ms;
        if let Some(marker) = entry.marker {
            known.coordinator_epoch = marker.coordinator_epoch;
            if let Some(first_offset) = known.txn_first_offset.take() {
                open.end(first_offset);
            }
            return;
        }
        known.push(BatchMeta {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        // A batch that compaction emptied was decided on long ago.
        if header.is_transactional() && header.records_count > 0 && known.txn_first_offset.is_none() {
            known.txn_first_offset = Some(header.base_offset);
            open.begin(header.base_offset, header.producer_id);
        }
    }

    /// Forgets producers that were silent for `expiration_ms`, except those in a transaction.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        self.asked.expire(now_ms, expiration_ms);
        let before = self.known.len();
        self.known.retain(|_, producer| {
            producer.txn_first_offset.is_some()
                || now_ms.saturating_sub(producer.last_seen_ms) < expiration_ms
        });
        if self.known.len() < before / 2 {
            self.known.shrink_to_fit();
        }
        before - self.known.len()
    }

    /// Forgets this many: those that were silent for longest, but none with an open transaction.
    pub(crate) fn forget_oldest(&mut self, surplus: usize) {
        let idle = self.known.iter().filter(|(_, producer)| producer.txn_first_offset.is_none());
        let mut ages: Vec<(i64, i64)> = idle.map(|(id, producer)| (producer.last_seen_ms, *id)).collect();
        ages.sort_unstable();
        for (_, id) in ages.iter().take(surplus) {
            self.known.remove(id);
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

/// A marker may come from any epoch that is not older, the coordinator's and the producer's. By transaction version 2 it
/// comes from a later epoch than the transaction, so that a late one is known; one that ended the last transaction may
/// come again, and so may the last epoch there is.
fn check_marker(entry: Entry<'_>, known: Option<&Producer>, version: i16) -> Result<Verdict, AppendError> {
    let Some(marker) = entry.marker else {
        return Err(AppendError::Malformed("a control batch of a producer ends its transaction"));
    };
    let (producer_id, got) = (entry.header.producer_id, entry.header.producer_epoch);
    if got < 0 {
        return Err(AppendError::InvalidProducerEpoch { producer_id, got, current: 0 });
    }
    if let Some(known) = known {
        check_epoch(entry.header, known)?;
        let ends_nothing = got == known.epoch && known.txn_first_offset.is_some() && got != i16::MAX;
        if version >= 2 && ends_nothing {
            return Err(AppendError::LateMarker { producer_id, got, current: known.epoch });
        }
    }
    let (got, current) = (marker.coordinator_epoch, known.map_or(-1, |known| known.coordinator_epoch));
    if got < current {
        return Err(AppendError::CoordinatorFenced { producer_id, got, current });
    }
    Ok(Verdict::New)
}

fn check_epoch(header: &BatchHeader, known: &Producer) -> Result<(), AppendError> {
    let (got, current) = (header.producer_epoch, known.epoch);
    if got < current {
        return Err(AppendError::InvalidProducerEpoch { producer_id: header.producer_id, got, current });
    }
    Ok(())
}

fn check_sequence(header: &BatchHeader, known: &Producer) -> Result<(), AppendError> {
    let same_epoch = header.producer_epoch == known.epoch;
    let last = known.last().filter(|_| same_epoch).map(|batch| batch.last_sequence);
    let follows = match last {
        Some(last) => header.base_sequence == last.wrapping_add(1) & i32::MAX,
        None => header.base_sequence == 0 || known.epoch == NO_PRODUCER_EPOCH,
    };
    if follows {
        return Ok(());
    }
    let (producer_id, last) = (header.producer_id, last.unwrap_or(NO_SEQUENCE));
    Err(AppendError::OutOfOrderSequence { producer_id, got: header.base_sequence, last })
}

#[cfg(test)]
mod tests;
