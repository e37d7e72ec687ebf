//! Which transactions a log leaves open, found by a walk over the headers of all its batches.
//!
//! What a broker keeps in memory (`producers`) comes to the same: data of a transactional producer begins one, the next
//! control batch of that producer ends it, commit or abort. A batch that compaction emptied says nothing: it was
//! decided on long ago.

use std::collections::HashMap;

use pagewire_record::BatchHeader;

use crate::answers::ProducerInfo;
use crate::txns::marker::may_end_txn;

/// More are not remembered: no log has so many, unless somebody wants it so.
const OPEN_MAX: usize = 1 << 16;

/// A transaction that nothing has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTxn {
    /// Whose.
    pub producer_id: i64,
    /// The epoch of its newest batch.
    pub producer_epoch: i16,
    /// Readers of committed records come no further.
    pub first_offset: i64,
    /// The largest time in its newest batch, ms since 1970.
    pub last_timestamp: i64,
}

impl OpenTxn {
    /// The one of a producer, if it has one.
    pub fn of(producer: &ProducerInfo) -> Option<Self> {
        let first_offset = producer.current_txn_start_offset;
        (first_offset >= 0).then_some(Self {
            producer_id: producer.producer_id,
            producer_epoch: producer.producer_epoch,
            first_offset,
            last_timestamp: producer.last_timestamp,
        })
    }
}

/// The walk: batches are met in their order.
#[derive(Debug, Default)]
pub struct TxnTrail {
    open: HashMap<i64, OpenTxn>,
}

impl TxnTrail {
    /// The next batch.
    pub fn meet(&mut self, header: &BatchHeader) {
        if may_end_txn(header) {
            self.open.remove(&header.producer_id);
            return;
        }
        if !header.is_transactional() || header.is_control() || header.records_count == 0 {
            return;
        }
        let (producer_epoch, last_timestamp) = (header.producer_epoch, header.max_timestamp);
        if let Some(known) = self.open.get_mut(&header.producer_id) {
            (known.producer_epoch, known.last_timestamp) = (producer_epoch, last_timestamp);
        } else if self.open.len() < OPEN_MAX {
            let (producer_id, first_offset) = (header.producer_id, header.base_offset);
            let begun = OpenTxn { producer_id, producer_epoch, first_offset, last_timestamp };
            self.open.insert(producer_id, begun);
        }
    }

    /// Those that are open behind the last batch, the earliest first.
    pub fn open(&self) -> Vec<OpenTxn> {
        let mut open: Vec<OpenTxn> = self.open.values().copied().collect();
        open.sort_unstable_by_key(|open| open.first_offset);
        open
    }
}

#[cfg(test)]
mod tests {
    use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, control_batch};

    use super::*;

    fn data(id: i64, offset: i64) -> BatchHeader {
        let mut batch = BatchBuilder::new(Codec::None).base_offset(offset).producer(id, 3, 0).transactional();
        batch.append(offset * 10, None, Some(b"value"), &[]).expect("a record");
        BatchHeader::parse(&batch.build().expect("a batch")).expect("a header")
    }

    fn end(id: i64) -> BatchHeader {
        let marker = EndTxnMarker { control_type: ControlType::Commit, coordinator_epoch: 0 };
        BatchHeader::parse(&control_batch(marker, id, 3, 0).expect("a marker")).expect("a header")
    }

    #[test]
    fn what_no_marker_ends_is_open_from_its_first_batch_on() {
        let mut trail = TxnTrail::default();
        for header in [data(7, 0), data(8, 1), data(7, 2), end(8), data(9, 4), end(9), data(9, 6)] {
            trail.meet(&header);
        }
        let open =
            trail.open().into_iter().map(|open| (open.producer_id, open.first_offset, open.last_timestamp));
        assert_eq!(open.collect::<Vec<_>>(), [(7, 0, 20), (9, 6, 60)]);
    }

    #[test]
    fn emptied_batches_and_those_of_no_transaction_begin_none() {
        let mut trail = TxnTrail::default();
        trail.meet(&BatchHeader { records_count: 0, ..data(7, 0) });
        let mut plain = BatchBuilder::new(Codec::None).producer(8, 0, 0);
        plain.append(0, None, Some(b"value"), &[]).expect("a record");
        trail.meet(&BatchHeader::parse(&plain.build().expect("a batch")).expect("a header"));
        assert_eq!(trail.open(), []);
    }
}
