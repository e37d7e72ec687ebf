//! ConsumerGroupHeartbeat: everything a member of a consumer group says, and everything it is told.

use std::sync::Arc;

use super::assign::Assignor;
use super::member::{LEAVE, LEAVE_FOR_A_WHILE, Member, Owned};
use super::membership::Entry;
use super::plan::{Plan, Refusal, Timed, refuse};
use super::reconcile::Said;
use super::regex::Change;
use crate::answer::ConsumerHeartbeatAnswer;
use crate::error::Error;
use crate::input::ConsumerHeartbeat;
use crate::note::Event;
use crate::records::TopicPartitions;
use crate::settings::Settings;

/// Checks that need no group, in Kafka's order.
pub(crate) fn check(beat: &ConsumerHeartbeat, settings: &Settings) -> Result<(), Refusal> {
    let epoch = beat.member_epoch;
    if (beat.names_itself || epoch > 0 || epoch == LEAVE) && beat.member_id.trim().is_empty() {
        return invalid("MemberId can't be empty.");
    }
    let blank = |text: Option<&str>| text.is_some_and(|text| text.trim().is_empty());
    if blank(Some(&beat.group_id)) {
        return invalid("GroupId can't be empty.");
    }
    if blank(beat.instance_id.as_deref()) {
        return invalid("InstanceId can't be empty.");
    }
    if blank(beat.rack_id.as_deref()) {
        return invalid("RackId can't be empty.");
    }
    if epoch == 0 {
        if beat.rebalance_timeout_ms == -1 {
            return invalid("RebalanceTimeoutMs must be provided in first request.");
        }
        if beat.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return invalid("TopicPartitions must be empty when (re-)joining.");
        }
        if beat.topics.is_none() && beat.regex.is_none() {
            return invalid(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
            );
        }
    } else if epoch == LEAVE_FOR_A_WHILE && beat.instance_id.is_none() {
        return invalid("InstanceId can't be null.");
    } else if epoch < LEAVE_FOR_A_WHILE {
        return invalid("MemberEpoch is invalid.");
    }
    check_assignor(beat.assignor.as_deref(), &settings.consumer.assignors)?;
    check_lengths(beat, settings)
}

fn check_assignor(asked: Option<&str>, set: &[Assignor]) -> Result<(), Refusal> {
    let Some(asked) = asked else { return Ok(()) };
    if Assignor::named(asked).is_some_and(|assignor| set.contains(&assignor)) {
        return Ok(());
    }
    let names: Vec<&str> = set.iter().map(|assignor| assignor.name()).collect();
    let message =
        format!("ServerAssignor {asked} is not supported. Supported assignors: {}.", names.join(", "));
    refuse(Error::UnsupportedAssignor, message)
}

/// Bounds that are not Kafka's.
fn check_lengths(beat: &ConsumerHeartbeat, settings: &Settings) -> Result<(), Refusal> {
    let limits = &settings.limits;
    let texts = [
        Some(beat.group_id.as_str()),
        Some(beat.member_id.as_str()),
        beat.instance_id.as_deref(),
        beat.rack_id.as_deref(),
        beat.regex.as_deref(),
        Some(beat.client_id.as_str()),
    ];
    if texts.into_iter().flatten().any(|text| text.len() > limits.name_bytes) {
        return invalid(format!("A name has more than {} bytes.", limits.name_bytes));
    }
    let topics: usize = beat.topics.iter().flatten().map(std::string::String::len).sum();
    if topics > limits.member_metadata_bytes {
        return invalid(format!("The topics' names have more than {} bytes.", limits.member_metadata_bytes));
    }
    Ok(())
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse(Error::InvalidRequest, message)
}

impl Plan<'_> {
    /// A heartbeat of a member that is there, or wants to be.
    pub(crate) fn heartbeat(&mut self, beat: &ConsumerHeartbeat) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        self.check_room(&beat.member_id)?;
        let id = if beat.member_id.is_empty() { &beat.fresh_id } else { &beat.member_id };
        let id: Arc<str> = Arc::from(id.as_str());
        let (epoch, owned) = (beat.member_epoch, beat.owned.as_deref());
        let entry = Entry { joins: epoch == 0, classic: false };
        let before = match &beat.instance_id {
            None => self.dynamic_member(&id, epoch, owned, entry)?,
            Some(instance_id) => self.static_member(&id, instance_id, epoch, owned, entry)?,
        };
        let after = described_by(&before, beat);
        if self.group.member(&id).is_none() {
            self.notes.push(Event::Joined {
                member_id: id.clone(),
                client_id: after.client_id.clone(),
                client_host: after.client_host.clone(),
                reason: None,
            });
        }
        let renamed = self.update_metadata(&id, &before, &after);
        let change = self.update_expression(&before, &after)?;
        let bump = renamed || change == Change::Resolved;
        let outlook = if bump || self.group.topics_seen != Some(self.topics.version()) {
            self.update_epoch(bump, &id, &before, &after)
        } else {
            self.outlook(&id, &after)
        };
        let target = self.update_target(outlook, beat.timing.assignment_interval_ms, &id, &before, &after);
        let said = Said { owned, subscription_changed: renamed || change != Change::None };
        let after = self.reconcile(&id, after, &target, said)?;
        self.timed.push(Timed::Session(id.clone(), beat.timing.session_timeout_ms));
        let is_full = beat.rebalance_timeout_ms != -1
            && (beat.topics.is_some() || beat.regex.is_some())
            && owned.is_some();
        let is_told = epoch == 0 || is_full || before.assigned != after.assigned;
        Ok(ConsumerHeartbeatAnswer {
            error: None,
            message: None,
            member_id: Some(id),
            member_epoch: after.epoch,
            heartbeat_interval_ms: beat.timing.heartbeat_interval_ms,
            assignment: is_told.then(|| partitions_of(&after.assigned)),
        })
    }
}

/// The member as this heartbeat describes it; what it does not say stays.
fn described_by(before: &Member, beat: &ConsumerHeartbeat) -> Member {
    let mut after = before.clone();
    let set = |field: &mut Option<Arc<str>>, said: &Option<String>| {
        if let Some(said) = said {
            *field = Some(Arc::from(said.as_str()));
        }
    };
    set(&mut after.instance_id, &beat.instance_id);
    set(&mut after.rack_id, &beat.rack_id);
    set(&mut after.assignor, &beat.assignor);
    set(&mut after.regex, &beat.regex);
    if beat.rebalance_timeout_ms != -1 {
        after.rebalance_timeout_ms = beat.rebalance_timeout_ms;
    }
    if let Some(topics) = &beat.topics {
        after.topics = topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
    }
    after.client_id = Arc::from(beat.client_id.as_str());
    after.client_host = Arc::from(beat.client_host.as_str());
    after.classic = None;
    after
}

/// As answers name partitions.
pub(crate) fn partitions_of(owned: &Owned) -> Vec<TopicPartitions> {
    let topic = |(id, partitions): (&crate::input::TopicId, &std::collections::BTreeMap<i32, i32>)| {
        TopicPartitions { topic_id: *id, partitions: partitions.keys().copied().collect() }
    };
    owned.iter().map(topic).collect()
}
