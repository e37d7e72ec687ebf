//! Committed offsets of one shard, and what may happen to them: commit, within a transaction or not, fetch, delete, expire.

mod commit;
mod delete;
mod deleted_topics;
mod expire;
mod fetch;
mod jumps;
mod pending;
mod txn;
mod weight;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::memory::text_bytes;
use crate::records::{OffsetKey, OffsetValue, Record};

use weight::Counts;

pub use deleted_topics::DeletedTopics;
pub use fetch::{FetchedOffset, FetchedTopic};
pub(crate) use jumps::Jumps;
pub(crate) use pending::Pending;

/// Partition to offset, by topic.
pub(crate) type GroupOffsets = BTreeMap<Arc<str>, BTreeMap<i32, OffsetValue>>;

/// Group, topic, partition to offset. Changed by replaying records and by nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offsets {
    by_group: BTreeMap<Arc<str>, GroupOffsets>,
    count: usize,
    bytes: usize,
}

impl Offsets {
    pub(crate) fn put(&mut self, key: &OffsetKey, value: OffsetValue) {
        let topics = self.by_group.entry(key.group_id.clone()).or_default();
        let before = Counts::of(Some(topics), &key.topic);
        self.bytes += text_bytes(&value.metadata);
        if let Some(old) = topics.entry(key.topic.clone()).or_default().insert(key.partition, value) {
            self.bytes -= text_bytes(&old.metadata);
        } else {
            self.count += 1;
            self.moved(key, before, before.and(1));
        }
    }

    pub(crate) fn remove(&mut self, key: &OffsetKey) {
        let Some(topics) = self.by_group.get_mut(&key.group_id) else { return };
        let before = Counts::of(Some(topics), &key.topic);
        let Some(partitions) = topics.get_mut(&key.topic) else { return };
        let Some(old) = partitions.remove(&key.partition) else { return };
        if partitions.is_empty() {
            topics.remove(&key.topic);
        }
        let after = Counts::of(Some(topics), &key.topic);
        if topics.is_empty() {
            self.by_group.remove(&key.group_id);
        }
        self.count -= 1;
        self.bytes -= text_bytes(&old.metadata);
        self.moved(key, before, after);
    }

    fn moved(&mut self, key: &OffsetKey, before: Counts, after: Counts) {
        self.bytes += after.bytes(&key.group_id, &key.topic);
        self.bytes -= before.bytes(&key.group_id, &key.topic);
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Bytes they take, about.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn of_group(&self, group_id: &str) -> Option<&GroupOffsets> {
        self.by_group.get(group_id)
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (&Arc<str>, &GroupOffsets)> {
        self.by_group.iter()
    }

    /// Those from this group on, by name.
    pub(crate) fn groups_from(
        &self,
        group_id: Option<&Arc<str>>,
    ) -> impl Iterator<Item = (&Arc<str>, &GroupOffsets)> {
        let from = group_id.map_or(Bound::Unbounded, |id| Bound::Included(&**id));
        self.by_group.range::<str, _>((from, Bound::Unbounded))
    }

    pub(crate) fn get(&self, group_id: &str, topic: &str, partition: i32) -> Option<&OffsetValue> {
        self.by_group.get(group_id)?.get(topic)?.get(&partition)
    }
}

/// The record that deletes an offset.
pub(crate) fn tombstone(group_id: &Arc<str>, topic: &Arc<str>, partition: i32) -> Record {
    let key = OffsetKey { group_id: group_id.clone(), topic: topic.clone(), partition };
    Record::Offset { key, value: None }
}
