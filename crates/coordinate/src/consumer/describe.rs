//! ConsumerGroupDescribe.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::ConsumerGroupState;
use super::member::Owned;
use super::plan::Plan;
use crate::input::TopicId;
use crate::now::Now;
use crate::shard::Shard;

/// A consumer group as ConsumerGroupDescribe answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    /// Its state.
    pub state: ConsumerGroupState,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch of its target assignment.
    pub target_epoch: i32,
    /// The assignor that most members ask for, else the default.
    pub assignor: &'static str,
    /// Its members.
    pub members: Vec<DescribedConsumer>,
}

/// Partitions of one topic.
pub type NamedPartitions = (TopicId, Arc<str>, Vec<i32>);

/// A member as ConsumerGroupDescribe answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumer {
    /// Its id.
    pub member_id: Arc<str>,
    /// `group.instance.id`
    pub instance_id: Option<Arc<str>>,
    /// `client.rack`
    pub rack_id: Option<Arc<str>>,
    /// Its epoch.
    pub epoch: i32,
    /// Client id of its last change.
    pub client_id: Arc<str>,
    /// Where that came from.
    pub client_host: Arc<str>,
    /// Topics it names.
    pub topics: Vec<Arc<str>>,
    /// The expression it names.
    pub regex: Option<Arc<str>>,
    /// What it has, or has yet to give back, of topics that exist.
    pub assigned: Vec<NamedPartitions>,
    /// What it is to have, of topics that exist.
    pub target: Vec<NamedPartitions>,
    /// It speaks the classic protocol.
    pub is_classic: bool,
}

impl Shard {
    /// Describes a consumer group; none if there is no such group of that kind.
    pub fn describe_consumer_group(&self, group_id: &str, now: Now) -> Option<DescribedConsumerGroup> {
        let group = self.consumer_group(group_id)?;
        let topics = self.topics();
        let named = |id: &TopicId, partitions: Vec<i32>| Some((*id, topics.name_of(id)?, partitions));
        let members = group.members().map(|(id, member)| {
            let mut all: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
            for (topic, partitions) in [&member.assigned, &member.revoking].into_iter().flat_map(Owned::iter)
            {
                all.entry(*topic).or_default().extend(partitions.keys());
            }
            let target = group.target(id).map_or(&[][..], |target| &target.topics);
            DescribedConsumer {
                member_id: id.clone(),
                instance_id: member.instance_id.clone(),
                rack_id: member.rack_id.clone(),
                epoch: member.epoch,
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                topics: member.topics.iter().cloned().collect(),
                regex: member.regex.clone(),
                assigned: all.into_iter().filter_map(|(id, partitions)| named(&id, partitions)).collect(),
                target: target.iter().filter_map(|t| named(&t.topic_id, t.partitions.clone())).collect(),
                is_classic: member.classic.is_some(),
            }
        });
        let plan = Plan::new(group, &**topics, self.settings(), now);
        Some(DescribedConsumerGroup {
            state: group.state(),
            epoch: group.epoch,
            target_epoch: group.target_epoch,
            assignor: plan.present_assignor().name(),
            members: members.collect(),
        })
    }
}
