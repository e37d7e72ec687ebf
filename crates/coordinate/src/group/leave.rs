//! LeaveGroup: members go, by their id or, static ones, by their instance id at an administrator's word.

use std::sync::Arc;

use super::{GroupState, Turn};
use crate::answer::{Answer, LeaveAnswer, LeftMember};
use crate::error::Error;
use crate::input::{Leave, Leaver};
use crate::note::Event;

impl Turn<'_> {
    pub(crate) fn leave(&mut self, leave: Leave) {
        let members: Vec<LeftMember> = leave
            .members
            .into_iter()
            .map(|leaver| {
                let error = self.leave_one(&leaver).err();
                LeftMember { member_id: leaver.member_id, instance_id: leaver.instance_id, error }
            })
            .collect();
        let anyone = members.iter().any(|member| member.error.is_none());
        self.out.reply(leave.token, Answer::Leave(LeaveAnswer { error: None, members }));
        if anyone {
            match self.group.state() {
                GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(),
                GroupState::PreparingRebalance => self.maybe_complete_join(),
                GroupState::Empty | GroupState::Dead => {}
            }
        }
    }

    fn leave_one(&mut self, leaver: &Leaver) -> Result<(), Error> {
        let instance_id = leaver.instance_id.as_deref();
        let id: Arc<str> = if leaver.member_id.is_empty() {
            instance_id.and_then(|id| self.group.static_member(id)).cloned().ok_or(Error::UnknownMemberId)?
        } else {
            if !self.group.is_pending(&leaver.member_id) {
                self.group.validate_member(&leaver.member_id, instance_id)?;
            }
            Arc::from(leaver.member_id.as_str())
        };
        if self.group.has_member(&id) {
            self.note(Event::Left { member_id: id.clone(), reason: leaver.reason.clone() });
        }
        self.drop_member(&id);
        Ok(())
    }
}
