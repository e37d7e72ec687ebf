//! What happens to consumer groups by itself: sessions begin after a restart, and members that kept silent are out.

use std::sync::Arc;

use super::plan::{Plan, Timed};
use crate::effects::Effects;
use crate::input::GroupTiming;
use crate::note::{Cause, Event};
use crate::now::Now;
use crate::shard::Shard;
use crate::timers::TimerKey;

impl Shard {
    /// The log is read: every member has its session again, and as long as ever to give partitions back.
    pub(crate) fn consumers_loaded(&mut self, timing_of: &dyn Fn(&str) -> GroupTiming, now: Now) {
        let mut deadlines = Vec::new();
        for group in self.consumer_groups() {
            let of_group = timing_of(&group.id).session_timeout_ms;
            for (member_id, member) in group.members() {
                let session_ms = member.classic.as_ref().map_or(of_group, |own| own.session_timeout_ms);
                let session_ms = now.deadline(i64::from(session_ms));
                deadlines.push((TimerKey::Session(group.id.clone(), member_id.clone()), session_ms));
                if member.is_to_give_back() {
                    let revoke_ms = now.deadline(i64::from(member.rebalance_timeout_ms));
                    deadlines.push((TimerKey::Revoke(group.id.clone(), member_id.clone()), revoke_ms));
                }
            }
        }
        for (key, deadline_ms) in deadlines {
            self.timers.set(key, deadline_ms);
        }
    }

    /// A deadline of a member has come: it did not keep to the rules, and is taken out.
    pub(crate) fn member_deadline(&mut self, key: TimerKey, now: Now, out: &mut Effects) {
        let Some((group_id, member_id, cause)) = key.overdue() else { return };
        let member = self.consumer_group(group_id).and_then(|group| group.member(member_id));
        let Some(member) = member else { return };
        if cause == Cause::NotRevoked && !member.is_to_give_back() {
            return;
        }
        out.note(group_id, Event::Expelled { member_id: member_id.clone(), cause });
        let (group_id, ids) = (group_id.clone(), [member_id.clone()]);
        self.take_members_out(&group_id, &ids, None, Some(key), now, out);
    }
}

impl TimerKey {
    /// Whose deadline this is in a consumer group, and what they did not do.
    const fn overdue(&self) -> Option<(&Arc<str>, &Arc<str>, Cause)> {
        match self {
            Self::Session(group_id, member_id) => Some((group_id, member_id, Cause::Silent)),
            Self::Revoke(group_id, member_id) => Some((group_id, member_id, Cause::NotRevoked)),
            Self::MemberJoin(group_id, member_id) => Some((group_id, member_id, Cause::NotRejoined)),
            Self::MemberSync(group_id, member_id) => Some((group_id, member_id, Cause::NotSynced)),
            Self::Join(_) | Self::Sync(_) | Self::Resolve(_) | Self::Retention => None,
        }
    }
}

impl Plan<'_> {
    /// A sign of life of a member that speaks the classic protocol.
    pub(crate) fn renew_classic(&mut self, member_id: &Arc<str>) {
        let member = self.group.member(member_id);
        if let Some(classic) = member.and_then(|member| member.classic.as_ref()) {
            self.timed.push(Timed::Session(member_id.clone(), classic.session_timeout_ms));
        }
    }
}
