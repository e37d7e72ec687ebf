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
//! machine wants written, wakes whoever waits, and looks at the clock. Transactions and share groups will be further
//! machines beside `groups`.

mod batch;
mod groups;
mod load;
mod shard;
mod text;
mod timer;
mod topic;

use std::sync::Arc;

use pagewire_coordinate::{DeletedTopic, Settings};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub(crate) use groups::Groups;
pub(crate) use text::{host_of, shared, text};
pub(crate) use topic::OFFSETS_TOPIC;

use crate::{broker::Broker, config::BrokerConfig};

/// All coordinators of this node.
pub(crate) struct Coordinators {
    groups: Groups,
}

impl Coordinators {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self { groups: Groups::new(group_settings(config)) }
    }

    /// Begins to load what is there. Requests are answered COORDINATOR_LOAD_IN_PROGRESS until their shard is loaded.
    pub(crate) fn start(&self, broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
        self.groups.start(broker, tasks, stop);
    }

    /// Consumer groups and their offsets.
    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Topics are gone: so are the offsets that groups committed for them. To be told after the image forgot them.
    pub(crate) async fn topics_deleted(&self, broker: &Broker, topics: &[(Arc<str>, Uuid)]) {
        let gone =
            |(name, id): &(Arc<str>, Uuid)| DeletedTopic { name: Arc::clone(name), id: id.into_bytes() };
        self.groups.topics_deleted(broker, topics.iter().map(gone).collect()).await;
    }
}

fn group_settings(config: &BrokerConfig) -> Settings {
    Settings {
        min_session_timeout_ms: config.group_min_session_timeout_ms,
        max_session_timeout_ms: config.group_max_session_timeout_ms,
        initial_rebalance_delay_ms: config.group_initial_rebalance_delay_ms,
        max_size: config.group_max_size,
        offset_metadata_max: config.offset_metadata_max_bytes,
        offsets_retention_ms: config.offsets_retention_ms,
        offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
        ..Settings::default()
    }
}
