//! What can go wrong between this program and a broker, in words that say what to do.

use std::io;

use pagewire_wire::{ApiKey, DecodeError, EncodeError, ErrorCode};

use super::Place;

/// A failure of the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// None of the addresses given answered.
    #[error(
        "no broker at {addresses}: start one with `pagewire serve` or name one with --bootstrap-server ({reason})"
    )]
    NoBroker {
        /// All that were tried.
        addresses: String,
        /// What the last one said.
        reason: String,
    },
    /// A node that the cluster named cannot be reached.
    #[error(
        "node {node} of the cluster says it is at {address}, which does not answer ({reason}): check its advertised.listeners"
    )]
    Unreachable {
        /// Which node.
        node: i32,
        /// Where it says it is.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The cluster knows no such node (any more).
    #[error("the cluster has no node {0} at the moment")]
    NoSuchNode(i32),
    /// A connection cannot be made or broke.
    #[error("{address}: {error}")]
    Io {
        /// The other side.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// No answer in time.
    #[error("no answer to {what} in time (--timeout gives it longer)")]
    Timeout {
        /// What was asked.
        what: String,
    },
    /// The other side does not speak as a Kafka broker does.
    #[error("{address} does not answer as a Kafka broker does: {what}")]
    Protocol {
        /// The other side.
        address: String,
        /// What was wrong.
        what: String,
    },
    /// Records came that are not what their checksum says.
    #[error(
        "{place} at offset {offset}: the records there are damaged ({what}). `pagewire log check DIR` says where good ones begin: \
         `pagewire consume {} --partition {} --from OFFSET` goes on there", place.topic, place.partition
    )]
    Damaged {
        /// Of which partition.
        place: Place,
        /// The first offset that cannot be read.
        offset: i64,
        /// What is wrong.
        what: String,
    },
    /// The request cannot be put into bytes.
    #[error("the request cannot be sent: {0}")]
    Encode(#[from] EncodeError),
    /// No version of the API that both sides speak.
    #[error("the broker cannot do this: it offers {} {}, this program needs {}", api, spoken(*theirs), spoken(Some(*ours)))]
    Unsupported {
        /// Which API.
        api: ApiKey,
        /// Versions of the broker; `None` if it does not have the API.
        theirs: Option<(i16, i16)>,
        /// Versions of this program.
        ours: (i16, i16),
    },
    /// The broker answered with an error.
    #[error("{what}: {}", explain(*code, message.as_deref()))]
    Api {
        /// What was asked for.
        what: String,
        /// Kafka's error code.
        code: i16,
        /// The broker's own words.
        message: Option<String>,
    },
    /// The same, and only a person can change it: what is tried again is not tried for long.
    #[error("{what}: {why} ({})", code.name())]
    Stuck {
        /// What was asked for.
        what: String,
        /// What is in the way, and what can be done.
        why: String,
        /// What the broker said.
        code: ErrorCode,
    },
    /// There is no such topic.
    #[error(
        "topic {0} does not exist: `pagewire topic list` shows what does, `pagewire topic create {0}` makes it"
    )]
    NoTopic(String),
}

/// Versions as text.
fn spoken(versions: Option<(i16, i16)>) -> String {
    match versions {
        None => "not at all".to_owned(),
        Some((min, max)) => format!("in versions {min} to {max}"),
    }
}

/// An error code and the broker's words for it, or ours.
pub(crate) fn explain(code: i16, message: Option<&str>) -> String {
    match (ErrorCode::from_code(code), message.filter(|text| !text.is_empty())) {
        (Some(code), Some(text)) => format!("{text} ({})", code.name()),
        (Some(code), None) => format!("{} ({})", code.message(), code.name()),
        (None, Some(text)) => format!("{text} (error {code})"),
        (None, None) => format!("the broker answered with error {code}"),
    }
}

impl Error {
    /// An I/O error with the address it happened at.
    pub(crate) fn io(address: &impl ToString, error: io::Error) -> Self {
        Self::Io { address: address.to_string(), error }
    }

    /// A frame that makes no sense.
    pub(crate) fn decode(address: &impl ToString, error: DecodeError) -> Self {
        Self::Protocol { address: address.to_string(), what: error.to_string() }
    }

    /// `Ok` for error code 0, else the error.
    pub(crate) fn check(code: i16, message: Option<&str>, what: impl FnOnce() -> String) -> Result<(), Self> {
        if code == 0 {
            return Ok(());
        }
        Err(Self::Api { what: what(), code, message: message.map(str::to_owned) })
    }

    /// The broker's error code, if it is one we know.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api { code, .. } => ErrorCode::from_code(*code),
            Self::Stuck { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The same, explained by what is known of the broker's disks, where it brought no words of its own.
    #[must_use]
    pub(crate) fn explained(self, trouble: Option<String>) -> Self {
        match self {
            Self::Api { what, code, message } => Self::Api { what, code, message: message.or(trouble) },
            other => other,
        }
    }

    /// It may pass, but most likely not before a person has done something.
    pub(crate) fn needs_a_person(&self) -> bool {
        matches!(self, Self::Stuck { .. })
            || matches!(self.code(), Some(ErrorCode::KafkaStorageError | ErrorCode::CorruptMessage))
    }

    /// Nothing came, in the time there was.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            Self::Io { error, .. } => error.kind() == io::ErrorKind::TimedOut,
            Self::Unreachable { reason, .. } => *reason == io::ErrorKind::TimedOut.to_string(),
            _ => false,
        }
    }

    /// Whether trying again, perhaps elsewhere, can help.
    pub(crate) fn is_retriable(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Unreachable { .. } | Self::NoSuchNode(_) | Self::Stuck { .. } => true,
            Self::Api { .. } => self.code().is_some_and(ErrorCode::is_retriable),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_broker_carries_its_words_or_ours_and_its_name() {
        let text = Error::check(36, Some("Topic 'a' already exists."), || "topic a".into()).unwrap_err();
        assert_eq!(text.to_string(), "topic a: Topic 'a' already exists. (TOPIC_ALREADY_EXISTS)");
        let text = Error::check(36, None, || "topic a".into()).unwrap_err();
        assert_eq!(text.to_string(), "topic a: A topic of this name exists already. (TOPIC_ALREADY_EXISTS)");
        assert!(Error::check(0, None, String::new).is_ok());
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let of = |code| Error::Api { what: String::new(), code, message: None };
        assert!(of(6).is_retriable() && !of(6).needs_a_person());
        assert!(of(56).is_retriable() && of(56).needs_a_person());
        assert!(!of(36).is_retriable());
        assert!(!of(9999).is_retriable());
        assert!(!Error::NoTopic("t".into()).is_retriable());
    }
}
