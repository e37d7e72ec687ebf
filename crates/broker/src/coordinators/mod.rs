//! Runs the pure machines of `pagewire_coordinate` on internal topics.
//!
//! ```text
//!   handlers ── ask ──> Groups ── the group's partition ──> Shard (lock) ── handle ──> machine
//!                                                              │  records ──> partition.append
//!                                                              │  appended ──> machine ──> replies
//!                                              oneshot <───────┘
//!   the asker waits for its reply, then until the records behind it are stable, then answers
//! ```
//!
//! The machine decides; what is here carries: it loads a partition's records at start, takes the lock, writes what the
//! machine wants written, wakes whoever waits, and looks at the clock. Transactions run likewise (`transactions/`); share groups
//! will be a further machine beside them.

mod batch;
#[cfg(test)]
mod consumer_group_tests;
mod expressions;
mod groups;
mod load;
mod markers;
mod memory;
#[cfg(test)]
mod metadata_apart_tests;
mod running;
mod shard;
mod shards;
#[cfg(test)]
mod tests;
mod text;
mod timer;
mod topic;
mod topics;
mod transactions;
mod txn_offsets;
mod verify;

use std::sync::{Arc, OnceLock};

use pagewire_coordinate::{DeletedTopic, DeletedTopics, Settings};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use groups::Groups;
pub(crate) use markers::write_marker;
pub(crate) use text::{host_of, shared, text};
pub(crate) use topic::{OFFSETS_TOPIC, settings_of_internal};
pub(crate) use transactions::{
    NotListed, TRANSACTIONS_TOPIC, TransactionCoordinator, highest_producer_id, txn_error_code, verify_with,
};
#[cfg(test)]
pub(crate) use verify::fake;
pub(crate) use verify::{Transactions, TxnQuestion, verify, verify_patiently};

use crate::{broker::Broker, config::BrokerConfig};

/// All coordinators of this node.
pub(crate) struct Coordinators {
    groups: Groups,
    transaction_coordinator: TransactionCoordinator,
    transactions: OnceLock<Arc<dyn Transactions>>,
}

impl Coordinators {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self {
            groups: Groups::new(group_settings(config)),
            transaction_coordinator: TransactionCoordinator::new(config),
            transactions: OnceLock::new(),
        }
    }

    /// Begins to load what is there. Requests are answered COORDINATOR_LOAD_IN_PROGRESS until their shard is loaded.
    pub(crate) fn start(&self, broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
        self.groups.start(broker, tasks, stop);
        self.transaction_coordinator.start(broker, tasks, stop);
        let broker = Arc::clone(broker);
        tasks.spawn(async move { broker.coordinators().forget_deleted(&broker).await });
    }

    /// Partitions of their topics are served by other logs than before: what is in them is loaded, and goes on by its clock, before
    /// anybody asks. Within a runtime.
    pub(crate) fn take_up(&self, broker: &Arc<Broker>) {
        self.groups.take_up(broker);
        self.transaction_coordinator.take_up(broker);
    }

    /// Consumer groups and their offsets.
    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Transactions: who has a transactional id, and how what it began ends.
    pub(crate) const fn transaction_coordinator(&self) -> &TransactionCoordinator {
        &self.transaction_coordinator
    }

    /// Whoever is asked about transactions before a partition takes part in one.
    pub(crate) fn transactions(&self) -> &Arc<dyn Transactions> {
        self.transactions.get_or_init(|| Arc::new(transactions::Here))
    }

    /// From now on somebody else is asked about transactions. Says whether nobody was asked before.
    #[cfg(test)]
    pub(crate) fn coordinate_transactions(&self, transactions: Arc<dyn Transactions>) -> bool {
        self.transactions.set(transactions).is_ok()
    }

    /// Forgets the offsets that groups committed for topics that are gone from the image. What cannot be told to all
    /// shards now is told when the last of them is loaded.
    pub(crate) async fn forget_deleted(&self, broker: &Broker) {
        let deleted = broker.cluster().deleted();
        if deleted.is_empty() {
            return;
        }
        // A namesake may be there by now. Offsets without a topic's id would be taken for those of the old one.
        let image = broker.image();
        let gone = deleted.iter().filter(|topic| image.topic(&topic.name).is_none());
        let gone: DeletedTopics = gone
            .map(|topic| DeletedTopic {
                name: Arc::from(topic.name.as_str()),
                id: topic.topic_id.into_bytes(),
            })
            .collect();
        if self.groups.topics_deleted(broker, &gone).await {
            broker.cluster().offsets_gone(&deleted).await;
        }
    }
}

fn group_settings(config: &BrokerConfig) -> Settings {
    Settings {
        min_session_timeout_ms: config.group_min_session_timeout_ms,
        max_session_timeout_ms: config.group_max_session_timeout_ms,
        initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
        max_size: config.group_max_size,
        consumer: config.consumer_groups.for_machine(),
        offset_metadata_max: config.offset_metadata_max_bytes,
        offsets_retention_ms: config.offsets_retention_ms,
        offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
        ..Settings::default()
    }
}
