//! Partitions that take part in a transaction: AddPartitionsToTxn, the offsets' partition of AddOffsetsToTxn, and what a
//! produce request of version 12 or later adds by itself; and the question of partitions whether they do (KIP-890).

use std::sync::Arc;

use super::answer::Answer;
use super::effects::{Effects, Then};
use super::error::Error;
use super::input::Add;
use super::record::TxnRecord;
use super::shard::Shard;
use super::state::TxnState;
use super::transaction::{Kept, Transaction};
use crate::now::Now;

impl Shard {
    pub(super) fn add(&mut self, add: &Add, now: Now, out: &mut Effects) {
        match self.added(add, now) {
            Ok(None) => out.reply(add.token, Answer::Add(None)),
            Ok(Some(record)) => out.append(record, Then::Add { token: add.token }),
            Err(error) => out.reply(add.token, Answer::Add(Some(error))),
        }
    }

    /// The record to write; none if all take part already.
    fn added(&self, add: &Add, now: Now) -> Result<Option<TxnRecord>, Error> {
        let (id, transaction) = self.producing(&add.transactional_id, add.producer_id, add.producer_epoch)?;
        let kept = &transaction.kept;
        let is_in = |(topic, partition): &(Arc<str>, i32)| kept.holds(topic, *partition);
        if kept.state == TxnState::Ongoing && add.partitions.iter().all(is_in) {
            return Ok(None);
        }
        let more = kept.with(&add.partitions, add.version as i16, now.wall_ms);
        self.check_room(id, transaction, &more)?;
        Ok(Some(self.record(id, &more)))
    }

    /// Of each partition whether it takes part.
    ///
    /// # Errors
    /// Nobody can take part: the answer for all of them.
    pub fn verify(
        &self,
        transactional_id: &str,
        producer_id: i64,
        producer_epoch: i16,
        partitions: &[(Arc<str>, i32)],
    ) -> Result<Vec<bool>, Error> {
        let (_, transaction) = self.producing(transactional_id, producer_id, producer_epoch)?;
        let kept = &transaction.kept;
        Ok(partitions.iter().map(|(topic, partition)| kept.holds(topic, *partition)).collect())
    }

    /// The transactional id of a producer that may add to its transaction.
    fn producing(
        &self,
        transactional_id: &str,
        producer_id: i64,
        producer_epoch: i16,
    ) -> Result<(&Arc<str>, &Transaction), Error> {
        if transactional_id.is_empty() {
            return Err(Error::InvalidRequest);
        }
        let known = self.ids.get_key_value(transactional_id);
        let (id, transaction) = known.ok_or(Error::InvalidProducerIdMapping)?;
        if transaction.kept.gives_way_to(producer_id, producer_epoch) {
            return Err(Error::ConcurrentTransactions);
        }
        if transaction.kept.producer_id != producer_id {
            return Err(Error::InvalidProducerIdMapping);
        }
        if transaction.kept.epoch != producer_epoch {
            return Err(Error::ProducerFenced);
        }
        match transaction.kept.state {
            TxnState::PrepareCommit | TxnState::PrepareAbort => Err(Error::ConcurrentTransactions),
            TxnState::Dead | TxnState::PrepareEpochFence => Err(Error::UnknownServerError),
            TxnState::Empty | TxnState::Ongoing | TxnState::CompleteCommit | TxnState::CompleteAbort => {
                Ok((id, transaction))
            }
        }
    }

    /// Whether the transaction may become this large. What it is already can always end.
    fn check_room(&self, id: &Arc<str>, transaction: &Transaction, more: &Kept) -> Result<(), Error> {
        let limits = &self.settings().limits;
        let record_bytes = more.value_bytes() + id.len() + RECORD_BYTES;
        let grown = Transaction { kept: more.clone(), ..transaction.clone() }.bytes(id);
        let taken = grown.saturating_sub(transaction.bytes(id));
        let fits = more.partition_count() <= limits.partitions
            && record_bytes <= limits.append_bytes
            && self.has_bytes_for(taken);
        if fits { Ok(()) } else { Err(Error::UnknownServerError) }
    }
}

/// A record besides its key's text and its value, at most.
const RECORD_BYTES: usize = 32;
