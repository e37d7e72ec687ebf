//! Producers whose transaction the coordinator is asked about before it begins in this partition (KIP-890).
//!
//! ```text
//!   verify ─▶ a guard ─▶ the coordinator says yes ─▶ append with the guard ─▶ the transaction is open here
//!                  └─ a marker, or another batch of the transaction, takes the guard away: the answer is out of date
//! ```
//!
//! Without it a batch that was under way for long would open a transaction that its coordinator has ended already, and
//! nothing would ever end it again. Pure; nothing of it is kept over a restart, when whoever asked has no answer either.

use std::collections::HashMap;

use pagewire_record::BatchHeader;

use crate::errors::AppendError;
use crate::log::Log;

/// Producers of one partition that may be asked about at the same time. One more takes the place of the one about which nobody
/// has asked for longest, whose batch is refused then.
const ASKED_MAX: usize = 1024;

/// Shown by an append to prove that the coordinator's answer is about the transaction that is under way now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard(u64);

/// The batch that a transaction would begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxnStart {
    /// Whose it is.
    pub producer_id: i64,
    /// Of the producer.
    pub producer_epoch: i16,
    /// Of its first record; -1 of what a coordinator writes.
    pub base_sequence: i32,
    /// The producer gets an epoch of its own for each transaction (transaction version 2), and begins each with sequence 0.
    pub bumps_epoch: bool,
}

impl TxnStart {
    /// That of a batch.
    pub fn of(header: &BatchHeader, bumps_epoch: bool) -> Self {
        let BatchHeader { producer_id, producer_epoch, base_sequence, .. } = *header;
        Self { producer_id, producer_epoch, base_sequence, bumps_epoch }
    }
}

/// What is known of a producer that is asked about.
#[derive(Debug, Clone, Copy)]
struct Asked {
    guard: Guard,
    /// When it was asked about last.
    last_ms: i64,
    epoch: i16,
    /// The lowest sequence that was seen: what comes before it would be refused for ever if one after it was appended.
    lowest_sequence: i32,
    bumps_epoch: bool,
}

/// All of one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verifications {
    asked: HashMap<i64, Asked>,
    last_guard: u64,
}

impl Verifications {
    pub(crate) fn begin(&mut self, start: TxnStart, now_ms: i64) -> Guard {
        let TxnStart { producer_id, producer_epoch, base_sequence, bumps_epoch } = start;
        if !self.asked.contains_key(&producer_id) && self.asked.len() >= ASKED_MAX {
            let oldest = self.asked.iter().min_by_key(|(id, asked)| (asked.last_ms, **id));
            if let Some(id) = oldest.map(|(id, _)| *id) {
                self.asked.remove(&id);
            }
        }
        let asked = self.asked.entry(producer_id).or_insert_with(|| {
            self.last_guard += 1;
            Asked {
                guard: Guard(self.last_guard),
                last_ms: now_ms,
                epoch: producer_epoch,
                lowest_sequence: base_sequence,
                bumps_epoch,
            }
        });
        asked.last_ms = asked.last_ms.max(now_ms);
        if producer_epoch > asked.epoch {
            (asked.epoch, asked.lowest_sequence) = (producer_epoch, base_sequence);
        } else if producer_epoch == asked.epoch {
            asked.lowest_sequence = asked.lowest_sequence.min(base_sequence);
        }
        asked.guard
    }

    /// Whether the guard is the one of the question that is open.
    pub(crate) fn allow(&self, producer_id: i64, guard: Option<Guard>) -> bool {
        guard.is_some() && self.asked.get(&producer_id).map(|asked| asked.guard) == guard
    }

    /// A batch that begins a transaction that is asked about: not before those that its producer sent earlier, and of a producer
    /// that is not known only the first. What another epoch has asked is nothing to this one.
    pub(crate) fn check_sequence(&self, header: &BatchHeader, is_known: bool) -> Result<(), AppendError> {
        let asked = self.asked.get(&header.producer_id);
        let Some(asked) = asked.filter(|asked| asked.epoch == header.producer_epoch) else { return Ok(()) };
        let got = header.base_sequence;
        let lowest = if asked.bumps_epoch && !is_known { 0 } else { asked.lowest_sequence };
        if got <= lowest {
            return Ok(());
        }
        Err(AppendError::OutOfOrderSequence { producer_id: header.producer_id, got, last: lowest - 1 })
    }

    /// The transaction is open now, or over.
    pub(crate) fn end(&mut self, producer_id: i64) {
        self.asked.remove(&producer_id);
    }

    /// The answer to this question was no for good: nobody of this epoch asks again. A later epoch's question stays.
    pub(crate) fn refuse(&mut self, (producer_id, epoch): (i64, i16), guard: Guard) {
        let is_it = |asked: &Asked| asked.guard == guard && asked.epoch == epoch;
        if self.asked.get(&producer_id).is_some_and(is_it) {
            self.end(producer_id);
        }
    }

    /// Forgets those that nothing came of.
    pub(crate) fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.asked.retain(|_, asked| now_ms.saturating_sub(asked.last_ms) < expiration_ms);
    }
}

impl Log {
    /// Asked before a transactional batch is appended: the guard to append it with once the coordinator has said that the
    /// transaction is under way and has this partition. `None`: there is nothing to ask, as it is open here, or a later epoch is
    /// known, by which the append is refused.
    pub fn verify(&self, start: TxnStart, now_ms: i64) -> Option<Guard> {
        self.writer.lock().producers.with(|known| known.verify(start, now_ms))
    }

    /// The coordinator said that this epoch of a producer is over: what a guard stands for is not asked again.
    pub fn refuse_guard(&self, producer: (i64, i16), guard: Guard) {
        self.writer.lock().producers.with(|known| known.refuse(producer, guard));
    }

    /// Whether the producer has a transaction open here with this epoch. Waits for an append under way.
    pub fn is_in_transaction(&self, producer_id: i64, producer_epoch: i16) -> bool {
        self.writer.lock().producers.with(|known| known.is_in_transaction(producer_id, producer_epoch))
    }
}
