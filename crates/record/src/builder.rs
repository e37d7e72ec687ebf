//! Writes one batch.
//!
//! Records are encoded as they are appended, with deltas to the first record's time and offset 0, 1, 2 ...; the
//! header, the compression and the CRC come with [`BatchBuilder::build`]. What a leader decides (base offset, leader
//! epoch) is 0 and -1 unless set, as producers send it.

use std::io;

use bytes::Bytes;
use thiserror::Error;

use crate::compress::{Codec, Compression, Deflater};
use crate::crc;
use crate::header::{
    BatchHeader, CONTROL, CRC_START, HEADER_LEN, LENGTH_PREFIX, LOG_APPEND_TIME, MAGIC, NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, TRANSACTIONAL,
};
use crate::varint::{len_i32, len_i64, write_i32, write_i64};

/// A batch cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A batch holds at least one record.
    #[error("a batch needs at least one record")]
    Empty,
    /// A key, value, header or the whole batch passes `i32::MAX` bytes, or the batch that many records.
    #[error("a batch cannot hold that much")]
    TooLarge,
    /// The codec failed.
    #[error("the records do not compress: {0}")]
    Compress(#[from] io::Error),
}

/// Collects records for one batch.
///
/// ```
/// use pagewire_record::{BatchBuilder, Codec, DecompressLimits, complete_batches};
///
/// let mut builder = BatchBuilder::new(Codec::Zstd).producer(7, 0, 0);
/// builder.append(1_700_000_000_000, Some(b"key"), Some(b"value"), &[(b"trace", Some(b"1"))])?;
/// let batch = builder.build()?;
/// let read = complete_batches(&batch).next().expect("one batch")?;
/// assert_eq!(read.records(&DecompressLimits::default())?.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    compression: Compression,
    base_offset: i64,
    leader_epoch: i32,
    producer: (i64, i16, i32),
    flags: i16,
    append_time_ms: Option<i64>,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    records: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch that will be compressed so: a [`Codec`], or a [`Compression`] with a level.
    pub fn new(compression: impl Into<Compression>) -> Self {
        Self {
            compression: compression.into(),
            base_offset: 0,
            leader_epoch: -1,
            producer: (NO_PRODUCER_ID, NO_PRODUCER_EPOCH, NO_SEQUENCE),
            flags: 0,
            append_time_ms: None,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            count: 0,
            records: Vec::new(),
        }
    }

    /// Sets the offset of the first record.
    #[must_use]
    pub fn base_offset(mut self, offset: i64) -> Self {
        self.base_offset = offset;
        self
    }

    /// Sets the partition leader epoch.
    #[must_use]
    pub fn leader_epoch(mut self, epoch: i32) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// Makes the batch an idempotent producer's: its id, its epoch, and the sequence number of the first record.
    #[must_use]
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.producer = (id, epoch, base_sequence);
        self
    }

    /// Makes the batch part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.flags |= TRANSACTIONAL;
        self
    }

    /// Makes the batch one of control records.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.flags |= CONTROL;
        self
    }

    /// Gives all records the broker's time of appending, in ms, instead of their own.
    #[must_use]
    pub fn log_append_time(mut self, now_ms: i64) -> Self {
        self.append_time_ms = Some(now_ms);
        self
    }

    /// Number of records so far.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Size of the batch so far in bytes if nothing is compressed.
    pub fn size_in_bytes(&self) -> usize {
        HEADER_LEN + self.records.len()
    }

    /// Adds a record with its time in ms. `None` is null; headers keep their order, equal keys too.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`]; the batch is as it was.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> Result<(), BuildError> {
        let base_timestamp = if self.count == 0 { timestamp } else { self.base_timestamp };
        let timestamp_delta = timestamp.wrapping_sub(base_timestamp);
        let offset_delta = self.count;

        let mut length = 1 + len_i64(timestamp_delta) + len_i32(offset_delta);
        length = length.saturating_add(len_field(key)?).saturating_add(len_field(value)?);
        length = length.saturating_add(len_i32(to_i32(headers.len())?));
        for &(key, value) in headers {
            length = length.saturating_add(len_field(Some(key))?).saturating_add(len_field(value)?);
        }
        let prefix = to_i32(length)?;
        to_i32(self.size_in_bytes().saturating_add(len_i32(prefix)).saturating_add(length))?;
        let count = self.count.checked_add(1).ok_or(BuildError::TooLarge)?;

        let out = &mut self.records;
        write_i32(out, prefix);
        out.push(0);
        write_i64(out, timestamp_delta);
        write_i32(out, offset_delta);
        write_field(out, key);
        write_field(out, value);
        write_i64(out, headers.len() as i64);
        for &(key, value) in headers {
            write_field(out, Some(key));
            write_field(out, value);
        }
        self.max_timestamp =
            if self.count == 0 { timestamp.max(NO_TIMESTAMP) } else { self.max_timestamp.max(timestamp) };
        self.base_timestamp = base_timestamp;
        self.count = count;
        Ok(())
    }

    /// The finished batch.
    ///
    /// # Errors
    /// [`BuildError::Empty`] without a record, and what compressing reports.
    pub fn build(self) -> Result<Bytes, BuildError> {
        if self.count == 0 {
            return Err(BuildError::Empty);
        }
        let mut attributes = i16::from(self.compression.codec.id()) | self.flags;
        if self.append_time_ms.is_some() {
            attributes |= LOG_APPEND_TIME;
        }
        let (producer_id, producer_epoch, base_sequence) = self.producer;
        let header = BatchHeader {
            base_offset: self.base_offset,
            batch_length: 0,
            partition_leader_epoch: self.leader_epoch,
            magic: MAGIC,
            crc: 0,
            attributes,
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.append_time_ms.unwrap_or(self.max_timestamp),
            producer_id,
            producer_epoch,
            base_sequence,
            records_count: self.count,
        };
        let room = HEADER_LEN + if self.compression.codec == Codec::None { self.records.len() } else { 0 };
        let mut out = Vec::with_capacity(room);
        out.resize(HEADER_LEN, 0);
        let mut deflater = Deflater::new(self.compression, out)?;
        io::Write::write_all(&mut deflater, &self.records)?;
        seal(header, deflater.finish()?)
    }
}

/// Writes `header` over the first bytes of a batch whose payload is complete, with the length and CRC it has now.
pub(crate) fn seal(mut header: BatchHeader, mut batch: Vec<u8>) -> Result<Bytes, BuildError> {
    let total = to_i32(batch.len())?;
    header.batch_length = total - LENGTH_PREFIX as i32;
    let (head, payload) = batch.split_first_chunk_mut::<HEADER_LEN>().ok_or(BuildError::Empty)?;
    let raw = header.encode();
    header.crc = crc::append(crc::crc32c(&raw[CRC_START..]), payload);
    *head = header.encode();
    Ok(Bytes::from(batch))
}

fn to_i32(length: usize) -> Result<i32, BuildError> {
    i32::try_from(length).map_err(|_| BuildError::TooLarge)
}

fn len_field(field: Option<&[u8]>) -> Result<usize, BuildError> {
    let length = field.map_or(Ok(-1), |bytes| to_i32(bytes.len()))?;
    Ok(len_i32(length).saturating_add(field.map_or(0, <[u8]>::len)))
}

fn write_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    write_i64(out, field.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(field.unwrap_or_default());
}
