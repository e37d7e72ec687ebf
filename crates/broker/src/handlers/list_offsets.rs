//! ListOffsets: from a time to an offset. Negative times name places of the log.

use std::sync::Arc;

use pagewire_log::{ReadError, TimestampOffset};
use pagewire_wire::{
    ErrorCode,
    messages::{
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest},
        list_offsets_response::{
            ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
        },
    },
};
use tokio::task::consume_budget;

use super::repeated::repeated;
use crate::{
    cluster::TopicEntry,
    partition::{Partition, epoch_error},
    request::Context,
};

/// The end: the high watermark, or the last stable offset for READ_COMMITTED.
const LATEST: i64 = -1;
/// The log start.
const EARLIEST: i64 = -2;
/// The record with the largest timestamp (KIP-734, version 7).
const MAX_TIMESTAMP: i64 = -3;
/// The first offset on this broker's disks (KIP-405, version 8).
const EARLIEST_LOCAL: i64 = -4;
/// The last offset in remote storage (KIP-1005, version 9); there is none.
const LATEST_TIERED: i64 = -5;
/// The first offset not yet in remote storage (KIP-1023, version 11); there is none.
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// What is found: offset, its timestamp, the epoch of its leader. -1 for what does not exist.
struct Found {
    offset: i64,
    timestamp: i64,
    leader_epoch: i32,
}

const NOTHING: Found = Found { offset: -1, timestamp: -1, leader_epoch: -1 };

pub(crate) async fn handle(ctx: Context, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let image = ctx.broker.image();
    let committed_only = request.isolation_level == 1;
    let mut response = ListOffsetsResponse::default();
    for topic in request.topics {
        let entry = image.topic(&topic.name);
        let twice = repeated(topic.partitions.iter().map(|asked| asked.partition_index));
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            consume_budget().await;
            let found = if twice.contains(&asked.partition_index) {
                Err(ErrorCode::InvalidRequest)
            } else {
                find(&ctx, entry, asked, committed_only).await
            };
            partitions.push(answer(asked.partition_index, found, ctx.version));
        }
        response.topics.push(ListOffsetsTopicResponse { name: topic.name, partitions, ..Default::default() });
    }
    response
}

fn answer(
    partition_index: i32,
    found: Result<Found, ErrorCode>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let (error, found) = match found {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, NOTHING),
    };
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: error.code(),
        timestamp: found.timestamp,
        offset: found.offset,
        leader_epoch: if version >= 4 { found.leader_epoch } else { -1 },
        ..Default::default()
    }
}

async fn find(
    ctx: &Context,
    topic: Option<&Arc<TopicEntry>>,
    asked: &ListOffsetsPartition,
    committed_only: bool,
) -> Result<Found, ErrorCode> {
    let partition = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?.served(asked.partition_index)?;
    if let Some(error) = epoch_error(asked.current_leader_epoch, partition.leader_epoch()) {
        return Err(error);
    }
    let marks = partition.log.marks();
    let end = if committed_only { marks.last_stable } else { marks.high_watermark };
    let place = |offset| Ok(Found { offset, timestamp: -1, leader_epoch: epoch_at(partition, offset) });
    match asked.timestamp {
        LATEST => place(end),
        EARLIEST => place(marks.log_start),
        EARLIEST_LOCAL if ctx.version >= 8 => place(marks.log_start),
        LATEST_TIERED if ctx.version >= 9 => Ok(NOTHING),
        EARLIEST_PENDING_UPLOAD if ctx.version >= 11 => Ok(NOTHING),
        MAX_TIMESTAMP if ctx.version >= 7 => search(partition, None, end).await,
        timestamp if timestamp >= 0 => search(partition, Some(timestamp), end).await,
        _ => Err(ErrorCode::UnsupportedVersion),
    }
}

/// The epoch that wrote `offset`, or would write it.
fn epoch_at(partition: &Partition, offset: i64) -> i32 {
    let mut epoch = partition.log.leader_epoch().unwrap_or(-1);
    // Step back while an older epoch reaches past the offset; logs have few epochs.
    while epoch > 0 {
        match partition.log.end_offset_for_epoch(epoch - 1) {
            Some((older, end)) if end > offset && older < epoch => epoch = older,
            _ => break,
        }
    }
    epoch
}

/// Looks into the log, on an I/O thread: a cold index or batch means waiting for the disk.
async fn search(partition: &Arc<Partition>, timestamp: Option<i64>, end: i64) -> Result<Found, ErrorCode> {
    let log = Arc::clone(&partition.log);
    let look = move || match timestamp {
        Some(timestamp) => log.offset_for_time(timestamp),
        None => log.max_timestamp_offset(),
    };
    let found: Result<Option<TimestampOffset>, ReadError> =
        partition.lane().run(look).await.map_err(|_| ErrorCode::RequestTimedOut)?;
    match found {
        Ok(Some(found)) if found.offset < end => {
            Ok(Found { offset: found.offset, timestamp: found.timestamp, leader_epoch: found.leader_epoch })
        }
        Ok(_) => Ok(NOTHING),
        Err(error) => {
            tracing::error!(topic = %partition.topic, partition = partition.index, %error, "lookup by time failed");
            Err(ErrorCode::KafkaStorageError)
        }
    }
}
