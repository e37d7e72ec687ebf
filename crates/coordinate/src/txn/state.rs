//! Where a transactional id stands.
//!
//! ```text
//!              InitProducerId                    add a partition            EndTxn: commit           markers written
//!   (nobody) ────────────────► Empty ──────────────► Ongoing ──────────► PrepareCommit ───────────► CompleteCommit
//!                                ▲                    │    ▲ EndTxn: abort, timeout, fence                    │
//!                                │                    └────┼──────────► PrepareAbort ────────────► CompleteAbort
//!                                │                         └───────────────── add a partition ◄───────────────┤
//!                                └───────────────────────────────────────────── InitProducerId ◄──────────────┘
//! ```
//!
//! With transactions of version 2 an abort is also taken where nothing is known to be open (Empty, CompleteCommit,
//! CompleteAbort): a producer that is not sure whether its records arrived asks for it. `Dead` and `PrepareEpochFence` are
//! steps inside Kafka's coordinator that it never writes down; they are known so that filters may name them. Should a record be
//! in one of them all the same, what is `Dead` expires, and what is `PrepareEpochFence` is aborted.

use std::fmt;

/// The state of a transactional id, with the number it has in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum TxnState {
    /// A producer has its id and epoch; no transaction is open.
    Empty = 0,
    /// Partitions take part in a transaction.
    Ongoing = 1,
    /// It is decided to commit; markers are being written.
    PrepareCommit = 2,
    /// It is decided to abort; markers are being written.
    PrepareAbort = 3,
    /// Every partition has its commit marker.
    CompleteCommit = 4,
    /// Every partition has its abort marker.
    CompleteAbort = 5,
    /// Expired and about to be forgotten.
    Dead = 6,
    /// About to be aborted with the next epoch.
    PrepareEpochFence = 7,
}

/// All states, by their number.
const STATES: [TxnState; 8] = [
    TxnState::Empty,
    TxnState::Ongoing,
    TxnState::PrepareCommit,
    TxnState::PrepareAbort,
    TxnState::CompleteCommit,
    TxnState::CompleteAbort,
    TxnState::Dead,
    TxnState::PrepareEpochFence,
];

impl TxnState {
    /// The state of this number in records.
    pub fn of(number: i8) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| STATES.get(number)).copied()
    }

    /// The state of this name, spelt exactly so.
    pub fn named(name: &str) -> Option<Self> {
        STATES.into_iter().find(|state| state.name() == name)
    }

    /// Kafka's name, as in DescribeTransactions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// How it ends once its markers are written; none if no marker is due.
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::PrepareCommit => Some(Outcome::Commit),
            Self::PrepareAbort => Some(Outcome::Abort),
            _ => None,
        }
    }

    /// Nothing is left to be done: it may be forgotten.
    pub const fn may_expire(self) -> bool {
        self.is_at_rest() || matches!(self, Self::Dead)
    }

    /// No transaction is open and none is being ended: a producer may begin anew.
    pub const fn is_at_rest(self) -> bool {
        matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort)
    }
}

impl fmt::Display for TxnState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Its records count.
    Commit,
    /// They do not.
    Abort,
}

impl Outcome {
    /// The state in which this is decided.
    pub const fn prepared(self) -> TxnState {
        match self {
            Self::Commit => TxnState::PrepareCommit,
            Self::Abort => TxnState::PrepareAbort,
        }
    }

    /// The state in which this is done.
    pub const fn complete(self) -> TxnState {
        match self {
            Self::Commit => TxnState::CompleteCommit,
            Self::Abort => TxnState::CompleteAbort,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Commit => "commit",
            Self::Abort => "abort",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_kafkas_numbers_and_names() {
        let named: Vec<_> = (0..8).map(|number| TxnState::of(number).map(TxnState::name)).collect();
        let kafkas = [
            "Empty",
            "Ongoing",
            "PrepareCommit",
            "PrepareAbort",
            "CompleteCommit",
            "CompleteAbort",
            "Dead",
            "PrepareEpochFence",
        ];
        assert_eq!(named, kafkas.map(Some));
        assert!(STATES.into_iter().all(|state| TxnState::of(state as i8) == Some(state)));
        assert!(STATES.into_iter().all(|state| TxnState::named(state.name()) == Some(state)));
        assert_eq!((TxnState::of(8), TxnState::of(-1), TxnState::named("ongoing")), (None, None, None));
    }
}
