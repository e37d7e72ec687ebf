//! Ends transactions in the partitions of this node: a marker in each, as durable as acks=all. What a group's offsets wait
//! for ends in their shard, so that nobody sees the marker without what it changes.

use std::{sync::Arc, time::Duration};

use pagewire_coordinate::Error;
use pagewire_wire::ErrorCode;

use super::OFFSETS_TOPIC;
use crate::{
    broker::Broker,
    clock::now_ms,
    partition::{CommitError, Marker, Partition, append_error_code},
};

/// How long a marker may take to be stable.
const STABLE_MAX: Duration = Duration::from_secs(30);

/// Writes the marker into a partition of this node and waits until it lasts. `NOT_LEADER_OR_FOLLOWER` and other errors that
/// may be retried say that it is to be written again: that does no harm.
pub(crate) async fn write_marker(
    broker: &Arc<Broker>,
    topic: &str,
    index: i32,
    marker: Marker,
) -> Result<(), ErrorCode> {
    let image = broker.image();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let entry = image.topic(topic).ok_or(unknown)?;
    let partition = entry.served(index)?;
    refuse_nonsense(marker)?;
    let end = if topic == OFFSETS_TOPIC {
        let ended = broker.coordinators().groups().end_transaction(broker, index, marker);
        ended.map_err(|error| shard_error_code(&error))?
    } else {
        let appended = partition.end_transaction(marker, now_ms(), partition.io());
        let appended = appended
            .map_err(|error| if partition.log.is_deleted() { unknown } else { append_error_code(&error) })?;
        appended.last_offset + 1
    };
    stable(broker, partition, end).await
}

/// No producer has such an id, and no rules such a version: there is nothing that the marker could end.
fn refuse_nonsense(marker: Marker) -> Result<(), ErrorCode> {
    if marker.producer_id < 0 {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if marker.transaction_version < 0 { Err(ErrorCode::InvalidRequest) } else { Ok(()) }
}

async fn stable(broker: &Broker, partition: &Arc<Partition>, offset: i64) -> Result<(), ErrorCode> {
    if !broker.config().acks_all_is_stable {
        return Ok(());
    }
    match tokio::time::timeout(STABLE_MAX, partition.stable(offset, partition.io())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(CommitError::Failed(_))) => Err(ErrorCode::KafkaStorageError),
        Ok(Err(CommitError::Busy)) | Err(_) => Err(ErrorCode::RequestTimedOut),
    }
}

/// Why a shard did not take a marker.
#[derive(Debug)]
pub(super) enum NotEnded {
    /// It answers nothing at the moment.
    Shard(Error),
    /// Its log refused the marker.
    Log(pagewire_log::AppendError),
}

fn shard_error_code(error: &NotEnded) -> ErrorCode {
    match error {
        NotEnded::Log(error) => append_error_code(error),
        // Whoever writes markers knows partitions and leaders, not coordinators of groups.
        NotEnded::Shard(
            Error::CoordinatorLoadInProgress | Error::CoordinatorNotAvailable | Error::NotCoordinator,
        ) => ErrorCode::NotLeaderOrFollower,
        NotEnded::Shard(_) => ErrorCode::UnknownServerError,
    }
}
