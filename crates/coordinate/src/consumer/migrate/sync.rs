//! SyncGroup in a consumer group: the classic member fetches what it may have now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::classic_member;
use super::embedded::write_assignment;
use crate::answer::{Answer, SyncAnswer};
use crate::consumer::group::Group;
use crate::consumer::member::Member;
use crate::consumer::plan::{Plan, Timed};
use crate::effects::Effects;
use crate::error::Error;
use crate::input::Sync;
use crate::now::Now;
use crate::records::MemberState;
use crate::shard::Shard;
use crate::topics::Topics;

impl Shard {
    pub(crate) fn sync_consumer_group(&mut self, sync: &Sync, now: Now, out: &mut Effects) {
        let topics = self.topics().clone();
        let Some(group) = self.consumer_group(&sync.group_id) else { return };
        let mut plan = Plan::new(group, &*topics, self.settings(), now);
        let answer = match judge(group, sync) {
            Err(error) => {
                if error == Error::RebalanceInProgress
                    && let Some(member) = group.member(&sync.member_id)
                {
                    let id = Arc::from(sync.member_id.as_str());
                    plan.timed.push(Timed::Join(id, member.rebalance_timeout_ms));
                }
                SyncAnswer::refused(error)
            }
            Ok((id, member)) => {
                plan.timed.push(Timed::Synced(id.clone()));
                plan.renew_classic(id);
                SyncAnswer {
                    error: None,
                    protocol_type: sync.protocol_type.as_deref().map(Arc::from),
                    protocol: sync.protocol.as_deref().map(Arc::from),
                    assignment: assignment_of(member, &*topics),
                }
            }
        };
        let planned = plan.done();
        self.carry_out(planned, Some((sync.token, Answer::Sync(answer))), now, out);
    }
}

fn judge<'a>(group: &'a Group, sync: &Sync) -> Result<(&'a Arc<str>, &'a Member), Error> {
    let (id, member) = classic_member(group, &sync.member_id, sync.instance_id.as_deref())?;
    if member.epoch != sync.generation {
        return Err(Error::IllegalGeneration);
    }
    let first = member.protocols().first().map(|offer| &*offer.name);
    if sync.protocol_type.as_deref().is_some_and(|kind| kind != "consumer")
        || sync.protocol.as_deref().is_some_and(|name| Some(name) != first)
    {
        return Err(Error::InconsistentGroupProtocol);
    }
    // While it gives partitions back it has joined already.
    if group.target_epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
        return Err(Error::RebalanceInProgress);
    }
    Ok((id, member))
}

fn assignment_of(member: &Member, topics: &dyn Topics) -> bytes::Bytes {
    let named = member.assigned.iter().filter_map(|(id, partitions)| {
        Some((topics.name_of(id)?, partitions.keys().copied().collect::<Vec<i32>>()))
    });
    let named: BTreeMap<Arc<str>, Vec<i32>> = named.collect();
    let subscription = member.protocols().first().map(|offer| offer.metadata.clone()).unwrap_or_default();
    write_assignment(&named, &subscription)
}
