//! Who may commit and fetch offsets of a consumer group: members at their own epoch, and for a partition that they have,
//! from the epoch on since which they have it (KIP-1251).

use super::group::Group;
use crate::error::Error;
use crate::input::TopicId;

impl Group {
    /// Whether this member may commit at this epoch, for all that it asks for.
    ///
    /// # Errors
    /// Why not. What is right for some partitions and not for others is told by [`may_commit_for`](Self::may_commit_for).
    pub(crate) fn may_commit(&self, member_id: &str, epoch: i32, knows_epochs: bool) -> Result<(), Error> {
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.member(member_id).ok_or(Error::UnknownMemberId)?;
        match &member.classic {
            None if !knows_epochs => Err(Error::UnsupportedVersion),
            None if epoch > member.epoch => Err(Error::StaleMemberEpoch),
            Some(_) if epoch > member.epoch => Err(Error::IllegalGeneration),
            _ => Ok(()),
        }
    }

    /// Whether a member that [may commit](Self::may_commit) may do so for a partition.
    pub(crate) fn may_commit_for(
        &self,
        member_id: &str,
        epoch: i32,
        topic: &TopicId,
        partition: i32,
    ) -> Result<(), Error> {
        let Some(member) = self.member(member_id).filter(|member| member.epoch != epoch) else {
            return Ok(());
        };
        let since = member.has_since(topic, partition);
        if since.is_some_and(|since| epoch >= since) {
            return Ok(());
        }
        Err(if member.classic.is_some() { Error::IllegalGeneration } else { Error::StaleMemberEpoch })
    }

    /// Whether this member may fetch at this epoch; anybody may who names neither.
    pub(crate) fn may_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), Error> {
        let Some(member_id) = member_id else {
            return if epoch < 0 { Ok(()) } else { Err(Error::UnknownMemberId) };
        };
        let member = self.member(member_id).ok_or(Error::UnknownMemberId)?;
        match &member.classic {
            _ if member.epoch == epoch => Ok(()),
            Some(_) => Err(Error::IllegalGeneration),
            None => Err(Error::StaleMemberEpoch),
        }
    }
}
