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
    /// Node ids whose log directory takes no writes, or is not there.
    pub(crate) offline: Vec<i32>,
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
                offline: partition.offline_replicas.clone(),
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

    /// Partitions that records can be written to; where there are none, those that have a leader.
    pub(crate) fn open_to_writes(&self) -> Vec<i32> {
        let led = || self.partitions.iter().filter_map(|partition| Some((partition, partition.leader?)));
        let index = |(partition, _): (&Partition, i32)| partition.index;
        let open: Vec<i32> =
            led().filter(|(partition, leader)| !partition.offline.contains(leader)).map(index).collect();
        if open.is_empty() { led().map(index).collect() } else { open }
    }

    /// Whether the cluster does not know it.
    pub(crate) fn is_unknown(&self) -> bool {
        self.error == ErrorCode::UnknownTopicOrPartition.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_where_the_leaders_disk_takes_them_or_where_there_is_a_leader_at_all() {
        let partition = |index, leader, offline| Partition {
            index,
            leader,
            epoch: 0,
            replicas: vec![1],
            isr: Vec::new(),
            offline,
            error: 0,
        };
        let topic = |partitions| Topic {
            name: "t".to_owned(),
            id: Uuid::default(),
            internal: false,
            error: 0,
            partitions,
        };
        let (well, read_only, gone) =
            (partition(0, Some(1), vec![2]), partition(1, Some(1), vec![1]), partition(2, None, vec![1]));
        let all = topic(vec![well, read_only.clone(), gone.clone()]);
        assert_eq!(all.open_to_writes(), [0]);
        assert_eq!(topic(vec![read_only, gone]).open_to_writes(), [1]);
    }
}
