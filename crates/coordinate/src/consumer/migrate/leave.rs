//! LeaveGroup in a consumer group: members of either protocol go, by their id, or static ones by their instance id at an
//! administrator's word.

use std::sync::Arc;

use crate::answer::{Answer, LeaveAnswer, LeftMember};
use crate::consumer::group::Group;
use crate::effects::Effects;
use crate::error::Error;
use crate::input::{Leave, Leaver};
use crate::note::Event;
use crate::now::Now;
use crate::shard::Shard;

impl Shard {
    pub(crate) fn leave_consumer_group(&mut self, leave: Leave, now: Now, out: &mut Effects) {
        let Some(group) = self.consumer_group(&leave.group_id) else { return };
        let (group_id, mut gone) = (group.id.clone(), Vec::new());
        let mut members = Vec::with_capacity(leave.members.len());
        for leaver in leave.members {
            let found = find(group, &leaver);
            if let Ok(member_id) = &found
                && !gone.contains(member_id)
            {
                out.note(
                    &group_id,
                    Event::Left { member_id: member_id.clone(), reason: leaver.reason.clone() },
                );
                gone.push(member_id.clone());
            }
            let Leaver { member_id, instance_id, .. } = leaver;
            members.push(LeftMember { member_id, instance_id, error: found.err() });
        }
        let answer = Some((leave.token, Answer::Leave(LeaveAnswer { error: None, members })));
        self.take_members_out(&group_id, &gone, answer, None, now, out);
    }
}

fn find(group: &Group, leaver: &Leaver) -> Result<Arc<str>, Error> {
    let Some(instance_id) = &leaver.instance_id else {
        return group.entry(&leaver.member_id).map(|(id, _)| id.clone()).ok_or(Error::UnknownMemberId);
    };
    let holder = group.static_member(instance_id).ok_or(Error::UnknownMemberId)?;
    if !leaver.member_id.is_empty() && **holder != *leaver.member_id {
        return Err(Error::FencedInstanceId);
    }
    Ok(holder.clone())
}
