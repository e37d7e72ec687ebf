//! Offsets that were committed within transactions which have not ended yet (KIP-447): nobody is told of them. Until then
//! their partitions are unstable: whoever wants an offset that lasts has to ask again.
//!
//! ```text
//!   TxnOffsetCommit ─▶ record of the producer ─▶ pending ─┬─ COMMIT ─▶ committed, unless a later commit came before it
//!                                                         ├─ ABORT ──▶ gone
//!                                                         └─ tombstone of the offset ─▶ gone
//! ```
//!
//! Of several commits of an offset the one that is last in the log counts, whichever transaction ends first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::memory::text_bytes;
use crate::offsets::weight::Counts;
use crate::records::{OffsetKey, OffsetValue};

/// What a pending offset takes besides its texts and its place among the committed ones: entries of two maps.
const PENDING_BYTES: usize = 512;

/// An offset that waits.
#[derive(Clone, Debug)]
struct Waiting {
    /// None when a commit that is later in the log counts already.
    value: Option<OffsetValue>,
    /// Rises with the place in the log.
    order: u64,
}

/// An offset whose transaction was committed.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) key: OffsetKey,
    pub(crate) value: OffsetValue,
    order: u64,
}

/// Partitions of a group's topics, and who has an offset of each waiting.
type Unstable = BTreeMap<(Arc<str>, i32), BTreeSet<i64>>;

/// All pending offsets of a shard. Changed by replaying records and markers, and by nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    by_producer: BTreeMap<i64, BTreeMap<OffsetKey, Waiting>>,
    by_group: BTreeMap<Arc<str>, Unstable>,
    last_order: u64,
    count: usize,
    bytes: usize,
}

impl Pending {
    /// An offset was committed within the producer's transaction.
    pub(crate) fn put(&mut self, producer_id: i64, key: &OffsetKey, value: OffsetValue) {
        self.last_order += 1;
        self.bytes += weight_of(key, &value);
        let waiting = Waiting { value: Some(value), order: self.last_order };
        let old = self.by_producer.entry(producer_id).or_default().insert(key.clone(), waiting);
        self.count += usize::from(old.is_none());
        self.bytes -= old.and_then(|old| old.value).map_or(0, |old| weight_of(key, &old));
        let unstable = self.by_group.entry(key.group_id.clone()).or_default();
        unstable.entry((key.topic.clone(), key.partition)).or_default().insert(producer_id);
    }

    /// The producer's transaction has ended; what was waiting for that, in the order of its names.
    pub(crate) fn end(&mut self, producer_id: i64) -> Vec<Settled> {
        let waiting = self.by_producer.remove(&producer_id).unwrap_or_default();
        let mut settled = Vec::with_capacity(waiting.len());
        for (key, Waiting { value, order }) in waiting {
            self.no_longer_unstable(producer_id, &key);
            self.count -= 1;
            if let Some(value) = value {
                self.bytes -= weight_of(&key, &value);
                settled.push(Settled { key, value, order });
            }
        }
        settled
    }

    /// A commit of this offset counts now that is later in the log than all that wait.
    pub(crate) fn overtaken(&mut self, key: &OffsetKey) {
        self.overtaken_before(key, u64::MAX);
    }

    /// The same, of an offset whose transaction was committed: others may have come after it.
    pub(crate) fn overtaken_by(&mut self, settled: &Settled) {
        self.overtaken_before(&settled.key, settled.order);
    }

    fn overtaken_before(&mut self, key: &OffsetKey, order: u64) {
        for producer_id in self.producers_of(key) {
            let waiting = self.by_producer.get_mut(&producer_id).and_then(|waiting| waiting.get_mut(key));
            let earlier = waiting.filter(|waiting| waiting.order < order);
            let value = earlier.and_then(|waiting| waiting.value.take());
            self.bytes -= value.map_or(0, |value| weight_of(key, &value));
        }
    }

    /// The offset was deleted, and what waits for it goes with it.
    pub(crate) fn forget(&mut self, key: &OffsetKey) {
        for producer_id in self.producers_of(key) {
            let Some(all) = self.by_producer.get_mut(&producer_id) else { continue };
            let gone = all.remove(key);
            if all.is_empty() {
                self.by_producer.remove(&producer_id);
            }
            self.count -= usize::from(gone.is_some());
            self.bytes -= gone.and_then(|gone| gone.value).map_or(0, |value| weight_of(key, &value));
            self.no_longer_unstable(producer_id, key);
        }
    }

    fn producers_of(&self, key: &OffsetKey) -> Vec<i64> {
        let unstable = self.by_group.get(&key.group_id);
        let place = (key.topic.clone(), key.partition);
        unstable
            .and_then(|unstable| unstable.get(&place))
            .map_or_else(Vec::new, |all| all.iter().copied().collect())
    }

    fn no_longer_unstable(&mut self, producer_id: i64, key: &OffsetKey) {
        let Some(unstable) = self.by_group.get_mut(&key.group_id) else { return };
        let place = (key.topic.clone(), key.partition);
        if let Some(producers) = unstable.get_mut(&place) {
            producers.remove(&producer_id);
            if producers.is_empty() {
                unstable.remove(&place);
            }
        }
        if unstable.is_empty() {
            self.by_group.remove(&key.group_id);
        }
    }

    /// Whether a transaction that is under way may change this offset.
    pub(crate) fn is_unstable(&self, group_id: &str, topic: &Arc<str>, partition: i32) -> bool {
        let unstable = self.by_group.get(group_id);
        unstable.is_some_and(|unstable| unstable.contains_key(&(topic.clone(), partition)))
    }

    /// Whether any offset of the group waits.
    pub(crate) fn has_group(&self, group_id: &str) -> bool {
        self.by_group.contains_key(group_id)
    }

    /// Topics and partitions of the group that have an offset waiting.
    pub(crate) fn of_group(&self, group_id: &str) -> impl Iterator<Item = &(Arc<str>, i32)> {
        self.by_group.get(group_id).into_iter().flat_map(BTreeMap::keys)
    }

    /// Everything that waits and may still count.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&OffsetKey, &OffsetValue)> {
        let waiting = self.by_producer.values().flatten();
        waiting.filter_map(|(key, waiting)| Some((key, waiting.value.as_ref()?)))
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Bytes they take, about, with what they will take once they are committed: a commit must always have room.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What one takes, about.
pub(super) fn weight(group_id: &str, topic: &str, metadata: &str) -> usize {
    PENDING_BYTES + Counts::default().and(1).bytes(group_id, topic) + text_bytes(metadata)
}

fn weight_of(key: &OffsetKey, value: &OffsetValue) -> usize {
    weight(&key.group_id, &key.topic, &value.metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> OffsetKey {
        OffsetKey { group_id: Arc::from("g"), topic: Arc::from("t"), partition }
    }

    fn value(offset: i64) -> OffsetValue {
        OffsetValue {
            offset,
            leader_epoch: -1,
            metadata: Arc::from("m"),
            commit_ms: 0,
            expire_ms: None,
            topic_id: [0; 16],
        }
    }

    fn offsets(settled: &[Settled]) -> Vec<i64> {
        settled.iter().map(|one| one.value.offset).collect()
    }

    fn is_empty(pending: &Pending) -> bool {
        pending.by_producer.is_empty()
            && pending.by_group.is_empty()
            && pending.count == 0
            && pending.bytes == 0
    }

    #[test]
    fn what_ended_leaves_nothing_behind() {
        let mut pending = Pending::default();
        for (producer, partition, offset) in [(1, 0, 5), (1, 0, 6), (1, 1, 7), (2, 0, 8)] {
            pending.put(producer, &key(partition), value(offset));
        }
        assert_eq!(pending.len(), 3);
        assert_eq!(offsets(&pending.end(1)), [6, 7], "of a partition the last counts");
        assert!(
            pending.is_unstable("g", &Arc::from("t"), 0) && !pending.is_unstable("g", &Arc::from("t"), 1)
        );
        assert_eq!(offsets(&pending.end(2)), [8]);
        assert!(is_empty(&pending));
        assert!(pending.end(2).is_empty());
    }

    #[test]
    fn what_was_overtaken_counts_no_more_and_stays_unstable_until_its_transaction_ends() {
        let mut pending = Pending::default();
        pending.put(1, &key(0), value(5));
        pending.overtaken(&key(0));
        assert!(pending.is_unstable("g", &Arc::from("t"), 0));
        pending.put(2, &key(0), value(6));
        let settled = pending.end(1);
        assert!(settled.is_empty());
        assert_eq!(offsets(&pending.end(2)), [6]);
        assert!(is_empty(&pending));
    }

    #[test]
    fn whichever_transaction_ends_first_the_later_commit_counts() {
        let mut pending = Pending::default();
        pending.put(1, &key(0), value(5));
        pending.put(2, &key(0), value(6));
        pending.put(3, &key(0), value(7));
        let second = pending.end(2);
        pending.overtaken_by(&second[0]);
        assert!(pending.end(1).is_empty(), "before the second in the log");
        assert_eq!(offsets(&pending.end(3)), [7], "after it");
        assert!(is_empty(&pending));
    }

    #[test]
    fn a_deleted_offset_takes_along_what_waits_for_it() {
        let mut pending = Pending::default();
        pending.put(1, &key(0), value(5));
        pending.put(1, &key(1), value(6));
        pending.put(2, &key(0), value(7));
        pending.forget(&key(0));
        assert!(!pending.is_unstable("g", &Arc::from("t"), 0) && pending.has_group("g"));
        pending.forget(&key(1));
        assert!(is_empty(&pending));
    }
}
