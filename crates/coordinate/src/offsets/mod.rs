//! Committed offsets of one shard, and what may happen to them: commit, fetch, delete, expire.

mod commit;
mod delete;
mod expire;
mod fetch;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::records::{OffsetKey, OffsetValue, Record};

pub use fetch::{FetchedOffset, FetchedTopic};

/// Partition to offset, by topic.
pub(crate) type GroupOffsets = BTreeMap<Arc<str>, BTreeMap<i32, OffsetValue>>;

/// Group, topic, partition to offset. Changed by replaying records and by nothing else.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    by_group: HashMap<Arc<str>, GroupOffsets>,
    count: usize,
    bytes: usize,
}

impl Offsets {
    pub(crate) fn replay(&mut self, key: &OffsetKey, value: Option<OffsetValue>) {
        match value {
            Some(value) => self.put(key, value),
            None => self.remove(key),
        }
    }

    fn put(&mut self, key: &OffsetKey, value: OffsetValue) {
        let topics = self.by_group.entry(key.group_id.clone()).or_default();
        self.bytes += weight(&key.topic, &value.metadata);
        match topics.entry(key.topic.clone()).or_default().insert(key.partition, value) {
            Some(old) => self.bytes -= weight(&key.topic, &old.metadata),
            None => self.count += 1,
        }
    }

    fn remove(&mut self, key: &OffsetKey) {
        let Some(topics) = self.by_group.get_mut(&key.group_id) else { return };
        let Some(partitions) = topics.get_mut(&key.topic) else { return };
        if let Some(old) = partitions.remove(&key.partition) {
            self.count -= 1;
            self.bytes -= weight(&key.topic, &old.metadata);
        }
        if partitions.is_empty() {
            topics.remove(&key.topic);
        }
        if topics.is_empty() {
            self.by_group.remove(&key.group_id);
        }
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

    pub(crate) fn get(&self, group_id: &str, topic: &str, partition: i32) -> Option<&OffsetValue> {
        self.by_group.get(group_id)?.get(topic)?.get(&partition)
    }
}

/// What an offset takes besides its texts: the value and its place in the maps.
const OFFSET_BYTES: usize = 160;

/// Bytes an offset takes, about: the topic's name counts for each of its partitions, though they may share it.
pub(crate) const fn weight(topic: &str, metadata: &str) -> usize {
    OFFSET_BYTES + topic.len() + metadata.len()
}

/// The record that deletes an offset.
pub(crate) fn tombstone(group_id: &Arc<str>, topic: &Arc<str>, partition: i32) -> Record {
    let key = OffsetKey { group_id: group_id.clone(), topic: topic.clone(), partition };
    Record::Offset { key, value: None }
}
