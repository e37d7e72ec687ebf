//! TxnOffsetCommit, and how its transaction ends (KIP-98, KIP-447).
//!
//! The records belong to the producer; what they say counts from the COMMIT marker on. Older clients name neither member
//! nor generation, so the rules are laxer than OffsetCommit's: whoever names none is believed, and a member need not have
//! synced.

use crate::error::Error;
use crate::group::{Group, GroupState, new_group_bytes};
use crate::input::Commit;
use crate::offsets::pending;
use crate::records::{DecodeError, Decoded, OffsetKey, OffsetValue, Record};
use crate::shard::Shard;

/// This part of a shard's memory may be taken, beyond what it may hold, by offsets that wait to replace another.
const KEPT_FOR_REPLACING: usize = 64;

impl Shard {
    /// Takes over one record of a transaction while loading. It counts when [`Shard::end_transaction`] says so.
    ///
    /// # Errors
    /// As [`Shard::replay`].
    pub fn replay_in_txn(
        &mut self,
        producer_id: i64,
        key: &[u8],
        value: Option<&[u8]>,
        wall_ms: i64,
    ) -> Result<(), DecodeError> {
        match Record::decode(key, value)? {
            Decoded::Record(Record::Offset { key, value: Some(value) }) => {
                self.replay_pending(producer_id, &key, value, wall_ms);
                Ok(())
            }
            // A coordinator writes nothing else in transactions.
            _ => self.replay(key, value, wall_ms),
        }
    }

    /// The marker that ends a producer's transaction is in the log.
    pub fn end_transaction(&mut self, producer_id: i64, committed: bool, wall_ms: i64) {
        for settled in self.pending_mut().end(producer_id) {
            if committed {
                self.pending_mut().overtaken_by(&settled);
                self.settle_offset(&settled.key, settled.value, wall_ms);
            }
        }
    }

    /// How many offsets wait for the end of their transaction.
    pub const fn pending_count(&self) -> usize {
        self.pending().len()
    }

    pub(crate) fn replay_pending(
        &mut self,
        producer_id: i64,
        key: &OffsetKey,
        value: OffsetValue,
        wall_ms: i64,
    ) {
        // It must be there when the offsets are.
        self.create_group(&key.group_id, wall_ms);
        self.pending_mut().put(producer_id, key, value);
    }

    /// Offsets that would wait in addition, and the bytes that they take. One that is to replace another counts as well: both
    /// are held until its transaction is committed. But for those of a full shard some room is kept.
    pub(super) fn pending_growth_by(&self, commit: &Commit) -> (usize, usize) {
        let is_new = self.any_group(&commit.group_id).is_none();
        let (mut offsets, mut bytes) = (0, if is_new { new_group_bytes(&commit.group_id) } else { 0 });
        let (mut again, mut again_bytes) = (0, 0);
        for topic in &commit.topics {
            for partition in &topic.partitions {
                let metadata = partition.metadata.as_deref().unwrap_or("");
                let weight = pending::weight(&commit.group_id, &topic.name, metadata);
                let present = self.offsets().get(&commit.group_id, &topic.name, partition.partition);
                if present.is_some_and(|present| metadata.len() <= present.metadata.len()) {
                    (again, again_bytes) = (again + 1, again_bytes + weight);
                } else {
                    (offsets, bytes) = (offsets + 1, bytes + weight);
                }
            }
        }
        if self.pending().bytes() + again_bytes <= self.settings().limits.bytes / KEPT_FOR_REPLACING {
            (offsets, bytes)
        } else {
            (offsets + again, bytes + again_bytes)
        }
    }
}

/// Neither member nor generation, as older clients: whichever kind of group it is, they are believed.
pub(super) fn names_nobody(commit: &Commit) -> bool {
    commit.generation < 0 && commit.member_id.is_empty() && commit.instance_id.is_none()
}

/// Whether a member, or somebody who names none, may commit within a transaction.
pub(super) fn validate(group: &Group, commit: &Commit) -> Result<(), Error> {
    if names_nobody(commit) || commit.generation < 0 && group.is(GroupState::Empty) {
        return Ok(());
    }
    group.validate_member(&commit.member_id, commit.instance_id.as_deref())?;
    if commit.generation == group.generation { Ok(()) } else { Err(Error::IllegalGeneration) }
}

/// What is wrong with a member of a consumer group, as TxnOffsetCommit tells it: producers know generations, and begin again
/// after ILLEGAL_GENERATION; they know no epochs.
pub(super) fn in_generations(verdict: Result<(), Error>) -> Result<(), Error> {
    verdict.map_err(|error| if error == Error::StaleMemberEpoch { Error::IllegalGeneration } else { error })
}
