//! `uniform` where all members subscribe to the same topics: everybody keeps what fits its share, the rest goes to those
//! who have less.
//!
//! The share is the number of partitions by that of members. Where it does not come out even, those who come first and
//! have one more already keep it; those who come last must take one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::java::{JavaMap, set_order};
use super::{Partitions, Spec, Subscriber, closed, deep_copy};
use crate::input::TopicId;
use crate::records::TargetAssignment;

/// A member on its way to its share.
struct Sharer<'a> {
    member: &'a Subscriber,
    partitions: Partitions,
    /// How many more it is to get.
    wants: usize,
    /// It holds a copy of its own already.
    copied: bool,
}

pub(super) fn assign(spec: &Spec) -> BTreeMap<Arc<str>, TargetAssignment> {
    let Some(first) = spec.members.first() else { return BTreeMap::new() };
    let topics = set_order(first.topics.iter().copied(), first.named_topics);
    if topics.is_empty() {
        return BTreeMap::new();
    }
    let subscribed: BTreeSet<TopicId> = topics.iter().copied().collect();
    let count_of = |topic: &TopicId| spec.partitions.get(topic).copied().unwrap_or(0);
    let total: usize = topics.iter().map(|topic| count_of(topic).max(0) as usize).sum();
    let mut free: Vec<(TopicId, i32)> = topics
        .iter()
        .flat_map(|topic| (0..count_of(topic)).map(|partition| (*topic, partition)))
        .filter(|place| !spec.taken.contains(place))
        .collect();
    let members = spec.members.len();
    let (share, mut left_over) = (total / members, total % members);
    let mut sharers = Vec::with_capacity(members);
    for (at, member) in spec.members.iter().enumerate() {
        let mut has_extra = left_over > 0;
        let mut sharer = Sharer::of(member, share + usize::from(has_extra));
        sharer.give_back(&subscribed, &mut free);
        if sharer.wants > 0 && has_extra && members - at > left_over {
            // Somebody else may have it.
            sharer.wants -= 1;
            has_extra = false;
        }
        left_over -= usize::from(has_extra);
        sharers.push(sharer);
    }
    let mut free = free.into_iter();
    for sharer in sharers.iter_mut().filter(|sharer| sharer.wants > 0) {
        sharer.copy();
        for (topic, partition) in free.by_ref().take(sharer.wants) {
            if let Some(set) = sharer.partitions.get_or_put_with(&topic, JavaMap::new) {
                set.put(partition, ());
            }
        }
    }
    sharers.into_iter().map(|sharer| (sharer.member.member_id.clone(), closed(&sharer.partitions))).collect()
}

impl<'a> Sharer<'a> {
    fn of(member: &'a Subscriber, share: usize) -> Self {
        Self { member, partitions: member.target.opened(), wants: share, copied: false }
    }

    fn copy(&mut self) {
        if !self.copied {
            self.partitions = deep_copy(&self.partitions);
            self.copied = true;
        }
    }

    /// Gives back what it no longer subscribes to, and what is more than its share.
    fn give_back(&mut self, topics: &BTreeSet<TopicId>, free: &mut Vec<(TopicId, i32)>) {
        let had: Vec<(TopicId, Vec<i32>)> = self
            .partitions
            .in_order()
            .into_iter()
            .map(|(topic, set)| (*topic, set.keys_in_order()))
            .collect();
        for (topic, partitions) in had {
            if !topics.contains(&topic) {
                self.copy();
                self.partitions.remove(&topic);
                continue;
            }
            let kept = partitions.len().min(self.wants);
            self.wants -= kept;
            for partition in partitions.into_iter().skip(kept) {
                self.copy();
                self.drop_one(&topic, partition);
                free.push((topic, partition));
            }
        }
    }

    fn drop_one(&mut self, topic: &TopicId, partition: i32) {
        let Some(set) = self.partitions.get_mut(topic) else { return };
        set.remove(&partition);
        if set.is_empty() {
            self.partitions.remove(topic);
        }
    }
}
