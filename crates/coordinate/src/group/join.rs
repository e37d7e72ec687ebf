//! JoinGroup: who is let in, and whether the group must rebalance for it.

use std::sync::Arc;

use bytes::Bytes;

use super::{GroupState, Member, Turn};
use crate::answer::JoinAnswer;
use crate::error::Error;
use crate::input::Join;
use crate::note::{Cause, Event};

/// A member id begins with at most so much of the client's own name.
const STEM_BYTES: usize = 255;

/// The beginning of a text, at most so many bytes and whole characters of it.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

impl Turn<'_> {
    pub(crate) fn join(&mut self, join: Join) {
        if !self.has_room_for(&join.member_id) {
            self.expel(&join.member_id, Cause::NoRoom);
            self.refuse_join(join.token, "", Error::GroupMaxSizeReached);
        } else if !self.group.supports(&join.protocol_type, &join.protocols) {
            self.refuse_join(join.token, &join.member_id, Error::InconsistentGroupProtocol);
        } else if join.member_id.is_empty() {
            self.join_unknown(join);
        } else {
            self.join_known(join);
        }
    }

    /// While members join, those that already wait count, so that a group that shrank keeps who comes first; afterwards
    /// all members count.
    fn has_room_for(&self, member_id: &str) -> bool {
        let max = self.settings.max_size.min(self.settings.limits.members);
        match self.group.state() {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                self.group.member(member_id).is_some_and(|member| member.awaiting_join.is_some())
                    || self.group.awaiting_join_len() < max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.group.has_member(member_id) || self.group.len() < max
            }
        }
    }

    /// A member without an id: it gets one.
    fn join_unknown(&mut self, join: Join) {
        let stem = cut(join.instance_id.as_deref().unwrap_or(&join.client_id), STEM_BYTES);
        let new_id: Arc<str> = Arc::from(format!("{stem}-{}", join.fresh_id));
        match &join.instance_id {
            Some(instance_id) => match self.group.static_member(instance_id).cloned() {
                Some(old_id) => self.replace_static(join, &old_id, &new_id),
                None => self.add_member(join, &new_id),
            },
            None if join.require_known_member_id => self.give_out_id(&join, new_id),
            None => self.add_member(join, &new_id),
        }
    }

    /// KIP-394: the member must come back with its id, so that clients that vanish leave no ghosts.
    fn give_out_id(&mut self, join: &Join, new_id: Arc<str>) {
        if self.group.pending_len() >= self.settings.limits.pending_members {
            return self.refuse_join(join.token, "", Error::GroupMaxSizeReached);
        }
        self.group.add_pending(new_id.clone());
        self.set_session(&new_id, join.session_timeout_ms);
        self.answer_join(join.token, JoinAnswer::refused(new_id, Error::MemberIdRequired));
    }

    fn join_known(&mut self, join: Join) {
        if self.group.is_pending(&join.member_id) {
            if join.instance_id.is_some() {
                return self.refuse_join(join.token, &join.member_id, Error::UnknownMemberId);
            }
            let id = Arc::from(join.member_id.as_str());
            return self.add_member(join, &id);
        }
        if let Err(error) = self.group.validate_member(&join.member_id, join.instance_id.as_deref()) {
            return self.refuse_join(join.token, &join.member_id, error);
        }
        let unchanged =
            self.group.member(&join.member_id).is_some_and(|member| member.offers(&join.protocols));
        let told_again = match self.group.state() {
            GroupState::Empty | GroupState::Dead => {
                return self.refuse_join(join.token, &join.member_id, Error::UnknownMemberId);
            }
            GroupState::PreparingRebalance => false,
            // Its join answer got lost.
            GroupState::CompletingRebalance => unchanged,
            // A leader that joins again wants a rebalance, for instance because a topic got partitions.
            GroupState::Stable => unchanged && !self.group.is_leader(&join.member_id),
        };
        if told_again {
            let answer = self.present_generation(&join.member_id, false);
            self.answer_join(join.token, answer);
        } else {
            self.rejoin(join);
        }
    }

    /// The present generation as this member is to see it.
    pub(super) fn present_generation(&self, member_id: &str, skip_assignment: bool) -> JoinAnswer {
        let group = &self.group;
        JoinAnswer {
            error: None,
            generation: group.generation,
            protocol_type: group.protocol_type.clone(),
            protocol: group.protocol.clone(),
            leader: group.leader.clone().unwrap_or_else(|| Arc::from("")),
            skip_assignment,
            member_id: Arc::from(member_id),
            members: if group.is_leader(member_id) { group.members_for_leader() } else { Vec::new() },
        }
    }

    fn rejoin(&mut self, join: Join) {
        let Join { token, member_id, protocols, rebalance_timeout_ms, session_timeout_ms, reason, .. } = join;
        if !self.group.is(GroupState::PreparingRebalance) {
            self.note(Event::Rejoined { member_id: Arc::from(member_id.as_str()), reason });
        }
        self.group.update_member(&member_id, protocols, rebalance_timeout_ms, session_timeout_ms);
        self.park_join(&member_id, token);
        self.rebalance_or_complete_join();
    }

    fn add_member(&mut self, join: Join, id: &Arc<str>) {
        if self.group.is(GroupState::PreparingRebalance) && self.group.previous_state() == GroupState::Empty {
            self.group.new_member_added = true;
        }
        let member = Member {
            instance_id: join.instance_id.map(Arc::from),
            client_id: Arc::from(join.client_id),
            client_host: Arc::from(join.client_host),
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols,
            assignment: Bytes::new(),
            awaiting_join: Some(join.token),
            awaiting_sync: None,
            is_new: true,
        };
        self.note(Event::Joined {
            member_id: id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            reason: join.reason,
        });
        self.group.add(id.clone(), member, &join.protocol_type);
        self.set_session(id, self.settings.new_member_join_timeout_ms);
        self.rebalance_or_complete_join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_id_begins_with_whole_characters_of_the_clients_name() {
        assert_eq!(cut("consumer", STEM_BYTES), "consumer");
        assert_eq!(cut(&"x".repeat(300), STEM_BYTES).len(), 255);
        assert_eq!(cut(&"ä".repeat(300), STEM_BYTES), "ä".repeat(127));
    }
}
