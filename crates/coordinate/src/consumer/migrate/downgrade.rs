//! A consumer group becomes a classic one: of its members only those are left that speak the classic protocol.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::embedded::write_assignment;
use crate::answer::Answer;
use crate::any_group::AnyGroup;
use crate::consumer::group::Group;
use crate::consumer::member::Member;
use crate::consumer::outcome::Outcome;
use crate::consumer::plan::Plan;
use crate::effects::Effects;
use crate::group;
use crate::input::Token;
use crate::note::Event;
use crate::now::Now;
use crate::records::{GroupMetadata, Record};
use crate::settings::Settings;
use crate::shard::Shard;
use crate::timers::TimerKey;
use crate::topics::Topics;

/// The classic group that takes the place of a consumer group once its records are in the log.
#[derive(Debug)]
pub(crate) struct Downgrade {
    group: group::Group,
    /// Its members must agree anew.
    rebalances: bool,
}

/// A static member that takes the place of another one as the group changes sides.
pub(super) struct Heir<'a> {
    pub(super) id: &'a Arc<str>,
    pub(super) member: &'a Member,
    /// Whose place it takes.
    pub(super) holder: &'a Arc<str>,
}

/// Whether a group may become a classic one when these members are gone.
fn may_downgrade(group: &Group, gone: &[Arc<str>], settings: &Settings) -> bool {
    let classic_gone =
        gone.iter().filter_map(|id| group.member(id)).filter(|member| member.classic.is_some());
    let left = group.len().saturating_sub(gone.len());
    left > 0
        && group.classic_members - classic_gone.count() == left
        && left <= settings.max_size
        && settings.consumer.migration.downgrades()
}

/// Whether it may when a member that speaks the classic protocol takes the place of this one.
pub(super) fn may_downgrade_with(group: &Group, replaced: &Member, settings: &Settings) -> bool {
    replaced.classic.is_none()
        && group.classic_members + 1 == group.len()
        && group.len() <= settings.max_size
        && settings.consumer.migration.downgrades()
}

/// All but this one have what they are to have, and nothing else.
pub(super) fn are_others_reconciled(group: &Group, member_id: &str) -> bool {
    let mut others = group.members().filter(|(id, _)| ***id != *member_id);
    others.all(|(_, member)| member.is_reconciled_to(group.target_epoch))
}

/// The classic group that is left without `gone`, with an heir in the place of the one that it replaces. Until its members have
/// agreed anew, if they must, each has what it has; else what it is to have.
pub(super) fn left_over(
    group: &Group,
    gone: &[Arc<str>],
    heir: Option<&Heir<'_>>,
    rebalances: bool,
    (topics, wall_ms): (&dyn Topics, i64),
) -> Downgrade {
    let assigned = |of: &Arc<str>, member: &Member| {
        let partitions = if rebalances { held(member, topics) } else { target(group, of, topics) };
        let metadata = member.protocols().first().map(|offer| offer.metadata.clone()).unwrap_or_default();
        write_assignment(&partitions, &metadata)
    };
    let is_replaced = |id: &Arc<str>| heir.is_some_and(|heir| heir.holder == id);
    let stay = group.members().filter(|(id, _)| !gone.contains(id) && !is_replaced(id));
    let mut members: BTreeMap<Arc<str>, group::Member> = BTreeMap::new();
    for (id, member) in stay {
        members.insert(id.clone(), classic(member, &assigned(id, member)));
    }
    if let Some(heir) = heir {
        members.insert(heir.id.clone(), classic(heir.member, &assigned(heir.holder, heir.member)));
    }
    Downgrade { group: group::Group::stable(group.id.clone(), group.epoch, members, wall_ms), rebalances }
}

type Partitions = BTreeMap<Arc<str>, Vec<i32>>;

/// What a member is to have.
fn target(group: &Group, of: &str, topics: &dyn Topics) -> Partitions {
    let target = group.target(of).map_or(&[][..], |target| &target.topics);
    let named = target.iter().filter_map(|topic| {
        let mut partitions = topic.partitions.clone();
        partitions.sort_unstable();
        Some((topics.name_of(&topic.topic_id)?, partitions))
    });
    named.collect()
}

/// What it has, and need not give back.
fn held(member: &Member, topics: &dyn Topics) -> Partitions {
    let held = member.assigned.iter();
    held.filter_map(|(id, partitions)| Some((topics.name_of(id)?, partitions.keys().copied().collect())))
        .collect()
}

fn classic(member: &Member, assignment: &Bytes) -> group::Member {
    let session_timeout_ms = member.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
    group::Member {
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms,
        protocols: member.protocols().to_vec(),
        assignment: assignment.clone(),
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
    }
}

impl Downgrade {
    /// The record that keeps the classic group. What is only there until its members have agreed anew is of a generation that
    /// nobody was told, nor will be by the rebalance that begins: were that all that a restart found, all would join again.
    pub(super) fn record(&self) -> Record {
        let mut value = GroupMetadata::of(&self.group, |_, member| member.assignment.clone());
        if self.rebalances {
            value.generation = value.generation.saturating_add(2);
        }
        Record::Group { group_id: self.group.id.clone(), value: Some(value) }
    }
}

impl Shard {
    /// Members are out; if only classic ones are left, the group becomes a classic one. With an answer for whoever waits, or
    /// because a deadline had come.
    pub(crate) fn take_members_out(
        &mut self,
        group_id: &Arc<str>,
        ids: &[Arc<str>],
        answer: Option<(Token, Answer)>,
        because: Option<TimerKey>,
        now: Now,
        out: &mut Effects,
    ) {
        let topics = self.topics().clone();
        let Some(AnyGroup::Consumer(group)) = self.any_group(group_id) else { return };
        let mut plan = Plan::new(group, &*topics, self.settings(), now);
        let downgrade = may_downgrade(group, ids, self.settings())
            .then(|| left_over(group, ids, None, true, (&*topics, now.wall_ms)));
        match &downgrade {
            None => plan.take_out(ids),
            Some(downgrade) => {
                plan.records.extend(self.any_group(group_id).into_iter().flat_map(AnyGroup::tombstones));
                plan.records.push(downgrade.record());
            }
        }
        let planned = plan.done();
        let (records, outcome) = self.outcome(planned, answer, out);
        let mut outcome: Outcome = match because {
            Some(deadline) => outcome.expels(deadline),
            None => outcome,
        };
        outcome.downgrade = downgrade;
        self.finish(records, outcome, now, out);
    }

    /// The consumer group is gone from the log: its successor takes its place.
    pub(crate) fn downgraded(&mut self, downgrade: Downgrade, now: Now, out: &mut Effects) {
        let Downgrade { group, rebalances } = downgrade;
        let group_id = group.id.clone();
        out.note(&group_id, Event::Converted { group_type: "classic" });
        self.insert_group(AnyGroup::Classic(group));
        self.with_group(&group_id, now, out, |turn| {
            for id in turn.group.member_ids() {
                turn.renew_session(&id);
            }
            if rebalances {
                turn.prepare_rebalance();
            }
        });
    }
}
