//! Static members (KIP-345): a client that restarts under its `group.instance.id` takes its old place. The old member
//! id is fenced from that moment. In a stable group nothing else changes if the choice of protocol stays the same: the
//! new id is kept in the log and the client goes on with its assignment, without a rebalance.

use std::sync::Arc;

use super::{GroupState, Turn};
use crate::answer::JoinAnswer;
use crate::effects::Then;
use crate::error::Error;
use crate::input::{Join, Protocol};
use crate::note::Event;
use crate::records::{GroupMetadata, Record};

/// What a replacement changed, in case it cannot be kept.
#[derive(Debug)]
pub(crate) struct Undo {
    instance_id: Arc<str>,
    old_id: Arc<str>,
    new_id: Arc<str>,
    protocols: Vec<Protocol>,
    rebalance_timeout_ms: i32,
    session_timeout_ms: i32,
    leader: Option<Arc<str>>,
    supports_skip_assignment: bool,
}

impl Turn<'_> {
    pub(super) fn replace_static(&mut self, join: Join, old_id: &Arc<str>, new_id: &Arc<str>) {
        let (Some(old), Some(instance_id)) = (self.group.member(old_id).cloned(), join.instance_id) else {
            return;
        };
        let undo = Undo {
            instance_id: Arc::from(instance_id),
            old_id: old_id.clone(),
            new_id: new_id.clone(),
            protocols: old.protocols,
            rebalance_timeout_ms: old.rebalance_timeout_ms,
            session_timeout_ms: old.session_timeout_ms,
            leader: self.group.leader.clone(),
            supports_skip_assignment: join.supports_skip_assignment,
        };
        self.note(Event::Replaced {
            instance_id: undo.instance_id.clone(),
            old_id: old_id.clone(),
            new_id: new_id.clone(),
        });
        self.fence(old_id);
        self.group.rename_static(&undo.instance_id, old_id, new_id);
        self.renew_session(new_id);
        self.group.update_member(new_id, join.protocols, join.rebalance_timeout_ms, join.session_timeout_ms);
        self.park_join(new_id, join.token);
        match self.group.state() {
            GroupState::Stable if self.group.choose_protocol() == self.group.protocol => {
                self.keep_replacement(undo);
            }
            GroupState::Stable => self.rebalance_or_complete_join(),
            // The leader may already be assigning to the old id.
            GroupState::CompletingRebalance => self.prepare_rebalance(),
            _ => self.maybe_complete_join(),
        }
    }

    /// Whoever still waits under the old id learns that it is replaced.
    fn fence(&mut self, old_id: &str) {
        if let Some(token) = self.group.take_join(old_id) {
            self.refuse_join(token, old_id, Error::FencedInstanceId);
        }
        let mut waiting = None;
        self.group.with_member(old_id, |member| {
            waiting = member.awaiting_sync.take();
            member.is_new = false;
        });
        if let Some(token) = waiting {
            self.refuse_sync(token, Error::FencedInstanceId);
        }
        self.cancel_session(old_id);
    }

    fn keep_replacement(&mut self, undo: Undo) {
        let value = GroupMetadata::of(self.group, |_, member| member.assignment.clone());
        let record = Record::Group { group_id: self.group.id.clone(), value: Some(value) };
        self.out
            .append(vec![record], Then::Replace { group_id: self.group.id.clone(), undo: Box::new(undo) });
    }

    /// The replacement is in the log: the client may go on.
    pub(crate) fn replacement_kept(&mut self, undo: &Undo) {
        let Some(token) = self.group.take_join(&undo.new_id) else { return };
        let answer = if undo.supports_skip_assignment {
            let is_leader = self.group.is_leader(&undo.new_id);
            self.present_generation(&undo.new_id, is_leader)
        } else {
            // An older client that found itself leader would assign anew, which nobody expects: it is told that the old
            // id leads, and only syncs.
            let leader = undo.leader.clone().unwrap_or_else(|| Arc::from(""));
            JoinAnswer { leader, members: Vec::new(), ..self.present_generation(&undo.new_id, false) }
        };
        self.answer_join(token, answer);
    }

    /// The replacement could not be written: the old member is back.
    pub(crate) fn replacement_failed(&mut self, undo: Undo, error: Error) {
        if let Some(token) = self.group.take_join(&undo.new_id) {
            self.refuse_join(token, "", error);
        }
        if !self.group.has_member(&undo.new_id) {
            return;
        }
        self.cancel_session(&undo.new_id);
        self.group.update_member(
            &undo.new_id,
            undo.protocols,
            undo.rebalance_timeout_ms,
            undo.session_timeout_ms,
        );
        self.group.rename_static(&undo.instance_id, &undo.new_id, &undo.old_id);
        self.renew_session(&undo.old_id);
    }
}
