//! DescribeTransactions: where transactional ids stand (KIP-664).

use std::collections::HashSet;

use pagewire_coordinate::txn;
use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        describe_transactions_request::DescribeTransactionsRequest,
        describe_transactions_response::{DescribeTransactionsResponse, TopicData, TransactionState},
    },
};
use tokio::task::consume_budget;

use crate::{
    coordinators::{text, txn_error_code},
    net::Close,
    request::{Context, RESPONSE_BYTES_MAX},
};

/// About the bytes of a transactional id or a topic in an answer.
const WEIGHT: usize = 64;

pub(crate) async fn handle(
    ctx: Context,
    request: DescribeTransactionsRequest,
) -> Result<DescribeTransactionsResponse, Close> {
    let mut response = DescribeTransactionsResponse::default();
    let (mut answered, mut left) = (HashSet::new(), RESPONSE_BYTES_MAX);
    for id in request.transactional_ids {
        consume_budget().await;
        // Named again, it would only be answered again.
        if answered.insert(id.clone()) {
            let state = describe(&ctx, id).await;
            left = left.checked_sub(weight(&state)).ok_or_else(too_much)?;
            response.transaction_states.push(state);
        }
    }
    Ok(response)
}

fn too_much() -> Close {
    Close::because(format_args!("the transactions have more than {RESPONSE_BYTES_MAX} bytes"))
}

fn weight(state: &TransactionState) -> usize {
    let topics = state.topics.iter().map(|topic| WEIGHT + topic.topic.len() + 4 * topic.partitions.len());
    WEIGHT + state.transactional_id.len() + topics.sum::<usize>()
}

async fn describe(ctx: &Context, transactional_id: Str) -> TransactionState {
    let failed = |error: txn::Error| TransactionState {
        error_code: txn_error_code(error).code(),
        transactional_id: transactional_id.clone(),
        ..Default::default()
    };
    if transactional_id.is_empty() {
        return failed(txn::Error::InvalidRequest);
    }
    let coordinator = ctx.broker.coordinators().transaction_coordinator();
    let look = |machine: &txn::Shard| machine.describe(&transactional_id);
    let described = match coordinator.read(&ctx.broker, &transactional_id, look).await {
        Ok(Some(described)) => described,
        Ok(None) => return failed(txn::Error::TransactionalIdNotFound),
        Err(error) => return failed(error),
    };
    let topic = |topic: txn::TxnTopic| TopicData {
        topic: topic.topic.to_string().into(),
        partitions: topic.partitions,
        ..Default::default()
    };
    TransactionState {
        error_code: ErrorCode::None.code(),
        transaction_state: text(described.state.name()),
        transaction_timeout_ms: described.timeout_ms,
        transaction_start_time_ms: described.started_ms,
        producer_id: described.producer_id,
        producer_epoch: described.producer_epoch,
        topics: described.topics.into_iter().map(topic).collect(),
        transactional_id,
        ..Default::default()
    }
}
