//! What a shard answers, and how an answer turns into a refusal when its record could not be kept.

use super::error::Error;
use super::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use crate::input::Token;

/// An answer and the request it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The request.
    pub token: Token,
    /// Its answer.
    pub answer: Answer,
    /// It stands on what was written, whoever wrote that: it waits until all that is written by now is durable. A power
    /// failure must not take back what a producer goes on from.
    pub leans: bool,
}

/// One kind per request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// InitProducerId: the producer id and epoch to go on with.
    Init(Producer),
    /// AddPartitionsToTxn, AddOffsetsToTxn: for all partitions.
    Add(Option<Error>),
    /// EndTxn: by the rules of version 2 the producer id and epoch of the next transaction.
    End(Producer),
}

/// A producer id and its epoch, or why there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// None when it went well.
    pub error: Option<Error>,
    /// -1 with an error.
    pub id: i64,
    /// -1 with an error.
    pub epoch: i16,
}

impl Producer {
    pub(crate) const fn of(id: i64, epoch: i16) -> Self {
        Self { error: None, id, epoch }
    }

    /// Nothing is said about it.
    pub(crate) const NOBODY: Self = Self::of(NO_PRODUCER_ID, NO_PRODUCER_EPOCH);

    pub(crate) const fn refused(error: Error) -> Self {
        Self { error: Some(error), id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH }
    }
}

impl Answer {
    pub(crate) const fn refuse_init(error: Error) -> Self {
        Self::Init(Producer::refused(error))
    }

    /// The same answer when its record could not be kept.
    #[must_use]
    pub fn refuse(self, error: Error) -> Self {
        match self {
            Self::Init(Producer { error: old, .. }) => Self::Init(Producer::refused(old.unwrap_or(error))),
            Self::Add(old) => Self::Add(Some(old.unwrap_or(error))),
            Self::End(Producer { error: old, .. }) => Self::End(Producer::refused(old.unwrap_or(error))),
        }
    }

    /// What went wrong, if anything.
    pub const fn error(&self) -> Option<Error> {
        match self {
            Self::Init(Producer { error, .. }) | Self::End(Producer { error, .. }) | Self::Add(error) => {
                *error
            }
        }
    }
}
