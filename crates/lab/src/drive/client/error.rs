//! What can go wrong between the drive and a broker, in words that say what to do.

use std::io;
use std::net::SocketAddr;

use pagewire_record::BuildError;
use pagewire_wire::{ApiKey, DecodeError, EncodeError, ErrorCode};

/// A failure of the client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error("no broker at {address}: nothing listens there ({reason}); start it, or correct the address")]
    NoBroker {
        /// Where one was looked for.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// A connection broke.
    #[error("{address}: {error}")]
    Io {
        /// The other side.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// No answer for a long time.
    #[error("{address} has not answered for {seconds} s: it hangs, or is overloaded (its log says more)")]
    Silent {
        /// The other side.
        address: SocketAddr,
        /// How long.
        seconds: u64,
    },
    /// The time that whoever asked had for the answer is over; the connection is in the middle of it.
    #[error("{address} has not answered before the round was over")]
    Overdue {
        /// The other side.
        address: SocketAddr,
    },
    /// The other side does not speak as a Kafka broker does.
    #[error("{address} does not answer as a Kafka broker does: {what}")]
    Protocol {
        /// The other side.
        address: SocketAddr,
        /// What was wrong.
        what: String,
    },
    /// The request cannot be put into bytes.
    #[error("the request cannot be sent: {0}")]
    Encode(#[from] EncodeError),
    /// No version of the API that both sides speak.
    #[error("the broker offers {api} {}, the drive needs {}", spoken(*theirs), spoken(Some(*ours)))]
    Unsupported {
        /// Which API.
        api: ApiKey,
        /// Versions of the broker; `None` if it does not have the API.
        theirs: Option<(i16, i16)>,
        /// Versions of the drive.
        ours: (i16, i16),
    },
    /// The broker answered with an error.
    #[error("{what}: {}", explain(*code, message.as_deref()))]
    Refused {
        /// What was asked for.
        what: String,
        /// Kafka's error code.
        code: i16,
        /// The broker's own words.
        message: Option<String>,
    },
    /// A batch cannot be made.
    #[error("a batch cannot be made: {0}")]
    Batch(#[from] BuildError),
    /// This machine refuses something the drive needs.
    #[error("{what}: {advice}")]
    Local {
        /// What is needed.
        what: String,
        /// What the system said and what to do.
        advice: String,
    },
    /// Whoever runs the drive wants it to end.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// A frame that makes no sense.
    pub(super) fn decode(address: SocketAddr, error: &DecodeError) -> Self {
        Self::Protocol { address, what: error.to_string() }
    }

    /// `Ok` for error code 0, else the error.
    pub fn check(code: i16, message: Option<&str>, what: impl FnOnce() -> String) -> Result<(), Self> {
        if code == 0 {
            return Ok(());
        }
        Err(Self::Refused { what: what(), code, message: message.map(str::to_owned) })
    }

    /// The broker's error code, if it answered with one that is known.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => ErrorCode::from_code(*code),
            _ => None,
        }
    }
}

/// Versions as text.
fn spoken(versions: Option<(i16, i16)>) -> String {
    match versions {
        None => "not at all".to_owned(),
        Some((min, max)) => format!("in versions {min} to {max}"),
    }
}

/// An error code with the broker's words for it, or ours, and what to do about it.
fn explain(code: i16, message: Option<&str>) -> String {
    let known = ErrorCode::from_code(code);
    let words = match (known, message.filter(|text| !text.is_empty())) {
        (Some(code), Some(text)) => format!("{text} ({})", code.name()),
        (Some(code), None) => format!("{} ({})", code.message(), code.name()),
        (None, Some(text)) => format!("{text} (error {code})"),
        (None, None) => format!("the broker answered with error {code}"),
    };
    match known.and_then(advice) {
        Some(advice) => format!("{words}; {advice}"),
        None => words,
    }
}

/// What to do where that is known.
fn advice(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::TopicAuthorizationFailed | ErrorCode::ClusterAuthorizationFailed => {
            "the drive makes topics of its own named `pagewire-drive-...`: allow that to its user"
        }
        ErrorCode::PolicyViolation => {
            "the broker's policy forbids the drive's topics: relax it, or try --partitions"
        }
        ErrorCode::InvalidReplicationFactor => "give what the cluster can do with --replication-factor",
        ErrorCode::NotEnoughReplicas | ErrorCode::NotEnoughReplicasAfterAppend => {
            "raise --replication-factor to the cluster's min.insync.replicas, or use --acks 1"
        }
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
            "lower --batch-bytes, or raise the broker's message.max.bytes"
        }
        ErrorCode::UnsupportedCompressionType => "choose another --compression",
        ErrorCode::ThrottlingQuotaExceeded => "lift the quota: it would be measured instead of the broker",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_refused_why_and_what_to_do() {
        let text = Error::check(38, None, || "topic t".into()).unwrap_err().to_string();
        assert!(text.starts_with("topic t: ") && text.contains("INVALID_REPLICATION_FACTOR"), "{text}");
        assert!(text.ends_with("--replication-factor"), "{text}");
        let text = Error::check(29, Some("Denied."), || "t".into()).unwrap_err().to_string();
        assert!(text.contains("Denied.") && text.contains("pagewire-drive-"), "{text}");
        let text = Error::check(9999, None, || "t".into()).unwrap_err().to_string();
        assert!(text.contains("9999"), "{text}");
        assert!(Error::check(0, None, String::new).is_ok());
    }
}
