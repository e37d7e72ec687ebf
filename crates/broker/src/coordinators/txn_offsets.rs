//! Commits of a group within a producer's transaction: the coordinator of transactions is asked before the first of them is
//! written into the group's partition, with a guard against answers that are out of date (KIP-890).

use std::sync::Arc;

use pagewire_coordinate::{Answer, Error, Input, Token, TxnProducer};
use pagewire_log::{Origin, TxnStart};
use pagewire_record::NO_SEQUENCE;

use super::{
    groups::{Groups, answered},
    shard::Shard,
};
use crate::{broker::Broker, clock::now_ms};

/// A group's shard as a producer in a transaction writes to it.
pub(crate) struct InTxn {
    shard: Arc<Shard>,
    origin: Origin,
    /// The coordinator has to be asked about the shard's partition.
    unverified: bool,
}

impl Groups {
    /// The shard of a group. `adds`: the client leaves it to the broker to add the group to the transaction.
    pub(crate) fn shard_in_txn(
        &self,
        broker: &Arc<Broker>,
        group_id: &str,
        producer: TxnProducer,
        adds: bool,
    ) -> Result<InTxn, Error> {
        let shard = self.shard_of(broker, group_id)?;
        // Whoever cannot be answered need not be asked about.
        shard.read(broker, |_| ())?;
        let checks = broker.config().transaction_partition_verification_enable;
        if !checks && !adds {
            return Ok(InTxn { shard, origin: Origin::Coordinator, unverified: false });
        }
        let TxnProducer { producer_id, producer_epoch } = producer;
        let start = TxnStart { producer_id, producer_epoch, base_sequence: NO_SEQUENCE, bumps_epoch: adds };
        let begin = || shard.partition().log.verify(start, now_ms());
        let guard = shard.partition().lane().write(0, begin).map_err(|_| Error::CoordinatorNotAvailable)?;
        let origin = if checks { Origin::CoordinatorInTxn(guard) } else { Origin::Coordinator };
        Ok(InTxn { shard, origin, unverified: guard.is_some() })
    }
}

impl InTxn {
    /// The partition that the coordinator has to be asked about first, if it has.
    pub(crate) fn unverified(&self) -> Option<(Arc<str>, i32)> {
        let partition = self.shard.partition();
        self.unverified.then(|| (Arc::clone(&partition.topic), partition.index))
    }

    /// Puts the commit to the group's machine. What the answer promises is as durable by then as acks=all is.
    pub(crate) async fn ask(
        &self,
        broker: &Arc<Broker>,
        question: impl FnOnce(Token) -> Input,
    ) -> Result<Answer, Error> {
        answered(broker, &self.shard, self.origin, question).await
    }
}
