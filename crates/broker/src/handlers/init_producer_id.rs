//! InitProducerId: an identity for an idempotent producer (KIP-98, KIP-360).
//!
//! Without a transactional id every call answers a fresh id: a producer that lost its state starts over under a new
//! name. Transactional ids are refused with an error that clients take as final, until transactions are served.

use pagewire_wire::{
    ErrorCode,
    messages::{
        init_producer_id_request::InitProducerIdRequest, init_producer_id_response::InitProducerIdResponse,
    },
};

use crate::request::Context;

pub(crate) async fn handle(ctx: Context, request: InitProducerIdRequest) -> InitProducerIdResponse {
    // A producer knows both its id and its epoch, or neither.
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return refused(ErrorCode::InvalidRequest);
    }
    match request.transactional_id {
        Some(id) if id.is_empty() => return refused(ErrorCode::InvalidRequest),
        Some(_) => return refused(ErrorCode::UnsupportedVersion),
        None => {}
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

fn refused(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    }
}
