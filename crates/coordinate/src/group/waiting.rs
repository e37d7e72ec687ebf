//! Who waits for an answer of the group, and how all of them are sent away at once.

use super::Group;
use crate::answer::{Answer, JoinAnswer, SyncAnswer};
use crate::effects::Effects;
use crate::error::Error;
use crate::input::Token;

impl Group {
    /// Everyone who waits for an answer.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Token> + '_ {
        self.members().flat_map(|(_, member)| member.awaiting_join.into_iter().chain(member.awaiting_sync))
    }

    /// Ends all waiting with an error.
    pub(crate) fn send_everyone_away(&mut self, error: Error, out: &mut Effects) {
        for id in self.member_ids() {
            if let Some(token) = self.take_join(&id) {
                out.reply(token, Answer::Join(JoinAnswer::refused(id.clone(), error)));
            }
            let mut waiting = None;
            self.with_member(&id, |member| waiting = member.awaiting_sync.take());
            if let Some(token) = waiting {
                out.reply(token, Answer::Sync(SyncAnswer::refused(error)));
            }
        }
    }
}
