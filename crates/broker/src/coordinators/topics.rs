//! The cluster's topics as groups see them.

use std::{fmt, sync::Arc};

use pagewire_coordinate::{Topic, TopicId, Topics};
use uuid::Uuid;

use crate::{broker::Broker, cluster::Image};

/// One picture of the topics, and where this broker stands.
pub(super) struct ClusterTopics {
    pub(super) image: Arc<Image>,
    rack: Option<String>,
}

impl ClusterTopics {
    pub(super) fn of(broker: &Broker) -> Self {
        Self { image: broker.image(), rack: broker.config().rack.clone() }
    }
}

impl fmt::Debug for ClusterTopics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClusterTopics").field("version", &self.image.version()).finish_non_exhaustive()
    }
}

impl Topics for ClusterTopics {
    fn topic(&self, name: &str) -> Option<Topic> {
        let entry = self.image.topic(name)?;
        let partitions = i32::try_from(entry.partitions.len()).unwrap_or(i32::MAX);
        Some(Topic { id: entry.id.into_bytes(), partitions })
    }

    fn name_of(&self, id: &TopicId) -> Option<Arc<str>> {
        self.image.topic_by_id(Uuid::from_bytes(*id)).map(|entry| Arc::clone(&entry.name))
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.image.topics().map(|entry| Arc::clone(&entry.name)).collect()
    }

    fn version(&self) -> u64 {
        self.image.version()
    }

    fn last_created(&self) -> u64 {
        self.image.last_created()
    }

    fn rack(&self) -> Option<&str> {
        self.rack.as_deref()
    }
}
