//! What comes to a partition: batches, and the coordinator's word on them.

use std::rc::Rc;
use std::sync::Arc;

use pagewire_coordinate::Token;
use pagewire_coordinate::txn::{Answer, Error, Marked, TxnVersion};
use pagewire_log::AppendError;

use crate::leader::{Batch, Leader, Marker};
use crate::world::coordinator::Waiting;
use crate::world::{ID, TOPIC, World, add};

impl World {
    pub(super) fn leader(&mut self, partition: i32) -> &mut Leader {
        Rc::make_mut(&mut self.partitions[partition as usize])
    }

    /// A batch comes to its partition. Whether the coordinator was asked about it.
    pub(super) fn come(&mut self, token: Token, partition: i32, batch: Batch, version: TxnVersion) -> bool {
        let leader = self.leader(partition);
        if leader.is_gone || !leader.asks(token.0, batch) {
            return false;
        }
        match version {
            TxnVersion::EpochPerTransaction => self.ask(add(token, batch.producer, partition, version)),
            TxnVersion::Classic => self.verify(token, batch.producer, partition),
        }
        true
    }

    /// The coordinator says whether a partition takes part, once that is durable.
    fn verify(&mut self, token: Token, (id, epoch): (i64, i16), partition: i32) {
        let error = match self.shard.verify(ID, id, epoch, &[(Arc::from(TOPIC), partition)]) {
            Ok(each) if each == [true] => None,
            Ok(_) => Some(Error::TransactionAbortable),
            Err(error) => Some(error),
        };
        let stable_at = self.log.len();
        self.replies.push(Waiting { token: token.0, answer: Answer::Add(error), stable_at });
    }

    pub(super) fn append(&mut self, token: Token, partition: i32, batch: Batch) -> Option<Error> {
        let checks = self.checks;
        let leader = self.leader(partition);
        if leader.is_gone {
            return Some(Error::InvalidRequest);
        }
        match leader.append(token.0, batch, checks) {
            Ok(()) => None,
            Err(AppendError::InvalidProducerEpoch { .. }) => Some(Error::ProducerFenced),
            Err(_) => Some(Error::InvalidTxnState),
        }
    }

    pub(super) fn answer_at_once(&mut self, token: Token, error: Option<Error>) {
        self.replies.push(Waiting { token: token.0, answer: Answer::Add(error), stable_at: 0 });
    }

    /// The coordinator's answer about a batch of this one.
    pub(super) fn said_of(&mut self, token: u64, partition: i32, producer: (i64, i16), error: Option<Error>) {
        let is_over = matches!(error, Some(Error::InvalidProducerIdMapping | Error::ProducerFenced));
        if is_over && !self.partitions[partition as usize].is_gone {
            self.leader(partition).refuse(token, producer);
        }
    }

    /// A marker is written, as a partition's leader takes it; the last one is handed back.
    pub(super) fn mark(&mut self, at: usize, partition: i32) {
        let sending = &mut self.sending[at];
        let (markers, of) = (&sending.markers, &sending.markers.of);
        let leader = Rc::make_mut(&mut self.partitions[partition as usize]);
        if leader.is_gone {
            sending.done.push((partition, Marked::Gone));
        } else {
            leader.mark(Marker {
                producer: (of.producer_id, of.producer_epoch),
                coordinator_epoch: markers.coordinator_epoch,
                version: markers.version,
                outcome: markers.outcome,
            });
            sending.done.push((partition, Marked::Written));
        }
        if sending.missing().next().is_none() {
            let sending = self.sending.remove(at);
            let effects = self.shard.markers_written(&sending.markers.of, &sending.verdicts(), self.now());
            self.act(effects);
        }
    }
}
