//! WriteTxnMarkers: ends transactions in partitions (KIP-98). A coordinator sends it, and an administrator whose tool found
//! a transaction that hangs (KIP-664). The answer has each producer once, as in Kafka.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        write_txn_markers_request::{WritableTxnMarker, WriteTxnMarkersRequest},
        write_txn_markers_response::{
            WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
            WriteTxnMarkersResponse,
        },
    },
};

use crate::{
    coordinators::write_marker,
    net::Close,
    partition::Marker,
    request::{Context, RESPONSE_BYTES_MAX},
};

/// Markers that wait for stable storage at the same time.
const AT_ONCE: usize = 256;
/// About the bytes of one of them in an answer.
const WEIGHT: usize = 64;

/// Verdicts by partition, by topic.
type Topics = BTreeMap<Str, BTreeMap<i32, ErrorCode>>;

pub(crate) async fn handle(
    ctx: Context,
    request: WriteTxnMarkersRequest,
) -> Result<WriteTxnMarkersResponse, Close> {
    let count: usize =
        request.markers.iter().flat_map(|marker| &marker.topics).map(|t| t.partition_indexes.len()).sum();
    if count > RESPONSE_BYTES_MAX / WEIGHT {
        return Err(Close::because(format_args!("{count} markers in one request")));
    }
    let mut producers: BTreeMap<i64, Topics> = BTreeMap::new();
    for asked in &request.markers {
        let topics = producers.entry(asked.producer_id).or_default();
        write(&ctx, asked, topics).await;
    }
    let markers = producers.into_iter().map(|(producer_id, topics)| WritableTxnMarkerResult {
        producer_id,
        topics: topics.into_iter().map(|(name, partitions)| topic(name, partitions)).collect(),
        ..Default::default()
    });
    Ok(WriteTxnMarkersResponse { markers: markers.collect(), ..Default::default() })
}

/// Writes one producer's marker into all its partitions. Their syncs run side by side; each is in its log before the next
/// marker of the request.
async fn write(ctx: &Context, asked: &WritableTxnMarker, verdicts: &mut Topics) {
    let marker = marker(asked);
    for topic in &asked.topics {
        for some in topic.partition_indexes.chunks(AT_ONCE) {
            let written = some.iter().map(|index| write_marker(&ctx.broker, &topic.name, *index, marker));
            let outcomes = join_all(written).await;
            let partitions = verdicts.entry(topic.name.clone()).or_default();
            for (index, outcome) in some.iter().zip(outcomes) {
                let code = outcome.err().unwrap_or(ErrorCode::None);
                if code == ErrorCode::None {
                    tracing::debug!(
                        topic = &*topic.name,
                        partition = index,
                        producer = marker.producer_id,
                        committed = marker.committed,
                        "a transaction was ended by request"
                    );
                }
                partitions.insert(*index, code);
            }
        }
    }
}

fn marker(asked: &WritableTxnMarker) -> Marker {
    Marker {
        producer_id: asked.producer_id,
        producer_epoch: asked.producer_epoch,
        committed: asked.transaction_result,
        coordinator_epoch: asked.coordinator_epoch,
        transaction_version: i16::from(asked.transaction_version),
    }
}

fn topic(name: Str, partitions: BTreeMap<i32, ErrorCode>) -> WritableTxnMarkerTopicResult {
    let partitions = partitions.into_iter().map(|(partition_index, code)| WritableTxnMarkerPartitionResult {
        partition_index,
        error_code: code.code(),
        ..Default::default()
    });
    WritableTxnMarkerTopicResult { name, partitions: partitions.collect(), ..Default::default() }
}

#[cfg(test)]
#[path = "write_txn_markers_tests.rs"]
mod tests;
