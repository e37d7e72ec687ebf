//! The errors that a transaction coordinator answers. The numbers are Kafka's protocol error codes.

/// An error in an answer. The discriminant is the code of the Kafka protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(i16)]
pub enum Error {
    /// What is known of the transaction does not fit into one record any more.
    #[error("UNKNOWN_SERVER_ERROR")]
    UnknownServerError = -1,
    /// The transactional ids of this partition are still being read, or no producer id is at hand; ask again.
    #[error("COORDINATOR_LOAD_IN_PROGRESS")]
    CoordinatorLoadInProgress = 14,
    /// The coordinator cannot persist its state at the moment; ask again.
    #[error("COORDINATOR_NOT_AVAILABLE")]
    CoordinatorNotAvailable = 15,
    /// Another broker coordinates this transactional id, or the log that keeps it cannot be written.
    #[error("NOT_COORDINATOR")]
    NotCoordinator = 16,
    /// An empty or overlong transactional id.
    #[error("INVALID_REQUEST")]
    InvalidRequest = 42,
    /// More transactional ids than a partition may keep.
    #[error("POLICY_VIOLATION")]
    PolicyViolation = 44,
    /// The transaction is not in a state in which this can be done.
    #[error("INVALID_TXN_STATE")]
    InvalidTxnState = 48,
    /// The transactional id is not known, or has another producer id.
    #[error("INVALID_PRODUCER_ID_MAPPING")]
    InvalidProducerIdMapping = 49,
    /// Not between 1 and `transaction.max.timeout.ms`.
    #[error("INVALID_TRANSACTION_TIMEOUT")]
    InvalidTransactionTimeout = 50,
    /// The transaction before is still being ended; ask again.
    #[error("CONCURRENT_TRANSACTIONS")]
    ConcurrentTransactions = 51,
    /// A newer producer took over this transactional id.
    #[error("PRODUCER_FENCED")]
    ProducerFenced = 90,
    /// Nobody uses this transactional id.
    #[error("TRANSACTIONAL_ID_NOT_FOUND")]
    TransactionalIdNotFound = 105,
    /// The partition takes no part: abort and begin again.
    #[error("TRANSACTION_ABORTABLE")]
    TransactionAbortable = 120,
}

impl Error {
    /// The error code of the Kafka protocol.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// `0` for no error, else the code: how responses carry it.
    pub fn code_of(error: Option<Self>) -> i16 {
        error.map_or(0, Self::code)
    }
}
