//! What consumers are served, and where two brokers differ in that.

use std::fmt::Debug;

use anyhow::{Result, bail};
use bytes::Bytes;
use pagewire_record::{BatchHeader, DecompressLimits, complete_batches};

/// What a consumer sees of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) offset: i64,
    timestamp: i64,
    key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    headers: Vec<(Bytes, Option<Bytes>)>,
}

/// What does not differ by the producer's id or the clock of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    base_offset: i64,
    last_offset: i64,
    records: i32,
    codec: u8,
    is_idempotent: bool,
    base_sequence: i32,
    max_timestamp: i64,
    has_delete_horizon: bool,
}

/// A partition as it is served.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) frames: Vec<Frame>,
    pub(super) records: Vec<Seen>,
    /// The latest time until which a tombstone has to stay.
    pub(super) horizon_ms: Option<i64>,
    /// Offsets of tombstones that may go after their horizon.
    pub(super) doomed: Vec<i64>,
}

impl Content {
    pub(super) fn of(bytes: &Bytes) -> Result<Self> {
        let mut content = Self::default();
        for batch in complete_batches(bytes) {
            let batch = batch?;
            let horizon = batch.header.delete_horizon_ms();
            content.horizon_ms = content.horizon_ms.max(horizon);
            content.frames.push(frame(&batch.header));
            for record in batch.records(&DecompressLimits::default())? {
                let record = record?;
                if horizon.is_some() && record.value.is_none() {
                    content.doomed.push(record.offset);
                }
                let headers = record.headers.iter().map(|header| (header.key.clone(), header.value.clone()));
                content.records.push(Seen {
                    offset: record.offset,
                    timestamp: record.timestamp,
                    headers: headers.collect(),
                    key: record.key,
                    value: record.value,
                });
            }
        }
        Ok(content)
    }
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

pub(super) fn first_difference<T: PartialEq + Debug>(ours: &[T], theirs: &[T]) -> Result<()> {
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
