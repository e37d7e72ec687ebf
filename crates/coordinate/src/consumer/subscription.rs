//! What a member subscribes to, and whether that makes a new assignment necessary.

use std::sync::Arc;

use super::counts::Counts;
use super::member::Member;
use super::plan::Plan;
use crate::records::ConsumerRecord;

/// What the subscriptions of a group come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outlook {
    pub(crate) epoch: i32,
    /// All members subscribe to the same topics.
    pub(crate) same_topics: bool,
}

/// Counts of a group as they would be with a member changed.
struct Changed {
    named: Counts,
    matched: Counts,
    expressions: Counts,
}

impl Plan<'_> {
    /// Writes what a member says of itself if that is new. Says whether it names other topics than before.
    pub(crate) fn update_metadata(&mut self, member_id: &Arc<str>, before: &Member, after: &Member) -> bool {
        if before == after {
            return false;
        }
        let value = Some(after.metadata());
        self.write(ConsumerRecord::Member { member_id: member_id.clone(), value });
        before.topics != after.topics
    }

    /// What is known without looking at the topics, once there is this member.
    pub(crate) fn outlook(&self, member_id: &str, after: &Member) -> Outlook {
        let (group, members) = (self.group, self.members_with(member_id, after));
        let same_topics = same_topics(&group.expressions, &group.named, &group.matched, members);
        Outlook { epoch: group.epoch, same_topics }
    }

    /// How many members there are with this one.
    fn members_with(&self, member_id: &str, after: &Member) -> usize {
        let is_new = self.group.member(member_id).is_none()
            && after.instance_id.as_deref().is_none_or(|id| self.group.static_member(id).is_none());
        self.group.len() + usize::from(is_new)
    }

    /// Raises the epoch if `bump` says so, or if the topics look different from before.
    pub(crate) fn update_epoch(
        &mut self,
        bump: bool,
        member_id: &str,
        before: &Member,
        after: &Member,
    ) -> Outlook {
        let changed = self.changed(before, after);
        let hash = super::regex::hash_of(&changed.named, &changed.matched, self.topics);
        let members = self.members_with(member_id, after);
        let same_topics = same_topics(&changed.expressions, &changed.named, &changed.matched, members);
        let epoch = if bump || hash != self.group.metadata_hash {
            self.raise_epoch(hash)
        } else {
            self.topics_seen = Some(self.topics.version());
            self.group.epoch
        };
        if self.group.has_partition_metadata {
            self.write(ConsumerRecord::PartitionMetadata(None));
        }
        Outlook { epoch, same_topics }
    }

    fn changed(&self, before: &Member, after: &Member) -> Changed {
        let group = self.group;
        let mut changed = Changed {
            named: group.named.clone(),
            matched: group.matched.clone(),
            expressions: group.expressions.clone(),
        };
        before.topics.iter().for_each(|topic| changed.named.take(topic));
        after.topics.iter().for_each(|topic| changed.named.add(topic));
        let (old, new) = (before.expression(), after.expression());
        if old != new {
            if let Some(old) = old {
                if group.expressions.of(old) == 1
                    && let Some(resolved) = group.resolved(old)
                {
                    resolved.topics.iter().for_each(|topic| changed.matched.take(topic));
                }
                changed.expressions.take(old);
            }
            if let Some(new) = new {
                changed.expressions.add(new);
            }
        }
        changed
    }

    /// The hash of the topics that are left when these members are gone, and expressions that nobody names any more.
    pub(crate) fn hash_without(&self, gone: &[(&Arc<str>, &Member)], expressions: &[Arc<str>]) -> i64 {
        let (mut named, mut matched) = (self.group.named.clone(), self.group.matched.clone());
        gone.iter().flat_map(|(_, member)| &member.topics).for_each(|topic| named.take(topic));
        for resolved in expressions.iter().filter_map(|expression| self.group.resolved(expression)) {
            resolved.topics.iter().for_each(|topic| matched.take(topic));
        }
        super::regex::hash_of(&named, &matched, self.topics)
    }
}

/// As Kafka tells it, by counting.
fn same_topics(expressions: &Counts, named: &Counts, matched: &Counts, members: usize) -> bool {
    let Some((_, first)) = expressions.iter().next() else {
        let all_name = |name: &Arc<str>| named.of(name) == members;
        return named.iter().chain(matched.iter()).all(|(name, _)| all_name(name));
    };
    // One expression for all, and nobody names a topic besides.
    first == members && named.is_empty() && matched.iter().all(|(_, count)| count == 1)
}
