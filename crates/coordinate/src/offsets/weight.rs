//! What offsets take in memory, about: their texts, and their places in maps within maps. The first offset of a topic
//! takes a whole leaf of a map, so does the first topic of a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::memory::{text_bytes, tree_bytes};
use crate::offsets::GroupOffsets;
use crate::records::OffsetValue;

/// How many offsets there are beside one another, along the way to one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Topics of the group.
    pub(super) topics: usize,
    /// Partitions of the topic.
    pub(super) partitions: usize,
}

impl Counts {
    pub(super) fn of(group: Option<&GroupOffsets>, topic: &str) -> Self {
        let partitions = group.and_then(|topics| topics.get(topic)).map_or(0, BTreeMap::len);
        Self { topics: group.map_or(0, BTreeMap::len), partitions }
    }

    /// With so many more offsets of the topic.
    pub(super) const fn and(self, offsets: usize) -> Self {
        let is_new = self.partitions == 0 && offsets > 0;
        Self { topics: self.topics + is_new as usize, partitions: self.partitions + offsets }
    }

    /// What all of these take but for the texts of the offsets and of the other topics: only differences mean
    /// something.
    pub(super) const fn bytes(self, group_id: &str, topic: &str) -> usize {
        let mut bytes = tree_bytes::<(Arc<str>, GroupOffsets)>(self.topics);
        if self.topics > 0 {
            // One of many groups: the leaves that they share are half full.
            bytes += 2 * size_of::<(Arc<str>, GroupOffsets)>() + text_bytes(group_id);
        }
        if self.partitions > 0 {
            bytes += text_bytes(topic);
        }
        bytes + tree_bytes::<(i32, OffsetValue)>(self.partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> usize {
        Counts::default().and(1).bytes("g", "t")
    }

    #[test]
    fn the_first_offset_of_a_group_takes_more_than_a_kibibyte() {
        assert!((1_024..2_048).contains(&first()), "{}", first());
    }

    #[test]
    fn further_partitions_of_a_leaf_take_nothing() {
        let counts = Counts { topics: 1, partitions: 1 };
        assert_eq!(counts.and(10).bytes("g", "t"), first());
        assert!(counts.and(11).bytes("g", "t") > first());
    }
}
