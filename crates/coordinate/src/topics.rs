//! What groups must know of the cluster's topics. The broker keeps its picture of them; a machine only looks.

use std::fmt::Debug;
use std::sync::Arc;

use crate::input::TopicId;

/// A topic as groups see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
}

/// A picture of all topics. It never changes; when topics do, a later one takes its place
/// ([`Shard::set_topics`](crate::Shard::set_topics)).
pub trait Topics: Debug + Send + Sync {
    /// The topic of this name.
    fn topic(&self, name: &str) -> Option<Topic>;
    /// The name of the topic with this id.
    fn name_of(&self, id: &TopicId) -> Option<Arc<str>>;
    /// All names, in no order.
    fn names(&self) -> Vec<Arc<str>>;
    /// Grows whenever anything about topics changes, in one life of the process.
    fn version(&self) -> u64;
    /// The version at which the last topic was created.
    fn last_created(&self) -> u64;
    /// `broker.rack` of the broker that holds all replicas.
    fn rack(&self) -> Option<&str>;
}

/// No topics at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTopics;

impl Topics for NoTopics {
    fn topic(&self, _name: &str) -> Option<Topic> {
        None
    }

    fn name_of(&self, _id: &TopicId) -> Option<Arc<str>> {
        None
    }

    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn version(&self) -> u64 {
        0
    }

    fn last_created(&self) -> u64 {
        0
    }

    fn rack(&self) -> Option<&str> {
        None
    }
}
