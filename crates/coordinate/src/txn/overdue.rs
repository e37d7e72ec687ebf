//! What time alone does: transactions that are open for too long are aborted with the next epoch, so that their producer, if
//! it is still there, hears of it; transactional ids that nobody used for a long time are forgotten.

use std::ops::Bound;
use std::sync::Arc;

use super::effects::{Append, Effects, Then, Why};
use super::record::TxnRecord;
use super::shard::Shard;
use crate::now::Now;

impl Shard {
    /// Aborts one transaction whose time is up. Once there is none, looks again later.
    pub(super) fn abort_overdue(&mut self, now: Now, out: &mut Effects) {
        let interval_ms = self.settings().abort_interval_ms.max(1);
        let Some(id) = self.deadlines.overdue(now.steady_ms) else {
            self.deadlines.abort_at_ms = Some(now.deadline(interval_ms));
            return;
        };
        let Some(transaction) = self.ids.get(&id) else { return };
        let kept = transaction.kept.clone();
        if self.abort_unasked(&id, &kept, Why::TimedOut, now, out).is_ok() {
            return;
        }
        // It lacks a producer id to go on with. Others must not wait for that.
        self.with(&id, |transaction, deadlines| {
            let later = Some(now.deadline(interval_ms));
            deadlines.set_open(&id, transaction.deadline_ms, later);
            transaction.deadline_ms = later;
        });
    }

    /// Forgets some of what expired, and goes on or looks again later.
    pub(super) fn expire(&mut self, now: Now, out: &mut Effects) {
        let before_ms = now.wall_ms.saturating_sub(self.settings().id_expiration_ms);
        let limits = &self.settings().limits;
        let from = self.expiry_at.as_ref().map_or(Bound::Unbounded, |id| Bound::Included(id.clone()));
        let (mut records, mut bytes, mut next) = (Vec::new(), 0, None);
        let all = self.ids.range::<Arc<str>, _>((from, Bound::Unbounded));
        for (looked, (id, transaction)) in all.enumerate() {
            let tombstone_bytes = id.len() + TOMBSTONE_BYTES;
            let is_due = transaction.kept.state.may_expire() && transaction.kept.updated_ms <= before_ms;
            // One that no append takes stays, and holds no other up.
            let goes = is_due && tombstone_bytes <= limits.append_bytes;
            let full = goes
                && (records.len() >= limits.records_per_append
                    || bytes + tombstone_bytes > limits.append_bytes);
            if looked >= limits.look_steps || full {
                next = Some(id.clone());
                break;
            }
            if goes {
                bytes += tombstone_bytes;
                records.push(TxnRecord { transactional_id: id.clone(), value: None });
            }
        }
        let again_ms = if next.is_some() { 1 } else { self.settings().expiry_interval_ms.max(1) };
        self.expiry_at = next;
        self.deadlines.expire_at_ms = Some(now.deadline(again_ms));
        if !records.is_empty() {
            out.appends.push(Append { records, then: Then::Forget });
        }
    }
}

/// A tombstone besides its id, at most.
const TOMBSTONE_BYTES: usize = 32;
