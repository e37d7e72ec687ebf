//! What can be wrong with a batch, from its first byte to its last record.
//!
//! These say what the bytes are, not what a client is told: the broker's answer to a producer is
//! [`crate::check::RejectKind`], and a consumer or a recovery scan decides for itself.

use thiserror::Error;

use crate::compress::InflateError;

/// A batch cannot be taken from these bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The slice ends before the batch does. More bytes may help.
    #[error("the batch needs {needed} bytes, {available} are here")]
    Truncated {
        /// Bytes the batch needs from its start, as far as known yet.
        needed: u64,
        /// Bytes that are here.
        available: u64,
    },
    /// The magic byte is not 2.
    #[error("magic {0} is not a version 2 batch{older}", older = older(*.0))]
    Magic(i8),
    /// The length field is below what the rest of the header needs.
    #[error("a batch length of {0} is below the header's own size")]
    Length(i32),
    /// The bytes from the attributes on do not match the stored CRC-32C.
    #[error("the batch is corrupt: stored crc {stored:#010x}, computed {computed:#010x}")]
    Checksum {
        /// CRC as the header has it.
        stored: u32,
        /// CRC of the bytes.
        computed: u32,
    },
}

/// What such a byte is mostly.
const fn older(magic: i8) -> &'static str {
    match magic {
        0 => ", but zeros, or a message of the format before Kafka 0.10",
        1 => ", but a message of the format before Kafka 0.11",
        _ => "",
    }
}

/// The records of a batch cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The attributes name a codec that does not exist (5, 6, 7).
    #[error("compression codec {0} is unknown")]
    UnknownCodec(u8),
    /// The payload does not decompress, or to more than the caller allows.
    #[error(transparent)]
    Inflate(#[from] InflateError),
    /// The header counts less than no records.
    #[error("a record count of {0} is negative")]
    Count(i32),
    /// A record breaks the format.
    #[error("record {index}: {fault}")]
    Record {
        /// Position in the batch, from 0.
        index: u32,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// All counted records were read and bytes remain.
    #[error("bytes remain after the {count} records the header counts")]
    Trailing {
        /// Records the header counts.
        count: i32,
    },
}

/// The way a single record breaks the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// The payload ends inside the record.
    #[error("the batch ends before the record does")]
    Eof,
    /// A variable-length integer has more bytes than its type can need.
    #[error("a variable-length integer is too long")]
    Varint,
    /// The length before the record and the fields in it disagree.
    #[error("the stated length and the fields disagree")]
    Length,
    /// A header count below zero, or above the bytes that are left for headers.
    #[error("the header count is impossible")]
    HeaderCount,
    /// A header without a key.
    #[error("a header key has a negative length")]
    HeaderKey,
}
