//! CreatePartitions: a topic grows, never shrinks.

use std::collections::HashSet;

use pagewire_wire::{
    ErrorCode,
    messages::{
        create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic},
        create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult},
    },
};
use tokio::task::consume_budget;

use super::repeated::repeated;
use crate::{
    cluster::{PARTITIONS_PER_REQUEST_MAX, Refused, change, misplaced},
    request::Context,
};

pub(crate) async fn handle(ctx: Context, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let mut response = CreatePartitionsResponse::default();
    let mut partitions_left = PARTITIONS_PER_REQUEST_MAX;
    let twice = repeated(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut answered = HashSet::new();
    for topic in &request.topics {
        consume_budget().await;
        // A name that stands twice is answered once.
        if !answered.insert(topic.name.as_str()) {
            continue;
        }
        let grown = if twice.contains(topic.name.as_str()) {
            Err(Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else {
            grow(&ctx, topic, request.validate_only, &mut partitions_left).await
        };
        let (code, message) = match grown {
            Ok(()) => (ErrorCode::None, None),
            Err(refused) => (refused.code, Some(refused.message.into())),
        };
        response.results.push(CreatePartitionsTopicResult {
            name: topic.name.clone(),
            error_code: code.code(),
            error_message: message,
            ..Default::default()
        });
    }
    response
}

async fn grow(
    ctx: &Context,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
    partitions_left: &mut usize,
) -> Result<(), Refused> {
    let image = ctx.broker.image();
    let Some(entry) = image.topic(&topic.name) else {
        let message = "This server does not host this topic-partition.";
        return Err(Refused::new(ErrorCode::UnknownTopicOrPartition, message));
    };
    if entry.internal {
        let message = format!(
            "The number of partitions of the internal topic {} cannot be changed: coordinators find what they keep by it.",
            entry.name
        );
        return Err(Refused::new(ErrorCode::InvalidRequest, message));
    }
    let there = entry.partitions.len();
    let count = usize::try_from(topic.count).unwrap_or(0);
    let invalid = |message: String| Err(Refused::new(ErrorCode::InvalidPartitions, message));
    if count == there {
        return invalid(format!("Topic already has {there} partition(s)."));
    }
    if count < there {
        return invalid(format!(
            "The topic {} currently has {there} partition(s); {} would not be an increase.",
            topic.name.as_str(),
            topic.count
        ));
    }
    *partitions_left = partitions_left.checked_sub(count - there).ok_or_else(|| {
        Refused::new(ErrorCode::PolicyViolation, "Excessively large number of partitions per request.")
    })?;
    if let Some(assignments) = &topic.assignments {
        let node_id = ctx.broker.cluster().identity().node_id;
        if assignments.len() != count - there {
            let message = format!(
                "Attempted to add {} additional partition(s), but only {} assignment(s) were specified.",
                count - there,
                assignments.len()
            );
            return Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message));
        }
        let misplaced = assignments.iter().find_map(|assignment| misplaced(&assignment.broker_ids, node_id));
        if let Some(message) = misplaced {
            return Err(Refused::new(ErrorCode::InvalidReplicaAssignment, message));
        }
    }
    if validate_only {
        return Ok(());
    }
    let name = topic.name.clone();
    change(&ctx.broker, move |change| async move { change.add_partitions(&name, count).await })
        .await
        .map(drop)
}
