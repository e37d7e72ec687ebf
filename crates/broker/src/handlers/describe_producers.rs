//! DescribeProducers: the idempotent producers a partition remembers (KIP-664).

use std::{collections::HashSet, sync::Arc};

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        describe_producers_request::DescribeProducersRequest,
        describe_producers_response::{
            DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
        },
    },
};
use tokio::task::consume_budget;

use crate::{
    cluster::{TopicEntry, names as topic_names},
    net::Close,
    partition::Partition,
    request::{Context, RESPONSE_BYTES_MAX},
};

/// About the bytes of a producer, a partition or a topic in an answer, in memory and on the wire.
const WEIGHT: usize = 64;

pub(crate) async fn handle(
    ctx: Context,
    request: DescribeProducersRequest,
) -> Result<DescribeProducersResponse, Close> {
    let image = ctx.broker.image();
    let mut response = DescribeProducersResponse::default();
    let (mut answered, mut left) = (HashSet::new(), RESPONSE_BYTES_MAX);
    for topic in request.topics {
        let entry = image.topic(&topic.name);
        let mut partitions = Vec::new();
        for index in topic.partition_indexes {
            consume_budget().await;
            // Named again, it would only be answered again.
            if answered.insert((topic.name.clone(), index)) {
                left = left.checked_sub(weight(entry, index)).ok_or_else(too_much)?;
                partitions.push(describe(&topic.name, entry, index));
            }
        }
        if !partitions.is_empty() {
            left = left.checked_sub(WEIGHT + topic.name.len()).ok_or_else(too_much)?;
            response.topics.push(TopicResponse { name: topic.name, partitions, ..Default::default() });
        }
    }
    Ok(response)
}

fn too_much() -> Close {
    Close::because(format_args!("the producers have more than {RESPONSE_BYTES_MAX} bytes"))
}

/// What a partition will take, before anything of it is built.
fn weight(topic: Option<&Arc<TopicEntry>>, index: i32) -> usize {
    let partition = topic.and_then(|topic| topic.served(index).ok());
    // Where nobody can wait for them, none are told.
    let count = |partition: &Arc<Partition>| partition.lane().write(0, || partition.log.producer_count());
    WEIGHT + partition.and_then(|partition| count(partition).ok()).unwrap_or_default() * WEIGHT
}

fn describe(name: &str, topic: Option<&Arc<TopicEntry>>, index: i32) -> PartitionResponse {
    let refused = |error: ErrorCode, message: Option<String>| PartitionResponse {
        partition_index: index,
        error_code: error.code(),
        error_message: Some(message.map_or(Str::from_static(error.message()), Str::from)),
        ..Default::default()
    };
    let Some(topic) = topic else {
        return match topic_names::refusal(name) {
            Some(why) => refused(ErrorCode::InvalidTopicException, Some(why)),
            None => refused(ErrorCode::UnknownTopicOrPartition, None),
        };
    };
    let partition = match topic.served(index) {
        Ok(partition) => partition,
        Err(error) => return refused(error, None),
    };
    let Ok(producers) = partition.lane().write(0, || partition.log.producers()) else {
        return refused(ErrorCode::KafkaStorageError, None);
    };
    let active = producers.into_iter().map(|producer| ProducerState {
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

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;
    use pagewire_log::Origin;
    use pagewire_record::{BatchBuilder, Codec};
    use pagewire_wire::messages::describe_producers_request::TopicRequest;

    use super::*;
    use crate::{net::Reply, testing::Bench};

    fn request(partitions: i32) -> DescribeProducersRequest {
        let partition_indexes = (0..partitions).collect();
        let topics =
            vec![TopicRequest { name: "t".to_owned().into(), partition_indexes, ..Default::default() }];
        DescribeProducersRequest { topics, ..Default::default() }
    }

    #[tokio::test]
    async fn what_cannot_be_described_is_told_in_words() {
        let bench = Bench::on(Arc::new(MemoryDisk::new()));
        bench.topic("t", 1, &[]).await;
        let said = async |name: &str, partition| {
            let name = name.to_owned().into();
            let topics =
                vec![TopicRequest { name, partition_indexes: vec![partition], ..Default::default() }];
            let request = DescribeProducersRequest { topics, ..Default::default() };
            let answer = bench.ask(&request, 0).await.expect("an answer");
            answer.topics[0].partitions[0].error_message.as_deref().map(str::to_owned)
        };
        assert_eq!(said("t", 0).await, None);
        for (name, partition) in [("t", 1), ("nobody", 0)] {
            assert_eq!(
                said(name, partition).await.as_deref(),
                Some(ErrorCode::UnknownTopicOrPartition.message())
            );
        }
        let empty = "Topic name is invalid: the empty string is not allowed";
        assert_eq!(said("", 0).await.as_deref(), Some(empty));
    }

    #[tokio::test]
    async fn more_than_an_answer_holds_ends_the_connection_before_it_is_built() {
        let bench = Bench::on(Arc::new(MemoryDisk::new()));
        let topic = bench.topic("t", 1, &[]).await;
        for producer in 0..3 {
            let mut builder = BatchBuilder::new(Codec::None).producer(producer, 0, 0);
            builder.append(1000, None, Some(b"x"), &[]).expect("record");
            let batch = builder.build().expect("batch");
            topic[0].append(batch, Origin::Client, 0, bench.broker.io()).expect("append");
        }
        let image = bench.broker.image();
        assert_eq!(weight(image.topic("t"), 0), 4 * WEIGHT);
        let answer = bench.ask(&request(1), 0).await.expect("an answer");
        assert_eq!(answer.topics[0].partitions[0].active_producers.len(), 3);
        let too_many = i32::try_from(RESPONSE_BYTES_MAX / WEIGHT).expect("fits");
        let Reply::Later(refused) = bench.start(&request(too_many), 0) else { panic!("waits") };
        assert!(refused.await.is_err_and(|close| close.0.contains("producers")));
    }
}
