//! A group of either kind, for whatever does not depend on which. A name belongs to one group at a time.

use std::sync::Arc;

use crate::consumer;
use crate::group::{self, GroupState};
use crate::records::{ConsumerRecord, OffsetValue, Record};

#[derive(Clone, Debug)]
pub(crate) enum AnyGroup {
    Classic(group::Group),
    Consumer(consumer::Group),
}

impl AnyGroup {
    pub(crate) const fn id(&self) -> &Arc<str> {
        match self {
            Self::Classic(group) => &group.id,
            Self::Consumer(group) => &group.id,
        }
    }

    /// Bytes it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Classic(group) => group.bytes(),
            Self::Consumer(group) => group.bytes(),
        }
    }

    /// Nobody is a member.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is(GroupState::Empty),
            Self::Consumer(group) => group.is_empty(),
        }
    }

    /// Nobody is a member, or is about to be one.
    pub(crate) fn is_forsaken(&self) -> bool {
        match self {
            Self::Classic(group) => self.is_empty() && group.pending_len() == 0,
            Self::Consumer(_) => self.is_empty(),
        }
    }

    /// Whether it can be told which topics its members use.
    pub(crate) fn knows_topics(&self) -> bool {
        match self {
            Self::Classic(group) => group.is(GroupState::Empty) || group.is_consumer(),
            Self::Consumer(_) => true,
        }
    }

    /// Whether offsets of this topic are protected.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
            Self::Consumer(group) => group.is_subscribed_to(topic),
        }
    }

    /// The time from which the retention of an offset counts; none while offsets of this group do not expire.
    pub(crate) fn expires_from(&self, value: &OffsetValue) -> Option<i64> {
        let Self::Classic(group) = self else { return Some(value.commit_ms) };
        match (&group.protocol_type, group.state()) {
            (None, _) => Some(value.commit_ms),
            (Some(_), GroupState::Empty) => Some(group.state_since_ms.unwrap_or(value.commit_ms)),
            (Some(_), GroupState::Stable) if group.is_consumer() && group.subscribed.is_some() => {
                Some(value.commit_ms)
            }
            _ => None,
        }
    }

    /// What deletes it, without its offsets.
    pub(crate) fn tombstones(&self) -> Vec<Record> {
        match self {
            Self::Classic(group) => vec![Record::Group { group_id: group.id.clone(), value: None }],
            Self::Consumer(group) => consumer_tombstones(group),
        }
    }

    /// Its protocol type in ListGroups.
    pub(crate) fn protocol_type(&self) -> Arc<str> {
        match self {
            Self::Classic(group) => group.protocol_type.clone().unwrap_or_else(|| Arc::from("")),
            Self::Consumer(_) => Arc::from("consumer"),
        }
    }

    /// Its state in ListGroups.
    pub(crate) fn state_name(&self) -> &'static str {
        match self {
            Self::Classic(group) => group.state().name(),
            Self::Consumer(group) => group.state().name(),
        }
    }

    /// Its kind in ListGroups.
    pub(crate) const fn type_name(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
            Self::Consumer(_) => "consumer",
        }
    }
}

/// Kind by kind, as Kafka orders them: a target without its members cannot be read.
fn consumer_tombstones(group: &consumer::Group) -> Vec<Record> {
    let ids = || group.members().map(|(id, _)| id.clone());
    let currents = ids().map(|member_id| ConsumerRecord::Current { member_id, value: None });
    let targets = ids().map(|member_id| ConsumerRecord::Target { member_id, value: None });
    let members = ids().map(|member_id| ConsumerRecord::Member { member_id, value: None });
    let expressions = group.all_resolved().map(|(expression, _)| expression.clone());
    let expressions = expressions.map(|expression| ConsumerRecord::Regex { expression, value: None });
    let records = currents
        .chain(targets)
        .chain([ConsumerRecord::TargetEpoch(None)])
        .chain(members)
        .chain(expressions)
        .chain([ConsumerRecord::PartitionMetadata(None), ConsumerRecord::Epoch(None)]);
    records.map(|record| Record::Consumer { group_id: group.id.clone(), record }).collect()
}
