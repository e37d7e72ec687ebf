//! An immutable picture of the topics. Handlers load it once per request and never see half a change.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;
use pagewire_wire::ErrorCode;
use uuid::Uuid;

use crate::{config::TopicConfig, partition::Partition};

/// The leader of a partition that nobody leads: its log cannot be opened.
pub(super) const NO_LEADER: i32 = -1;

/// All topics, found by name or by id. Cheap to share, replaced as a whole.
#[derive(Default)]
pub(crate) struct Image {
    by_name: HashMap<Arc<str>, Arc<TopicEntry>, RandomState>,
    by_id: HashMap<Uuid, Arc<TopicEntry>, RandomState>,
    /// One more than that of the image before.
    version: u64,
    /// The version that a topic was last new in.
    last_created: u64,
}

/// One topic.
#[derive(Clone)]
pub(crate) struct TopicEntry {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    /// Kept by the broker for itself (`__consumer_offsets`): clients may read it, not write it.
    pub(crate) internal: bool,
    /// What was set for this topic itself, as text.
    pub(crate) own_configs: BTreeMap<String, String>,
    /// Settings in force: the topic's own over the broker's.
    pub(crate) config: Arc<TopicConfig>,
    /// By partition number, without gaps.
    pub(crate) partitions: Vec<PartitionEntry>,
}

/// One partition: who leads it and, if this node does, the partition itself.
#[derive(Clone)]
pub(crate) struct PartitionEntry {
    /// -1 for none.
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) hosted: Option<Arc<Partition>>,
}

impl Image {
    pub(crate) fn topic(&self, name: &str) -> Option<&Arc<TopicEntry>> {
        self.by_name.get(name)
    }

    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicEntry>> {
        self.by_id.get(&id)
    }

    /// Every topic, in no order.
    pub(crate) fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<TopicEntry>> {
        self.by_name.values()
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) const fn last_created(&self) -> u64 {
        self.last_created
    }

    /// The partitions of this node.
    pub(crate) fn hosted(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.topics().flat_map(|topic| topic.partitions.iter().filter_map(|p| p.hosted.as_ref()))
    }

    /// How many partitions nobody serves.
    pub(crate) fn offline_partitions(&self) -> usize {
        self.topics().flat_map(|topic| &topic.partitions).filter(|entry| entry.is_offline()).count()
    }

    /// Adds a topic while an image is being built.
    pub(crate) fn add(&mut self, topic: TopicEntry) {
        self.insert(Arc::new(topic));
    }

    fn insert(&mut self, topic: Arc<TopicEntry>) {
        self.version += 1;
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(Arc::clone(&topic.name), topic);
    }

    /// This image with these topics added, or in the place of those of their names. What the image has is copied once for all of
    /// them.
    pub(crate) fn with(&self, topics: impl IntoIterator<Item = Arc<TopicEntry>>) -> Self {
        let mut next = self.copied();
        for topic in topics {
            let is_new = !next.by_id.contains_key(&topic.id);
            next.remove(&topic.name);
            next.insert(topic);
            if is_new {
                next.last_created = next.version;
            }
        }
        next
    }

    /// This image without the topic of that name.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut next = self.copied();
        next.remove(name);
        next
    }

    /// The next version.
    fn copied(&self) -> Self {
        Self {
            by_name: self.by_name.clone(),
            by_id: self.by_id.clone(),
            version: self.version + 1,
            last_created: self.last_created,
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(old) = self.by_name.remove(name) {
            self.by_id.remove(&old.id);
        }
    }
}

impl PartitionEntry {
    /// Nobody serves it: the disk it lies on does not give it out.
    pub(crate) const fn is_offline(&self) -> bool {
        self.leader == NO_LEADER
    }

    /// Whether records can be written to it, as far as the disk goes. One that takes none keeps its leader, who serves what can be
    /// read; in all else it is told as Kafka tells one whose log directory is offline.
    fn takes_writes(&self) -> bool {
        let is_offline = |hosted: &Arc<Partition>| hosted.log.offline().is_some();
        !self.is_offline() && !self.hosted.as_ref().is_some_and(is_offline)
    }

    /// The replicas that are in sync: all that take what is written to it.
    pub(crate) fn isr(&self) -> Vec<i32> {
        if self.takes_writes() { self.replicas.clone() } else { Vec::new() }
    }

    /// The replicas that do not serve it, or take nothing that is written to it.
    pub(crate) fn offline_replicas(&self) -> Vec<i32> {
        if self.takes_writes() { Vec::new() } else { self.replicas.clone() }
    }
}

impl TopicEntry {
    pub(crate) fn partition(&self, index: i32) -> Option<&PartitionEntry> {
        usize::try_from(index).ok().and_then(|i| self.partitions.get(i))
    }

    /// The partition, if it exists and this node leads it.
    pub(crate) fn hosted(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partition(index).and_then(|entry| entry.hosted.as_ref())
    }

    /// The partition, or the error code that says why it is not served here.
    pub(crate) fn served(&self, index: i32) -> Result<&Arc<Partition>, ErrorCode> {
        let entry = self.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        entry.hosted.as_ref().ok_or(if entry.is_offline() {
            ErrorCode::KafkaStorageError
        } else {
            ErrorCode::NotLeaderOrFollower
        })
    }
}
