//! JoinGroup in a consumer group that has members.

use std::sync::Arc;

use super::Downgrade;
use super::downgrade::{Heir, are_others_reconciled, left_over, may_downgrade_with};
use super::embedded::{Named, Subscription, read_subscription};
use crate::answer::{Answer, JoinAnswer};
use crate::any_group::AnyGroup;
use crate::consumer::group::Group;
use crate::consumer::member::Member;
use crate::consumer::membership::Entry;
use crate::consumer::outcome::Planned;
use crate::consumer::plan::{Plan, Refusal, Timed};
use crate::consumer::reconcile::Said;
use crate::consumer::regex::Change;
use crate::effects::Effects;
use crate::error::Error;
use crate::input::Join;
use crate::note::Event;
use crate::now::Now;
use crate::records::{ClassicMember, ConsumerRecord, Record, TopicPartitions};
use crate::settings::Migration;
use crate::shard::Shard;
use crate::topics::Topics;

/// A join that is let in.
struct Joined {
    planned: Planned,
    id: Arc<str>,
    member: Member,
    downgrade: Option<Downgrade>,
}

impl Shard {
    pub(crate) fn join_consumer_group(&mut self, join: &Join, now: Now, out: &mut Effects) {
        let joined = match self.decide_join(join, now) {
            Ok(joined) => joined,
            Err(refusal) => {
                let id = match refusal.error {
                    // Whoever asked without an id is to come back with this one (KIP-394).
                    Error::MemberIdRequired => join.fresh_id.as_str(),
                    _ => "",
                };
                let answer = JoinAnswer::refused(id, refusal.error);
                return out.reply(join.token, Answer::Join(answer));
            }
        };
        let Joined { mut planned, id, member, downgrade } = joined;
        let protocol = member.protocols().first().map(|offer| offer.name.clone());
        let answer = Answer::Join(JoinAnswer {
            error: None,
            generation: member.epoch,
            protocol_type: Some(Arc::from("consumer")),
            protocol,
            leader: Arc::from(""),
            skip_assignment: false,
            member_id: id.clone(),
            members: Vec::new(),
        });
        planned.timed.push(Timed::Joined(id.clone()));
        if downgrade.is_none() {
            planned.timed.push(Timed::Session(id.clone(), join.session_timeout_ms));
            planned.timed.push(Timed::Sync(id, join.rebalance_timeout_ms));
        }
        let (records, mut outcome) = self.outcome(planned, Some((join.token, answer)), out);
        outcome.downgrade = downgrade;
        self.finish(records, outcome, now, out);
    }

    fn decide_join(&self, join: &Join, now: Now) -> Result<Joined, Refusal> {
        let topics = &**self.topics();
        let settings = self.settings();
        let group = self.consumer_group(&join.group_id).ok_or(Error::UnknownMemberId)?;
        if settings.consumer.migration == Migration::Disabled {
            return Err(Error::InconsistentGroupProtocol.into());
        }
        let is_new = join.member_id.is_empty();
        let id: Arc<str> = Arc::from(if is_new { join.fresh_id.as_str() } else { join.member_id.as_str() });
        let mut plan = Plan::new(group, topics, settings, now);
        plan.resolving = self.is_resolving(&join.group_id);
        plan.check_room(&id)?;
        if !supports(group, join) {
            return Err(Error::InconsistentGroupProtocol.into());
        }
        if is_new && join.instance_id.is_none() && join.require_known_member_id {
            return Err(Error::MemberIdRequired.into());
        }
        let offered = join.protocols.first().map_or(&[][..], |offer| &offer.metadata);
        let subscription = read_subscription(offered).map_err(|_| Error::UnknownServerError)?;
        let replaced = join.instance_id.as_deref().and_then(|instance_id| group.static_member(instance_id));
        let downgrades = replaced
            .and_then(|id| group.member(id))
            .is_some_and(|member| may_downgrade_with(group, member, settings));
        let (member, target_due) = plan.join(join, &id, &subscription, downgrades)?;
        let downgrade = replaced.filter(|_| downgrades).map(|holder| {
            let heir = Heir { id: &id, member: &member, holder };
            // What another has yet to give back is nobody's to take.
            let rebalances = target_due || !are_others_reconciled(group, holder);
            left_over(group, &[], Some(&heir), rebalances, (topics, now.wall_ms))
        });
        if let (Some(downgrade), Some(holder)) = (&downgrade, replaced) {
            plan.records.extend(without(self.any_group(&join.group_id), holder, &id));
            plan.records.push(downgrade.record());
        }
        Ok(Joined { planned: plan.done(), id, member, downgrade })
    }
}

/// Whether all classic members offer one of its protocols.
fn supports(group: &Group, join: &Join) -> bool {
    join.protocol_type == "consumer"
        && join.protocols.iter().any(|offer| group.classic_protocols.of(&offer.name) == group.classic_members)
}

/// What deletes a group whose member was replaced a moment ago: the heir goes with the others.
fn without(group: Option<&AnyGroup>, holder: &Arc<str>, heir: &Arc<str>) -> Vec<Record> {
    let renamed = |record: Record| match record {
        Record::Consumer { group_id, record } => Record::Consumer {
            group_id,
            record: match record {
                ConsumerRecord::Current { member_id, .. } if member_id == *holder => {
                    ConsumerRecord::Current { member_id: heir.clone(), value: None }
                }
                ConsumerRecord::Target { member_id, .. } if member_id == *holder => {
                    ConsumerRecord::Target { member_id: heir.clone(), value: None }
                }
                ConsumerRecord::Member { member_id, .. } if member_id == *holder => {
                    ConsumerRecord::Member { member_id: heir.clone(), value: None }
                }
                other => other,
            },
        },
        other => other,
    };
    group.into_iter().flat_map(AnyGroup::tombstones).map(renamed).collect()
}

impl Plan<'_> {
    /// The member after its join, and whether the group is due for a new assignment.
    fn join(
        &mut self,
        join: &Join,
        id: &Arc<str>,
        subscription: &Subscription,
        downgrades: bool,
    ) -> Result<(Member, bool), Refusal> {
        let before = match &join.instance_id {
            None => self.dynamic_member(id, -1, None, Entry { joins: true, classic: true })?,
            Some(instance_id) => {
                let entry = Entry { joins: join.member_id.is_empty(), classic: true };
                self.static_member(id, instance_id, -1, None, entry)?
            }
        };
        let after = described_by(&before, join, subscription);
        if self.group.member(id).is_none() {
            self.notes.push(Event::Joined {
                member_id: id.clone(),
                client_id: after.client_id.clone(),
                client_host: after.client_host.clone(),
                reason: join.reason.clone(),
            });
        }
        let renamed = self.update_metadata(id, &before, &after);
        let bump = renamed | (self.update_expression(&before, &after)? != Change::None);
        let outlook = if bump || self.group.topics_seen != Some(self.topics.version()) {
            self.update_epoch(bump, id, &before, &after)
        } else {
            self.outlook(id, &after)
        };
        let owned = by_id(&subscription.owned, self.topics);
        let said = Said { owned: Some(&owned), subscription_changed: bump };
        if downgrades {
            let due = self.group.target_epoch < outlook.epoch;
            if due {
                return Ok((after, true));
            }
            let target = self.present_target(id, &after);
            return Ok((self.reconcile(id, after, &target, said)?, false));
        }
        let interval_ms = join.assignment_interval_ms;
        let target = self.update_target(outlook, interval_ms, id, &before, &after);
        Ok((self.reconcile(id, after, &target, said)?, false))
    }
}

fn described_by(before: &Member, join: &Join, subscription: &Subscription) -> Member {
    let mut after = before.clone();
    if let Some(instance_id) = &join.instance_id {
        after.instance_id = Some(Arc::from(instance_id.as_str()));
    }
    if subscription.rack.is_some() {
        after.rack_id.clone_from(&subscription.rack);
    }
    if join.rebalance_timeout_ms != -1 {
        after.rebalance_timeout_ms = join.rebalance_timeout_ms;
    }
    after.topics = subscription.topics.iter().cloned().collect();
    after.regex = Some(Arc::from(""));
    after.client_id = Arc::from(join.client_id.as_str());
    after.client_host = Arc::from(join.client_host.as_str());
    after.classic = Some(ClassicMember {
        session_timeout_ms: join.session_timeout_ms,
        protocols: join.protocols.clone(),
    });
    after
}

fn by_id(named: &Named, topics: &dyn Topics) -> Vec<TopicPartitions> {
    let topic = |(name, partitions): &(Arc<str>, Vec<i32>)| {
        let topic_id = topics.topic(name)?.id;
        Some(TopicPartitions { topic_id, partitions: partitions.clone() })
    };
    named.iter().filter_map(topic).collect()
}
