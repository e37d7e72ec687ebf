//! AddOffsetsToTxn: the offsets of a group take part in a producer's transaction (KIP-98): the partition that keeps the group
//! is added to it. Clients of transaction version 2 leave that to TxnOffsetCommit.

use std::sync::Arc;

use pagewire_coordinate::{partition_for, txn};
use pagewire_wire::{
    ErrorCode,
    messages::{
        add_offsets_to_txn_request::AddOffsetsToTxnRequest,
        add_offsets_to_txn_response::AddOffsetsToTxnResponse,
    },
};

use super::txn_error::fenced_before;
use crate::{
    coordinators::{OFFSETS_TOPIC, txn_error_code},
    request::Context,
};

/// From this version on clients know PRODUCER_FENCED.
const KNOWS_FENCED: i16 = 2;

pub(crate) async fn handle(ctx: Context, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let code = fenced_before(add(&ctx, &request).await, ctx.version, KNOWS_FENCED);
    AddOffsetsToTxnResponse { error_code: code.code(), ..Default::default() }
}

async fn add(ctx: &Context, request: &AddOffsetsToTxnRequest) -> ErrorCode {
    // The group need not exist, its partition must.
    if let Err(refused) = ctx.broker.coordinators().groups().ensure(&ctx.broker).await {
        return refused.code;
    }
    let Some(count) = ctx.broker.image().topic(OFFSETS_TOPIC).map(|topic| topic.partitions.len()) else {
        return ErrorCode::CoordinatorNotAvailable;
    };
    let partition = partition_for(&request.group_id, i32::try_from(count).unwrap_or(i32::MAX));
    let transactional_id = request.transactional_id.to_string();
    let coordinator = ctx.broker.coordinators().transaction_coordinator();
    let answer = coordinator.ask(&ctx.broker, &request.transactional_id, |token| {
        txn::Input::Add(txn::Add {
            token,
            transactional_id: transactional_id.clone(),
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            partitions: vec![(Arc::from(OFFSETS_TOPIC), partition)],
            version: txn::TxnVersion::Classic,
        })
    });
    answer.await.map_or_else(Some, |answer| answer.error()).map_or(ErrorCode::None, txn_error_code)
}
