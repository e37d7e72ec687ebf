//! Heartbeats on their way to a consumer group, which may not be there yet, or may still be a classic one.

use std::sync::Arc;

use super::group::{Group, new_group_bytes};
use super::leave::farewell;
use super::member::{LEAVE, LEAVE_FOR_A_WHILE};
use super::outcome::Planned;
use super::plan::{Plan, Refusal, refuse};
use super::{heartbeat, migrate};
use crate::answer::{Answer, ConsumerHeartbeatAnswer};
use crate::any_group::AnyGroup;
use crate::effects::Effects;
use crate::error::Error;
use crate::group::GroupState;
use crate::input::ConsumerHeartbeat;
use crate::memory::text_bytes;
use crate::note::Event;
use crate::now::Now;
use crate::records::Record;
use crate::shard::Shard;

/// What a newcomer takes besides its texts, about: its places in maps, its deadlines.
const NEWCOMER_BYTES: usize = 1 << 10;

impl Shard {
    pub(crate) fn consumer_heartbeat(&mut self, beat: &ConsumerHeartbeat, now: Now, out: &mut Effects) {
        if let Err(refusal) = heartbeat::check(beat, self.settings()) {
            return refuse_heartbeat(beat, refusal, out);
        }
        if matches!(beat.member_epoch, LEAVE | LEAVE_FOR_A_WHILE) {
            return self.consumer_leaves(beat, now, out);
        }
        match self.decide_heartbeat(beat, now) {
            Err(refusal) => refuse_heartbeat(beat, refusal, out),
            Ok((planned, answer)) => {
                let answer = Answer::ConsumerHeartbeat(answer);
                self.carry_out(planned, Some((beat.token, answer)), now, out);
            }
        }
    }

    fn decide_heartbeat(
        &self,
        beat: &ConsumerHeartbeat,
        now: Now,
    ) -> Result<(Planned, ConsumerHeartbeatAnswer), Refusal> {
        let topics = &**self.topics();
        let (made, before) = self.group_for(beat, topics)?;
        let group = match &made {
            Some(group) => group,
            None => self.consumer_group(&beat.group_id).ok_or(Error::GroupIdNotFound)?,
        };
        self.check_growth(group, beat)?;
        let mut plan = Plan::new(group, topics, self.settings(), now);
        plan.resolving = self.is_resolving(&beat.group_id);
        let converted = made.is_some() && !before.is_empty();
        if converted {
            plan.renew_all_classic();
            plan.notes.push(Event::Converted { group_type: "consumer" });
        }
        plan.records = before;
        let answer = plan.heartbeat(beat)?;
        Ok((plan.done(), answer))
    }

    /// A group that is made for this heartbeat, and the records that make it; none if there is one.
    fn group_for(
        &self,
        beat: &ConsumerHeartbeat,
        topics: &dyn crate::topics::Topics,
    ) -> Result<(Option<Group>, Vec<Record>), Refusal> {
        let group_id = &beat.group_id;
        let new = || Some(Group::new(Arc::from(group_id.as_str())));
        match self.any_group(group_id) {
            Some(AnyGroup::Consumer(_)) => Ok((None, Vec::new())),
            None if beat.member_epoch != 0 => {
                refuse(Error::GroupIdNotFound, format!("Consumer group {group_id} not found."))
            }
            Some(AnyGroup::Classic(_)) if beat.member_epoch != 0 => {
                refuse(Error::GroupIdNotFound, format!("Group {group_id} is not a consumer group."))
            }
            None if self.group_count() >= self.settings().limits.groups => {
                refuse(Error::GroupMaxSizeReached, "There is no room for another group.")
            }
            None => Ok((new(), Vec::new())),
            Some(AnyGroup::Classic(group)) if group.is(GroupState::Empty) => {
                Ok((new(), vec![Record::Group { group_id: group.id.clone(), value: None }]))
            }
            Some(AnyGroup::Classic(group)) => {
                let (group, records) = migrate::upgrade(group, topics, self.settings())?;
                Ok((Some(group), records))
            }
        }
    }

    /// Whether there are bytes for what this heartbeat brings. What takes no more than before always has room.
    fn check_growth(&self, group: &Group, beat: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let topics: usize = beat.topics.iter().flatten().map(|topic| 2 * text_bytes(topic)).sum();
        let regex = beat.regex.as_deref().map_or(0, text_bytes);
        let said = topics + regex;
        let more = match group.present_member(&beat.member_id, beat.instance_id.as_deref()) {
            Some(member) => {
                let had: usize = member.topics.iter().map(|topic| 2 * text_bytes(topic)).sum();
                said.saturating_sub(had + member.regex.as_deref().map_or(0, text_bytes))
            }
            None => NEWCOMER_BYTES + said + 2 * (beat.member_id.len() + beat.client_id.len()),
        };
        let group_bytes = match self.any_group(&beat.group_id) {
            Some(_) => 0,
            None => new_group_bytes(&beat.group_id),
        };
        if self.has_bytes_for(more + if more == 0 { 0 } else { group_bytes }) {
            return Ok(());
        }
        refuse(Error::GroupMaxSizeReached, "The groups of this coordinator have as much memory as they may.")
    }

    /// A member goes, for good or for a while.
    fn consumer_leaves(&mut self, beat: &ConsumerHeartbeat, now: Now, out: &mut Effects) {
        let topics = self.topics().clone();
        let Some(group) = self.consumer_group(&beat.group_id) else {
            let group_id = &beat.group_id;
            let message = match self.any_group(group_id) {
                Some(_) => format!("Group {group_id} is not a consumer group."),
                None => format!("Group {group_id} not found."),
            };
            return refuse_heartbeat(beat, Refusal { error: Error::GroupIdNotFound, message }, out);
        };
        let mut plan = Plan::new(group, &*topics, self.settings(), now);
        let member_id = match plan.leaver(beat) {
            Ok(member_id) => member_id,
            Err(refusal) => return refuse_heartbeat(beat, refusal, out),
        };
        let answer = Some((beat.token, Answer::ConsumerHeartbeat(farewell(beat, &member_id))));
        if beat.member_epoch == LEAVE_FOR_A_WHILE {
            plan.leave_for_a_while(&member_id);
            let planned = plan.done();
            return self.carry_out(planned, answer, now, out);
        }
        let group_id = group.id.clone();
        out.note(&group_id, Event::Left { member_id: member_id.clone(), reason: None });
        self.take_members_out(&group_id, &[member_id], answer, None, now, out);
    }
}

fn refuse_heartbeat(beat: &ConsumerHeartbeat, refusal: Refusal, out: &mut Effects) {
    let answer = ConsumerHeartbeatAnswer::refused(refusal.error, Some(refusal.message));
    out.reply(beat.token, Answer::ConsumerHeartbeat(answer));
}
