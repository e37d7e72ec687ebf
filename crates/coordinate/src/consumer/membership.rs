//! Who sends a heartbeat, and may it: by member epoch, and for static members by instance id (KIP-345).

use std::sync::Arc;

use super::member::{LEAVE_FOR_A_WHILE, Member, Owned};
use super::plan::{Plan, Refusal, refuse};
use crate::error::Error;
use crate::note::Event;
use crate::records::{ConsumerRecord, TopicPartitions};

/// Whether the sender asks to be let in, and in which protocol it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Members that are not there yet are let in.
    pub(crate) joins: bool,
    /// It speaks the classic protocol, and its epoch is not looked at.
    pub(crate) classic: bool,
}

impl Plan<'_> {
    /// Whether there is room for this member, which may be there already.
    pub(crate) fn check_room(&self, member_id: &str) -> Result<(), Refusal> {
        let max = self.settings.consumer.max_size.min(self.settings.limits.members);
        if self.group.len() < max || self.group.member(member_id).is_some() {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {max} members.");
        refuse(Error::GroupMaxSizeReached, message)
    }

    /// The member that sends this, as it is up to now.
    pub(crate) fn dynamic_member(
        &self,
        member_id: &str,
        epoch: i32,
        owned: Option<&[TopicPartitions]>,
        entry: Entry,
    ) -> Result<Member, Refusal> {
        let member = match self.group.member(member_id) {
            Some(member) => member.clone(),
            None if entry.joins => Member::new(),
            None => return refuse(Error::UnknownMemberId, not_a_member(member_id, &self.group.id)),
        };
        if !entry.classic {
            check_epoch(&member, epoch, owned)?;
        }
        Ok(member)
    }

    /// As [`dynamic_member`](Self::dynamic_member) for one with an instance id. Who takes the place of an earlier holder
    /// takes over all that it has.
    pub(crate) fn static_member(
        &mut self,
        member_id: &Arc<str>,
        instance_id: &str,
        epoch: i32,
        owned: Option<&[TopicPartitions]>,
        entry: Entry,
    ) -> Result<Member, Refusal> {
        let holder = self.group.static_member(instance_id).cloned();
        let present = holder.as_deref().and_then(|id| self.group.member(id));
        let (Some(holder), Some(present)) = (&holder, present) else {
            if entry.joins {
                return Ok(self.group.member(member_id).cloned().unwrap_or_else(Member::new));
            }
            return refuse(Error::UnknownMemberId, format!("Instance id {instance_id} is unknown."));
        };
        if !entry.joins {
            check_instance(holder, member_id, instance_id)?;
            if !entry.classic {
                check_epoch(present, epoch, owned)?;
            }
            return Ok(present.clone());
        }
        let both_new = !entry.classic && present.classic.is_none();
        if both_new && present.epoch != LEAVE_FOR_A_WHILE {
            let message = format!(
                "Static member {member_id} with instance id {instance_id} cannot join the group because the \
                 instance id is owned by {holder} member."
            );
            return refuse(Error::UnreleasedInstanceId, message);
        }
        let mut heir = present.clone();
        (heir.epoch, heir.previous_epoch) = (0, 0);
        self.replace(holder, member_id, &heir);
        self.notes.push(Event::Replaced {
            instance_id: Arc::from(instance_id),
            old_id: holder.clone(),
            new_id: member_id.clone(),
        });
        Ok(heir)
    }

    fn replace(&mut self, old_id: &Arc<str>, new_id: &Arc<str>, heir: &Member) {
        let target = self.group.target(old_id).cloned().unwrap_or_default();
        self.forget_member(old_id);
        let member_id = new_id.clone();
        self.write(ConsumerRecord::Member { member_id: member_id.clone(), value: Some(heir.metadata()) });
        self.write(ConsumerRecord::Target { member_id: member_id.clone(), value: Some(target) });
        self.write(ConsumerRecord::Current { member_id, value: Some(heir.current()) });
    }
}

/// Whether this is the member that holds the instance id.
pub(crate) fn check_instance(holder: &str, member_id: &str, instance_id: &str) -> Result<(), Refusal> {
    if holder == member_id {
        return Ok(());
    }
    let message =
        format!("Static member {member_id} with instance id {instance_id} was fenced by member {holder}.");
    refuse(Error::FencedInstanceId, message)
}

pub(crate) fn not_a_member(member_id: &str, group_id: &str) -> String {
    format!("Member {member_id} is not a member of group {group_id}.")
}

/// The epoch is the member's, or its last one if the answer that raised it may have been lost.
fn check_epoch(member: &Member, epoch: i32, owned: Option<&[TopicPartitions]>) -> Result<(), Refusal> {
    // 0 asks to be let in (again).
    if epoch == 0 || epoch == member.epoch {
        return Ok(());
    }
    let lost = epoch < member.epoch && epoch == member.previous_epoch && is_part_of(owned, &member.assigned);
    if lost {
        return Ok(());
    }
    let word = if epoch > member.epoch { "greater" } else { "smaller" };
    let message = format!(
        "The consumer group member has a {word} member epoch ({epoch}) than the one known by the group coordinator \
         ({}). The member must abandon all its partitions and rejoin.",
        member.epoch
    );
    refuse(Error::FencedMemberEpoch, message)
}

fn is_part_of(owned: Option<&[TopicPartitions]>, of: &Owned) -> bool {
    let has = |topic: &TopicPartitions| {
        let partitions = of.get(&topic.topic_id);
        partitions.is_some_and(|all| topic.partitions.iter().all(|partition| all.contains_key(partition)))
    };
    owned.is_some_and(|topics| topics.iter().all(has))
}
