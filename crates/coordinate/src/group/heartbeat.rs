//! Heartbeats, and what happens when they stay away.

use super::{GroupState, Turn};
use crate::answer::Answer;
use crate::error::Error;
use crate::input::Heartbeat;
use crate::note::Cause;

impl Turn<'_> {
    pub(crate) fn heartbeat(&mut self, beat: &Heartbeat) {
        let verdict = self.judge_heartbeat(beat);
        if matches!(verdict, Ok(()) | Err(Error::RebalanceInProgress)) {
            self.renew_session(&beat.member_id);
        }
        self.out.reply(beat.token, Answer::Heartbeat(verdict.err()));
    }

    fn judge_heartbeat(&self, beat: &Heartbeat) -> Result<(), Error> {
        self.group.validate_member(&beat.member_id, beat.instance_id.as_deref())?;
        if beat.generation != self.group.generation {
            return Err(Error::IllegalGeneration);
        }
        match self.group.state() {
            GroupState::Empty | GroupState::Dead => Err(Error::UnknownMemberId),
            GroupState::PreparingRebalance => Err(Error::RebalanceInProgress),
            // Members may beat as soon as they have their join answer.
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// A session ended, or an id that was given out has not been used in time.
    pub(crate) fn session_deadline(&mut self, member_id: &str) {
        if self.group.is_pending(member_id) {
            self.group.remove(member_id);
            self.complete_join_if_all_are_there();
            return;
        }
        let Some(member) = self.group.member(member_id) else { return };
        if member.is_alive_without_heartbeat() {
            return;
        }
        self.expel(member_id, Cause::Silent);
        match self.group.state() {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(),
            _ => self.complete_join_if_all_are_there(),
        }
    }

    fn complete_join_if_all_are_there(&mut self) {
        if self.group.is(GroupState::PreparingRebalance) && self.group.all_joined() {
            self.complete_join();
        }
    }
}
