//! Answers for whoever takes transactional batches: does a partition take part, and if it does not, may it (KIP-890).

use std::sync::Arc;

use futures_util::future::BoxFuture;
use pagewire_coordinate::txn;
use pagewire_wire::ErrorCode;

use super::super::verify::{Transactions, TxnQuestion};
use crate::broker::Broker;

/// The coordinator of this node, as partitions ask it.
pub(crate) struct Here;

impl Transactions for Here {
    fn verify(&self, broker: &Arc<Broker>, question: TxnQuestion) -> BoxFuture<'static, Vec<ErrorCode>> {
        let broker = Arc::clone(broker);
        Box::pin(async move { verify_with(&broker, question, txn::TxnVersion::EpochPerTransaction).await })
    }
}

/// An answer for each partition, in the order of the question. What is added is added by the rules of `version`.
pub(crate) async fn verify_with(
    broker: &Arc<Broker>,
    question: TxnQuestion,
    version: txn::TxnVersion,
) -> Vec<ErrorCode> {
    let count = question.partitions.len();
    match answer(broker, question, version).await {
        Ok(each) => each,
        Err(error) => vec![txn_error_code(error); count],
    }
}

async fn answer(
    broker: &Arc<Broker>,
    question: TxnQuestion,
    version: txn::TxnVersion,
) -> Result<Vec<ErrorCode>, txn::Error> {
    let transactions = broker.coordinators().transaction_coordinator();
    let TxnQuestion { transactional_id: id, producer_id, producer_epoch, partitions, add } = question;
    if !add {
        let look = |machine: &txn::Shard| machine.verify(&id, producer_id, producer_epoch, &partitions);
        let each = transactions.read(broker, &id, look).await??;
        let code = |is_in: bool| if is_in { ErrorCode::None } else { ErrorCode::TransactionAbortable };
        return Ok(each.into_iter().map(code).collect());
    }
    let answer = transactions.ask(broker, &id, |token| {
        txn::Input::Add(txn::Add {
            token,
            transactional_id: id.clone(),
            producer_id,
            producer_epoch,
            partitions: partitions.clone(),
            version,
        })
    });
    match answer.await?.error() {
        None => Ok(vec![ErrorCode::None; partitions.len()]),
        Some(error) => Err(error),
    }
}

/// The protocol's word for what the coordinator says.
pub(crate) fn txn_error_code(error: txn::Error) -> ErrorCode {
    ErrorCode::from_code(error.code()).unwrap_or(ErrorCode::UnknownServerError)
}
