//! ElectLeaders: who leads a partition. It has one replica, so its leader is the preferred one, or there is none to elect:
//! what its disk does not give out no election brings back.

use std::sync::Arc;

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        elect_leaders_request::{ElectLeadersRequest, TopicPartitions},
        elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult},
    },
};
use tokio::task::consume_budget;

use crate::{
    cluster::{Image, TopicEntry},
    request::Context,
};

/// Which replicas may be elected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Election {
    /// The first one of the partition's.
    Preferred,
    /// Any, where none is in sync.
    Unclean,
}

impl Election {
    const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Preferred),
            1 => Some(Self::Unclean),
            _ => None,
        }
    }

    /// What is said of a partition that nobody leads.
    const fn fails_with(self) -> ErrorCode {
        match self {
            Self::Preferred => ErrorCode::PreferredLeaderNotAvailable,
            Self::Unclean => ErrorCode::EligibleLeadersNotAvailable,
        }
    }
}

pub(crate) async fn handle(ctx: Context, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let Some(election) = Election::from_code(request.election_type) else {
        return refused(&request);
    };
    let image = ctx.broker.image();
    let mut results = Vec::new();
    match &request.topic_partitions {
        None => {
            for topic in image.topics() {
                consume_budget().await;
                results.push(without_leader(topic, election));
            }
        }
        Some(named) => {
            for topic in named {
                consume_budget().await;
                results.push(elected(&image, topic, election));
            }
        }
    }
    ElectLeadersResponse { replica_election_results: results, ..Default::default() }
}

/// There is no such kind of election. Each partition says so, as clients of version 0 read no other place.
fn refused(request: &ElectLeadersRequest) -> ElectLeadersResponse {
    let code = ErrorCode::InvalidRequest;
    let message = format!("Unknown election type {}", request.election_type);
    let topic = |topic: &TopicPartitions| ReplicaElectionResult {
        topic: topic.topic.clone(),
        partition_result: topic.partitions.iter().map(|index| result(*index, code, &message)).collect(),
        ..Default::default()
    };
    let named = request.topic_partitions.as_deref().unwrap_or_default();
    ElectLeadersResponse {
        error_code: code.code(),
        replica_election_results: named.iter().map(topic).collect(),
        ..Default::default()
    }
}

/// The partitions of a topic that would need a leader and get none; those that have one are not told of.
fn without_leader(topic: &Arc<TopicEntry>, election: Election) -> ReplicaElectionResult {
    let code = election.fails_with();
    let offline = topic.partitions.iter().zip(0..).filter(|(entry, _)| entry.is_offline());
    ReplicaElectionResult {
        topic: Str::from(topic.name.to_string()),
        partition_result: offline.map(|(_, index)| result(index, code, code.message())).collect(),
        ..Default::default()
    }
}

fn elected(image: &Image, named: &TopicPartitions, election: Election) -> ReplicaElectionResult {
    let topic = image.topic(&named.topic);
    let one = |index: i32| {
        let unknown = ErrorCode::UnknownTopicOrPartition;
        let Some(topic) = topic else {
            return result(index, unknown, &format!("No such topic as {}", named.topic.as_str()));
        };
        let Some(entry) = topic.partition(index) else {
            return result(index, unknown, &format!("No such partition as {}-{index}", topic.name));
        };
        let code = if entry.is_offline() { election.fails_with() } else { ErrorCode::ElectionNotNeeded };
        result(index, code, code.message())
    };
    ReplicaElectionResult {
        topic: named.topic.clone(),
        partition_result: named.partitions.iter().map(|index| one(*index)).collect(),
        ..Default::default()
    }
}

fn result(partition_id: i32, code: ErrorCode, message: &str) -> PartitionResult {
    PartitionResult {
        partition_id,
        error_code: code.code(),
        error_message: Some(Str::from(message.to_owned())),
        ..Default::default()
    }
}
