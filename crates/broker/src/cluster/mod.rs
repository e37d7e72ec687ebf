//! The cluster as this node knows it, and the only door to changing it.
//!
//! ```text
//!   metadata::Store  <── put_if / delete_if ──  Change (topics.rs, settings.rs)
//!                                                  │ publish
//!                                                  v
//!                          handlers  ── load ──>  Image   (topics by name and id, their partitions), GroupSettings
//! ```
//!
//! Changes are made one at a time, each by a task of its own (change.rs): into the store first, then onto disk, then into
//! the image. While one waits for a disk, others that are about other topics go on. A topic is usable before its creation is
//! answered.

mod change;
mod corrected;
mod deleting;
mod features;
mod group_settings;
mod image;
mod known;
mod logs;
mod missing;
mod moved;
pub(crate) mod names;
mod nodes;
mod online;
mod placement;
mod preferred;
mod producer_ids;
mod refused;
mod reopened;
mod settings;
mod settled;
mod shown;
#[cfg(test)]
mod tests;
mod topic_settings;
mod topics;
mod traces;

use std::sync::Arc;

use arc_swap::ArcSwap;
use pagewire_log::LogDirs;
use pagewire_metadata::{Catalog, CatalogError};
use pagewire_zcopy::IoPool;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

pub(crate) use change::{Change, change};
pub(crate) use corrected::{correct, forget_behind};
pub(crate) use features::{Direction, FEATURES, Feature, LevelWish, Levels};
pub(crate) use group_settings::GroupSettings;
pub(crate) use image::{Image, PartitionEntry, TopicEntry};
pub(crate) use known::{Known, disk, known_id};
pub(crate) use missing::{look as look_for_missing, pass_over_away, unmade};
pub(crate) use moved::{Late, Switch};
pub(crate) use nodes::{Identity, Node};
pub(crate) use online::{Online, take_in};
pub(crate) use placement::{check_replication, misplaced, replication};
pub(crate) use refused::Refused;
pub(crate) use settings::{OwnConfigs, with_stored};
pub(crate) use shown::Name;
pub(crate) use topics::{NewTopic, PARTITIONS_PER_REQUEST_MAX};

use crate::{lanes::Lanes, net::Peer};

/// Topics, nodes, identities.
pub(crate) struct Cluster {
    identity: Identity,
    catalog: Catalog,
    log_dirs: Arc<LogDirs>,
    lanes: Arc<Lanes>,
    image: ArcSwap<Image>,
    features: ArcSwap<Levels>,
    group_settings: GroupSettings,
    /// Held while a change goes through store, disk and image. Only tasks of changes wait for it, which always run on: a
    /// future that a connection drives may not be polled for as long as its client does not read.
    changing: Arc<Mutex<()>>,
    /// Topics that are being changed by somebody who works on a disk, without the turn.
    claims: Arc<change::Claims>,
    /// Partitions that have their directory and no log yet.
    placing: Arc<placement::Placing>,
    /// The tasks of changes.
    changes: TaskTracker,
    producer_ids: Arc<producer_ids::ProducerIds>,
    traces: traces::Traces,
    preferred: preferred::Preferred,
}

impl Cluster {
    /// A cluster without topics yet, on a broker with the threads of `io`.
    pub(crate) fn new(identity: Identity, catalog: Catalog, log_dirs: Arc<LogDirs>, io: &IoPool) -> Self {
        Self {
            identity,
            catalog,
            lanes: Arc::new(Lanes::new(&log_dirs, io)),
            log_dirs,
            image: ArcSwap::default(),
            features: ArcSwap::default(),
            group_settings: GroupSettings::default(),
            changing: Arc::default(),
            claims: Arc::default(),
            placing: Arc::default(),
            changes: TaskTracker::new(),
            producer_ids: Arc::default(),
            traces: traces::Traces::default(),
            preferred: preferred::Preferred::default(),
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn log_dirs(&self) -> &Arc<LogDirs> {
        &self.log_dirs
    }

    /// What each of those has of its own.
    pub(crate) fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    /// Directories in which partitions are wished that are made later.
    pub(crate) fn preferred(&self) -> &preferred::Preferred {
        &self.preferred
    }

    /// The records behind it.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The topics as they are known now.
    pub(crate) fn image(&self) -> Arc<Image> {
        self.image.load_full()
    }

    /// The brokers, as the client at the other end of `peer` reaches them.
    pub(crate) fn nodes(&self, peer: &Peer) -> Vec<Node> {
        vec![self.identity.node_for(peer)]
    }

    /// An id no producer ever had.
    pub(crate) async fn next_producer_id(&self) -> Result<i64, CatalogError> {
        producer_ids::next(&self.producer_ids, &self.catalog).await
    }
}
