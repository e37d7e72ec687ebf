//! Inputs on their way to a group: what is checked before a group is looked at, and what an unknown group means to each.

use std::sync::Arc;

use crate::answer::{Answer, JoinAnswer, LeaveAnswer, LeftMember, SyncAnswer};
use crate::any_group::AnyGroup;
use crate::consumer::Member;
use crate::effects::{Effects, Then};
use crate::error::Error;
use crate::group::{Group, new_group_bytes, places_bytes, weight_of, weight_of_newcomer};
use crate::input::{Heartbeat, Input, Join, Leave, Sync};
use crate::now::Now;
use crate::shard::Shard;

impl Shard {
    pub(crate) fn dispatch(&mut self, input: Input, now: Now, out: &mut Effects) {
        match input {
            Input::Join(join) => self.dispatch_join(join, now, out),
            Input::Sync(sync) => self.dispatch_sync(sync, now, out),
            Input::Heartbeat(beat) => self.dispatch_heartbeat(&beat, now, out),
            Input::Leave(leave) => self.dispatch_leave(leave, now, out),
            Input::Commit(commit) => self.commit(&commit, now, out),
            Input::DeleteOffsets(request) => self.delete_offsets(request, out),
            Input::DeleteGroups(request) => self.delete_groups(request, out),
            Input::ConsumerHeartbeat(beat) => self.consumer_heartbeat(&beat, now, out),
        }
    }

    fn dispatch_join(&mut self, join: Join, now: Now, out: &mut Effects) {
        if self.consumer_group(&join.group_id).is_some_and(|group| !group.is_empty()) {
            return self.dispatch_join_to_consumers(&join, now, out);
        }
        let known = self.group(&join.group_id).is_some();
        if let Err(error) = self.check_join(&join, known) {
            let answer = JoinAnswer::refused(join.member_id.as_str(), error);
            return out.reply(join.token, Answer::Join(answer));
        }
        let group_id = join.group_id.clone();
        if let Some(AnyGroup::Consumer(_)) = self.any_group(&group_id) {
            return self.make_way(join, now, out);
        }
        if !known {
            self.create_group(&group_id, now.wall_ms);
        }
        let mut refused = false;
        self.with_group(&group_id, now, out, |turn| {
            turn.join(join);
            if !known {
                refused = turn.group.has_no_members() && turn.group.pending_len() == 0;
            }
            if !known && !refused && turn.out.appends.is_empty() {
                // A group that has an answer must outlive a restart.
                turn.keep_new();
            }
        });
        if refused {
            self.discard_group(&group_id);
        }
    }

    fn dispatch_join_to_consumers(&mut self, join: &Join, now: Now, out: &mut Effects) {
        match self.check_join(join, true) {
            Ok(()) => self.join_consumer_group(join, now, out),
            Err(error) => {
                let answer = JoinAnswer::refused(join.member_id.as_str(), error);
                out.reply(join.token, Answer::Join(answer));
            }
        }
    }

    /// A consumer group that nobody is in gives way to a classic one, in one append: its offsets are never without a group.
    /// The join goes on in the new one.
    fn make_way(&self, join: Join, now: Now, out: &mut Effects) {
        let mut records = self.any_group(&join.group_id).map(AnyGroup::tombstones).unwrap_or_default();
        records.push(Group::new(Arc::from(join.group_id.as_str()), now.wall_ms).new_record());
        out.append(records, Then::Join(Box::new(join)));
    }

    /// The way is free.
    pub(crate) fn join_successor(&mut self, join: Join, now: Now, out: &mut Effects) {
        self.create_group(&join.group_id, now.wall_ms);
        self.dispatch_join(join, now, out);
    }

    fn check_join(&self, join: &Join, known: bool) -> Result<(), Error> {
        check_group_id(&join.group_id, self.settings().limits.name_bytes)?;
        let session_ms = self.settings().min_session_timeout_ms..=self.settings().max_session_timeout_ms;
        if !session_ms.contains(&join.session_timeout_ms) {
            return Err(Error::InvalidSessionTimeout);
        }
        if !known && !join.member_id.is_empty() {
            return Err(Error::UnknownMemberId);
        }
        let limits = &self.settings().limits;
        if self.any_group(&join.group_id).is_none() && self.group_count() >= limits.groups {
            return Err(Error::GroupMaxSizeReached);
        }
        if join.protocols.len() > limits.protocols {
            return Err(Error::InconsistentGroupProtocol);
        }
        let texts = [
            Some(join.member_id.as_str()),
            join.instance_id.as_deref(),
            Some(join.client_id.as_str()),
            Some(join.client_host.as_str()),
            Some(join.protocol_type.as_str()),
        ];
        let names = texts.into_iter().flatten().chain(join.protocols.iter().map(|offer| &*offer.name));
        let metadata: usize = join.protocols.iter().map(|offer| offer.metadata.len()).sum();
        if names.into_iter().any(|name| name.len() > limits.name_bytes)
            || metadata > limits.member_metadata_bytes
        {
            return Err(Error::InvalidRequest);
        }
        if self.has_room_for(join) { Ok(()) } else { Err(Error::GroupMaxSizeReached) }
    }

    /// A member that offers no more than before always has room.
    fn has_room_for(&self, join: &Join) -> bool {
        let (id, instance_id) = (join.member_id.as_str(), join.instance_id.as_deref());
        let (offered, members, group_bytes) = match self.any_group(&join.group_id) {
            None => (None, 0, new_group_bytes(&join.group_id)),
            Some(AnyGroup::Classic(group)) => {
                let holder = instance_id.and_then(|id| group.static_member(id));
                let present = group.member(holder.map_or(id, |id| id));
                (present.map(|member| &*member.protocols), group.len(), 0)
            }
            Some(AnyGroup::Consumer(group)) => {
                let present = group.present_member(id, instance_id);
                (present.map(Member::protocols), group.len(), 0)
            }
        };
        let more = match offered {
            Some(offered) => weight_of(&join.protocols).saturating_sub(weight_of(offered)),
            None => {
                group_bytes + places_bytes(members + 1) - places_bytes(members) + weight_of_newcomer(join)
            }
        };
        self.has_bytes_for(more)
    }

    /// An assignment that is no larger than the one before always has room.
    fn has_room_for_assignments(&self, sync: &Sync) -> bool {
        let Some(group) = self.group(&sync.group_id).filter(|_| !sync.assignments.is_empty()) else {
            return true;
        };
        let assigned: usize = sync.assignments.iter().map(|(_, assignment)| assignment.len()).sum();
        let present: usize = group.members().map(|(_, member)| member.assignment.len()).sum();
        self.has_bytes_for(assigned.saturating_sub(present))
    }

    /// Whether so many more bytes may be held. None is always fine, however full the shard is.
    pub(crate) fn has_bytes_for(&self, more: usize) -> bool {
        more == 0 || more <= self.bytes_left()
    }

    /// How many more bytes may be held.
    pub(crate) fn bytes_left(&self) -> usize {
        self.settings().limits.bytes.min(self.bytes_allowed).saturating_sub(self.bytes())
    }

    fn dispatch_sync(&mut self, sync: Sync, now: Now, out: &mut Effects) {
        let group_id = sync.group_id.clone();
        if self.consumer_group(&group_id).is_some() {
            return self.sync_consumer_group(&sync, now, out);
        }
        if let Err(error) = self.check_known(&group_id) {
            return out.reply(sync.token, Answer::Sync(SyncAnswer::refused(error)));
        }
        if !self.has_room_for_assignments(&sync) {
            let answer = SyncAnswer::refused(Error::GroupMaxSizeReached);
            return out.reply(sync.token, Answer::Sync(answer));
        }
        self.with_group(&group_id, now, out, |turn| turn.sync(sync));
    }

    fn dispatch_heartbeat(&mut self, beat: &Heartbeat, now: Now, out: &mut Effects) {
        if self.consumer_group(&beat.group_id).is_some() {
            return self.classic_heartbeat(beat, now, out);
        }
        if let Err(error) = self.check_known(&beat.group_id) {
            return out.reply(beat.token, Answer::Heartbeat(Some(error)));
        }
        self.with_group(&beat.group_id, now, out, |turn| turn.heartbeat(beat));
    }

    fn dispatch_leave(&mut self, leave: Leave, now: Now, out: &mut Effects) {
        if self.consumer_group(&leave.group_id).is_some() {
            return self.leave_consumer_group(leave, now, out);
        }
        let answer = match self.check_known(&leave.group_id) {
            Ok(()) => {
                let group_id = leave.group_id.clone();
                return self.with_group(&group_id, now, out, |turn| turn.leave(leave));
            }
            Err(Error::UnknownMemberId) => {
                let nobody = |leaver: crate::input::Leaver| LeftMember {
                    member_id: leaver.member_id,
                    instance_id: leaver.instance_id,
                    error: Some(Error::UnknownMemberId),
                };
                LeaveAnswer { error: None, members: leave.members.into_iter().map(nobody).collect() }
            }
            Err(error) => LeaveAnswer { error: Some(error), members: Vec::new() },
        };
        out.reply(leave.token, Answer::Leave(answer));
    }

    /// For requests of members: of a group that is not there nobody is a member.
    fn check_known(&self, group_id: &str) -> Result<(), Error> {
        check_group_id(group_id, self.settings().limits.name_bytes)?;
        if self.group(group_id).is_some() { Ok(()) } else { Err(Error::UnknownMemberId) }
    }
}

fn check_group_id(group_id: &str, max: usize) -> Result<(), Error> {
    if group_id.is_empty() || group_id.len() > max { Err(Error::InvalidGroupId) } else { Ok(()) }
}
