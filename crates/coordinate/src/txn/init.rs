//! InitProducerId with a transactional id: a producer begins, or goes on after an error (KIP-360), and whoever had the id
//! before is fenced off by the next epoch. An open transaction of its predecessor is aborted first.

use std::sync::Arc;

use super::answer::{Answer, Producer};
use super::effects::{Effects, Then, Why};
use super::error::Error;
use super::input::Init;
use super::record::NO_PRODUCER_EPOCH;
use super::shard::Shard;
use super::state::TxnState;
use super::transaction::{Kept, Transaction};
use crate::now::Now;

/// What a producer gets.
struct Next {
    producer_id: i64,
    epoch: i16,
    /// The epoch with which it may ask once more for the same.
    last_epoch: i16,
}

impl Shard {
    pub(super) fn init(&mut self, init: &Init, now: Now, out: &mut Effects) {
        if let Err(error) = self.try_init(init, now, out) {
            out.reply(init.token, Answer::refuse_init(error));
        }
    }

    fn try_init(&mut self, init: &Init, now: Now, out: &mut Effects) -> Result<(), Error> {
        if init.transactional_id.is_empty() {
            return Err(Error::InvalidRequest);
        }
        if !(1..=self.settings().max_timeout_ms).contains(&init.timeout_ms) {
            return Err(Error::InvalidTransactionTimeout);
        }
        let Some((id, transaction)) = self.ids.get_key_value(&*init.transactional_id) else {
            return self.init_new(init, now, out);
        };
        let (id, kept) = (id.clone(), transaction.kept.clone());
        if init.expected.is_some_and(|(producer_id, epoch)| !may_go_on(&kept, producer_id, epoch)) {
            return Err(Error::ProducerFenced);
        }
        match kept.state {
            TxnState::Ongoing => self.fence(&id, &kept, init, now, out),
            TxnState::Empty | TxnState::CompleteCommit | TxnState::CompleteAbort => {
                let last_epoch = transaction.last_epoch;
                let next = self.next(&kept, last_epoch, init.expected.map(|(_, epoch)| epoch))?;
                self.begin(&id, &kept, &next, init, now, out);
                Ok(())
            }
            // Never written down by a coordinator: whatever wrote it does not end it.
            TxnState::Dead | TxnState::PrepareEpochFence => Err(Error::UnknownServerError),
            TxnState::PrepareCommit | TxnState::PrepareAbort => Err(Error::ConcurrentTransactions),
        }
    }

    fn init_new(&mut self, init: &Init, now: Now, out: &mut Effects) -> Result<(), Error> {
        let limits = &self.settings().limits;
        if init.transactional_id.len() > limits.name_bytes {
            return Err(Error::InvalidRequest);
        }
        let full = self.ids.len() >= limits.ids;
        let newcomer = Transaction::of(Kept::new(0, init.timeout_ms, now.wall_ms));
        if full || !self.has_bytes_for(newcomer.bytes(&init.transactional_id)) {
            return Err(Error::PolicyViolation);
        }
        let producer_id = self.take_producer_id()?;
        let kept = Kept::new(producer_id, init.timeout_ms, now.wall_ms);
        let next = Next { producer_id, epoch: 0, last_epoch: NO_PRODUCER_EPOCH };
        self.begin(&Arc::from(init.transactional_id.as_str()), &kept, &next, init, now, out);
        Ok(())
    }

    /// The next epoch, or another producer id where the epochs are used up.
    fn next(&mut self, kept: &Kept, last_epoch: i16, expected: Option<i16>) -> Result<Next, Error> {
        let producer_id = kept.producer_id;
        match expected {
            Some(epoch) if epoch != kept.epoch => {
                // It has not heard of the epoch that it was given. One that is not there fences nobody off.
                let missed_the_answer = epoch == last_epoch && epoch != NO_PRODUCER_EPOCH;
                let next = Next { producer_id, epoch: kept.epoch, last_epoch };
                missed_the_answer.then_some(next).ok_or(Error::ProducerFenced)
            }
            _ => {
                let last_epoch = expected.unwrap_or(NO_PRODUCER_EPOCH);
                if kept.is_exhausted() {
                    return Ok(Next { producer_id: self.take_producer_id()?, epoch: 0, last_epoch });
                }
                Ok(Next { producer_id, epoch: kept.epoch + 1, last_epoch })
            }
        }
    }

    /// Aborts what is open, so that its producer hears of it; the successor comes back.
    fn fence(
        &mut self,
        id: &Arc<str>,
        kept: &Kept,
        init: &Init,
        now: Now,
        out: &mut Effects,
    ) -> Result<(), Error> {
        let why = Why::Fenced { token: init.token };
        self.abort_unasked(id, kept, why, now, out)
    }

    fn begin(&self, id: &Arc<str>, kept: &Kept, next: &Next, init: &Init, now: Now, out: &mut Effects) {
        let begun = kept.begun(next.producer_id, next.epoch, init.timeout_ms, now.wall_ms);
        let answer = Producer::of(next.producer_id, next.epoch);
        let then = Then::Init { token: init.token, answer, last_epoch: next.last_epoch };
        out.append(self.record(id, &begun), then);
    }
}

/// Whether the one who asks may be the producer that has the id now: it names the producer id in use, or the one before
/// with its last epoch, whose successor it has not heard of, or the next one already.
const fn may_go_on(kept: &Kept, producer_id: i64, epoch: i16) -> bool {
    kept.epoch == NO_PRODUCER_EPOCH
        || kept.gives_way_to(producer_id, epoch)
        || producer_id == kept.producer_id
        || (producer_id == kept.previous_producer_id && Kept::is_last(epoch))
}
