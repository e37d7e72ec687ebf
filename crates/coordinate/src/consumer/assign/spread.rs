//! `uniform` where members subscribe to different topics: what is free goes to the subscriber of its topic that has least,
//! topic by topic, those with most partitions to a subscriber first; then topics are gone through again and again, and
//! partitions move from who has most to who has least, until nothing changes or it was tried often enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::java::{JavaMap, room_for};
use super::{Partitions, Spec, closed, deep_copy};
use crate::consumer::assign::spread::balancer::Balancer;
use crate::input::TopicId;
use crate::records::TargetAssignment;

mod balancer;

/// With subscriptions that overlap it may take long until all is even: each round about halves what is uneven.
const ROUNDS_MAX: usize = 16;

pub(super) fn assign(spec: &Spec) -> BTreeMap<Arc<str>, TargetAssignment> {
    let mut spread = Spread::of(spec);
    if spread.topics.is_empty() {
        return BTreeMap::new();
    }
    spread.give_out_what_is_free();
    spread.balance();
    let assigned = spec.members.iter().zip(&spread.members);
    assigned.map(|(member, partitions)| (member.member_id.clone(), closed(partitions))).collect()
}

struct Spread {
    topics: BTreeMap<TopicId, Topic>,
    /// By member, in the order of the spec.
    members: Vec<Partitions>,
    copied: Vec<bool>,
    /// How many partitions each member has.
    sizes: Vec<usize>,
}

#[derive(Default)]
struct Topic {
    /// Positions of members, ascending.
    subscribers: Vec<usize>,
    /// By partition.
    owners: Vec<Option<usize>>,
}

impl Spread {
    fn of(spec: &Spec) -> Self {
        let mut topics: BTreeMap<TopicId, Topic> = BTreeMap::new();
        for (at, member) in spec.members.iter().enumerate() {
            for id in &member.topics {
                let topic = topics.entry(*id).or_insert_with(|| {
                    let count = spec.partitions.get(id).copied().unwrap_or(0).max(0) as usize;
                    Topic { subscribers: Vec::new(), owners: vec![None; count] }
                });
                topic.subscribers.push(at);
            }
        }
        let count = spec.members.len();
        let mut spread = Self {
            topics,
            members: Vec::with_capacity(count),
            copied: vec![false; count],
            sizes: vec![0; count],
        };
        for (at, member) in spec.members.iter().enumerate() {
            let subscribed: BTreeSet<&TopicId> = member.topics.iter().collect();
            spread.members.push(member.target.opened());
            for topic in &member.target.topics {
                if subscribed.contains(&topic.topic_id) {
                    spread.keep(at, &topic.topic_id, &topic.partitions);
                } else {
                    spread.copy(at).remove(&topic.topic_id);
                }
            }
        }
        spread
    }

    fn keep(&mut self, at: usize, id: &TopicId, partitions: &[i32]) {
        let Some(topic) = self.topics.get_mut(id) else { return };
        for partition in partitions {
            if let Some(owner) =
                usize::try_from(*partition).ok().and_then(|index| topic.owners.get_mut(index))
            {
                *owner = Some(at);
                self.sizes[at] += 1;
            }
        }
    }

    /// The partitions of a member, as a copy of their own.
    fn copy(&mut self, at: usize) -> &mut Partitions {
        if !std::mem::replace(&mut self.copied[at], true) {
            self.members[at] = deep_copy(&self.members[at]);
        }
        &mut self.members[at]
    }

    /// Most partitions to a subscriber first, then fewest subscribers, then by id as Java orders it.
    fn sorted(&self, ids: impl Iterator<Item = TopicId>) -> Vec<TopicId> {
        let mut sorted: Vec<TopicId> = ids.collect();
        sorted.sort_by(|a, b| {
            let (x, y) = (&self.topics[a], &self.topics[b]);
            // Partitions by subscribers, without dividing.
            let load = |of: &Topic, other: &Topic| of.owners.len() as u64 * other.subscribers.len() as u64;
            load(y, x)
                .cmp(&load(x, y))
                .then_with(|| x.subscribers.len().cmp(&y.subscribers.len()))
                .then_with(|| halves(a).cmp(&halves(b)))
        });
        sorted
    }

    fn give_out_what_is_free(&mut self) {
        let free: BTreeMap<TopicId, Vec<usize>> = self
            .topics
            .iter()
            .map(|(id, topic)| {
                let free = topic.owners.iter().enumerate().filter(|(_, owner)| owner.is_none());
                (*id, free.map(|(index, _)| index).collect())
            })
            .filter(|(_, free): &(TopicId, Vec<usize>)| !free.is_empty())
            .collect();
        for id in self.sorted(free.keys().copied()) {
            let mut balancer = Balancer::of(&self.topics[&id].subscribers, &self.sizes);
            for partition in free.get(&id).into_iter().flatten() {
                let to = balancer.next_least_loaded(&self.sizes);
                self.give(&id, *partition, to);
            }
        }
    }

    fn balance(&mut self) {
        let shared = self.topics.iter().filter(|(_, topic)| topic.subscribers.len() >= 2);
        let sorted = self.sorted(shared.map(|(id, _)| *id));
        let mut last_changed = None;
        for _ in 0..ROUNDS_MAX {
            for (at, id) in sorted.iter().enumerate() {
                if last_changed == Some(at) {
                    // Once around without a change.
                    return;
                }
                if self.balance_topic(id) > 0 || last_changed.is_none() {
                    last_changed = Some(at);
                }
            }
        }
    }

    /// Moves partitions of a topic from who has most to who has least. Says how many.
    fn balance_topic(&mut self, id: &TopicId) -> usize {
        let topic = &self.topics[id];
        let mut balancer = Balancer::of(&topic.subscribers, &self.sizes);
        if balancer.imbalance(&self.sizes) <= 1 {
            return 0;
        }
        // Each member gives its last partitions first.
        let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in topic.owners.iter().enumerate() {
            if let Some(owner) = owner {
                owned.entry(*owner).or_default().push(partition);
            }
        }
        let mut moved = 0;
        while !balancer.is_balanced() {
            let Some(partition) = next_to_move(&mut balancer, &mut owned, &self.sizes) else { break };
            let to = balancer.next_least_loaded(&self.sizes);
            if balancer.is_balanced() {
                break;
            }
            self.give(id, partition, to);
            moved += 1;
        }
        moved
    }

    fn give(&mut self, id: &TopicId, partition: usize, to: usize) {
        let Some(topic) = self.topics.get_mut(id) else { return };
        let subscribers = topic.subscribers.len();
        let each = topic.owners.len().div_ceil(subscribers.max(1));
        let Some(owner) = topic.owners.get_mut(partition) else { return };
        let number = partition as i32;
        if let Some(from) = owner.replace(to) {
            self.sizes[from] -= 1;
            let partitions = self.copy(from);
            if let Some(set) = partitions.get_mut(id) {
                set.remove(&number);
                if set.is_empty() {
                    partitions.remove(id);
                }
            }
        }
        let set = self.copy(to).get_or_put_with(id, || JavaMap::with_capacity(room_for(each)));
        if let Some(set) = set {
            set.put(number, ());
        }
        self.sizes[to] += 1;
    }
}

/// The last partition of the most loaded member that has one of this topic.
fn next_to_move(
    balancer: &mut Balancer,
    owned: &mut BTreeMap<usize, Vec<usize>>,
    sizes: &[usize],
) -> Option<usize> {
    loop {
        let from = balancer.next_most_loaded(sizes)?;
        match owned.get_mut(&from).and_then(Vec::pop) {
            Some(partition) => return Some(partition),
            None => balancer.exclude_most_loaded(),
        }
    }
}

/// Java compares ids as two signed numbers.
fn halves(id: &TopicId) -> (i64, i64) {
    let bits = u128::from_be_bytes(*id);
    ((bits >> 64) as u64 as i64, bits as u64 as i64)
}
