//! A batch as the model remembers it: what was sent, and where it went.

use bytes::Bytes;
use pagewire_record::{
    BatchBuilder, BatchHeader, Codec, DecompressLimits, EndTxnMarker, HEADER_LEN, batches, complete_batches,
    control_batch,
};

use crate::chance::Chance;

/// Who sends, with which sequence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Producer id, epoch, first sequence; -1 each for a plain producer.
    pub(crate) producer: (i64, i16, i32),
    pub(crate) transactional: bool,
    pub(crate) now_ms: i64,
}

/// One batch.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) bytes: Bytes,
    /// As sent; base offset and leader epoch are the log's.
    pub(crate) header: BatchHeader,
    pub(crate) base: i64,
    pub(crate) leader_epoch: i32,
    /// Key, value and time of each record.
    pub(crate) records: Vec<(Vec<u8>, Option<Vec<u8>>, i64)>,
    /// Of the batch that ends a transaction: how.
    pub(crate) marker: Option<EndTxnMarker>,
}

impl Sent {
    /// A batch of some records, not placed yet.
    pub(crate) fn new(chance: &mut Chance, shape: Shape) -> Self {
        let codec = chance.pick(&[
            Codec::None,
            Codec::None,
            Codec::None,
            Codec::Gzip,
            Codec::Snappy,
            Codec::Lz4,
            Codec::Zstd,
        ]);
        let (id, epoch, sequence) = shape.producer;
        let mut builder = BatchBuilder::new(codec);
        if id >= 0 {
            builder = builder.producer(id, epoch, sequence);
        }
        if shape.transactional {
            builder = builder.transactional();
        }
        let stamped = chance.one_in(8);
        if stamped {
            builder = builder.log_append_time(shape.now_ms);
        }
        let mut records = Vec::new();
        for _ in 0..chance.between(1, 6) {
            let time = shape.now_ms - chance.between(0, 60);
            let key = format!("key {}", chance.below(12)).into_bytes();
            let value = (!chance.one_in(6)).then(|| value(chance));
            builder.append(time, Some(&key), value.as_deref(), &[]).expect("a record");
            records.push((key, value, if stamped { shape.now_ms } else { time }));
        }
        Self::of(builder.build().expect("a batch"), records, None)
    }

    /// The end of a producer's transaction.
    pub(crate) fn marker(marker: EndTxnMarker, (id, epoch): (i64, i16), now_ms: i64) -> Self {
        let bytes = control_batch(marker, id, epoch, now_ms).expect("a marker");
        let batch = complete_batches(&bytes).next().expect("a batch").expect("a good one");
        let record = batch.records(&DecompressLimits::default()).expect("records").next();
        let record = record.expect("a record").expect("a good one");
        let key = record.key.expect("the kind").to_vec();
        let records = vec![(key, record.value.map(|value| value.to_vec()), now_ms)];
        Self::of(bytes, records, Some(marker))
    }

    fn of(bytes: Bytes, records: Vec<(Vec<u8>, Option<Vec<u8>>, i64)>, marker: Option<EndTxnMarker>) -> Self {
        let header = batches(&bytes).next().expect("a batch").expect("a good one").header;
        Self { bytes, header, base: -1, leader_epoch: -1, records, marker }
    }

    pub(crate) fn placed(self, base: i64, leader_epoch: i32) -> Self {
        Self { base, leader_epoch, ..self }
    }

    pub(crate) fn end(&self) -> i64 {
        self.base + i64::from(self.header.last_offset_delta) + 1
    }

    /// Records of a producer's open transaction.
    pub(crate) fn is_in_txn(&self) -> bool {
        self.header.is_transactional() && self.marker.is_none()
    }

    /// The header that the log shall have.
    pub(crate) fn expected_header(&self) -> BatchHeader {
        BatchHeader { base_offset: self.base, partition_leader_epoch: self.leader_epoch, ..self.header }
    }

    /// Offset and time of each record.
    pub(crate) fn times(&self) -> impl Iterator<Item = (i64, i64)> {
        (self.base..).zip(self.records.iter().map(|record| record.2))
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[HEADER_LEN..]
    }
}

/// Mostly short; now and then longer than a sector, than a page.
/// Offsets of batches in values lie below this, or out of reach.
const NESTED_END: i64 = 600;

/// A whole batch, as where copies of logs are kept in a topic: of an offset that may be one of the log's, or of none it comes to.
fn nested(chance: &mut Chance) -> Vec<u8> {
    let near = chance.between(0, NESTED_END - 1);
    let mut builder =
        BatchBuilder::new(Codec::None).base_offset(chance.pick(&[near, near, (1 << 31) - 30, 1 << 40]));
    builder.append(1, None, Some(b"nobody wrote this"), &[]).expect("a record");
    builder.build().expect("a batch").to_vec()
}

fn value(chance: &mut Chance) -> Vec<u8> {
    if chance.one_in(12) {
        return nested(chance);
    }
    let len = match chance.below(20) {
        0 => chance.below(5000),
        1..4 => chance.below(700),
        _ => chance.below(60),
    };
    let seed = chance.next().to_be_bytes();
    (0..len as usize).map(|at| if at < 8 { seed[at] } else { b'a' + (at / 7 % 26) as u8 }).collect()
}
