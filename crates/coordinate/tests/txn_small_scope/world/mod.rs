//! Producers, a coordinator and two partitions at one moment, and what may happen next.

mod client;
mod coordinator;
mod late;
mod partition;
mod promises;
mod steps;

use std::rc::Rc;
use std::sync::Arc;

use pagewire_coordinate::txn::{Add, Input, Outcome, Shard, TxnRecord, TxnState, TxnValue, TxnVersion};
use pagewire_coordinate::{Now, Token};

use crate::leader::Leader;
use crate::world::client::Client;
use crate::world::coordinator::{Sending, Waiting, shard};
use crate::world::late::Late;

const ID: &str = "app";
const TOPIC: &str = "t";
const PARTITIONS: usize = 2;

/// The newest `transaction.version`.
const CURRENT_LEVEL: i16 = 2;

type KeyValue = (bytes::Bytes, Option<bytes::Bytes>);

/// How often what may go wrong goes wrong on one way.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    pub(crate) lost_answers: u8,
    pub(crate) timeouts: u8,
    pub(crate) failed_markers: u8,
    /// Producers that begin anew.
    pub(crate) beginnings: u8,
    /// Partitions that are deleted.
    pub(crate) deletions: u8,
    /// Batches that their producers give up, and that come all the same.
    pub(crate) delays: u8,
    /// Requests to the coordinator of which a copy comes later.
    pub(crate) copies: u8,
}

#[derive(Clone)]
pub(crate) struct World {
    shard: Shard,
    /// What is durable, then what is not.
    log: Vec<KeyValue>,
    stable: usize,
    now_ms: i64,
    sending: Vec<Sending>,
    partitions: Vec<Rc<Leader>>,
    clients: Vec<Client>,
    late: Vec<Late>,
    /// Requests that come a second time.
    copies: Vec<Input>,
    replies: Vec<Waiting>,
    /// Who took the transactional id over last.
    last_init: Option<usize>,
    /// What a producer may not survive has happened: its time ran out, or a partition went.
    is_disturbed: bool,
    level: i16,
    next_producer_id: i64,
    /// Answers wait for what they stand on.
    pub(crate) waits: bool,
    /// Partitions ask whether a transaction is under way before one begins there.
    pub(crate) checks: bool,
    budget: Budget,
}

impl World {
    pub(crate) fn new(versions: [TxnVersion; 2], outcomes: [Outcome; 2], budget: Budget) -> Self {
        Self::on(Vec::new(), CURRENT_LEVEL, versions, outcomes, budget)
    }

    /// With the `transaction.version` by which the coordinator ends what nobody asked it to end.
    pub(crate) fn at_level(level: i16, version: TxnVersion, outcomes: [Outcome; 2], budget: Budget) -> Self {
        Self::on(Vec::new(), level, [version; 2], outcomes, budget)
    }

    /// With a transactional id that was taken over so often.
    pub(crate) fn from_epoch(
        epoch: i16,
        version: TxnVersion,
        outcomes: [Outcome; 2],
        budget: Budget,
    ) -> Self {
        let value = TxnValue {
            version: 1,
            producer_id: 1,
            previous_producer_id: 1,
            next_producer_id: -1,
            producer_epoch: epoch,
            next_producer_epoch: -1,
            timeout_ms: 1_000,
            state: TxnState::Empty,
            topics: None,
            updated_ms: 0,
            started_ms: -1,
            client_version: 0,
        };
        let record = TxnRecord { transactional_id: ID.into(), value: Some(value) };
        let log = vec![(record.encode_key().unwrap(), record.encode_value().unwrap())];
        Self { stable: 1, ..Self::on(log, CURRENT_LEVEL, [version; 2], outcomes, budget) }
    }

    fn on(
        log: Vec<KeyValue>,
        level: i16,
        versions: [TxnVersion; 2],
        outcomes: [Outcome; 2],
        budget: Budget,
    ) -> Self {
        let client = |at: usize| Client::new(versions[at], outcomes[at]);
        Self {
            shard: shard(&log, level, Now::both(0)),
            log,
            stable: 0,
            now_ms: 0,
            sending: Vec::new(),
            partitions: vec![Rc::default(); PARTITIONS],
            clients: vec![client(0), client(1)],
            late: Vec::new(),
            copies: Vec::new(),
            replies: Vec::new(),
            last_init: None,
            is_disturbed: false,
            level,
            next_producer_id: 2,
            waits: true,
            checks: true,
            budget,
        }
    }

    const fn now(&self) -> Now {
        Now::both(self.now_ms)
    }
}

/// That a partition takes part.
fn add(
    token: Token,
    (producer_id, producer_epoch): (i64, i16),
    partition: i32,
    version: TxnVersion,
) -> Input {
    Input::Add(Add {
        token,
        transactional_id: ID.into(),
        producer_id,
        producer_epoch,
        partitions: vec![(Arc::from(TOPIC), partition)],
        version,
    })
}
