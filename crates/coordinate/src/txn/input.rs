//! What may happen to a shard: the requests that can change it, stripped of protocol versions.

use std::sync::Arc;

use super::state::Outcome;
use crate::input::Token;

/// Which rules a request of a client follows (`transaction.version`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum TxnVersion {
    /// Partitions are added by the client, the epoch stays from one transaction to the next. Written as 0.
    Classic = 0,
    /// Every end of a transaction raises the epoch; partitions are added by produce requests (KIP-890).
    EpochPerTransaction = 2,
}

/// One event.
#[derive(Clone, Debug)]
pub enum Input {
    /// InitProducerId with a transactional id
    Init(Init),
    /// AddPartitionsToTxn and AddOffsetsToTxn, or what a produce request adds
    Add(Add),
    /// EndTxn
    End(End),
}

/// InitProducerId.
#[derive(Clone, Debug)]
pub struct Init {
    /// Where the answer goes.
    pub token: Token,
    /// Who begins.
    pub transactional_id: String,
    /// How long its transactions may be open.
    pub timeout_ms: i32,
    /// The producer id and epoch that it goes on from after an error (KIP-360).
    pub expected: Option<(i64, i16)>,
}

/// Partitions that take part from now on.
#[derive(Clone, Debug)]
pub struct Add {
    /// Where the answer goes.
    pub token: Token,
    /// Whose transaction.
    pub transactional_id: String,
    /// Its producer id.
    pub producer_id: i64,
    /// And epoch.
    pub producer_epoch: i16,
    /// Topic and partition.
    pub partitions: Vec<(Arc<str>, i32)>,
    /// Which rules the client follows.
    pub version: TxnVersion,
}

/// EndTxn.
#[derive(Clone, Debug)]
pub struct End {
    /// Where the answer goes.
    pub token: Token,
    /// Whose transaction.
    pub transactional_id: String,
    /// Its producer id.
    pub producer_id: i64,
    /// And epoch.
    pub producer_epoch: i16,
    /// Commit or abort.
    pub outcome: Outcome,
    /// Version 5 of the request: the epoch is raised.
    pub version: TxnVersion,
}
