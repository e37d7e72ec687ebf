//! What happens to transactions, for whoever reads the log of the broker. Deciding does not depend on it.

use std::fmt;
use std::sync::Arc;

use super::error::Error;
use super::state::Outcome;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whose.
    pub transactional_id: Arc<str>,
    /// What.
    pub event: Event,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub enum Event {
    /// A producer began or went on.
    Initialized { producer_id: i64, producer_epoch: i16 },
    /// A successor asks for its id: the open transaction is aborted first.
    Fenced { producer_id: i64, producer_epoch: i16 },
    /// It was open for longer than it may be.
    TimedOut { producer_id: i64, timeout_ms: i32 },
    /// Some markers could not be written; they are tried again until they are.
    Unmarked { outcome: Outcome, partitions: usize },
    /// That its markers are written could not be written; it is tried again until it is.
    NotCompleted { outcome: Outcome, error: Error },
    /// Nobody used it for a long time.
    Expired,
}

impl Event {
    /// What happens whenever clients come and go, as often as they like.
    pub const fn is_routine(&self) -> bool {
        matches!(self, Self::Initialized { .. } | Self::Expired)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initialized { producer_id, producer_epoch } => {
                write!(out, "producer {producer_id} begins with epoch {producer_epoch}")
            }
            Self::Fenced { producer_id, producer_epoch } => write!(
                out,
                "a successor of producer {producer_id}, epoch {producer_epoch}, came: its open transaction is aborted"
            ),
            Self::TimedOut { producer_id, timeout_ms } => write!(
                out,
                "the transaction of producer {producer_id} was open for more than {timeout_ms} ms and is aborted"
            ),
            Self::Unmarked { outcome, partitions } => {
                match partitions {
                    1 => out.write_str("1 partition has")?,
                    _ => write!(out, "{partitions} partitions have")?,
                }
                write!(out, " not got the {outcome} marker yet: it is written again and again")
            }
            Self::NotCompleted { outcome, error } => {
                write!(
                    out,
                    "the end of the {outcome} is not written yet: {error}; it is tried again and again"
                )
            }
            Self::Expired => out.write_str("expired"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_partition_it_is_said_that_it_has_none() {
        let said =
            [0, 1, 2].map(|partitions| Event::Unmarked { outcome: Outcome::Abort, partitions }.to_string());
        let begins = ["0 partitions have not", "1 partition has not", "2 partitions have not"];
        assert!(said.iter().zip(begins).all(|(said, begin)| said.starts_with(begin)), "{said:?}");
    }
}
