//! AlterPartitionReassignments: moving replicas between brokers (KIP-455). There is one broker, where all of them are: what
//! asks for just that is done, what asks for anything else is refused as Kafka refuses it.

use pagewire_wire::{
    ErrorCode,
    messages::{
        alter_partition_reassignments_request::{
            AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
        },
        alter_partition_reassignments_response::{
            AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
        },
    },
};
use tokio::task::consume_budget;

use crate::{
    cluster::{Image, Refused, misplaced},
    request::Context,
};

pub(crate) async fn handle(
    ctx: Context,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let image = ctx.broker.image();
    let node_id = ctx.broker.cluster().identity().node_id;
    let mut responses = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        consume_budget().await;
        let one = |partition: &ReassignablePartition| {
            let (code, message) = match check(&image, topic, partition, node_id) {
                Ok(()) => (ErrorCode::None, None),
                Err(refused) => {
                    (refused.code, Some(refused.message).filter(|m| !m.is_empty()).map(Into::into))
                }
            };
            ReassignablePartitionResponse {
                partition_index: partition.partition_index,
                error_code: code.code(),
                error_message: message,
                ..Default::default()
            }
        };
        responses.push(ReassignableTopicResponse {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(one).collect(),
            ..Default::default()
        });
    }
    AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses,
        ..Default::default()
    }
}

/// Whether the partition is where it is wanted. Without replicas a move is to be called off, and none is ever under way.
fn check(
    image: &Image,
    topic: &ReassignableTopic,
    partition: &ReassignablePartition,
    node_id: i32,
) -> Result<(), Refused> {
    let (name, index) = (topic.name.as_str(), partition.partition_index);
    let unknown = |message: String| Refused::new(ErrorCode::UnknownTopicOrPartition, message);
    let entry = image.topic(name).ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
    if entry.partition(index).is_none() {
        return Err(unknown(format!("Unable to find partition {name}:{index}.")));
    }
    let Some(replicas) = &partition.replicas else {
        return Err(Refused::new(ErrorCode::NoReassignmentInProgress, ""));
    };
    match misplaced(replicas, node_id) {
        Some(message) => Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message)),
        None => Ok(()),
    }
}
