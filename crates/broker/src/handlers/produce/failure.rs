//! The answer about a partition of which nothing was appended.

use std::fmt::Display;
use std::io::ErrorKind;

use pagewire_log::{AppendError, Offline};
use pagewire_record::check::Rejected;
use pagewire_wire::{
    ErrorCode, Str,
    messages::produce_response::{BatchIndexAndErrorMessage, PartitionProduceResponse},
};

/// Words for the person behind the client: a full disk first of all.
pub(super) fn words(error: &AppendError) -> String {
    match error {
        AppendError::Write(error) if is_full(error.kind()) => {
            "the broker's disk is full: nothing was written; make room and send it again".to_owned()
        }
        other => other.to_string(),
    }
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[derive(Debug)]
pub(super) struct Failure {
    code: i16,
    message: Option<Str>,
    records: Vec<BatchIndexAndErrorMessage>,
}

impl Failure {
    pub(super) fn code(code: ErrorCode) -> Self {
        Self { code: code.code(), message: None, records: Vec::new() }
    }

    pub(super) fn with(code: ErrorCode, message: impl Into<Str>) -> Self {
        Self { code: code.code(), message: Some(message.into()), records: Vec::new() }
    }

    /// It was appended, and nobody knows whether it is on the disk.
    pub(super) fn not_stable(offline: Option<Offline>, error: &dyn Display) -> Self {
        let words = offline.map_or_else(|| error.to_string(), |offline| offline.to_string());
        Self::with(ErrorCode::KafkaStorageError, words)
    }

    /// Names as many records as may still be named in the answer to the request.
    pub(super) fn rejected(rejected: Rejected, nameable: &mut usize) -> Self {
        let named = rejected.record_errors.len().min(*nameable);
        *nameable -= named;
        let records = rejected.record_errors.into_iter().take(named).map(|error| BatchIndexAndErrorMessage {
            batch_index: error.index,
            batch_index_error_message: Some(error.message.into()),
            ..BatchIndexAndErrorMessage::default()
        });
        Self {
            code: rejected.kind.code(),
            message: Some(rejected.message.into()),
            records: records.collect(),
        }
    }

    /// The disk did not take it.
    pub(super) fn is_of_a_disk(&self) -> bool {
        self.code == ErrorCode::KafkaStorageError.code()
    }

    pub(super) fn answer(self, index: i32) -> PartitionProduceResponse {
        PartitionProduceResponse {
            index,
            error_code: self.code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: self.records,
            error_message: self.message,
            ..PartitionProduceResponse::default()
        }
    }
}
