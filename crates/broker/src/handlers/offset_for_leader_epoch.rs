//! OffsetForLeaderEpoch: where a leader epoch ends, so that a client can tell whether its position was cut (KIP-320).

use std::sync::Arc;

use pagewire_wire::{
    ErrorCode,
    messages::{
        offset_for_leader_epoch_request::{OffsetForLeaderEpochRequest, OffsetForLeaderPartition},
        offset_for_leader_epoch_response::{
            EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
        },
    },
};

use crate::{cluster::TopicEntry, partition::epoch_error, request::Context};

/// What says that there is none.
const NO_EPOCH: i32 = -1;

pub(crate) async fn handle(
    ctx: Context,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let image = ctx.broker.image();
    let mut response = OffsetForLeaderEpochResponse::default();
    for topic in request.topics {
        let entry = image.topic(&topic.topic);
        let partitions = topic.partitions.iter().map(|asked| end_of(entry, asked)).collect();
        response.topics.push(OffsetForLeaderTopicResult {
            topic: topic.topic,
            partitions,
            ..Default::default()
        });
    }
    response
}

fn end_of(topic: Option<&Arc<TopicEntry>>, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let unknown = EpochEndOffset {
        partition: asked.partition,
        error_code: ErrorCode::UnknownTopicOrPartition.code(),
        leader_epoch: -1,
        end_offset: -1,
        ..Default::default()
    };
    let Some(topic) = topic else { return unknown };
    let partition = match topic.served(asked.partition) {
        Ok(partition) => partition,
        Err(error) => return EpochEndOffset { error_code: error.code(), ..unknown },
    };
    if let Some(error) = epoch_error(asked.current_leader_epoch, partition.leader_epoch()) {
        return EpochEndOffset { error_code: error.code(), ..unknown };
    }
    // A client without an epoch has no position either that could have been cut.
    let epoch = Some(asked.leader_epoch).filter(|epoch| *epoch != NO_EPOCH);
    let end = epoch.and_then(|epoch| partition.end_offset_for_epoch(epoch));
    let (leader_epoch, end_offset) = end.unwrap_or((NO_EPOCH, -1));
    EpochEndOffset { error_code: ErrorCode::None.code(), leader_epoch, end_offset, ..unknown }
}
