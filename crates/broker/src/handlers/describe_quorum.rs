//! DescribeQuorum: who keeps the metadata, and how far each keeper is (KIP-595, KIP-836). One node keeps it: this one, in its
//! embedded store. It answers as a quorum of one. The epoch is that of the cluster, the high watermark the revision of the
//! store: both rise with what they stand for, and start over never.

use pagewire_wire::{
    ErrorCode, Str, Uuid as WireId,
    messages::{
        describe_quorum_request::DescribeQuorumRequest,
        describe_quorum_response::{
            DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
        },
    },
};

use crate::{clock::now_ms, request::Context};

/// From here on a node says where it is reached and which directory its part of the metadata is in.
const PLACES_FROM: i16 = 2;
/// Kafka's name for the log of the metadata, which has one partition.
const METADATA: &str = "__cluster_metadata";

pub(crate) async fn handle(ctx: Context, request: DescribeQuorumRequest) -> DescribeQuorumResponse {
    if !asks_for_metadata(&request) {
        return unknown(&request);
    }
    match state(&ctx).await {
        Ok(partition) => DescribeQuorumResponse {
            topics: vec![TopicData {
                topic_name: Str::from_static(METADATA),
                partitions: vec![partition],
                ..Default::default()
            }],
            nodes: if ctx.version >= PLACES_FROM { vec![this_node(&ctx)] } else { Vec::new() },
            ..Default::default()
        },
        Err(message) => DescribeQuorumResponse {
            error_code: ErrorCode::KafkaStorageError.code(),
            error_message: Some(message.into()),
            ..Default::default()
        },
    }
}

/// Kafka answers nothing else either (kafka: DescribeQuorumRequest, `hasValidTopicPartition`).
fn asks_for_metadata(request: &DescribeQuorumRequest) -> bool {
    let [topic] = request.topics.as_slice() else { return false };
    let [partition] = topic.partitions.as_slice() else { return false };
    topic.topic_name.as_str() == METADATA && partition.partition_index == 0
}

fn unknown(request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
    let code = ErrorCode::UnknownTopicOrPartition;
    let partition = |index: i32| PartitionData {
        partition_index: index,
        error_code: code.code(),
        error_message: Some(Str::from_static("This server does not host this topic-partition.")),
        ..Default::default()
    };
    let topics = request.topics.iter().map(|topic| TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic.partitions.iter().map(|asked| partition(asked.partition_index)).collect(),
        ..Default::default()
    });
    DescribeQuorumResponse { topics: topics.collect(), ..Default::default() }
}

/// The one voter, which is up to date as it is the one who says so.
async fn state(ctx: &Context) -> Result<PartitionData, String> {
    let cluster = ctx.broker.cluster();
    let identity = cluster.identity();
    let revision = cluster.catalog().revision().await.map_err(|error| error.to_string())?;
    let home = cluster.log_dirs().here().next().filter(|_| ctx.version >= PLACES_FROM);
    let directory =
        home.and_then(|home| home.directory_id()).map_or(WireId::NIL, |id| WireId(id.into_bytes()));
    let now_ms = now_ms();
    let voter = ReplicaState {
        replica_id: identity.node_id,
        replica_directory_id: directory,
        log_end_offset: revision,
        last_fetch_timestamp: now_ms,
        last_caught_up_timestamp: now_ms,
        ..Default::default()
    };
    Ok(PartitionData {
        leader_id: identity.node_id,
        leader_epoch: identity.leader_epoch,
        high_watermark: revision,
        current_voters: vec![voter],
        ..Default::default()
    })
}

/// Where the keeper is reached: no listener is of controllers alone.
fn this_node(ctx: &Context) -> Node {
    let node = ctx.broker.cluster().identity().node_for(&ctx.peer);
    let listener = Listener {
        name: Str::from(ctx.peer.listener.to_string()),
        host: node.host.into(),
        port: node.port,
        ..Default::default()
    };
    Node { node_id: node.id, listeners: vec![listener], ..Default::default() }
}
