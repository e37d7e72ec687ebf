//! A request that writes into a transaction: its coordinator must know of each partition before the first batch of the
//! transaction is appended there, or no marker would ever end it there (KIP-890). Clients up to Produce 11 tell the
//! coordinator themselves, which is checked; for later ones it is told here.
//!
//! Asked once for all partitions of the request where the transaction is not open yet; where it is open nothing is asked.

use std::{collections::HashMap, sync::Arc};

use pagewire_log::{Guard, Origin, TxnStart};
use pagewire_record::BatchHeader;
use pagewire_wire::{ErrorCode, messages::produce_request::ProduceRequest};

use super::failure::Failure;
use crate::{
    aside::aside,
    clock::now_ms,
    coordinators::{TxnQuestion, verify_patiently},
    partition::Partition,
    request::Context,
};

/// First version whose clients leave it to the broker to add partitions.
const ADDS_PARTITIONS: i16 = 12;
/// First version whose clients know TRANSACTION_ABORTABLE.
const SAYS_ABORTABLE: i16 = 11;

/// A partition, and the transactional batch it is to get.
pub(super) struct Target {
    pub(super) partition: Arc<Partition>,
    pub(super) header: BatchHeader,
}

/// The transaction of a request.
pub(super) struct Txn {
    transactional_id: String,
    adds: bool,
    says_abortable: bool,
    /// `transaction.partition.verification.enable`.
    checks: bool,
    /// What the coordinator said of partitions, by topic and number.
    verdicts: HashMap<(Arc<str>, i32), Result<Guard, ErrorCode>>,
}

impl Txn {
    pub(super) fn of(ctx: &Context, request: &ProduceRequest) -> Option<Self> {
        Some(Self {
            transactional_id: request.transactional_id.as_ref()?.to_string(),
            adds: ctx.version >= ADDS_PARTITIONS,
            says_abortable: ctx.version >= SAYS_ABORTABLE,
            checks: ctx.broker.config().transaction_partition_verification_enable,
            verdicts: HashMap::new(),
        })
    }

    /// Whether the transaction is not open yet in one of these.
    pub(super) fn must_ask(&self, targets: &[Target]) -> bool {
        let is_open = |target: &Target| {
            let BatchHeader { producer_id, producer_epoch, .. } = target.header;
            let look = || target.partition.log.is_in_transaction(producer_id, producer_epoch);
            target.partition.lane().write(0, look).unwrap_or(false)
        };
        (self.checks || self.adds) && !targets.iter().all(is_open)
    }

    /// Asks about them.
    pub(super) async fn verify(&mut self, ctx: &Context, targets: Vec<Target>) {
        if !self.checks && !self.adds {
            return;
        }
        let now_ms = now_ms();
        let mut guards = Vec::new();
        let mut asked = Vec::new();
        let mut producer = None;
        for Target { partition, header } in targets {
            let begin = || partition.log.verify(TxnStart::of(&header, self.adds), now_ms);
            match partition.lane().write(0, begin) {
                Ok(Some(guard)) => {
                    guards.push(guard);
                    producer = Some((header.producer_id, header.producer_epoch));
                    asked.push(partition);
                }
                Ok(None) => {}
                Err(_) => {
                    let verdict = Err(ErrorCode::KafkaStorageError);
                    self.verdicts.insert((Arc::clone(&partition.topic), partition.index), verdict);
                }
            }
        }
        let Some((producer_id, producer_epoch)) = producer else { return };
        let partitions = asked.iter().map(|one| (Arc::clone(&one.topic), one.index));
        let question = TxnQuestion {
            transactional_id: self.transactional_id.clone(),
            producer_id,
            producer_epoch,
            partitions: partitions.collect(),
            add: self.adds,
        };
        let answers = verify_patiently(&ctx.broker, question, self.says_abortable).await;
        let mut answers = answers.into_iter();
        for (partition, guard) in asked.into_iter().zip(guards) {
            let verdict = match answers.next() {
                Some(ErrorCode::None) => Ok(guard),
                code => {
                    let code = code.unwrap_or(ErrorCode::UnknownServerError);
                    // Who is told anything else tries again, and its batches have to come in their order then.
                    if is_over(code) {
                        let refuse = || partition.log.refuse_guard((producer_id, producer_epoch), guard);
                        if partition.lane().write(0, refuse).is_err() {
                            aside(true, refuse);
                        }
                    }
                    Err(code)
                }
            };
            self.verdicts.insert((Arc::clone(&partition.topic), partition.index), verdict);
        }
    }

    /// Whether the coordinator had nothing against the partition.
    pub(super) fn verdict(&self, partition: &Partition) -> Result<(), Failure> {
        match self.of_partition(partition) {
            Some(Err(code)) => Err(refused(*code)),
            _ => Ok(()),
        }
    }

    /// As whom a batch of the transaction is appended.
    pub(super) fn origin(&self, partition: &Partition) -> Origin {
        if !self.checks {
            return Origin::Client;
        }
        Origin::ClientInTxn(self.of_partition(partition).and_then(|verdict| (*verdict).ok()))
    }

    fn of_partition(&self, partition: &Partition) -> Option<&Result<Guard, ErrorCode>> {
        self.verdicts.get(&(Arc::clone(&partition.topic), partition.index))
    }
}

/// Whether the producer's epoch can do nothing more.
fn is_over(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::InvalidProducerEpoch | ErrorCode::InvalidProducerIdMapping | ErrorCode::ProducerFenced
    )
}

/// What the client is told.
fn refused(code: ErrorCode) -> Failure {
    match code {
        ErrorCode::InvalidTxnState => Failure::with(code, "the transaction does not have the partition"),
        // Older clients do not retry these here as they should. This one they do, and look for no other leader.
        ErrorCode::ConcurrentTransactions
        | ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator => Failure::with(
            ErrorCode::NotEnoughReplicas,
            format!("it is not known yet whether the transaction has the partition: {}", code.name()),
        ),
        code => Failure::code(code),
    }
}

#[cfg(test)]
#[path = "txn_tests.rs"]
mod tests;
