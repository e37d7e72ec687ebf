//! From what a member has to what it is to have: it gives back first, says so by no longer naming what it gave back, and
//! gets what is new once whoever had it has given it back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::member::{Member, Owned};
use super::plan::{Plan, Refusal, Timed, refuse};
use super::target::Target;
use crate::error::Error;
use crate::input::TopicId;
use crate::records::{ConsumerRecord, MemberState, TopicPartitions};

/// What a heartbeat says besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    /// What the member has; none if it does not say.
    pub(crate) owned: Option<&'a [TopicPartitions]>,
    /// It subscribes to something else than before.
    pub(crate) subscription_changed: bool,
}

impl Plan<'_> {
    /// Brings a member as near to its target as it may come now.
    pub(crate) fn reconcile(
        &mut self,
        member_id: &Arc<str>,
        member: Member,
        target: &Target,
        said: Said<'_>,
    ) -> Result<Member, Refusal> {
        if !said.subscription_changed && member.is_reconciled_to(target.epoch) {
            return Ok(member);
        }
        let next = self.next(&member, target, said)?;
        if next == member {
            return Ok(next);
        }
        let (id, value) = (member_id.clone(), Some(next.current()));
        self.write(ConsumerRecord::Current { member_id: id.clone(), value });
        if next.classic.is_none() {
            self.timed.push(match next.state {
                MemberState::UnrevokedPartitions => Timed::Revoke(id, next.rebalance_timeout_ms),
                _ => Timed::Revoked(id),
            });
        }
        Ok(next)
    }

    fn next(&self, member: &Member, target: &Target, said: Said<'_>) -> Result<Member, Refusal> {
        match member.state {
            MemberState::Stable if member.epoch == target.epoch => Ok(self.shrink(member, said)),
            MemberState::UnrevokedPartitions if owns_any(said.owned, &member.revoking) => {
                Ok(if said.subscription_changed { self.shrink(member, said) } else { member.clone() })
            }
            MemberState::Unknown(_) => {
                if said.owned.is_none_or(|owned| !owned.is_empty()) {
                    let message = "The consumer group member is in a unknown state. The member must abandon all its \
                                   partitions and rejoin.";
                    return refuse(Error::FencedMemberEpoch, message);
                }
                let mut member = member.clone();
                member.epoch = target.epoch;
                Ok(self.follow(&member, target, said))
            }
            _ => Ok(self.follow(member, target, said)),
        }
    }

    /// The target has not changed, the subscription has: what is no longer subscribed to goes.
    fn shrink(&self, member: &Member, said: Said<'_>) -> Member {
        let subscribed = self.subscribed_ids(member);
        let mut next = member.clone();
        let all = subscribed.is_empty() && member.revoking.is_empty();
        for (topic, partitions) in &member.assigned {
            if !subscribed.contains(topic) {
                next.assigned.remove(topic);
                next.revoking.entry(*topic).or_default().extend(partitions.iter().map(|(p, e)| (*p, *e)));
            }
        }
        if next.assigned == member.assigned && !all {
            return member.clone();
        }
        next.move_to(member.epoch);
        if !next.revoking.is_empty() && owns_any(said.owned, &next.revoking) {
            next.state = MemberState::UnrevokedPartitions;
        } else {
            // It has given back already what it is to give back.
            next.revoking.clone_from(&member.revoking);
        }
        next
    }

    /// Keeps what the target leaves, gives back the rest, then takes what is free.
    fn follow(&self, member: &Member, target: &Target, said: Said<'_>) -> Member {
        let subscribed = self.subscribed_ids(member);
        let wanted: BTreeMap<TopicId, BTreeSet<i32>> = target
            .assignment
            .topics
            .iter()
            .filter(|topic| subscribed.contains(&topic.topic_id))
            .map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect()))
            .collect();
        let is_wanted =
            |topic: &TopicId, partition: &i32| wanted.get(topic).is_some_and(|all| all.contains(partition));
        let (mut kept, revoking) = split(&member.assigned, is_wanted);
        let mut next = member.clone();
        if !revoking.is_empty() && owns_any(said.owned, &revoking) {
            next.state = MemberState::UnrevokedPartitions;
            next.move_to(member.epoch);
            (next.assigned, next.revoking) = (kept, revoking);
            return next;
        }
        let mut all_free = true;
        for (topic, partitions) in &wanted {
            for partition in partitions {
                if kept.get(topic).is_some_and(|had| had.contains_key(partition)) {
                    continue;
                }
                // What it has yet to give back itself is nobody else's.
                let own = member.revoking.get(topic).is_some_and(|had| had.contains_key(partition));
                if own || !self.group.is_owned(topic, *partition) {
                    kept.entry(*topic).or_default().insert(*partition, target.epoch);
                } else {
                    all_free = false;
                }
            }
        }
        next.state = if all_free { MemberState::Stable } else { MemberState::UnreleasedPartitions };
        next.move_to(target.epoch);
        (next.assigned, next.revoking) = (kept, Owned::new());
        next
    }

    fn subscribed_ids(&self, member: &Member) -> BTreeSet<TopicId> {
        let resolved = member.expression().and_then(|expression| self.group.resolved(expression));
        let matched = resolved.into_iter().flat_map(|resolved| &resolved.topics);
        let names = member.topics.iter().chain(matched);
        names.filter_map(|name| self.topics.topic(name)).map(|topic| topic.id).collect()
    }
}

/// Whether any of these is still there, in the member's own words; it has all if it does not say.
fn owns_any(owned: Option<&[TopicPartitions]>, of: &Owned) -> bool {
    let Some(owned) = owned else { return true };
    owned.iter().any(|topic| {
        let partitions = of.get(&topic.topic_id);
        partitions.is_some_and(|all| topic.partitions.iter().any(|partition| all.contains_key(partition)))
    })
}

fn split(owned: &Owned, keeps: impl Fn(&TopicId, &i32) -> bool) -> (Owned, Owned) {
    let (mut kept, mut others) = (Owned::new(), Owned::new());
    for (topic, partitions) in owned {
        for (partition, epoch) in partitions {
            let to = if keeps(topic, partition) { &mut kept } else { &mut others };
            to.entry(*topic).or_default().insert(*partition, *epoch);
        }
    }
    (kept, others)
}
