//! The batch header: 61 bytes, big-endian.
//!
//! ```text
//!  0         8        12       16 17    21     23        27             35            43          51    53       57      61
//!  +---------+--------+--------+--+-----+------+---------+--------------+-------------+-----------+-----+--------+-------+----
//!  | base    | batch  | leader |m | crc | attr | last    | base         | max         | producer  | pro-| base   | record| records
//!  | offset  | length | epoch  |2 |     |      | offset  | timestamp    | timestamp   | id        | ducer sequence| count | ...
//!  |         |        |        |  |     |      | delta   |              |             |           |epoch|        |       |
//!  +---------+--------+--------+--+-----+------+---------+--------------+-------------+-----------+-----+--------+-------+----
//!                                       |<-------------------------- covered by the crc ------------------------------------->
//! ```
//!
//! Base offset and leader epoch lie before the CRC's range, so a leader writes them in place ([`patch_header`]).
//! `batch length` counts the bytes after itself. Attributes: bits 0-2 codec, 3 timestamp type, 4 transactional,
//! 5 control, 6 delete horizon; the rest is unused and Kafka reads only the low byte.

use crate::compress::Codec;
use crate::crc;
use crate::error::BatchError;

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 61;
/// Bytes before and including the batch length field, which the batch length does not count.
pub const LENGTH_PREFIX: usize = 12;
/// The format version.
pub const MAGIC: i8 = 2;
/// Producer id of a batch that is not idempotent.
pub const NO_PRODUCER_ID: i64 = -1;
/// Producer epoch of a batch that is not idempotent.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// Base sequence of a batch that is not idempotent.
pub const NO_SEQUENCE: i32 = -1;
/// A record or batch without a time.
pub const NO_TIMESTAMP: i64 = -1;

/// Where the bytes that the CRC covers begin.
pub const CRC_START: usize = 21;

pub(crate) const CODEC_MASK: i16 = 0x07;
pub(crate) const LOG_APPEND_TIME: i16 = 0x08;
pub(crate) const TRANSACTIONAL: i16 = 0x10;
pub(crate) const CONTROL: i16 = 0x20;
pub(crate) const DELETE_HORIZON: i16 = 0x40;

/// Who set the records' times (KIP-32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// The producer: every record has its own.
    #[default]
    CreateTime,
    /// The broker on appending: every record has the batch's maximum timestamp.
    LogAppendTime,
}

/// A batch header, field by field, as the format names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; 0 from a producer.
    pub base_offset: i64,
    /// Bytes after this field, so the whole batch has 12 more.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch.
    pub partition_leader_epoch: i32,
    /// Format version, 2 in everything that [`BatchHeader::parse`] returns.
    pub magic: i8,
    /// CRC-32C from the attributes to the end of the batch.
    pub crc: u32,
    /// Flags, see the module's text.
    pub attributes: i16,
    /// Last offset minus base offset; kept when compaction removes records.
    pub last_offset_delta: i32,
    /// Time of the first record (or the delete horizon, when its bit is set), ms.
    pub base_timestamp: i64,
    /// Largest time in the batch, or the time of appending, ms.
    pub max_timestamp: i64,
    /// Producer id or -1.
    pub producer_id: i64,
    /// Producer epoch or -1.
    pub producer_epoch: i16,
    /// Sequence number of the first record or -1.
    pub base_sequence: i32,
    /// Number of records.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] below 61 bytes, [`BatchError::Magic`] for another format and
    /// [`BatchError::Length`] when the length cannot hold the rest of the header. The magic is judged as soon as
    /// its byte is there.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        if let Some(&magic) = bytes.get(16)
            && magic as i8 != MAGIC
        {
            return Err(BatchError::Magic(magic as i8));
        }
        let Some(raw) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(BatchError::Truncated { needed: HEADER_LEN as u64, available: bytes.len() as u64 });
        };
        let header = Self::decode(raw);
        if i64::from(header.batch_length) < (HEADER_LEN - LENGTH_PREFIX) as i64 {
            return Err(BatchError::Length(header.batch_length));
        }
        Ok(header)
    }

    /// Reads all fields without judging any.
    pub fn decode(raw: &[u8; HEADER_LEN]) -> Self {
        Self {
            base_offset: i64::from_be_bytes(field(raw, 0)),
            batch_length: i32::from_be_bytes(field(raw, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(raw, 12)),
            magic: i8::from_be_bytes(field(raw, 16)),
            crc: u32::from_be_bytes(field(raw, 17)),
            attributes: i16::from_be_bytes(field(raw, 21)),
            last_offset_delta: i32::from_be_bytes(field(raw, 23)),
            base_timestamp: i64::from_be_bytes(field(raw, 27)),
            max_timestamp: i64::from_be_bytes(field(raw, 35)),
            producer_id: i64::from_be_bytes(field(raw, 43)),
            producer_epoch: i16::from_be_bytes(field(raw, 51)),
            base_sequence: i32::from_be_bytes(field(raw, 53)),
            records_count: i32::from_be_bytes(field(raw, 57)),
        }
    }

    /// Writes all fields, the CRC as it stands.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut raw = [0; HEADER_LEN];
        put(&mut raw, 0, self.base_offset.to_be_bytes());
        put(&mut raw, 8, self.batch_length.to_be_bytes());
        put(&mut raw, 12, self.partition_leader_epoch.to_be_bytes());
        put(&mut raw, 16, self.magic.to_be_bytes());
        put(&mut raw, 17, self.crc.to_be_bytes());
        put(&mut raw, 21, self.attributes.to_be_bytes());
        put(&mut raw, 23, self.last_offset_delta.to_be_bytes());
        put(&mut raw, 27, self.base_timestamp.to_be_bytes());
        put(&mut raw, 35, self.max_timestamp.to_be_bytes());
        put(&mut raw, 43, self.producer_id.to_be_bytes());
        put(&mut raw, 51, self.producer_epoch.to_be_bytes());
        put(&mut raw, 53, self.base_sequence.to_be_bytes());
        put(&mut raw, 57, self.records_count.to_be_bytes());
        raw
    }

    /// Bytes of the whole batch, header included. 0 when the length field is nonsense (below -12).
    pub fn size_in_bytes(&self) -> u64 {
        (i64::from(self.batch_length) + LENGTH_PREFIX as i64).max(0) as u64
    }

    /// Codec of the records; `None` for a number no codec has.
    pub fn codec(&self) -> Option<Codec> {
        Codec::from_id(self.codec_id())
    }

    /// The codec bits.
    pub fn codec_id(&self) -> u8 {
        (self.attributes & CODEC_MASK) as u8
    }

    /// Who set the times.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// The header of the same batch appended at `time_ms`. A batch with times of its own stays as it is. The CRC is
    /// carried over; what follows the header is not looked at.
    #[must_use]
    pub fn appended_at(self, time_ms: i64) -> Self {
        if self.timestamp_type() == TimestampType::CreateTime || self.max_timestamp == time_ms {
            return self;
        }
        let after = Self { max_timestamp: time_ms, ..self };
        let (old, new) = (self.encode(), after.encode());
        let rest = self.size_in_bytes().saturating_sub(HEADER_LEN as u64);
        let crc = crc::replace_prefix(self.crc, &old[CRC_START..], &new[CRC_START..], rest);
        Self { crc: crc.unwrap_or(self.crc), ..after }
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch holds control records, which clients do not see.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// The delete horizon that compaction stored in the base timestamp (KIP-534), ms.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Whether an idempotent or transactional producer wrote the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// Offset of the last record, also when compaction removed it.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta))
    }

    /// Offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Sequence number of the last record, wrapped; -1 when the batch has none.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            NO_SEQUENCE
        } else {
            add_sequence(self.base_sequence, self.last_offset_delta)
        }
    }
}

/// Adds to a sequence number, which after `i32::MAX` goes on at 0.
pub const fn add_sequence(sequence: i32, increment: i32) -> i32 {
    (sequence.wrapping_add(increment)) & i32::MAX
}

/// Gives a batch its place: writes base offset and leader epoch, which the CRC does not cover.
pub fn patch_header(header: &mut [u8; HEADER_LEN], base_offset: i64, leader_epoch: i32) {
    put(header, 0, base_offset.to_be_bytes());
    put(header, 12, leader_epoch.to_be_bytes());
}

/// The N bytes at a constant position of the header.
fn field<const N: usize>(raw: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&raw[at..at + N]);
    out
}

fn put<const N: usize>(raw: &mut [u8; HEADER_LEN], at: usize, bytes: [u8; N]) {
    raw[at..at + N].copy_from_slice(&bytes);
}
