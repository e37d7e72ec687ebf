//! A topic: its identity, its partitions and its own settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::Record;
use super::{ids, runs};

/// One partition. Its index is its place in [`TopicRecord::partitions`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// Node ids; the first is the preferred leader.
    pub replicas: Vec<i32>,
    /// The node that leads; -1 when none does.
    pub leader: i32,
    /// Grows with every change of leader, from 0.
    pub leader_epoch: i32,
    /// The log directory of the leader that holds it, by the id in its `meta.properties`. None: the first one, where
    /// the metadata is too.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ids::text_or_none")]
    pub directory: Option<Uuid>,
    /// The log directory, other than the first one, that it leaves for that one: until its name is gone there, it may have it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "ids::text_or_none")]
    pub left: Option<Uuid>,
    /// Log directories that were away when it was served from that one: what may have its name there is behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "ids::texts")]
    pub behind: Vec<Uuid>,
}

impl PartitionRecord {
    /// A partition that lives on `node`, at leader epoch 0.
    pub fn on(node: i32, directory: Option<Uuid>) -> Self {
        Self {
            replicas: vec![node],
            leader: node,
            leader_epoch: 0,
            directory,
            left: None,
            behind: Vec::new(),
        }
    }
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicRecord {
    /// Also the end of its key.
    pub name: String,
    /// Never zero; a re-created topic has another one.
    #[serde(with = "ids::text")]
    pub topic_id: Uuid,
    /// In partition order, at least one.
    #[serde(with = "runs")]
    pub partitions: Vec<PartitionRecord>,
    /// Only what was set for this topic, as text, by Kafka's names.
    #[serde(default)]
    pub configs: BTreeMap<String, String>,
    /// When it was created.
    pub created_ms: i64,
}

impl Record for TopicRecord {
    const WHAT: &'static str = "topic";
    /// 2 came with runs, 3 with directories: who does not know where a partition is makes it anew. 4 came with what a partition left
    /// and what is behind it: who does not know of that serves it.
    const VERSION: u32 = 4;

    fn version(&self) -> u32 {
        let left_something =
            |partition: &PartitionRecord| partition.left.is_some() || !partition.behind.is_empty();
        if self.partitions.iter().any(left_something) { Self::VERSION } else { 3 }
    }
}

impl TopicRecord {
    /// A topic with a fresh id whose `partitions` all live in the first directory of `node`.
    pub fn on_one_node(name: &str, partitions: usize, node: i32, created_ms: i64) -> Self {
        Self {
            name: name.to_owned(),
            topic_id: ids::random(),
            partitions: vec![PartitionRecord::on(node, None); partitions],
            configs: BTreeMap::new(),
            created_ms,
        }
    }
}
