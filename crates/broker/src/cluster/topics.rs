//! Creating, growing, changing and deleting topics.
//!
//! ```text
//!   create   store (its name is taken from here on) ─ logs on disk ─ image: usable, and only then answered
//!   delete   store ─ image (nobody finds it) ─ logs renamed `-delete`, unlinked later
//!   start    store ─ logs, missing ones made: a stop in the middle of a creation heals ─ image
//! ```
//!
//! A store that fails may have written or not. Whatever it says later counts: a topic that is stored and not in the
//! image is finished by the next creation of that name, one that is in the image and not stored by the next deletion.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use pagewire_log::{FailedLog, PartitionSettings};
use pagewire_metadata::{
    CatalogError,
    model::{PartitionRecord, TopicRecord},
};
use pagewire_wire::ErrorCode;
use uuid::Uuid;

use super::{
    Change, Cluster, Image, OwnConfigs, PartitionEntry, Refused, TopicEntry,
    logs::{host, settings},
    names,
};
use crate::{clock::now_ms, config::BrokerConfig, config::TopicConfig};

/// Partitions one request may create, as in Kafka; a metadata record of that size is still read in one piece.
pub(crate) const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// A topic to be.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: usize,
    /// Validated, by Kafka's names.
    pub(crate) configs: BTreeMap<String, String>,
    pub(crate) internal: bool,
}

impl Cluster {
    /// How the logs of a topic are opened.
    pub(crate) fn partition_settings(record: &TopicRecord, config: &BrokerConfig) -> PartitionSettings {
        settings(record.topic_id, &TopicConfig::resolve(&record.configs, config))
    }

    /// Shows the topics of the store, whose logs are loaded; makes the logs that a stop kept from being made. Blocks.
    ///
    /// Partitions in `failed`, whose logs could not be opened, are shown as offline; so are those whose logs cannot be
    /// made. Everything else is served.
    pub(crate) fn load(&self, topics: &[TopicRecord], failed: &[FailedLog], config: &BrokerConfig) {
        let mut failed_of: HashMap<&str, Vec<i32>> = HashMap::new();
        for log in failed {
            failed_of.entry(&log.topic).or_default().push(log.partition);
        }
        let mut image = Image::default();
        for record in topics {
            let resolved = Arc::new(TopicConfig::resolve(&record.configs, config));
            let failed = failed_of.get(record.name.as_str()).map_or(&[][..], Vec::as_slice);
            let (partitions, error) =
                host(&self.log_dir, record, &resolved, 0..record.partitions.len(), failed);
            if let Some(error) = error {
                tracing::error!(topic = record.name, %error, "logs cannot be made and are not served");
            }
            image.add(entry(record, resolved, partitions));
        }
        self.image.store(Arc::new(image));
    }

    /// What stands against `new`, if anything.
    pub(crate) fn refuse_new(&self, new: &NewTopic) -> Option<Refused> {
        if let Some(reason) = names::refusal(&new.name) {
            return Some(Refused::new(ErrorCode::InvalidTopicException, reason));
        }
        let image = self.image();
        if image.topic(&new.name).is_some() {
            return Some(Refused::already_there(&new.name));
        }
        let twin = image.topics().find(|topic| names::collide(&topic.name, &new.name))?;
        let message = format!(
            "Topic '{}' collides with existing topic: {} ('.' and '_' are the same in metrics)",
            new.name, twin.name
        );
        Some(Refused::new(ErrorCode::InvalidTopicException, message))
    }

    fn publish(&self, topic: TopicEntry) -> Arc<TopicEntry> {
        let topic = Arc::new(topic);
        self.image.store(Arc::new(self.image().with(Arc::clone(&topic))));
        topic
    }
}

impl Change {
    /// Creates a topic; when this returns it takes records.
    pub(crate) async fn create_topic(&self, new: NewTopic) -> Result<Arc<TopicEntry>, Refused> {
        let cluster = self.cluster();
        if let Some(refused) = cluster.refuse_new(&new) {
            return Err(refused);
        }
        let mut record =
            TopicRecord::on_one_node(&new.name, new.partitions, cluster.identity.node_id, now_ms());
        record.configs = new.configs;
        record.internal = new.internal;
        let version = match cluster.catalog.create_topic(&record).await {
            Ok(version) => version,
            Err(CatalogError::Conflict { .. }) => return self.finish_topic(&record).await,
            Err(error) => return Err(error.into()),
        };
        match self.bring_up(&record).await {
            Ok(entry) => Ok(entry),
            Err(refused) => {
                self.remove_logs(&record.name, record.partitions.len()).await;
                cluster.catalog.delete_topic(&record.name, version).await?;
                Err(refused)
            }
        }
    }

    /// Finishes what an earlier creation left in the store. The topic is `wish`'s own if nothing tells them apart,
    /// otherwise it is there from now on, and `wish` is refused for that.
    async fn finish_topic(&self, wish: &TopicRecord) -> Result<Arc<TopicEntry>, Refused> {
        let name = &wish.name;
        let found = self.cluster().catalog.topic(name).await?;
        let (record, _) = found.ok_or_else(|| Refused::already_there(name))?;
        let entry = self.bring_up(&record).await?;
        tracing::warn!(topic = %name, "a topic whose creation had broken off was finished");
        let same = record.partitions == wish.partitions
            && record.configs == wish.configs
            && record.internal == wish.internal;
        if same { Ok(entry) } else { Err(Refused::already_there(name)) }
    }

    /// From the store to the image.
    async fn bring_up(&self, record: &TopicRecord) -> Result<Arc<TopicEntry>, Refused> {
        let resolved = Arc::new(TopicConfig::resolve(&record.configs, &self.config()));
        let partitions = self.make_logs(record, &resolved, 0..record.partitions.len()).await?;
        Ok(self.cluster().publish(entry(record, resolved, partitions)))
    }

    /// Gives a topic more partitions, `count` in all.
    pub(crate) async fn add_partitions(&self, name: &str, count: usize) -> Result<Arc<TopicEntry>, Refused> {
        let (cluster, unknown) = (self.cluster(), || Refused::unknown_topic(name));
        let (mut record, version) = cluster.catalog.topic(name).await?.ok_or_else(unknown)?;
        let topic = cluster.image().topic(name).cloned().ok_or_else(unknown)?;
        let there = topic.partitions.len();
        if count <= there {
            let message = format!(
                "The topic {name} currently has {there} partition(s); {count} would not be an increase."
            );
            return Err(Refused::new(ErrorCode::InvalidPartitions, message));
        }
        // The store may know of more already, if it failed after it had written.
        let (node, count) = (cluster.identity.node_id, count.max(record.partitions.len()));
        record
            .partitions
            .resize(count, PartitionRecord { replicas: vec![node], leader: node, leader_epoch: 0 });
        let added = self.make_logs(&record, &topic.config, there..count).await?;
        cluster.catalog.replace_topic(&record, version).await?;
        let partitions = topic.partitions.iter().cloned().chain(added).collect();
        Ok(cluster.publish(entry(&record, Arc::clone(&topic.config), partitions)))
    }

    /// Replaces a topic's own settings by what `wish` makes of them, and puts them in force.
    pub(crate) async fn topic_configs(
        &self,
        name: &str,
        wish: impl FnOnce(&OwnConfigs, &BrokerConfig) -> Result<OwnConfigs, Refused>,
    ) -> Result<(), Refused> {
        let (cluster, config, unknown) = (self.cluster(), self.config(), || Refused::unknown_topic(name));
        let (mut record, version) = cluster.catalog.topic(name).await?.ok_or_else(unknown)?;
        let topic = cluster.image().topic(name).cloned().ok_or_else(unknown)?;
        record.configs = wish(&record.configs, &config)?;
        cluster.catalog.replace_topic(&record, version).await?;
        self.put_in_force(&record, &topic, &config);
        Ok(())
    }

    /// Resolves all topics' settings again: a broker default changed.
    pub(super) async fn refresh_topics(&self) -> Result<(), Refused> {
        let (cluster, config) = (self.cluster(), self.config());
        for (record, _) in cluster.catalog.topics().await?.0 {
            if let Some(topic) = cluster.image().topic(&record.name).cloned() {
                self.put_in_force(&record, &topic, &config);
            }
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    fn put_in_force(&self, record: &TopicRecord, topic: &TopicEntry, config: &BrokerConfig) {
        let resolved = Arc::new(TopicConfig::resolve(&record.configs, config));
        self.cluster().log_dir.set_settings(&record.name, &settings(record.topic_id, &resolved));
        for partition in topic.partitions.iter().filter_map(|entry| entry.hosted.as_ref()) {
            partition.set_config(Arc::clone(&resolved));
        }
        self.cluster().publish(entry(record, resolved, topic.partitions.clone()));
    }

    /// Deletes a topic, by its name and id, so that a namesake created meanwhile is left alone.
    pub(crate) async fn delete_topic(&self, name: &str, id: Uuid) -> Result<(), Refused> {
        let cluster = self.cluster();
        let image = cluster.image();
        let topic =
            image.topic(name).filter(|topic| topic.id == id).ok_or_else(|| Refused::unknown_topic(name))?;
        if let Some((record, version)) = cluster.catalog.topic(name).await?
            && record.topic_id == id
        {
            cluster.catalog.delete_topic(name, version).await?;
        }
        cluster.image.store(Arc::new(image.without(name)));
        for partition in topic.partitions.iter().filter_map(|entry| entry.hosted.as_ref()) {
            partition.wake_all();
        }
        self.remove_logs(name, topic.partitions.len()).await;
        Ok(())
    }
}

fn entry(record: &TopicRecord, config: Arc<TopicConfig>, partitions: Vec<PartitionEntry>) -> TopicEntry {
    TopicEntry {
        name: record.name.as_str().into(),
        id: record.topic_id,
        internal: record.internal,
        own_configs: record.configs.clone(),
        config,
        partitions,
    }
}
