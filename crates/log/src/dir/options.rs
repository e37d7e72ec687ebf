//! What the owner of a directory tells it.

use std::sync::Arc;

use uuid::Uuid;

use super::identity::KnownIdentity;
use crate::{Handles, LogConfig};

/// How a log directory is opened.
#[derive(Debug, Clone)]
pub struct LogDirOptions {
    /// The cluster this node belongs to; a directory of another one is refused.
    pub cluster_id: String,
    /// This node; a directory of another one is refused.
    pub node_id: i32,
    /// `num.recovery.threads.per.data.dir`: threads that open and close logs. At least 1: then one log comes after the
    /// other, always in the same order. Of several, closing takes more than this where that is little: it waits for
    /// syncs.
    pub threads: usize,
    /// Budget of open files for the logs.
    pub handles: Arc<Handles>,
    /// Now.
    pub now_ms: i64,
}

impl LogDirOptions {
    /// What this node knows of a directory that it served under this id.
    pub fn knows(&self, directory_id: Uuid) -> KnownIdentity<'_> {
        KnownIdentity { cluster_id: &self.cluster_id, node_id: self.node_id, directory_id }
    }
}

/// What the owner knows of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSettings {
    /// Id of the topic as the metadata has it. A directory of another id becomes `-stray`.
    pub topic_id: Uuid,
    /// Epoch of this leadership.
    pub leader_epoch: i32,
    /// Settings of the log.
    pub log: LogConfig,
    /// `flush.ms`: unsynced records are synced at least this often. `None` (Kafka's default of 2^63-1): never for
    /// time's sake.
    pub flush_ms: Option<i64>,
    /// Log directories, by their ids, that the log left while they were away: what has its name there is behind it, and becomes
    /// `-stray`.
    pub behind: Vec<Uuid>,
}

impl PartitionSettings {
    /// Whether what has the log's name in the log directory of this id is behind it.
    pub(crate) fn is_behind(&self, directory: Option<Uuid>) -> bool {
        directory.is_some_and(|id| self.behind.contains(&id))
    }
}

/// What the owner knows of a topic's partition; `None`: no such topic.
pub type SettingsOf<'a> = dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync + 'a;
