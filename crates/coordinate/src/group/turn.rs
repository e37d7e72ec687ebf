//! One event acting on one group: the group, the clock, the timers, and the list of what to do. The transitions are
//! methods on this.

use std::sync::Arc;

use super::Group;
use crate::answer::{Answer, JoinAnswer, SyncAnswer};
use crate::effects::Effects;
use crate::error::Error;
use crate::input::Token;
use crate::note::{Cause, Event};
use crate::now::Now;
use crate::settings::Settings;
use crate::timers::{TimerKey, Timers};

pub(crate) struct Turn<'a> {
    pub(crate) group: &'a mut Group,
    pub(crate) timers: &'a mut Timers,
    pub(crate) settings: &'a Settings,
    pub(crate) out: &'a mut Effects,
    pub(crate) now: Now,
}

impl Turn<'_> {
    pub(super) fn answer_join(&mut self, token: Token, answer: JoinAnswer) {
        self.out.reply(token, Answer::Join(answer));
    }

    pub(super) fn refuse_join(&mut self, token: Token, member_id: &str, error: Error) {
        self.answer_join(token, JoinAnswer::refused(member_id, error));
    }

    pub(super) fn refuse_sync(&mut self, token: Token, error: Error) {
        self.out.reply(token, Answer::Sync(SyncAnswer::refused(error)));
    }

    /// Lets a member wait in its join; an earlier join of the same member is sent back to try again.
    pub(super) fn park_join(&mut self, member_id: &str, token: Token) {
        if let Some(old) = self.group.park_join(member_id, token) {
            self.refuse_join(old, member_id, Error::RebalanceInProgress);
        }
    }

    /// The session of a member (or of an id given out) ends after `timeout_ms` unless something happens.
    pub(super) fn set_session(&mut self, member_id: &Arc<str>, timeout_ms: i32) {
        let key = TimerKey::Session(self.group.id.clone(), member_id.clone());
        self.timers.set(key, self.now.deadline(i64::from(timeout_ms)));
    }

    /// A sign of life.
    pub(crate) fn renew_session(&mut self, member_id: &str) {
        if let Some((id, member)) = self.group.members.get_key_value(member_id) {
            let (id, timeout_ms) = (id.clone(), member.session_timeout_ms);
            self.set_session(&id, timeout_ms);
        }
    }

    pub(super) fn cancel_session(&mut self, member_id: &str) {
        self.timers.cancel(&TimerKey::Session(self.group.id.clone(), Arc::from(member_id)));
    }

    pub(super) fn set_join_deadline(&mut self, after_ms: i32) {
        let deadline_ms = self.now.deadline(i64::from(after_ms));
        self.timers.set(TimerKey::Join(self.group.id.clone()), deadline_ms);
    }

    pub(super) fn note(&mut self, event: Event) {
        self.out.note(&self.group.id, event);
    }

    /// Takes a member out that did not keep to the rules.
    pub(super) fn expel(&mut self, member_id: &str, cause: Cause) {
        if self.group.has_member(member_id) {
            self.note(Event::Expelled { member_id: Arc::from(member_id), cause });
        }
        self.drop_member(member_id);
    }

    /// Takes a member out for good: its timer ends, and whoever waits under its id learns that it is unknown.
    pub(super) fn drop_member(&mut self, member_id: &str) {
        self.cancel_session(member_id);
        let Some(member) = self.group.remove(member_id) else { return };
        if let Some(token) = member.awaiting_join {
            self.refuse_join(token, "", Error::UnknownMemberId);
        }
        if let Some(token) = member.awaiting_sync {
            self.refuse_sync(token, Error::UnknownMemberId);
        }
    }
}
