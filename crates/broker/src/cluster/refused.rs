//! A change that is refused, in the protocol's words and in people's.

use pagewire_metadata::CatalogError;
use pagewire_wire::ErrorCode;

/// A refused change: the protocol's code, and words for the person behind the client.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn unknown_topic(name: &str) -> Self {
        Self::new(ErrorCode::UnknownTopicOrPartition, format!("Topic '{name}' does not exist."))
    }

    pub(super) fn already_there(name: &str) -> Self {
        Self::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists."))
    }
}

impl From<CatalogError> for Refused {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Conflict { .. } => {
                Self::new(ErrorCode::RequestTimedOut, format!("{error}; try again"))
            }
            other => Self::new(ErrorCode::KafkaStorageError, other.to_string()),
        }
    }
}
