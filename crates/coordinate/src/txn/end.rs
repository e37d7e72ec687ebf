//! EndTxn: a producer commits or aborts. What it means depends on the state and on whether the request is a new one or came
//! before: by the rules of version 1 the state says so, by those of version 2 (KIP-890) the epoch, which every end raises.
//!
//! ```text
//!   version 1            abort                commit              version 2          abort             commit
//!   epoch of the id      ────────────────────────────             epoch              before  current   before  current
//!   Empty                INVALID_TXN_STATE    INVALID_TXN_STATE   Empty              fenced  begins    fenced  INVALID_TXN_STATE
//!   Ongoing              begins               begins              Ongoing            fenced  begins    fenced  begins
//!   PrepareAbort         CONCURRENT           INVALID_TXN_STATE   PrepareAbort       CONCUR. fenced    INVALID fenced
//!   PrepareCommit        INVALID_TXN_STATE    CONCURRENT          PrepareCommit      INVALID fenced    CONCUR. fenced
//!   CompleteAbort        done                 INVALID_TXN_STATE   CompleteAbort      done    begins    INVALID INVALID
//!   CompleteCommit       INVALID_TXN_STATE    done                CompleteCommit     INVALID begins    done    INVALID
//!   other epochs         fenced               fenced              other epochs       fenced  fenced    fenced  fenced
//! ```
//!
//! The decision is written first, then the markers, then that they are written. The producer hears of it when its markers are
//! written, so that whoever reads afterwards sees the transaction whole; if one of them has to be tried again or takes long, at
//! once, for what is decided stays so.

use std::sync::Arc;

use super::answer::{Answer, Producer};
use super::effects::{Effects, Then, Why};
use super::error::Error;
use super::input::{End, TxnVersion};
use super::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use super::shard::Shard;
use super::state::{Outcome, TxnState};
use super::transaction::Kept;
use crate::now::Now;

/// What an EndTxn comes to.
enum Verdict {
    /// The end is to be decided.
    Begin,
    /// It was done before.
    Done,
}

/// How a transaction ends, and the epoch that its producer knows.
struct Decision {
    prepared: Kept,
    last_epoch: i16,
}

impl Shard {
    pub(super) fn end(&mut self, end: &End, now: Now, out: &mut Effects) {
        if let Err(error) = self.try_end(end, now, out) {
            out.reply(end.token, Answer::End(Producer::refused(error)));
        }
    }

    fn try_end(&mut self, end: &End, now: Now, out: &mut Effects) -> Result<(), Error> {
        if end.transactional_id.is_empty() {
            return Err(Error::InvalidRequest);
        }
        let known = self.ids.get_key_value(&*end.transactional_id);
        let (id, transaction) = known.ok_or(Error::InvalidProducerIdMapping)?;
        let (id, kept) = (id.clone(), transaction.kept.clone());
        let verdict = match end.version {
            TxnVersion::Classic => classic(&kept, end)?,
            TxnVersion::EpochPerTransaction => by_epoch(&kept, end)?,
        };
        match verdict {
            Verdict::Done => {
                let answer = match end.version {
                    TxnVersion::Classic => Producer::NOBODY,
                    TxnVersion::EpochPerTransaction => Producer::of(kept.producer_id, kept.epoch),
                };
                out.reply(end.token, Answer::End(answer));
            }
            Verdict::Begin => {
                let decision = self.decide(&id, &kept, end.outcome, end.version, now)?;
                let answer = match end.version {
                    TxnVersion::Classic => Producer::NOBODY,
                    TxnVersion::EpochPerTransaction => {
                        let (producer_id, epoch) = decision.prepared.producer_after_end();
                        Producer::of(producer_id, epoch)
                    }
                };
                self.write(&id, &decision, Why::Asked { token: end.token, answer }, out);
            }
        }
        Ok(())
    }

    fn decide(
        &mut self,
        id: &str,
        kept: &Kept,
        outcome: Outcome,
        version: TxnVersion,
        now: Now,
    ) -> Result<Decision, Error> {
        let raises = version == TxnVersion::EpochPerTransaction;
        let next_id = if raises && kept.is_exhausted() { self.take_producer_id()? } else { NO_PRODUCER_ID };
        let prepared = kept.prepared(outcome, version as i16, next_id, now.wall_ms);
        Ok(Decision { prepared, last_epoch: if raises { kept.epoch } else { self.last_epoch(id) } })
    }

    fn write(&self, id: &Arc<str>, decision: &Decision, why: Why, out: &mut Effects) {
        let then = Then::Prepare { why, last_epoch: decision.last_epoch };
        out.append(self.record(id, &decision.prepared), then);
    }

    /// Aborts what its producer did not ask to abort: somebody else has the transactional id now, or its time is up. Its producer
    /// hears of that by the next epoch, by the rules of either version; by those before 2 nobody goes on from the one before.
    pub(super) fn abort_unasked(
        &mut self,
        id: &Arc<str>,
        kept: &Kept,
        why: Why,
        now: Now,
        out: &mut Effects,
    ) -> Result<(), Error> {
        let version = TxnVersion::EpochPerTransaction;
        let decision = if self.own_level >= version as i16 {
            self.decide(id, kept, Outcome::Abort, version, now)?
        } else {
            let prepared = kept.fenced(self.own_level, now.wall_ms);
            Decision { prepared, last_epoch: NO_PRODUCER_EPOCH }
        };
        self.write(id, &decision, why, out);
        Ok(())
    }

    fn last_epoch(&self, id: &str) -> i16 {
        self.ids.get(id).map_or(NO_PRODUCER_EPOCH, |transaction| transaction.last_epoch)
    }
}

/// By the rules of version 1.
fn classic(kept: &Kept, end: &End) -> Result<Verdict, Error> {
    if kept.producer_id != end.producer_id {
        return Err(Error::InvalidProducerIdMapping);
    }
    if kept.epoch != end.producer_epoch {
        return Err(Error::ProducerFenced);
    }
    match kept.state {
        TxnState::Ongoing => Ok(Verdict::Begin),
        state if state == end.outcome.complete() => Ok(Verdict::Done),
        state if state == end.outcome.prepared() => Err(Error::ConcurrentTransactions),
        _ => Err(Error::InvalidTxnState),
    }
}

/// By the rules of version 2.
fn by_epoch(kept: &Kept, end: &End) -> Result<Verdict, Error> {
    let (producer_id, epoch) = (end.producer_id, end.producer_epoch);
    // The producer ended with its last epoch, and the id that it was given then is in use.
    let came_before_the_turn =
        kept.previous_producer_id == producer_id && epoch == i16::MAX - 1 && kept.epoch == 0;
    let came_before = i32::from(kept.epoch) == i32::from(epoch) + 1;
    let current = kept.epoch == epoch;
    let prepares = matches!(kept.state, TxnState::PrepareCommit | TxnState::PrepareAbort);
    // It has heard how it goes on, and the transaction before is not over yet, or again not since a restart.
    if kept.gives_way_to(producer_id, epoch) || prepares && current && kept.producer_id == producer_id {
        return Err(Error::ConcurrentTransactions);
    }
    if kept.producer_id != producer_id && !came_before_the_turn {
        return Err(Error::InvalidProducerIdMapping);
    }
    let known = match kept.state {
        TxnState::PrepareCommit | TxnState::PrepareAbort => came_before,
        TxnState::CompleteCommit | TxnState::CompleteAbort => came_before || came_before_the_turn || current,
        _ => current,
    };
    if !known {
        return Err(Error::ProducerFenced);
    }
    let retried = came_before || came_before_the_turn;
    match (kept.state, end.outcome) {
        (TxnState::Ongoing, _) | (TxnState::Empty, Outcome::Abort) => Ok(Verdict::Begin),
        (TxnState::CompleteCommit | TxnState::CompleteAbort, Outcome::Abort) if !retried => {
            Ok(Verdict::Begin)
        }
        (state, outcome) if state == outcome.complete() && retried => Ok(Verdict::Done),
        (state, outcome) if state == outcome.prepared() => Err(Error::ConcurrentTransactions),
        _ => Err(Error::InvalidTxnState),
    }
}
