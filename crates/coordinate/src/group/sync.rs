//! SyncGroup: the leader brings the assignment, everyone takes theirs. The assignment is in the log before anyone has
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{GroupState, Turn};
use crate::answer::{Answer, SyncAnswer};
use crate::effects::Then;
use crate::error::Error;
use crate::input::{Sync, Token};
use crate::note::{Cause, Event};
use crate::records::{GroupMetadata, Record};
use crate::timers::TimerKey;

impl Turn<'_> {
    pub(crate) fn sync(&mut self, sync: Sync) {
        if let Err(error) = self.validate_sync(&sync) {
            return self.refuse_sync(sync.token, error);
        }
        match self.group.state() {
            GroupState::PreparingRebalance => self.refuse_sync(sync.token, Error::RebalanceInProgress),
            GroupState::CompletingRebalance => {
                self.park_sync(&sync.member_id, sync.token);
                self.has_synced(&sync.member_id);
                if self.group.is_leader(&sync.member_id) {
                    self.keep_assignment(sync.assignments);
                }
            }
            GroupState::Stable => {
                self.has_synced(&sync.member_id);
                let assignment = self
                    .group
                    .member(&sync.member_id)
                    .map(|member| member.assignment.clone())
                    .unwrap_or_default();
                self.answer_sync(sync.token, assignment);
            }
            GroupState::Empty | GroupState::Dead => self.refuse_sync(sync.token, Error::UnknownMemberId),
        }
    }

    fn validate_sync(&self, sync: &Sync) -> Result<(), Error> {
        if self.group.is(GroupState::Empty) {
            return Err(Error::UnknownMemberId);
        }
        self.group.validate_member(&sync.member_id, sync.instance_id.as_deref())?;
        if sync.generation != self.group.generation {
            return Err(Error::IllegalGeneration);
        }
        let differs =
            |asked: Option<&str>, ours: Option<&str>| asked.is_some() && ours.is_some() && asked != ours;
        if differs(sync.protocol_type.as_deref(), self.group.protocol_type.as_deref())
            || differs(sync.protocol.as_deref(), self.group.protocol.as_deref())
        {
            return Err(Error::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn park_sync(&mut self, member_id: &str, token: Token) {
        let mut old = None;
        self.group.with_member(member_id, |member| old = member.awaiting_sync.replace(token));
        if let Some(old) = old {
            self.refuse_sync(old, Error::RebalanceInProgress);
        }
    }

    fn has_synced(&mut self, member_id: &str) {
        self.group.pending_sync.remove(member_id);
        if self.group.pending_sync.is_empty() {
            self.timers.cancel(&TimerKey::Sync(self.group.id.clone()));
        }
    }

    fn answer_sync(&mut self, token: Token, assignment: Bytes) {
        let answer = SyncAnswer {
            error: None,
            protocol_type: self.group.protocol_type.clone(),
            protocol: self.group.protocol.clone(),
            assignment,
        };
        self.out.reply(token, Answer::Sync(answer));
    }

    /// Writes the leader's assignment. Members it forgot get nothing; members it invented are not there.
    fn keep_assignment(&mut self, assigned: Vec<(String, Bytes)>) {
        let assignments: BTreeMap<Arc<str>, Bytes> = assigned
            .into_iter()
            .filter(|(id, _)| self.group.has_member(id))
            .map(|(id, assignment)| (Arc::from(id), assignment))
            .collect();
        let value = GroupMetadata::of(self.group, |id, _| assignments.get(id).cloned().unwrap_or_default());
        let (group_id, generation) = (self.group.id.clone(), self.group.generation);
        let record = Record::Group { group_id: group_id.clone(), value: Some(value) };
        self.out.append(vec![record], Then::Assign { group_id, generation, assignments });
    }

    /// The assignment is in the log: hand it out. If the group moved on meanwhile, nothing happens.
    pub(crate) fn assignment_kept(&mut self, generation: i32, assignments: &BTreeMap<Arc<str>, Bytes>) {
        if !self.group.is(GroupState::CompletingRebalance) || self.group.generation != generation {
            return;
        }
        for id in self.group.member_ids() {
            let assignment = assignments.get(&id).cloned().unwrap_or_default();
            let mut waiting = None;
            self.group.with_member(&id, |member| {
                member.assignment = assignment.clone();
                waiting = member.awaiting_sync.take();
            });
            if let Some(token) = waiting {
                self.answer_sync(token, assignment);
                // Its session may have ended unheeded while it waited.
                self.renew_session(&id);
            }
        }
        // The record was made before the state changed, and says when the generation began: keep saying so.
        let since_ms = self.group.state_since_ms;
        self.group.enter(GroupState::Stable, self.now.wall_ms);
        self.note(Event::Assigned { generation });
        self.group.state_since_ms = since_ms;
    }

    /// The assignment could not be written: everyone joins again.
    pub(crate) fn assignment_failed(&mut self, generation: i32, error: Error) {
        if self.group.is(GroupState::CompletingRebalance) && self.group.generation == generation {
            self.note(Event::AssignmentLost { error });
            self.withdraw_assignments(error);
            self.rebalance_or_complete_join();
        }
    }

    pub(super) fn withdraw_assignments(&mut self, error: Error) {
        for id in self.group.member_ids() {
            let mut waiting = None;
            self.group.with_member(&id, |member| {
                member.assignment = Bytes::new();
                waiting = member.awaiting_sync.take();
            });
            if let Some(token) = waiting {
                self.refuse_sync(token, error);
                self.renew_session(&id);
            }
        }
    }

    /// Members that joined but never came for their assignment are out.
    pub(crate) fn sync_deadline(&mut self) {
        let waits = matches!(self.group.state(), GroupState::CompletingRebalance | GroupState::Stable);
        if !waits || self.group.pending_sync.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.group.pending_sync) {
            self.expel(&id, Cause::NotSynced);
        }
        self.prepare_rebalance();
    }
}
