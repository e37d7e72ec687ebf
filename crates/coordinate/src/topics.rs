//! What groups must know of the cluster's topics. The broker keeps its picture of them; a machine only looks.

use std::collections::BTreeMap;
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

/// Topics listed one by one: none to begin with, and what simulations make up.
#[derive(Clone, Debug, Default)]
pub struct TopicTable {
    by_name: BTreeMap<Arc<str>, Topic>,
    version: u64,
    last_created: u64,
    rack: Option<String>,
}

impl TopicTable {
    /// Puts a topic in, or changes one.
    pub fn put(&mut self, name: &str, topic: Topic) {
        self.version += 1;
        if self.by_name.insert(Arc::from(name), topic).is_none_or(|old| old.id != topic.id) {
            self.last_created = self.version;
        }
    }

    /// Takes a topic out.
    pub fn remove(&mut self, name: &str) {
        self.version += 1;
        self.by_name.remove(name);
    }

    /// Where all replicas lie.
    pub fn set_rack(&mut self, rack: &str) {
        self.version += 1;
        self.rack = Some(rack.to_owned());
    }
}

impl Topics for TopicTable {
    fn topic(&self, name: &str) -> Option<Topic> {
        self.by_name.get(name).copied()
    }

    fn name_of(&self, id: &TopicId) -> Option<Arc<str>> {
        self.by_name.iter().find(|(_, topic)| topic.id == *id).map(|(name, _)| name.clone())
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.by_name.keys().cloned().collect()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn last_created(&self) -> u64 {
        self.last_created
    }

    fn rack(&self) -> Option<&str> {
        self.rack.as_deref()
    }
}
