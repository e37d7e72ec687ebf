//! EndTxn: a producer commits or aborts (KIP-98). From version 5 on the answer has the epoch, or the other producer id, with
//! which it goes on (KIP-890).

use pagewire_coordinate::txn;
use pagewire_wire::{
    ErrorCode,
    messages::{end_txn_request::EndTxnRequest, end_txn_response::EndTxnResponse},
};

use super::txn_error::fenced_before;
use crate::{coordinators::txn_error_code, request::Context};

/// From this version on every end raises the epoch.
const RAISES_EPOCH: i16 = 5;
/// From this version on clients know PRODUCER_FENCED.
const KNOWS_FENCED: i16 = 2;

pub(crate) async fn handle(ctx: Context, request: EndTxnRequest) -> EndTxnResponse {
    let transactional_id = request.transactional_id.to_string();
    let outcome = if request.committed { txn::Outcome::Commit } else { txn::Outcome::Abort };
    let version = if ctx.version < RAISES_EPOCH {
        txn::TxnVersion::Classic
    } else {
        txn::TxnVersion::EpochPerTransaction
    };
    let coordinator = ctx.broker.coordinators().transaction_coordinator();
    let answer = coordinator.ask(&ctx.broker, &request.transactional_id, |token| {
        txn::Input::End(txn::End {
            token,
            transactional_id: transactional_id.clone(),
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            outcome,
            version,
        })
    });
    let (code, producer_id, producer_epoch) = match answer.await {
        Ok(txn::Answer::End(txn::Producer { error: None, id, epoch })) => (ErrorCode::None, id, epoch),
        Ok(answer) => (answer.error().map_or(ErrorCode::UnknownServerError, txn_error_code), -1, -1),
        Err(error) => (txn_error_code(error), -1, -1),
    };
    let error_code = fenced_before(code, ctx.version, KNOWS_FENCED).code();
    EndTxnResponse { error_code, producer_id, producer_epoch, ..Default::default() }
}
