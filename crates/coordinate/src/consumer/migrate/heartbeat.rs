//! Heartbeat in a consumer group: the classic member learns when it is to join again.

use std::sync::Arc;

use super::classic_member;
use crate::answer::Answer;
use crate::consumer::group::Group;
use crate::consumer::member::Member;
use crate::consumer::plan::{Plan, Timed};
use crate::consumer::regex::hash_of;
use crate::effects::Effects;
use crate::error::Error;
use crate::input::Heartbeat;
use crate::now::Now;
use crate::records::MemberState;
use crate::settings::Migration;
use crate::shard::Shard;

impl Shard {
    pub(crate) fn classic_heartbeat(&mut self, beat: &Heartbeat, now: Now, out: &mut Effects) {
        let topics = self.topics().clone();
        let Some(group) = self.consumer_group(&beat.group_id) else { return };
        let mut plan = Plan::new(group, &*topics, self.settings(), now);
        let error = match judge(group, beat) {
            Err(error) => Some(error),
            Ok((id, member)) => {
                plan.renew_classic(id);
                let rejoins = must_join_again(group, id, member) || plan.must_be_asked_for_target();
                if rejoins {
                    plan.timed.push(Timed::Join(id.clone(), member.rebalance_timeout_ms));
                }
                rejoins.then_some(Error::RebalanceInProgress)
            }
        };
        let planned = plan.done();
        self.carry_out(planned, Some((beat.token, Answer::Heartbeat(error))), now, out);
    }
}

fn judge<'a>(group: &'a Group, beat: &Heartbeat) -> Result<(&'a Arc<str>, &'a Member), Error> {
    let (id, member) = classic_member(group, &beat.member_id, beat.instance_id.as_deref())?;
    if member.epoch == beat.generation { Ok((id, member)) } else { Err(Error::IllegalGeneration) }
}

impl Plan<'_> {
    /// An assignment is due, and nobody but members of the classic protocol is left to be asked: only a join brings it about.
    fn must_be_asked_for_target(&mut self) -> bool {
        let (group, consumers) = (self.group, &self.settings.consumer);
        let interval_ms = group.next_target_ms.unwrap_or(consumers.assignment_interval_ms);
        if group.classic_members < group.len()
            || consumers.migration == Migration::Disabled
            || !self.may_assign(interval_ms)
        {
            return false;
        }
        group.epoch > group.target_epoch || self.have_topics_changed()
    }

    /// What members subscribe to looks different from what the group was assigned by.
    fn have_topics_changed(&mut self) -> bool {
        let (group, version) = (self.group, self.topics.version());
        if group.topics_seen == Some(version) {
            return false;
        }
        let changed = hash_of(&group.named, &group.matched, self.topics) != group.metadata_hash;
        if !changed {
            self.topics_seen = Some(version);
        }
        changed
    }
}

/// There is a newer target; or it has to give partitions back; or what it waits for is free.
fn must_join_again(group: &Group, id: &str, member: &Member) -> bool {
    member.epoch < group.target_epoch
        || member.state == MemberState::UnrevokedPartitions
        || member.state == MemberState::UnreleasedPartitions && !waits(group, id, member)
}

/// Some partition of its target is still somebody else's.
fn waits(group: &Group, id: &str, member: &Member) -> bool {
    let target = group.target(id).map_or(&[][..], |target| &target.topics);
    target.iter().any(|topic| {
        let has = |partition: &i32| {
            member.assigned.get(&topic.topic_id).is_some_and(|had| had.contains_key(partition))
        };
        topic
            .partitions
            .iter()
            .any(|partition| !has(partition) && group.is_owned(&topic.topic_id, *partition))
    })
}
