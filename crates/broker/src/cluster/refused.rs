//! A change that is refused, in the protocol's words and in people's.

use pagewire_metadata::{CatalogError, StoreError};
use pagewire_wire::ErrorCode;

/// A refused change: the protocol's code, and words for the person behind the client.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

/// Longest message in bytes. What the client sent may stand in it, and the strings of old versions end at 32,767.
const MESSAGE_BYTES_MAX: usize = 4096;

impl Refused {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push_str("...");
        }
        Self { code, message }
    }

    pub(super) fn broken_off(what: &str) -> Self {
        Self::new(ErrorCode::UnknownServerError, format!("{what} broke off"))
    }

    pub(super) fn unknown_topic(name: &str) -> Self {
        Self::new(ErrorCode::UnknownTopicOrPartition, format!("Topic '{name}' does not exist."))
    }

    pub(super) fn already_there(name: &str) -> Self {
        Self::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists."))
    }
}

impl Refused {
    /// The same with another code, if the reason is that something is too large to be stored.
    #[must_use]
    pub(super) fn if_too_large(self, code: ErrorCode) -> Self {
        if self.code == TOO_LARGE { Self { code, ..self } } else { self }
    }
}

/// What was asked for is too large to be stored; no retry helps.
const TOO_LARGE: ErrorCode = ErrorCode::InvalidRequest;

impl From<CatalogError> for Refused {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Conflict { .. } => {
                Self::new(ErrorCode::RequestTimedOut, format!("{error}; try again"))
            }
            CatalogError::Store(StoreError::TooLarge { .. }) => Self::new(TOO_LARGE, error.to_string()),
            other => Self::new(ErrorCode::KafkaStorageError, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_to_be_stored_is_the_clients_mistake_not_the_disks() {
        let too_large = || CatalogError::Store(StoreError::TooLarge { what: "bytes in a value", limit: 1 });
        assert_eq!(Refused::from(too_large()).code, ErrorCode::InvalidRequest);
        let code = Refused::from(too_large()).if_too_large(ErrorCode::InvalidConfig).code;
        assert_eq!(code, ErrorCode::InvalidConfig);
        let broken = CatalogError::Store(StoreError::Unavailable(String::new()));
        let code = Refused::from(broken).if_too_large(ErrorCode::InvalidConfig).code;
        assert_eq!(code, ErrorCode::KafkaStorageError);
    }
}
