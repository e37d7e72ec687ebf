//! From answers to bytes: the response is encoded with a hole where each partition's records go, and the file ranges
//! are put into the holes. The exact length of the whole is in the frame before its first byte leaves.

use pagewire_log::AbortedTxn;
use pagewire_wire::{
    ErrorCode, Frame, Records,
    messages::fetch_response::{
        AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
        NodeEndpoint, PartitionData,
    },
};
use pagewire_zcopy::{FileRange, SendPlan};

use super::{
    read::{Answer, Answers},
    session::Scope,
    wanted::Wanted,
};
use crate::{
    clock::now_ms,
    metrics::add,
    net::{Close, Outcome},
    request::{Context, encode, frame},
};

/// No replica to prefer: this one is the leader and the only one (KIP-392).
const NO_REPLICA: i32 = -1;

/// First version with an error for the request as a whole.
const SAYS_ERRORS: i16 = 7;

/// An answer that is one error for the whole request. Versions that cannot say it end the connection.
pub(super) fn session_error(ctx: &Context, error: ErrorCode) -> Outcome {
    if ctx.version < SAYS_ERRORS {
        return Err(Close::because(format_args!("Fetch v{} failed with {error:?}", ctx.version)));
    }
    let response = FetchResponse { error_code: error.code(), ..FetchResponse::default() };
    encode(&response, ctx.version, ctx.correlation_id)
}

/// Encodes `answers` and fills the holes.
pub(super) fn answer(ctx: &Context, scope: &Scope, answers: Answers) -> Outcome {
    let told = ctx.broker.sessions().tell(scope, &answers, now_ms());
    let Answers { partitions, bytes, committed_only, .. } = answers;
    let mut response = FetchResponse { session_id: told.session_id, ..FetchResponse::default() };
    let (mut ranges, mut leaders, mut failed, mut disks) = (Vec::new(), Vec::new(), 0, 0);
    let included = scope.wanted().iter().zip(partitions).zip(told.included);
    for ((want, mut answer), _) in included.filter(|(_, included)| *included) {
        failed += u64::from(answer.error != ErrorCode::None);
        disks += u64::from(answer.error == ErrorCode::KafkaStorageError);
        let data = partition_data(&answer, want, committed_only, ctx);
        ranges.extend(answer.records.take());
        leaders.extend(answer.leader);
        add_partition(&mut response, want, data);
    }
    if !leaders.is_empty() {
        response.node_endpoints = endpoints(ctx);
    }
    let frame = frame(&response, ctx.version, ctx.correlation_id)?;
    add(&ctx.broker.metrics().bytes_out, bytes);
    if failed > 0 {
        add(&ctx.broker.metrics().fetch_failed, failed);
        add(&ctx.broker.metrics().fetch_storage_errors, disks);
    }
    Ok(Some(fill(&frame, ranges)))
}

fn partition_data(answer: &Answer, want: &Wanted, committed_only: bool, ctx: &Context) -> PartitionData {
    let mut data = PartitionData {
        partition_index: want.index,
        error_code: answer.error.code(),
        high_watermark: answer.high_watermark,
        last_stable_offset: answer.last_stable_offset,
        log_start_offset: answer.log_start_offset,
        aborted_transactions: None,
        preferred_read_replica: NO_REPLICA,
        // Empty, never null: clients have stumbled over null.
        records: Records::Hole(u32::try_from(answer.records_len()).unwrap_or(u32::MAX)),
        ..PartitionData::default()
    };
    // As in Kafka, a list of none says that the log was read.
    if committed_only && answer.error == ErrorCode::None && answer.diverging.is_none() {
        data.aborted_transactions = Some(answer.aborted.iter().map(aborted).collect());
    }
    if let Some((epoch, end_offset)) = answer.diverging {
        data.diverging_epoch = EpochEndOffset { epoch, end_offset, ..EpochEndOffset::default() };
    }
    if let Some((leader_id, leader_epoch)) = answer.leader
        && ctx.version >= 12
    {
        data.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch, ..LeaderIdAndEpoch::default() };
    }
    data
}

fn aborted(txn: &AbortedTxn) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: txn.producer_id,
        first_offset: txn.first_offset,
        ..AbortedTransaction::default()
    }
}

/// Adds to the last topic if it is the same one: partitions keep their order, topics are named once per run.
fn add_partition(response: &mut FetchResponse, want: &Wanted, data: PartitionData) {
    let topic_id = pagewire_wire::Uuid(want.named.topic_id.into_bytes());
    if let Some(last) = response.responses.last_mut()
        && last.topic_id == topic_id
        && last.topic == want.named.topic
    {
        last.partitions.push(data);
        return;
    }
    response.responses.push(FetchableTopicResponse {
        topic: want.named.topic.clone(),
        topic_id,
        partitions: vec![data],
        ..FetchableTopicResponse::default()
    });
}

fn endpoints(ctx: &Context) -> Vec<NodeEndpoint> {
    if ctx.version < 16 {
        return Vec::new();
    }
    let nodes = ctx.broker.cluster().nodes(&ctx.peer);
    let endpoint = |node: crate::cluster::Node| NodeEndpoint {
        node_id: node.id,
        host: node.host.into(),
        port: i32::from(node.port),
        rack: node.rack.map(Into::into),
        ..NodeEndpoint::default()
    };
    nodes.into_iter().map(endpoint).collect()
}

/// Header, range, header, range: what is encoded goes between the ranges that fill the holes.
fn fill(frame: &Frame, ranges: Vec<FileRange>) -> SendPlan {
    let mut plan = SendPlan::new();
    let mut from = 0;
    for ((at, _), range) in frame.holes.iter().zip(ranges) {
        plan.push_bytes(frame.head.slice(from..*at));
        plan.push_file(range);
        from = *at;
    }
    plan.push_bytes(frame.head.slice(from..));
    plan
}
