//! The coordinator of transactions: runs `pagewire_coordinate::txn` on the partitions of `__transaction_state`.
//!
//! ```text
//!   handlers ── ask ──> Transactions ── the id's partition ──> Shard (lock) ── handle ──> machine
//!                                                                │  records ──> partition.append
//!                              oneshot <── reply, once stable ───┤
//!                                                                └─ markers ──> markers.rs: wait until the decision is
//!                                                                   stable, write them, hand them back to the shard
//! ```

mod answers;
#[cfg(test)]
mod hang_tests;
mod list;
mod load;
mod markers;
mod shard;
#[cfg(test)]
mod steps_tests;
#[cfg(test)]
mod tests;
mod timer;

use std::sync::Arc;

use pagewire_coordinate::{Token, partition_for, txn};
use pagewire_wire::ErrorCode;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::{
    memory::GroupMemory,
    shards::{Missing, Places, Running, Shards},
    topic,
};
use crate::{
    broker::Broker,
    cluster::{Refused, names},
    config::BrokerConfig,
    partition::Partition,
};
pub(crate) use answers::{Here, txn_error_code, verify_with};
pub(crate) use list::NotListed;
pub(crate) use load::highest_producer_id;
use shard::Shard;

/// Where transactions are kept.
pub(crate) const TRANSACTIONS_TOPIC: &str = names::TRANSACTIONS;

/// The transaction coordinator of this node.
pub(crate) struct TransactionCoordinator {
    settings: txn::Settings,
    memory: Arc<GroupMemory>,
    places: Places<Shard>,
    matching: list::Matching,
}

impl TransactionCoordinator {
    pub(super) fn new(config: &BrokerConfig) -> Self {
        Self {
            settings: settings(config),
            memory: Arc::default(),
            places: Places::new(TRANSACTIONS_TOPIC),
            matching: list::Matching::default(),
        }
    }

    pub(super) fn start(&self, broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
        self.places.start(tasks, stop);
        self.take_up(broker);
    }

    /// Begins to load what is there and is not loaded yet.
    pub(super) fn take_up(&self, broker: &Arc<Broker>) {
        if let Err(error) = self.shards(broker)
            && error != txn::Error::NotCoordinator
        {
            warn!(%error, "transactions cannot be loaded yet");
        }
    }

    /// Makes sure that transactions can be served: creates their topic if this is the first use.
    pub(crate) async fn ensure(&self, broker: &Arc<Broker>) -> Result<(), Refused> {
        topic::ensure_transactions(broker).await?;
        let shards = self.shards(broker);
        shards
            .map(drop)
            .map_err(|_| Refused::new(ErrorCode::CoordinatorNotAvailable, "transactions are not served yet"))
    }

    /// Whether the partition that keeps a transactional id is served.
    pub(crate) fn serves(&self, broker: &Arc<Broker>, transactional_id: &str) -> bool {
        self.shard_of(broker, transactional_id).is_ok()
    }

    /// Puts a question to a transactional id's machine and waits for its answer. What it promises is as durable by then as
    /// acks=all is.
    pub(crate) async fn ask(
        &self,
        broker: &Arc<Broker>,
        transactional_id: &str,
        question: impl Fn(Token) -> txn::Input,
    ) -> Result<txn::Answer, txn::Error> {
        let shard = self.shard_of(broker, transactional_id)?;
        shard.ask(broker, question).await
    }

    /// Reads from a transactional id's machine what lasts: it is as durable as acks=all by the time it is returned.
    pub(crate) async fn read<T>(
        &self,
        broker: &Arc<Broker>,
        transactional_id: &str,
        look: impl FnOnce(&txn::Shard) -> T,
    ) -> Result<T, txn::Error> {
        let shard = self.shard_of(broker, transactional_id)?;
        let (seen, written_to) = shard.read(look)?;
        shard.stable(broker, written_to).await?;
        Ok(seen)
    }

    fn shard_of(&self, broker: &Arc<Broker>, transactional_id: &str) -> Result<Arc<Shard>, txn::Error> {
        let shards = self.shards(broker)?;
        let shard = shards.at(partition_for(transactional_id, shards.count()));
        shard.map(Arc::clone).ok_or(txn::Error::NotCoordinator)
    }

    fn shards(&self, broker: &Arc<Broker>) -> Result<Arc<Shards<Shard>>, txn::Error> {
        let begin = |hosted: &Arc<Partition>, running: &Running| {
            let memory = Arc::clone(&self.memory);
            let shard = Arc::new(Shard::new(Arc::clone(hosted), memory, running.clone()));
            let life = timer::run(
                Arc::clone(&shard),
                Arc::clone(broker),
                self.settings.clone(),
                running.stop.clone(),
            );
            running.tasks.spawn(life);
            shard
        };
        self.places.of_now(broker, begin).map_err(|missing| match missing {
            Missing::Topic => txn::Error::NotCoordinator,
            Missing::Start => txn::Error::CoordinatorNotAvailable,
        })
    }
}

fn settings(config: &BrokerConfig) -> txn::Settings {
    txn::Settings {
        max_timeout_ms: config.transaction_max_timeout_ms,
        id_expiration_ms: config.transactional_id_expiration_ms,
        abort_interval_ms: config.transaction_abort_interval_ms,
        expiry_interval_ms: config.transaction_expiry_interval_ms,
        ..txn::Settings::default()
    }
}
