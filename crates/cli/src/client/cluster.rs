//! What a cluster says about itself: nodes, and topics with who leads their partitions.

use std::collections::BTreeMap;

use pagewire_wire::messages::metadata_response::{MetadataResponse, MetadataResponseTopic};
use pagewire_wire::{ErrorCode, Uuid};

use super::address::Address;

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Node id.
    pub(crate) id: i32,
    /// Where it says it is.
    pub(crate) address: Address,
    /// Its rack, if it has one.
    pub(crate) rack: Option<String>,
}

/// Nodes of a cluster as last heard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cluster {
    /// Cluster id.
    pub(crate) id: Option<String>,
    /// Who takes administrative requests.
    pub(crate) controller: Option<i32>,
    /// All nodes by id.
    pub(crate) nodes: BTreeMap<i32, Node>,
}

/// A topic.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// Name.
    pub(crate) name: String,
    /// Topic id; nil from brokers before 2.8.
    pub(crate) id: Uuid,
    /// Whether it is the broker's own.
    pub(crate) internal: bool,
    /// Error of the whole topic; 0 is none.
    pub(crate) error: i16,
    /// Its partitions in order.
    pub(crate) partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    /// From 0.
    pub(crate) index: i32,
    /// Node id of the leader; `None` while there is none.
    pub(crate) leader: Option<i32>,
    /// Leader epoch, -1 if the broker does not say.
    pub(crate) epoch: i32,
    /// Node ids.
    pub(crate) replicas: Vec<i32>,
    /// Node ids in sync.
    pub(crate) isr: Vec<i32>,
    /// Error of this partition; 0 is none.
    pub(crate) error: i16,
}

impl Cluster {
    /// From an answer to Metadata.
    pub(crate) fn new(answer: &MetadataResponse) -> Self {
        let node = |broker: &pagewire_wire::messages::metadata_response::MetadataResponseBroker| {
            let port = u16::try_from(broker.port).unwrap_or_default();
            let address = Address { host: broker.host.to_string(), port };
            (
                broker.node_id,
                Node { id: broker.node_id, address, rack: broker.rack.as_ref().map(ToString::to_string) },
            )
        };
        Self {
            id: answer.cluster_id.as_ref().map(ToString::to_string),
            controller: Some(answer.controller_id).filter(|id| *id >= 0),
            nodes: answer.brokers.iter().map(node).collect(),
        }
    }
}

impl Topic {
    /// From an answer to Metadata.
    pub(crate) fn new(topic: &MetadataResponseTopic) -> Self {
        let mut partitions: Vec<Partition> = topic
            .partitions
            .iter()
            .map(|partition| Partition {
                index: partition.partition_index,
                leader: Some(partition.leader_id).filter(|id| *id >= 0),
                epoch: partition.leader_epoch,
                replicas: partition.replica_nodes.clone(),
                isr: partition.isr_nodes.clone(),
                error: partition.error_code,
            })
            .collect();
        partitions.sort_by_key(|partition| partition.index);
        Self {
            name: topic.name.as_deref().unwrap_or_default().to_owned(),
            id: topic.topic_id,
            internal: topic.is_internal,
            error: topic.error_code,
            partitions,
        }
    }

    /// Whether the cluster does not know it.
    pub(crate) fn is_unknown(&self) -> bool {
        self.error == ErrorCode::UnknownTopicOrPartition.code()
    }
}
