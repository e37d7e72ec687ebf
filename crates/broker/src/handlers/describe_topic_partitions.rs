//! DescribeTopicPartitions: topics page by page (KIP-966). The pages go by topic name, then partition.

use std::{collections::BTreeSet, sync::Arc};

use pagewire_wire::{
    ErrorCode, Str, Uuid as WireId,
    messages::{
        describe_topic_partitions_request::DescribeTopicPartitionsRequest,
        describe_topic_partitions_response::{
            Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
            DescribeTopicPartitionsResponseTopic,
        },
    },
};
use tokio::task::consume_budget;

use super::operations;
use crate::{
    cluster::{Image, PartitionEntry, TopicEntry, names as topic_names},
    request::Context,
};

pub(crate) async fn handle(
    ctx: Context,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index < 0) {
        let topics = request.topics.into_iter().map(|topic| failed(topic.name, ErrorCode::InvalidRequest));
        return DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() };
    }
    let image = ctx.broker.image();
    let most = ctx.broker.config().max_request_partition_size_limit;
    let mut left = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, most);
    let (from_topic, mut from_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.to_string(), usize::try_from(cursor.partition_index).unwrap_or(0)),
        None => (String::new(), 0),
    };
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names(&image, &request) {
        consume_budget().await;
        if name < from_topic {
            continue;
        }
        let first = if name == from_topic { std::mem::take(&mut from_partition) } else { 0 };
        if left == 0 {
            response.next_cursor = Some(cursor(&name, first));
            break;
        }
        let Some(entry) = image.topic(&name) else {
            response.topics.push(unknown(&name));
            continue;
        };
        let shown = entry.partitions.len().saturating_sub(first).min(left);
        response.topics.push(describe(entry, first, shown));
        left -= shown;
        if first + shown < entry.partitions.len() {
            response.next_cursor = Some(cursor(&name, first + shown));
            break;
        }
    }
    response
}

/// The topics asked for, or all, sorted and each once.
fn names(image: &Image, request: &DescribeTopicPartitionsRequest) -> BTreeSet<String> {
    if request.topics.is_empty() {
        return image.topics().map(|topic| topic.name.to_string()).collect();
    }
    request.topics.iter().map(|topic| topic.name.to_string()).collect()
}

fn cursor(name: &str, partition: usize) -> Cursor {
    Cursor {
        topic_name: Str::from(name.to_owned()),
        partition_index: i32::try_from(partition).unwrap_or(i32::MAX),
        ..Default::default()
    }
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let illegal = topic_names::refusal(name).is_some();
    let code = if illegal { ErrorCode::InvalidTopicException } else { ErrorCode::UnknownTopicOrPartition };
    failed(Str::from(name.to_owned()), code)
}

fn failed(name: Str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic { error_code: code.code(), name: Some(name), ..Default::default() }
}

fn describe(entry: &Arc<TopicEntry>, first: usize, count: usize) -> DescribeTopicPartitionsResponseTopic {
    let partitions = entry.partitions.iter().zip(0..).skip(first).take(count);
    DescribeTopicPartitionsResponseTopic {
        name: Some(Str::from(entry.name.to_string())),
        topic_id: WireId(entry.id.into_bytes()),
        is_internal: entry.internal,
        partitions: partitions.map(|(placed, index)| partition(placed, index)).collect(),
        topic_authorized_operations: operations::OF_TOPICS,
        ..Default::default()
    }
}

fn partition(placed: &PartitionEntry, index: i32) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition {
        error_code: if placed.is_offline() { ErrorCode::LeaderNotAvailable } else { ErrorCode::None }.code(),
        partition_index: index,
        leader_id: placed.leader,
        leader_epoch: placed.leader_epoch,
        replica_nodes: placed.replicas.clone(),
        isr_nodes: placed.isr(),
        // As Kafka says it of the last in sync (KIP-966): it leads again as soon as it is there.
        eligible_leader_replicas: Some(placed.offline_replicas()),
        last_known_elr: Some(placed.offline_replicas()),
        offline_replicas: placed.offline_replicas(),
        ..Default::default()
    }
}
