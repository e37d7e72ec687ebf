//! InitProducerId: an identity for a producer (KIP-98, KIP-360).
//!
//! Without a transactional id every call answers a fresh id: a producer that lost its state starts over under a new name.
//! With one, the coordinator of transactions says with which id and epoch it goes on, and fences off whoever had them before.

use pagewire_coordinate::txn;
use pagewire_wire::{
    ErrorCode,
    messages::{
        init_producer_id_request::InitProducerIdRequest, init_producer_id_response::InitProducerIdResponse,
    },
};

use super::txn_error::fenced_before;
use crate::{coordinators::txn_error_code, request::Context};

/// From this version on clients know PRODUCER_FENCED.
const KNOWS_FENCED: i16 = 4;

pub(crate) async fn handle(ctx: Context, request: InitProducerIdRequest) -> InitProducerIdResponse {
    // A producer knows both its id and its epoch, or neither.
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return refused(ErrorCode::InvalidRequest);
    }
    if request.transactional_id.is_some() {
        return with_transactions(&ctx, &request).await;
    }
    match ctx.broker.cluster().next_producer_id().await {
        Ok(producer_id) => InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() },
        Err(error) => {
            // The metadata says once what keeps it from changing; clients ask again and again.
            tracing::debug!(%error, "no producer id could be allocated");
            refused(ErrorCode::CoordinatorNotAvailable)
        }
    }
}

async fn with_transactions(ctx: &Context, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let transactional_id = request.transactional_id.as_deref().unwrap_or_default().to_owned();
    // Kafka looks at the request before it looks for the coordinator.
    if transactional_id.is_empty() {
        return refused(ErrorCode::InvalidRequest);
    }
    let expected = (request.producer_id != -1).then_some((request.producer_id, request.producer_epoch));
    let coordinator = ctx.broker.coordinators().transaction_coordinator();
    let answer = coordinator.ask(&ctx.broker, &transactional_id, |token| {
        txn::Input::Init(txn::Init {
            token,
            transactional_id: transactional_id.clone(),
            timeout_ms: request.transaction_timeout_ms,
            expected,
        })
    });
    match answer.await {
        Ok(txn::Answer::Init(txn::Producer { error: None, id, epoch })) => {
            InitProducerIdResponse { producer_id: id, producer_epoch: epoch, ..Default::default() }
        }
        Ok(answer) => {
            let code = answer.error().map_or(ErrorCode::UnknownServerError, txn_error_code);
            refused(fenced_before(code, ctx.version, KNOWS_FENCED))
        }
        Err(error) => refused(txn_error_code(error)),
    }
}

fn refused(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    }
}
