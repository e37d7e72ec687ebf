//! The assignors: who is to have what. Each is a function of a [`Spec`]; which one a group uses its members vote on.
//!
//! `range` gives every member a row of neighbouring partitions of each topic. `uniform` gives all the same number and moves
//! as little as it can; where members subscribe to different topics that is another algorithm. Results are those of
//! Kafka 4.3, partition by partition.

mod java;
#[cfg(test)]
mod kafka_tests;
mod range;
mod spread;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::input::TopicId;
use crate::records::{TargetAssignment, TopicPartitions};

pub(crate) use java::{JavaMap, room_for, set_order, timeline_order};

/// An assignor by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assignor {
    /// All get the same number of partitions, and keep what they have.
    Uniform,
    /// Neighbouring partitions of each topic.
    Range,
}

impl Assignor {
    /// All there are. The first one is the default.
    pub const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    /// The name in requests and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// The class that stands for it in settings of Apache Kafka.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Uniform => "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
            Self::Range => "org.apache.kafka.coordinator.group.assignor.RangeAssignor",
        }
    }

    /// The assignor of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    pub(crate) fn assign(self, spec: &Spec) -> BTreeMap<Arc<str>, TargetAssignment> {
        match self {
            _ if spec.members.is_empty() => BTreeMap::new(),
            Self::Range => range::assign(spec),
            Self::Uniform if spec.same_topics => uniform::assign(spec),
            Self::Uniform => spread::assign(spec),
        }
    }
}

/// What an assignor goes by.
#[derive(Debug)]
pub(crate) struct Spec {
    /// In the order in which Kafka goes through them.
    pub(crate) members: Vec<Subscriber>,
    /// All members subscribe to the same topics.
    pub(crate) same_topics: bool,
    /// How many partitions each topic has that anybody subscribes to.
    pub(crate) partitions: BTreeMap<TopicId, i32>,
    /// What anybody has by now.
    pub(crate) taken: BTreeSet<(TopicId, i32)>,
}

/// A member in the eyes of an assignor.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) member_id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
    /// Topics that exist, in the order in which Kafka goes through them.
    pub(crate) topics: Vec<TopicId>,
    /// How many topics it names, whether they exist or not.
    pub(crate) named_topics: usize,
    /// What it was to have up to now.
    pub(crate) target: TargetAssignment,
}

/// Topics and partitions of one member, while they are given out.
type Partitions = JavaMap<TopicId, JavaMap<i32, ()>>;

impl TargetAssignment {
    /// As Kafka holds it after it is read from the log.
    fn opened(&self) -> Partitions {
        let mut topics = Partitions::new();
        for topic in &self.topics {
            let mut set = JavaMap::for_collection(topic.partitions.len());
            topic.partitions.iter().for_each(|partition| set.put(*partition, ()));
            topics.put(topic.topic_id, set);
        }
        topics
    }

    /// Whether both name the same partitions, in whatever order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.as_set() == other.as_set()
    }

    pub(crate) fn as_set(&self) -> BTreeSet<(TopicId, i32)> {
        let of = |topic: &TopicPartitions| {
            let id = topic.topic_id;
            topic.partitions.iter().map(move |partition| (id, *partition)).collect::<Vec<_>>()
        };
        self.topics.iter().flat_map(of).collect()
    }
}

/// A copy that can be changed, as Kafka makes one.
fn deep_copy(of: &Partitions) -> Partitions {
    let mut copy = Partitions::with_capacity(of.len());
    for (topic, partitions) in of.in_order() {
        let mut set = JavaMap::for_collection(partitions.len());
        partitions.keys_in_order().into_iter().for_each(|partition| set.put(partition, ()));
        copy.put(*topic, set);
    }
    copy
}

/// In the order in which Kafka writes it.
fn closed(partitions: &Partitions) -> TargetAssignment {
    let topic = |(id, set): (&TopicId, &JavaMap<i32, ()>)| TopicPartitions {
        topic_id: *id,
        partitions: set.keys_in_order(),
    };
    TargetAssignment { topics: partitions.in_order().into_iter().map(topic).collect() }
}
