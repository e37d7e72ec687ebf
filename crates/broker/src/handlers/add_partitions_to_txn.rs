//! AddPartitionsToTxn: partitions take part in a producer's transaction from now on (KIP-98). From version 4 on brokers ask it
//! of each other, for many transactions at once, and may only ask whether partitions take part (KIP-890).
//!
//! All partitions of a transaction are added, or none: where one of them cannot be, the others are OPERATION_NOT_ATTEMPTED.

use std::{collections::HashSet, sync::Arc};

use pagewire_coordinate::txn;
use pagewire_wire::{
    ErrorCode,
    messages::{
        add_partitions_to_txn_request::{
            AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
        },
        add_partitions_to_txn_response::{
            AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
            AddPartitionsToTxnTopicResult,
        },
    },
};
use tokio::task::consume_budget;

use super::txn_error::fenced_before;
use crate::{
    coordinators::{TxnQuestion, verify_with},
    request::Context,
};

/// From this version on a request has many transactions.
const BATCHED: i16 = 4;
/// From this version on clients know PRODUCER_FENCED.
const KNOWS_FENCED: i16 = 2;

pub(crate) async fn handle(ctx: Context, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
    if ctx.version < BATCHED {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            verify_only: false,
            topics: request.v3_and_below_topics,
            ..Default::default()
        };
        let results_by_topic_v3_and_below = add(&ctx, &transaction).await;
        return AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() };
    }
    let mut response = AddPartitionsToTxnResponse::default();
    for transaction in request.transactions {
        consume_budget().await;
        let topic_results = add(&ctx, &transaction).await;
        response.results_by_transaction.push(AddPartitionsToTxnResult {
            transactional_id: transaction.transactional_id,
            topic_results,
            ..Default::default()
        });
    }
    response
}

/// The answers for one transaction, in the order of its partitions.
async fn add(
    ctx: &Context,
    transaction: &AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let partitions = distinct(&transaction.topics);
    let mut codes = refusals(ctx, &partitions);
    if codes.iter().all(|code| *code == ErrorCode::None) {
        codes = ask(ctx, transaction, &partitions).await;
    }
    let mut results: Vec<AddPartitionsToTxnTopicResult> = Vec::new();
    for ((name, partition_index), code) in partitions.into_iter().zip(codes) {
        let result = AddPartitionsToTxnPartitionResult {
            partition_index,
            partition_error_code: code.code(),
            ..Default::default()
        };
        match results.last_mut().filter(|topic| *topic.name == *name) {
            Some(topic) => topic.results_by_partition.push(result),
            None => results.push(AddPartitionsToTxnTopicResult {
                name: name.to_string().into(),
                results_by_partition: vec![result],
                ..Default::default()
            }),
        }
    }
    results
}

/// What is asked twice is answered once.
fn distinct(topics: &[AddPartitionsToTxnTopic]) -> Vec<(Arc<str>, i32)> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for topic in topics {
        let name: Arc<str> = Arc::from(&*topic.name);
        for partition in &topic.partitions {
            if seen.insert((Arc::clone(&name), *partition)) {
                all.push((Arc::clone(&name), *partition));
            }
        }
    }
    all
}

/// What keeps partitions out of any transaction; where something does, the others are not tried.
fn refusals(ctx: &Context, partitions: &[(Arc<str>, i32)]) -> Vec<ErrorCode> {
    let image = ctx.broker.image();
    let refusal = |(topic, partition): &(Arc<str>, i32)| match image.topic(topic) {
        Some(entry) if entry.internal && ctx.version < BATCHED => ErrorCode::TopicAuthorizationFailed,
        Some(entry) if entry.partition(*partition).is_some() => ErrorCode::None,
        _ => ErrorCode::UnknownTopicOrPartition,
    };
    let mut codes: Vec<ErrorCode> = partitions.iter().map(refusal).collect();
    if codes.iter().any(|code| *code != ErrorCode::None) {
        for code in codes.iter_mut().filter(|code| **code == ErrorCode::None) {
            *code = ErrorCode::OperationNotAttempted;
        }
    }
    codes
}

async fn ask(
    ctx: &Context,
    transaction: &AddPartitionsToTxnTransaction,
    partitions: &[(Arc<str>, i32)],
) -> Vec<ErrorCode> {
    let question = TxnQuestion {
        transactional_id: transaction.transactional_id.to_string(),
        producer_id: transaction.producer_id,
        producer_epoch: transaction.producer_epoch,
        partitions: partitions.to_vec(),
        add: !transaction.verify_only,
    };
    let version =
        if ctx.version < BATCHED { txn::TxnVersion::Classic } else { txn::TxnVersion::EpochPerTransaction };
    let codes = verify_with(&ctx.broker, question, version).await;
    codes.into_iter().map(|code| fenced_before(code, ctx.version, KNOWS_FENCED)).collect()
}
