//! The answer to a batch that is refused.

use thiserror::Error;

/// Most records named in one answer. Kafka names all; clients treat those not named as failed with the batch.
pub const RECORD_ERRORS_MAX: usize = 1000;

/// Why a batch is refused: one variant per Kafka error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectKind {
    /// CORRUPT_MESSAGE 2: the CRC, or bytes that are no batch of any version. Clients send it once more.
    CorruptMessage,
    /// MESSAGE_TOO_LARGE 10: above `max.message.bytes`, or beyond the decompression cap. Java splits the batch.
    MessageTooLarge,
    /// RECORD_LIST_TOO_LARGE 18: above `segment.bytes`.
    RecordListTooLarge,
    /// INVALID_TIMESTAMP 32: a time out of bounds, or a time type that only brokers set.
    InvalidTimestamp,
    /// UNSUPPORTED_COMPRESSION_TYPE 76: zstd before Produce 7, or a codec number that does not exist.
    UnsupportedCompressionType,
    /// INVALID_RECORD 87: everything else.
    InvalidRecord,
}

impl RejectKind {
    /// Kafka's error code.
    pub const fn code(self) -> i16 {
        match self {
            Self::CorruptMessage => 2,
            Self::MessageTooLarge => 10,
            Self::RecordListTooLarge => 18,
            Self::InvalidTimestamp => 32,
            Self::UnsupportedCompressionType => 76,
            Self::InvalidRecord => 87,
        }
    }
}

/// A record that had its batch refused (KIP-467; Produce 8 and later).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// Position in the batch, from 0.
    pub index: i32,
    /// What is wrong with it.
    pub message: String,
}

/// A refused batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Rejected {
    /// The error code's meaning.
    pub kind: RejectKind,
    /// Records at fault, the first [`RECORD_ERRORS_MAX`] of them; empty when the batch as such is.
    pub record_errors: Vec<RecordError>,
    /// The message for the partition.
    pub message: String,
}

impl Rejected {
    pub(super) fn new(kind: RejectKind, message: String) -> Self {
        Self { kind, record_errors: Vec::new(), message }
    }
}

/// Collects the faults of single records.
#[derive(Debug, Default)]
pub(super) struct Faults {
    errors: Vec<RecordError>,
    total: u32,
    timestamp: bool,
}

impl Faults {
    pub(super) fn add(&mut self, kind: RejectKind, index: i32, message: impl FnOnce() -> String) {
        self.total += 1;
        self.timestamp |= kind == RejectKind::InvalidTimestamp;
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { index, message: message() });
        }
    }

    /// One fault about a time makes the whole answer one about times, as in Kafka.
    pub(super) fn into_result(self) -> Result<(), Rejected> {
        if self.total == 0 {
            return Ok(());
        }
        let (kind, message) = if self.timestamp {
            let message = "One or more records have been rejected due to an invalid timestamp".to_owned();
            (RejectKind::InvalidTimestamp, message)
        } else {
            let first: Vec<&str> = self.errors.iter().take(3).map(|error| error.message.as_str()).collect();
            let message =
                format!("{} records have been rejected; the first of them: {}", self.total, first.join("; "));
            (RejectKind::InvalidRecord, message)
        };
        Err(Rejected { kind, record_errors: self.errors, message })
    }
}
