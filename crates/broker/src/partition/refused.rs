//! The protocol's word for each way an append can fail.

use pagewire_log::AppendError;
use pagewire_wire::ErrorCode;

/// What whoever asked for the append is told.
pub(crate) fn append_error_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::InvalidProducerEpoch { .. } | AppendError::LateMarker { .. } => {
            ErrorCode::InvalidProducerEpoch
        }
        AppendError::InvalidTxnState { .. } | AppendError::NotInTransaction { .. } => {
            ErrorCode::InvalidTxnState
        }
        AppendError::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        AppendError::TooManyTransactions { .. } => ErrorCode::ThrottlingQuotaExceeded,
        AppendError::TooLarge { .. } => ErrorCode::RecordListTooLarge,
        AppendError::Malformed(_) => ErrorCode::CorruptMessage,
        AppendError::Moving => ErrorCode::NotLeaderOrFollower,
        // A write that was undone (a full disk, most likely), or a log directory that takes no more writes.
        AppendError::Write(_) | AppendError::Offline(_) => ErrorCode::KafkaStorageError,
    }
}
