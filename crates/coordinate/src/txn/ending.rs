//! From the decision to its end: markers are written until every partition has its own, then that they are.
//!
//! ```text
//!   decided ──► markers out ──► all there ──► Complete written
//!                  ▲                │ some failed, or Complete could not be written
//!                  └── later ◄──────┘ only those that are missing
//! ```
//!
//! Who asked for the end is answered when the first attempt at its markers is over, or when that takes too long.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::answer::Answer;
use super::deadlines::Deadlines;
use super::effects::{Effects, Marked, Markers, MarkersOf, Then};
use super::error::Error;
use super::note::Event;
use super::shard::Shard;
use super::state::Outcome;
use super::transaction::{Transaction, Waiting};
use crate::now::Now;

/// Between the first failed attempt to write markers and the next. Each failure doubles it.
const RETRY_FIRST_MS: i64 = 100;
/// The longest time between two attempts.
const RETRY_MAX_MS: i64 = 10_000;

impl Shard {
    /// Sends the markers that are missing; where none is, the end is done.
    pub(super) fn go_on_ending(&mut self, id: &Arc<str>, now: Now, out: &mut Effects) {
        self.set_retry(id, None);
        let Some(transaction) = self.ids.get(id) else { return };
        let Some(outcome) = transaction.kept.state.outcome() else { return };
        if transaction.kept.topics.is_empty() {
            return self.complete(id, outcome, now, out);
        }
        let kept = &transaction.kept;
        let topic = |(topic, partitions): (&Arc<str>, &BTreeSet<i32>)| {
            (topic.clone(), partitions.iter().copied().collect())
        };
        out.markers.push(Markers {
            of: of(id, transaction),
            outcome,
            coordinator_epoch: self.coordinator_epoch,
            version: kept.client_version,
            topics: kept.topics.iter().map(topic).collect(),
        });
    }

    /// Markers were written, as far as they could be. Partitions that are not named count as failed.
    pub fn markers_written(
        &mut self,
        of: &MarkersOf,
        marked: &[(Arc<str>, i32, Marked)],
        now: Now,
    ) -> Effects {
        let mut out = Effects::default();
        let Some(outcome) = self.ending(of) else { return out };
        let id = &of.transactional_id;
        let left = self.with(id, |transaction, _| {
            for (topic, partition, what) in marked {
                if *what != Marked::Failed {
                    transaction.kept.remove(topic, *partition);
                }
            }
            transaction.kept.partition_count()
        });
        // What is decided stays so: whoever waits need not wait for another attempt.
        self.answer_end(id, &mut out);
        match left.unwrap_or(0) {
            0 => self.complete(id, outcome, now, &mut out),
            partitions => {
                if self.retry_later(id, now) {
                    out.note(id, Event::Unmarked { outcome, partitions });
                }
            }
        }
        out
    }

    /// No marker was written: the decision is not durable, or there was no room for the work.
    pub fn markers_failed(&mut self, of: &MarkersOf, error: Error, now: Now) -> Effects {
        let mut out = Effects::default();
        let Some(outcome) = self.ending(of) else { return out };
        let id = &of.transactional_id;
        if let Some(Waiting { token, answer, .. }) = self.take_waiting(id) {
            out.reply(token, Answer::End(answer).refuse(error));
        }
        if self.retry_later(id, now) {
            let partitions = self.ids.get(id).map_or(0, |transaction| transaction.kept.partition_count());
            out.note(id, Event::Unmarked { outcome, partitions });
        }
        out
    }

    /// The transaction was ended, and that could not be written.
    pub(super) fn completion_failed(&mut self, id: &Arc<str>, error: Error, now: Now, out: &mut Effects) {
        let Some(outcome) = self.ids.get(id).and_then(|transaction| transaction.kept.state.outcome()) else {
            return;
        };
        if self.retry_later(id, now) {
            out.note(id, Event::NotCompleted { outcome, error });
        }
    }

    fn complete(&mut self, id: &Arc<str>, outcome: Outcome, now: Now, out: &mut Effects) {
        let Some(transaction) = self.ids.get(id) else { return };
        let done = transaction.kept.completed(outcome, now.wall_ms);
        self.answer_end(id, out);
        out.append(self.record(id, &done), Then::Complete);
    }

    /// Tells the producer that its end stands: its decision was durable before the first marker.
    fn answer_end(&mut self, id: &Arc<str>, out: &mut Effects) {
        if let Some(Waiting { token, answer, .. }) = self.take_waiting(id) {
            out.reply_standing(token, Answer::End(answer));
        }
    }

    /// Tells the producer that its end is decided, though its markers are still on their way: it waits for them no longer. That
    /// the decision is durable is not known here, so the answer waits for that.
    pub(super) fn answer_in_time(&mut self, id: &Arc<str>, out: &mut Effects) {
        if let Some(Waiting { token, answer, .. }) = self.take_waiting(id) {
            out.reply(token, Answer::End(answer));
        }
    }

    fn take_waiting(&mut self, id: &Arc<str>) -> Option<Waiting> {
        let take = |transaction: &mut Transaction, deadlines: &mut Deadlines| {
            let waiting = transaction.waiting.take();
            deadlines.set_answer(id, waiting.map(|waiting| waiting.until_ms), None);
            waiting
        };
        self.with(id, take).flatten()
    }

    /// How it ends, if this is still the transaction that is being ended.
    fn ending(&self, markers: &MarkersOf) -> Option<Outcome> {
        let (id, transaction) = self.ids.get_key_value(&markers.transactional_id)?;
        transaction.kept.state.outcome().filter(|_| of(id, transaction) == *markers)
    }

    /// Sets the next attempt. Says whether this is the first that is needed: who reads the log need not hear of each.
    fn retry_later(&mut self, id: &Arc<str>, now: Now) -> bool {
        let failures = self.with(id, |transaction, _| {
            transaction.failures = transaction.failures.saturating_add(1);
            transaction.failures
        });
        let doublings = failures.unwrap_or(1).saturating_sub(1).min(16);
        let retry_ms = (RETRY_FIRST_MS << doublings).min(RETRY_MAX_MS);
        self.set_retry(id, Some(now.deadline(retry_ms)));
        failures == Some(1)
    }

    fn set_retry(&mut self, id: &Arc<str>, at_ms: Option<i64>) {
        self.with(id, |transaction, deadlines| {
            deadlines.set_retry(id, transaction.retry_at_ms, at_ms);
            transaction.retry_at_ms = at_ms;
        });
    }
}

fn of(id: &Arc<str>, transaction: &Transaction) -> MarkersOf {
    MarkersOf {
        transactional_id: id.clone(),
        producer_id: transaction.kept.producer_id,
        producer_epoch: transaction.kept.epoch,
    }
}
