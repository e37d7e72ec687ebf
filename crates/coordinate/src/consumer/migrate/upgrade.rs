//! A classic group of consumers becomes a consumer group: a member of the consumer protocol joins it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::embedded::{Named, read_assignment, read_subscription};
use crate::consumer::group::Group;
use crate::consumer::member::{Member, Owned};
use crate::consumer::metadata_hash;
use crate::consumer::plan::{Refusal, refuse};
use crate::error::Error;
use crate::group::{self, GroupState};
use crate::input::TopicId;
use crate::records::{
    ClassicMember, ConsumerRecord, GroupEpoch, MemberState, Record, TargetAssignment, TargetEpoch,
    TopicPartitions,
};
use crate::settings::Settings;
use crate::topics::Topics;

/// The consumer group that a classic one becomes, and the records that make it. Its members have what they had; the
/// generation is the epoch. In one that was rebalancing an assignment is due: what its leader would have given nobody gives.
///
/// # Errors
/// It may not, or it cannot: what its members said is not understood, or an assignor of their own keeps data with them.
pub(crate) fn upgrade(
    classic: &group::Group,
    topics: &dyn Topics,
    settings: &Settings,
) -> Result<(Group, Vec<Record>), Refusal> {
    check(classic, settings)?;
    let epoch = classic.generation;
    let mut members: BTreeMap<Arc<str>, Member> = BTreeMap::new();
    for (id, member) in classic.members() {
        members.insert(id.clone(), converted(classic, member, epoch, topics)?);
    }
    let names = members.values().flat_map(|member| &member.topics).collect::<std::collections::BTreeSet<_>>();
    let metadata_hash = metadata_hash::of(names, topics);
    let mut records: Vec<ConsumerRecord> = Vec::new();
    for (id, member) in &members {
        records.push(ConsumerRecord::Member { member_id: id.clone(), value: Some(member.metadata()) });
    }
    let is_assigned = classic.is(GroupState::Stable);
    let due = if is_assigned { epoch } else { epoch.saturating_add(1) };
    records.push(ConsumerRecord::Epoch(Some(GroupEpoch { epoch: due, metadata_hash })));
    for (id, member) in &members {
        let value = Some(target_of(&member.assigned));
        records.push(ConsumerRecord::Target { member_id: id.clone(), value });
    }
    records.push(ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch, computed_ms: 0 })));
    for (id, member) in &members {
        records.push(ConsumerRecord::Current { member_id: id.clone(), value: Some(member.current()) });
    }
    let mut group = Group::new(classic.id.clone());
    records.iter().cloned().for_each(|record| _ = group.apply(record));
    let id = || classic.id.clone();
    let records = records.into_iter().map(|record| Record::Consumer { group_id: id(), record });
    let records = [Record::Group { group_id: id(), value: None }].into_iter().chain(records);
    Ok((group, records.collect()))
}

fn check(classic: &group::Group, settings: &Settings) -> Result<(), Refusal> {
    let because = |why: &str| {
        let message = format!("Cannot upgrade classic group {} to consumer group because {why}.", classic.id);
        refuse(Error::GroupIdNotFound, message)
    };
    if !settings.consumer.migration.upgrades() {
        return because("online upgrade is disabled");
    }
    if !classic.is_consumer() {
        return because("the group does not use the consumer embedded protocol");
    }
    if classic.len() > settings.consumer.max_size {
        return because("the group size exceeds the consumer group maximum size");
    }
    Ok(())
}

fn converted(
    classic: &group::Group,
    old: &group::Member,
    epoch: i32,
    topics: &dyn Topics,
) -> Result<Member, Refusal> {
    let malformed = || Refusal {
        error: Error::GroupIdNotFound,
        message: format!(
            "Cannot upgrade classic group {} to consumer group because the embedded consumer protocol is malformed.",
            classic.id
        ),
    };
    let protocol = classic.protocol.clone().or_else(|| classic.choose_protocol());
    let metadata = protocol.map(|name| old.metadata(&name)).unwrap_or_default();
    let subscription = read_subscription(&metadata).map_err(|_| malformed())?;
    let Some(assigned) = read_assignment(&old.assignment).map_err(|_| malformed())? else {
        let message = format!(
            "Cannot upgrade classic group {} to consumer group because an unsupported custom assignor is in use. \
             Please refer to the documentation or switch to a default assignor before re-attempting the upgrade.",
            classic.id
        );
        return refuse(Error::GroupIdNotFound, message);
    };
    let mut member = Member::new();
    (member.epoch, member.previous_epoch, member.state) = (epoch, epoch, MemberState::Stable);
    member.instance_id.clone_from(&old.instance_id);
    member.rack_id = subscription.rack;
    member.rebalance_timeout_ms = old.rebalance_timeout_ms;
    member.client_id.clone_from(&old.client_id);
    member.client_host.clone_from(&old.client_host);
    member.topics = subscription.topics.into_iter().collect();
    member.assigned = by_id(assigned, epoch, topics);
    member.classic =
        Some(ClassicMember { session_timeout_ms: old.session_timeout_ms, protocols: old.protocols.clone() });
    Ok(member)
}

/// Partitions of topics that exist, all since one epoch.
fn by_id(named: Named, epoch: i32, topics: &dyn Topics) -> Owned {
    let mut owned = Owned::new();
    for (name, partitions) in named {
        if let Some(topic) = topics.topic(&name) {
            let of_topic = owned.entry(topic.id).or_default();
            of_topic.extend(partitions.into_iter().map(|partition| (partition, epoch)));
        }
    }
    owned
}

fn target_of(assigned: &Owned) -> TargetAssignment {
    let topic = |(id, partitions): (&TopicId, &BTreeMap<i32, i32>)| TopicPartitions {
        topic_id: *id,
        partitions: partitions.keys().copied().collect(),
    };
    TargetAssignment { topics: assigned.iter().map(topic).collect() }
}
