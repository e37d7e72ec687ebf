//! The state of one consumer group, and what each record does to it. Nothing else changes it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::counts::Counts;
use super::look::Look;
use super::member::{Member, Owned};
use crate::input::TopicId;
use crate::memory::{text_bytes, tree_bytes};
use crate::records::{ConsumerRecord, RegularExpression, TargetAssignment};

/// The states of a consumer group, spelt as ListGroups and ConsumerGroupDescribe spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsumerGroupState {
    /// No members; offsets may remain.
    Empty,
    /// A new assignment is due.
    Assigning,
    /// Some members do not have yet what they are to have.
    Reconciling,
    /// All have what they are to have.
    Stable,
}

impl ConsumerGroupState {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl fmt::Display for ConsumerGroupState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A group that was never written is at this epoch, and so is its target.
const FIRST_EPOCH: i32 = 1;
/// The epoch of a target that is deleted.
const NO_TARGET: i32 = -1;

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: Arc<str>,
    pub(crate) epoch: i32,
    pub(crate) metadata_hash: i64,
    pub(crate) target_epoch: i32,
    /// When the target was computed; 0 if that is not known.
    pub(crate) target_ms: i64,
    /// The same by the steady clock; none after a restart. Not in the log.
    pub(crate) target_steady_ms: Option<i64>,
    /// The next one is not computed before this long; none after a restart. Not in the log.
    pub(crate) next_target_ms: Option<i32>,
    members: BTreeMap<Arc<str>, Member>,
    /// In the order in which members came, for the assignors.
    arrivals: BTreeMap<u64, Arc<str>>,
    arrived_at: BTreeMap<Arc<str>, u64>,
    next_arrival: u64,
    /// The most members it ever had.
    pub(crate) members_peak: usize,
    /// Instance id to member id.
    statics: BTreeMap<Arc<str>, Arc<str>>,
    /// A member changed its instance id: those it had before are its own as well, as in Kafka, until it goes.
    renamed: bool,
    targets: BTreeMap<Arc<str>, TargetAssignment>,
    /// Who has what: the epoch of the member that has a partition, or has yet to give it back.
    owners: Owned,
    /// Members that name a topic.
    pub(crate) named: Counts,
    /// Expressions whose resolution has a topic.
    pub(crate) matched: Counts,
    /// Members that name an expression.
    pub(crate) expressions: Counts,
    resolved: BTreeMap<Arc<str>, RegularExpression>,
    /// Members that ask for an assignor.
    pub(crate) assignors: Counts,
    /// Members that speak the classic protocol, and those of them that offer a protocol.
    pub(crate) classic_members: usize,
    pub(crate) classic_protocols: Counts,
    /// There is a record of the kind that a hash replaced: it is to be deleted.
    pub(crate) has_partition_metadata: bool,
    /// The version of the topics that the hash was last held against; none after a restart. Not in the log.
    pub(crate) topics_seen: Option<u64>,
    /// Looks for the topics of expressions. Not in the log.
    pub(crate) look: Look,
    bytes: usize,
}

/// What a group without members takes, about.
pub(crate) const fn new_group_bytes(id: &str) -> usize {
    2 * size_of::<(Arc<str>, Group)>() + 2 * text_bytes(id)
}

impl Group {
    pub(crate) fn new(id: Arc<str>) -> Self {
        Self {
            bytes: new_group_bytes(&id),
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            target_epoch: FIRST_EPOCH,
            target_ms: 0,
            target_steady_ms: None,
            next_target_ms: None,
            members: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            arrived_at: BTreeMap::new(),
            next_arrival: 0,
            members_peak: 0,
            statics: BTreeMap::new(),
            renamed: false,
            targets: BTreeMap::new(),
            owners: Owned::new(),
            named: Counts::default(),
            matched: Counts::default(),
            expressions: Counts::default(),
            resolved: BTreeMap::new(),
            assignors: Counts::default(),
            classic_members: 0,
            classic_protocols: Counts::default(),
            has_partition_metadata: false,
            topics_seen: None,
            look: Look::default(),
        }
    }

    /// Lets a record of the log act. False if nothing is left of the group.
    pub(crate) fn apply(&mut self, record: ConsumerRecord) -> bool {
        match record {
            ConsumerRecord::Epoch(None) => return false,
            ConsumerRecord::Epoch(Some(value)) => {
                (self.epoch, self.metadata_hash) = (value.epoch, value.metadata_hash);
            }
            ConsumerRecord::PartitionMetadata(value) => self.has_partition_metadata = value.is_some(),
            ConsumerRecord::Member { member_id, value: None } => self.remove(&member_id),
            ConsumerRecord::Member { member_id, value: Some(value) } => {
                let mut member = self.member_or_new(&member_id);
                member.set_metadata(value);
                self.put(member_id, member);
            }
            ConsumerRecord::TargetEpoch(value) => {
                (self.target_epoch, self.target_ms) =
                    value.map_or((NO_TARGET, 0), |value| (value.epoch, value.computed_ms));
            }
            ConsumerRecord::Target { member_id, value } => self.set_target(member_id, value),
            ConsumerRecord::Current { member_id, value: Some(value) } => {
                let mut member = self.member_or_new(&member_id);
                member.set_current(&value);
                self.put(member_id, member);
            }
            ConsumerRecord::Current { member_id, value: None } => {
                if let Some(mut member) = self.members.get(&member_id).cloned() {
                    member.forget_current();
                    self.put(member_id, member);
                }
            }
            ConsumerRecord::Regex { expression, value } => self.set_resolved(&expression, value),
        }
        true
    }

    pub(crate) fn state(&self) -> ConsumerGroupState {
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.epoch > self.target_epoch {
            ConsumerGroupState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            ConsumerGroupState::Stable
        } else {
            ConsumerGroupState::Reconciling
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// A member with its id.
    pub(crate) fn entry(&self, id: &str) -> Option<(&Arc<str>, &Member)> {
        self.members.get_key_value(id)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&Arc<str>, &Member)> {
        self.members.iter()
    }

    /// Their ids in the order in which they came.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = &Arc<str>> {
        self.arrivals.values()
    }

    /// The id of the member that holds an instance id.
    pub(crate) fn static_member(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.statics.get(instance_id)
    }

    /// The member that is there already, maybe under another id: who has an instance id takes its holder's place.
    pub(crate) fn present_member(&self, id: &str, instance_id: Option<&str>) -> Option<&Member> {
        let holder = instance_id.and_then(|instance_id| self.static_member(instance_id));
        self.member(holder.map_or(id, |holder| holder))
    }

    pub(crate) fn target(&self, member_id: &str) -> Option<&TargetAssignment> {
        self.targets.get(member_id)
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = (&Arc<str>, &TargetAssignment)> {
        self.targets.iter()
    }

    pub(crate) fn resolved(&self, expression: &str) -> Option<&RegularExpression> {
        self.resolved.get(expression)
    }

    pub(crate) fn all_resolved(
        &self,
    ) -> impl ExactSizeIterator<Item = (&Arc<str>, &RegularExpression)> + Clone {
        self.resolved.iter()
    }

    /// Whether some member has a partition, or has yet to give it back.
    pub(crate) fn is_owned(&self, topic: &TopicId, partition: i32) -> bool {
        self.owners.get(topic).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// Whether offsets of this topic are protected.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.named.of(topic) > 0 || self.matched.of(topic) > 0
    }

    /// Bytes it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let names = self.named.len() + self.matched.len() + self.expressions.len();
        self.bytes
            + tree_bytes::<(Arc<str>, Member)>(self.members.len())
            + tree_bytes::<(Arc<str>, TargetAssignment)>(self.targets.len())
            + 2 * tree_bytes::<(Arc<str>, u64)>(self.members.len())
            + tree_bytes::<(Arc<str>, Arc<str>)>(self.statics.len())
            + tree_bytes::<(Arc<str>, RegularExpression)>(self.resolved.len())
            + tree_bytes::<(Arc<str>, usize)>(names)
    }

    fn member_or_new(&self, id: &str) -> Member {
        self.members.get(id).cloned().unwrap_or_else(Member::new)
    }

    fn put(&mut self, id: Arc<str>, member: Member) {
        self.discount(&id);
        self.bytes += member.bytes(&id);
        member.topics.iter().for_each(|topic| self.named.add(topic));
        if let Some(expression) = member.expression() {
            self.expressions.add(expression);
        }
        if let Some(assignor) = &member.assignor {
            self.assignors.add(assignor);
        }
        if member.classic.is_some() {
            self.classic_members += 1;
            member.protocols().iter().for_each(|offer| self.classic_protocols.add(&offer.name));
        }
        for owned in [&member.assigned, &member.revoking] {
            own(&mut self.owners, owned, member.epoch);
        }
        if let Some(instance_id) = &member.instance_id {
            let before = self.members.get(&id).and_then(|member| member.instance_id.as_ref());
            self.renamed |= before.is_some_and(|before| before != instance_id);
            self.statics.insert(instance_id.clone(), id.clone());
        }
        if !self.arrived_at.contains_key(&id) {
            self.arrivals.insert(self.next_arrival, id.clone());
            self.arrived_at.insert(id.clone(), self.next_arrival);
            self.next_arrival += 1;
        }
        self.members.insert(id, member);
        self.members_peak = self.members_peak.max(self.members.len());
    }

    fn remove(&mut self, id: &str) {
        self.discount(id);
        let Some(member) = self.members.remove(id) else { return };
        if let Some(instance_id) = &member.instance_id
            && self.statics.get(instance_id).is_some_and(|holder| **holder == *id)
        {
            self.statics.remove(instance_id);
        }
        if self.renamed {
            self.statics.retain(|_, holder| **holder != *id);
        }
        if let Some(arrival) = self.arrived_at.remove(id) {
            self.arrivals.remove(&arrival);
        }
    }

    /// What counts because of a member counts no more.
    fn discount(&mut self, id: &str) {
        let Some(member) = self.members.get(id) else { return };
        self.bytes -= member.bytes(id);
        member.topics.iter().for_each(|topic| self.named.take(topic));
        if let Some(expression) = member.expression() {
            self.expressions.take(expression);
        }
        if let Some(assignor) = &member.assignor {
            self.assignors.take(assignor);
        }
        if member.classic.is_some() {
            self.classic_members -= 1;
            member.protocols().iter().for_each(|offer| self.classic_protocols.take(&offer.name));
        }
        for owned in [&member.assigned, &member.revoking] {
            disown(&mut self.owners, owned, member.epoch);
        }
    }

    fn set_target(&mut self, member_id: Arc<str>, value: Option<TargetAssignment>) {
        let old = match value {
            Some(value) => {
                self.bytes += target_bytes(&value);
                self.targets.insert(member_id, value)
            }
            None => self.targets.remove(&member_id),
        };
        self.bytes -= old.as_ref().map_or(0, target_bytes);
    }

    fn set_resolved(&mut self, expression: &Arc<str>, value: Option<RegularExpression>) {
        if let Some(value) = &value {
            value.topics.iter().for_each(|topic| self.matched.add(topic));
            self.bytes += resolved_bytes(expression, value);
        }
        let old = match value {
            Some(value) => self.resolved.insert(expression.clone(), value),
            None => self.resolved.remove(expression),
        };
        if let Some(old) = old {
            old.topics.iter().for_each(|topic| self.matched.take(topic));
            self.bytes -= resolved_bytes(expression, &old);
        }
    }
}

fn target_bytes(target: &TargetAssignment) -> usize {
    target.topics.iter().map(|topic| size_of_val(topic) + size_of_val(&*topic.partitions)).sum()
}

fn resolved_bytes(expression: &str, value: &RegularExpression) -> usize {
    text_bytes(expression) + value.topics.iter().map(|topic| 2 * text_bytes(topic)).sum::<usize>()
}

fn own(owners: &mut Owned, owned: &Owned, epoch: i32) {
    for (topic, partitions) in owned {
        let of_topic = owners.entry(*topic).or_default();
        of_topic.extend(partitions.keys().map(|partition| (*partition, epoch)));
    }
}

/// What somebody else has by now, at another epoch, stays theirs.
fn disown(owners: &mut Owned, owned: &Owned, epoch: i32) {
    for (topic, partitions) in owned {
        let Some(of_topic) = owners.get_mut(topic) else { continue };
        for partition in partitions.keys() {
            if of_topic.get(partition) == Some(&epoch) {
                of_topic.remove(partition);
            }
        }
        if of_topic.is_empty() {
            owners.remove(topic);
        }
    }
}
