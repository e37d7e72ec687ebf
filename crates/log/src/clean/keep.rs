//! What stays of a batch, and of a record: decided purely, as Kafka's `Cleaner` does.
//!
//! A record stays if it is the latest of its key, and
//! - has a value, or
//! - is a tombstone whose horizon has not passed. The horizon is set by the first clean that finds the tombstone with
//!   everything older gone: so long do readers have to hear of the deletion.
//!
//! A batch without records stays as a bare header if its producer's state hangs on it (the last batch it wrote, with
//! the sequence; or the last marker of one that has none, with the epoch), or if what can be cleaned ends with it: the
//! last offset must not be forgotten.

use std::collections::HashMap;

use pagewire_record::BatchHeader;

use super::offset_map::OffsetMap;
use crate::producers::ProducerTable;

/// What a clean goes by, the same for every batch.
pub(super) struct Rules<'a> {
    /// Latest offset of each key written in the dirty part.
    pub(super) map: &'a OffsetMap,
    /// Up to here the map knows all keys; what lies past it is for another clean.
    pub(super) map_end: i64,
    /// Where the cleanable part of the log ends.
    pub(super) until: i64,
    pub(super) last_of_producers: HashMap<i64, LastOfProducer>,
    pub(super) now_ms: i64,
    /// `delete.retention.ms` from now.
    pub(super) horizon_ms: i64,
}

/// What a producer's state hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastOfProducer {
    /// The last offset of its last batch of data.
    last_offset: Option<i64>,
    epoch: i16,
}

/// What stays of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchRule {
    /// None of its records.
    pub(super) drop_records: bool,
    /// The header, if no record does.
    pub(super) keep_empty: bool,
}

/// What the records of every producer hang on.
pub(super) fn last_of_producers(producers: &ProducerTable) -> HashMap<i64, LastOfProducer> {
    let last = |producer: &crate::producers::producer::Producer| LastOfProducer {
        last_offset: producer.last().map(|batch| batch.last_offset),
        epoch: producer.epoch,
    };
    producers.iter().map(|(id, producer)| (id, last(producer))).collect()
}

impl Rules<'_> {
    /// What stays of a batch. `obsolete`: of data, that it was aborted; of a marker, that nothing of its transaction is
    /// left.
    pub(super) fn batch(&self, header: &BatchHeader, obsolete: bool) -> BatchRule {
        let drop_records = obsolete
            && (!header.is_control()
                || header.delete_horizon_ms().is_some_and(|horizon| horizon <= self.now_ms));
        let keep_empty = self.is_last_of_producer(header) || header.next_offset() == self.until;
        BatchRule { drop_records, keep_empty }
    }

    /// Whether a record of data stays.
    pub(super) fn record(
        &self,
        header: &BatchHeader,
        offset: i64,
        key: Option<&[u8]>,
        tombstone: bool,
    ) -> bool {
        if offset >= self.map_end {
            return true;
        }
        let Some(key) = key else { return false };
        let latest = self.map.get(key).is_none_or(|latest| latest <= offset);
        latest && (!tombstone || header.delete_horizon_ms().is_none_or(|horizon| self.now_ms < horizon))
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let Some(last) = self.last_of_producers.get(&header.producer_id) else { return false };
        header.has_producer_id()
            && match last.last_offset {
                Some(last_offset) => header.last_offset() == last_offset,
                None => header.is_control() && header.producer_epoch == last.epoch,
            }
    }
}
