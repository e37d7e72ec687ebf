//! From the wish to rebalance to a new generation.

use std::sync::Arc;

use bytes::Bytes;

use super::{Group, GroupState, JoinWait, Member, Turn};
use crate::answer::JoinMember;
use crate::effects::Then;
use crate::error::Error;
use crate::note::{Cause, Event};
use crate::records::{GroupMetadata, Record};
use crate::timers::TimerKey;

/// A rebalance that nobody has joined is looked at again this much later at the earliest, whatever members ask for.
const POSTPONED_MIN_MS: i32 = 1_000;

impl Group {
    /// Everyone with the metadata for the chosen protocol: what the leader assigns by.
    pub(super) fn members_for_leader(&self) -> Vec<JoinMember> {
        let protocol = self.protocol.as_deref().unwrap_or("");
        let member = |(id, member): (&Arc<str>, &Member)| JoinMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        };
        self.members().map(member).collect()
    }

    /// What keeps a group that has just been made, whatever its first member is still waiting for.
    pub(crate) fn new_record(&self) -> Record {
        let value = GroupMetadata {
            protocol_type: Arc::from(""),
            generation: 0,
            protocol: None,
            leader: None,
            state_since_ms: self.state_since_ms,
            members: Vec::new(),
        };
        Record::Group { group_id: self.id.clone(), value: Some(value) }
    }

    /// Makes sure that the leader is one who joined. False if nobody did.
    fn elect_joined_leader(&mut self) -> bool {
        let waits = |id: &str| self.member(id).is_some_and(|member| member.awaiting_join.is_some());
        if self.leader.as_deref().is_some_and(waits) {
            return true;
        }
        let joined =
            self.members().find(|(_, member)| member.awaiting_join.is_some()).map(|(id, _)| id.clone());
        let found = joined.is_some();
        if found {
            self.leader = joined;
        }
        found
    }
}

impl Turn<'_> {
    pub(crate) fn rebalance_or_complete_join(&mut self) {
        if self.group.is(GroupState::PreparingRebalance) {
            self.maybe_complete_join();
        } else {
            self.prepare_rebalance();
        }
    }

    /// Asks all members to join again. The first rebalance of an empty group waits a while for others to arrive.
    pub(crate) fn prepare_rebalance(&mut self) {
        if self.group.is(GroupState::CompletingRebalance) {
            self.withdraw_assignments(Error::RebalanceInProgress);
        }
        self.group.pending_sync.clear();
        self.timers.cancel(&TimerKey::Sync(self.group.id.clone()));
        let (generation, members) = (self.group.generation, self.group.len());
        self.note(Event::Rebalancing { generation, members });
        let is_first = self.group.is(GroupState::Empty);
        self.group.enter(GroupState::PreparingRebalance, self.now.wall_ms);
        let timeout_ms = self.group.rebalance_timeout_ms();
        if is_first {
            let delay_ms = self.settings.initial_rebalance_delay_ms.max(0);
            self.group.new_member_added = false;
            self.group.join_wait =
                JoinWait::Initial { delay_ms, remaining_ms: timeout_ms.saturating_sub(delay_ms).max(0) };
            self.set_join_deadline(delay_ms);
        } else if self.group.all_joined() {
            self.complete_join();
        } else {
            self.group.join_wait = JoinWait::Rebalance;
            self.set_join_deadline(timeout_ms);
        }
    }

    /// Ends the wait for members as soon as all are there, but never cuts the first wait short.
    pub(crate) fn maybe_complete_join(&mut self) {
        if self.group.is(GroupState::PreparingRebalance)
            && self.group.previous_state() != GroupState::Empty
            && self.group.all_joined()
        {
            self.complete_join();
        }
    }

    /// The join deadline came.
    pub(crate) fn join_deadline(&mut self) {
        if !self.group.is(GroupState::PreparingRebalance) {
            return;
        }
        match self.group.join_wait {
            JoinWait::Initial { delay_ms, remaining_ms }
                if self.group.new_member_added
                    && remaining_ms > 0
                    && self.settings.initial_rebalance_delay_ms > 0 =>
            {
                self.group.new_member_added = false;
                let next_ms = self.settings.initial_rebalance_delay_ms.min(remaining_ms);
                self.group.join_wait =
                    JoinWait::Initial { delay_ms: next_ms, remaining_ms: (remaining_ms - delay_ms).max(0) };
                self.set_join_deadline(next_ms);
            }
            _ => self.complete_join(),
        }
    }

    /// Begins the next generation with those who joined. Dynamic members that did not are out; static members stay
    /// until their session ends.
    pub(super) fn complete_join(&mut self) {
        self.timers.cancel(&TimerKey::Join(self.group.id.clone()));
        let absent = |member: &Member| member.awaiting_join.is_none() && !member.is_static();
        let gone: Vec<_> =
            self.group.members().filter(|(_, member)| absent(member)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.expel(&id, Cause::NotRejoined);
        }
        if !self.group.elect_joined_leader() && !self.group.has_no_members() {
            // Only absent static members are left: wait until one comes back or their sessions end.
            self.group.join_wait = JoinWait::Rebalance;
            self.set_join_deadline(self.group.rebalance_timeout_ms().max(POSTPONED_MIN_MS));
            return;
        }
        self.group.generation = self.group.generation.checked_add(1).unwrap_or(1);
        self.group.pending_sync.clear();
        if self.group.has_no_members() {
            self.group.protocol = None;
            self.group.subscribed = self.group.compute_subscribed();
            self.group.enter(GroupState::Empty, self.now.wall_ms);
            self.note(Event::Emptied { generation: self.group.generation });
            self.keep_empty();
        } else {
            self.group.protocol = self.group.choose_protocol();
            self.group.subscribed = self.group.compute_subscribed();
            self.group.enter(GroupState::CompletingRebalance, self.now.wall_ms);
            self.note(Event::Generation {
                generation: self.group.generation,
                members: self.group.len(),
                leader: self.group.leader.clone(),
            });
            self.begin_generation();
        }
    }

    fn begin_generation(&mut self) {
        for id in self.group.member_ids() {
            if let Some(token) = self.group.take_join(&id) {
                let answer = self.present_generation(&id, false);
                self.answer_join(token, answer);
            }
            self.renew_session(&id);
            self.group.with_member(&id, |member| member.is_new = false);
            self.group.pending_sync.insert(id);
        }
        let deadline_ms = self.now.deadline(i64::from(self.group.rebalance_timeout_ms()));
        self.timers.set(TimerKey::Sync(self.group.id.clone()), deadline_ms);
    }

    /// Writes the group as it is without members.
    fn keep_empty(&mut self) {
        let value = GroupMetadata::of(self.group, |_, _| Bytes::new());
        let record = Record::Group { group_id: self.group.id.clone(), value: Some(value) };
        self.out.append(vec![record], Then::Nothing);
    }

    /// Writes a group that has just been made.
    pub(crate) fn keep_new(&mut self) {
        self.out.append(vec![self.group.new_record()], Then::Nothing);
    }
}
