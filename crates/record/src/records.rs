//! The records inside a batch.
//!
//! ```text
//! record  = length varint | attributes i8 (0) | timestamp delta varlong | offset delta varint
//!         | key length varint (-1: null) , key | value length varint (-1: null) , value
//!         | header count varint | header ...
//! header  = key length varint , key (UTF-8) | value length varint (-1: null) , value
//! ```
//!
//! Any negative key, value or header value length means null, as in Kafka. The iterator stops at the first fault;
//! after the last counted record it reports bytes that remain.

use bytes::{Buf, Bytes};

use crate::compress::{self, Codec, DecompressLimits};
use crate::error::{RecordFault, RecordsError};
use crate::header::{BatchHeader, TimestampType};
use crate::varint::{self, VarintError};

/// One record with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Offset in the partition.
    pub offset: i64,
    /// Time in ms: the producer's, or the batch's time of appending.
    pub timestamp: i64,
    /// Key; `None` for null.
    pub key: Option<Bytes>,
    /// Value; `None` for null, which in a compacted topic is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in their order, equal keys kept.
    pub headers: Vec<RecordHeader>,
}

/// A header of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHeader {
    /// Key, UTF-8 by convention but not checked by any broker.
    pub key: Bytes,
    /// Value; `None` for null.
    pub value: Option<Bytes>,
}

/// Iterator over the records of one batch.
#[derive(Debug)]
pub struct Records {
    rest: Bytes,
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
    count: i32,
    index: u32,
    done: bool,
}

impl Records {
    /// Reads the records of `header`'s batch from its payload, decompressing it first where it is compressed.
    ///
    /// # Errors
    /// An unknown codec, a negative count, or a payload that does not decompress within `limits`.
    pub fn new(
        header: &BatchHeader,
        payload: Bytes,
        limits: &DecompressLimits,
    ) -> Result<Self, RecordsError> {
        let codec = header.codec().ok_or(RecordsError::UnknownCodec(header.codec_id()))?;
        if header.records_count < 0 {
            return Err(RecordsError::Count(header.records_count));
        }
        let rest = match codec {
            Codec::None => payload,
            // A batch that compaction emptied keeps its codec bits and has no payload to inflate.
            _ if header.records_count == 0 => Bytes::new(),
            codec => Bytes::from(compress::inflate(codec, &payload, limits)?),
        };
        Ok(Self {
            rest,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time: (header.timestamp_type() == TimestampType::LogAppendTime)
                .then_some(header.max_timestamp),
            count: header.records_count,
            index: 0,
            done: false,
        })
    }

    fn read(&mut self) -> Result<Record, RecordFault> {
        let length = take_i32(&mut self.rest)?;
        let length = usize::try_from(length).map_err(|_| RecordFault::Length)?;
        if length > self.rest.len() {
            return Err(RecordFault::Eof);
        }
        let mut body = self.rest.split_to(length);
        // A field that runs past the record is a length that lies, even where the batch has the bytes.
        let record = self.read_body(&mut body).map_err(|fault| match fault {
            RecordFault::Eof => RecordFault::Length,
            other => other,
        })?;
        if body.is_empty() { Ok(record) } else { Err(RecordFault::Length) }
    }

    fn read_body(&self, body: &mut Bytes) -> Result<Record, RecordFault> {
        if body.is_empty() {
            return Err(RecordFault::Eof);
        }
        body.advance(1); // record attributes: none are defined
        let timestamp_delta = take_i64(body)?;
        let offset_delta = take_i32(body)?;
        let key = take_nullable(body)?;
        let value = take_nullable(body)?;
        let count = take_i32(body)?;
        // Two bytes are the least a header takes.
        if count < 0 || count as usize > body.len() / 2 {
            return Err(RecordFault::HeaderCount);
        }
        let mut headers = Vec::new();
        for _ in 0..count {
            let length = usize::try_from(take_i32(body)?).map_err(|_| RecordFault::HeaderKey)?;
            headers.push(RecordHeader { key: take(body, length)?, value: take_nullable(body)? });
        }
        Ok(Record {
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp: self.append_time.unwrap_or(self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers,
        })
    }
}

impl Iterator for Records {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if i64::from(self.index) >= i64::from(self.count) {
            self.done = true;
            return (!self.rest.is_empty()).then_some(Err(RecordsError::Trailing { count: self.count }));
        }
        let index = self.index;
        self.index += 1;
        let record = self.read().map_err(|fault| RecordsError::Record { index, fault });
        self.done = record.is_err();
        Some(record)
    }
}

fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes, RecordFault> {
    if length > bytes.len() { Err(RecordFault::Eof) } else { Ok(bytes.split_to(length)) }
}

fn take_nullable(bytes: &mut Bytes) -> Result<Option<Bytes>, RecordFault> {
    match usize::try_from(take_i32(bytes)?) {
        Ok(length) => take(bytes, length).map(Some),
        Err(_) => Ok(None),
    }
}

fn take_i32(bytes: &mut Bytes) -> Result<i32, RecordFault> {
    let (value, taken) = varint::read_i32(bytes)?;
    bytes.advance(taken);
    Ok(value)
}

fn take_i64(bytes: &mut Bytes) -> Result<i64, RecordFault> {
    let (value, taken) = varint::read_i64(bytes)?;
    bytes.advance(taken);
    Ok(value)
}

impl From<VarintError> for RecordFault {
    fn from(error: VarintError) -> Self {
        match error {
            VarintError::Eof => Self::Eof,
            VarintError::TooLong => Self::Varint,
        }
    }
}
