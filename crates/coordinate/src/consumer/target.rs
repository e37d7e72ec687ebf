//! The target assignment: who is to have what in the end, computed once for an epoch, by the assignor that most members ask
//! for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::assign::{Assignor, JavaMap, Spec, Subscriber, room_for, set_order, timeline_order};
use super::member::Member;
use super::plan::Plan;
use super::subscription::Outlook;
use crate::input::TopicId;
use crate::records::{ConsumerRecord, TargetAssignment, TargetEpoch};

/// What a member is to have, and since which epoch that is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) epoch: i32,
    pub(crate) assignment: TargetAssignment,
}

impl Plan<'_> {
    /// The target of a member that changed, computed anew if it is due.
    pub(crate) fn update_target(
        &mut self,
        outlook: Outlook,
        interval_ms: i32,
        member_id: &Arc<str>,
        before: &Member,
        after: &Member,
    ) -> Target {
        if self.group.target_epoch >= outlook.epoch || !self.may_assign(interval_ms) {
            return self.present_target(member_id, after);
        }
        let holder = after.instance_id.as_deref().and_then(|id| self.group.static_member(id)).cloned();
        let spec = self.spec(outlook.same_topics, member_id, after, holder.as_ref());
        let assignor = self.preferred(before, after);
        let mut assigned = assignor.assign(&spec);
        let mut own = TargetAssignment::default();
        for member in &spec.members {
            let assignment = assigned.remove(&member.member_id).unwrap_or_default();
            if member.member_id == *member_id {
                own = assignment.clone();
            }
            let before = self.group.target(&member.member_id);
            if before.is_none_or(|before| !before.is_same(&assignment)) {
                let (member_id, value) = (member.member_id.clone(), Some(assignment));
                self.write(ConsumerRecord::Target { member_id, value });
            }
        }
        let value = TargetEpoch { epoch: outlook.epoch, computed_ms: self.now.wall_ms };
        self.write(ConsumerRecord::TargetEpoch(Some(value)));
        self.next_target_ms = Some(interval_ms);
        Target { epoch: outlook.epoch, assignment: own }
    }

    /// The target as it is. Who takes the place of a static member takes over its target.
    pub(crate) fn present_target(&self, member_id: &str, member: &Member) -> Target {
        let holder = match &member.instance_id {
            Some(instance_id) => self.group.static_member(instance_id).map(|id| &**id),
            None => Some(member_id),
        };
        let assignment = holder.and_then(|id| self.group.target(id)).cloned().unwrap_or_default();
        Target { epoch: self.group.target_epoch, assignment }
    }

    /// Assignments are not computed faster than the interval allows (KIP-1263).
    pub(crate) fn may_assign(&self, interval_ms: i32) -> bool {
        let ago_ms = self.now.since(self.group.target_ms, self.group.target_steady_ms);
        ago_ms.is_none_or(|ago_ms| ago_ms >= i64::from(interval_ms))
    }

    /// Most members ask for it; the first that is set if nobody asks. Among equals the one that Java comes upon first.
    fn preferred(&self, before: &Member, after: &Member) -> Assignor {
        let standing = self.standing();
        let mut votes: JavaMap<Arc<str>, usize> = JavaMap::with_capacity(room_for(standing.len()));
        for (name, count) in standing {
            votes.put(name, count);
        }
        if let Some(old) = &before.assignor
            && let Some(count) = votes.get_mut(old)
        {
            *count -= 1;
            if *count == 0 {
                votes.remove(old);
            }
        }
        if let Some(new) = &after.assignor
            && let Some(count) = votes.get_or_put_with(new, || 0)
        {
            *count += 1;
        }
        let votes = votes.in_order().into_iter().map(|(name, count)| (name.clone(), *count));
        self.elected(&votes.collect::<Vec<_>>())
    }

    /// The assignor as the members stand.
    pub(crate) fn present_assignor(&self) -> Assignor {
        self.elected(&self.standing())
    }

    /// Votes, in the order in which Kafka comes upon them.
    fn standing(&self) -> Vec<(Arc<str>, usize)> {
        let names: Vec<Arc<str>> = self.group.assignors.iter().map(|(name, _)| name.clone()).collect();
        let peak = names.len();
        let names = timeline_order(names, peak);
        names.into_iter().map(|name| (name.clone(), self.group.assignors.of(&name))).collect()
    }

    fn elected(&self, votes: &[(Arc<str>, usize)]) -> Assignor {
        let set = &self.settings.consumer.assignors;
        let most = votes.iter().map(|(_, count)| *count).max();
        let winner = votes.iter().find(|(_, count)| Some(*count) == most);
        let known = winner.and_then(|(name, _)| Assignor::named(name)).filter(|found| set.contains(found));
        known.or_else(|| set.first().copied()).unwrap_or(Assignor::Uniform)
    }

    /// What the assignor goes by: members as they are, but for the one that changed, and without the static member whose
    /// place that one takes.
    fn spec(
        &self,
        same_topics: bool,
        member_id: &Arc<str>,
        after: &Member,
        holder: Option<&Arc<str>>,
    ) -> Spec {
        let arrivals: Vec<Arc<str>> = self.group.arrivals().cloned().collect();
        let mut ids = timeline_order(arrivals, self.group.members_peak);
        if self.group.member(member_id).is_none() {
            ids.push(member_id.clone());
        }
        let ids = set_order(ids, 0);
        let replaced = holder.filter(|holder| *holder != member_id);
        let mut partitions = BTreeMap::new();
        let members = ids.into_iter().filter(|id| Some(id) != replaced).filter_map(|id| {
            let is_it = id == *member_id;
            let member = if is_it { after } else { self.group.member(&id)? };
            let of = if is_it { replaced.unwrap_or(&id) } else { &id };
            let target = self.group.target(of).cloned().unwrap_or_default();
            let (topics, named_topics) = self.topics_of(member, &mut partitions);
            Some(Subscriber {
                instance_id: member.instance_id.clone(),
                member_id: id,
                topics,
                named_topics,
                target,
            })
        });
        let members = members.collect();
        let taken: BTreeSet<(TopicId, i32)> =
            self.group.targets().flat_map(|(_, target)| target.as_set()).collect();
        Spec { members, same_topics, partitions, taken }
    }

    /// The topics of a member that exist, and how many it names.
    fn topics_of(&self, member: &Member, partitions: &mut BTreeMap<TopicId, i32>) -> (Vec<TopicId>, usize) {
        let names = self.names_of(member);
        let count = names.len();
        let ids = names.iter().filter_map(|name| {
            let topic = self.topics.topic(name)?;
            partitions.insert(topic.id, topic.partitions);
            Some(topic.id)
        });
        (ids.collect(), count)
    }

    /// The topics that a member names and those that its expression stands for: the more numerous first.
    fn names_of(&self, member: &Member) -> Vec<Arc<str>> {
        let named = set_order(member.topics.iter().cloned(), member.topics.len());
        let resolved = member.expression().and_then(|expression| self.group.resolved(expression));
        let matched = resolved.map_or(&[][..], |resolved| &resolved.topics);
        let matched = set_order(matched.iter().cloned(), matched.len());
        let (mut large, small) =
            if named.len() > matched.len() { (named, matched) } else { (matched, named) };
        let known: HashSet<&Arc<str>> = large.iter().collect();
        let more: Vec<Arc<str>> = small.into_iter().filter(|name| !known.contains(name)).collect();
        large.extend(more);
        large
    }
}
