//! DescribeProducers: the idempotent producers a partition remembers (KIP-664).

use std::{collections::HashSet, sync::Arc};

use pagewire_wire::{
    ErrorCode,
    messages::{
        describe_producers_request::DescribeProducersRequest,
        describe_producers_response::{
            DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
        },
    },
};
use tokio::task::consume_budget;

use crate::{cluster::TopicEntry, dispatch::Context};

pub(crate) async fn handle(ctx: Context, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let image = ctx.broker.image();
    let mut response = DescribeProducersResponse::default();
    let mut answered = HashSet::new();
    for topic in request.topics {
        let entry = image.topic(&topic.name);
        let mut partitions = Vec::new();
        for index in topic.partition_indexes {
            consume_budget().await;
            // Named again, it would only be answered again.
            if answered.insert((topic.name.clone(), index)) {
                partitions.push(describe(entry, index));
            }
        }
        if !partitions.is_empty() {
            response.topics.push(TopicResponse { name: topic.name, partitions, ..Default::default() });
        }
    }
    response
}

fn describe(topic: Option<&Arc<TopicEntry>>, index: i32) -> PartitionResponse {
    let partition = match topic.ok_or(ErrorCode::UnknownTopicOrPartition).and_then(|t| t.served(index)) {
        Ok(partition) => partition,
        Err(error) => {
            let error_code = error.code();
            return PartitionResponse { partition_index: index, error_code, ..Default::default() };
        }
    };
    let active = partition.log.producers().into_iter().map(|producer| ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: i32::from(producer.producer_epoch),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.current_txn_start_offset,
        ..Default::default()
    });
    PartitionResponse { partition_index: index, active_producers: active.collect(), ..Default::default() }
}
