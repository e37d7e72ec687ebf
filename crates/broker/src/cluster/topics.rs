//! Creating, growing, changing and deleting topics.
//!
//! ```text
//!   create   store (its name is taken from here on), with a note that its logs are to be made ─ logs on disk ─ image:
//!            usable, and only then answered ─ the note goes (missing.rs)
//!   delete   store, with a note of what is left ─ image (nobody finds it) ─ logs renamed `-delete`, unlinked later ─
//!            offsets forgotten ─ the note goes (traces.rs)
//!   start    store ─ logs, missing ones made where a note says so: a stop in the middle of a creation heals ─ image ─
//!            what notes tell of goes
//! ```
//!
//! A store that fails may have written or not. Whatever it says later counts: a topic that is stored and not in the
//! image is finished by the next creation of that name, one that is in the image and not stored by the next deletion.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::Path,
    sync::Arc,
};

use pagewire_log::{CreateError, FailedLog, PartitionSettings};
use pagewire_metadata::{
    Catalog, CatalogError, Revision,
    model::{DeletedTopicRecord, PartitionRecord, TopicRecord},
};
use pagewire_wire::ErrorCode;
use uuid::Uuid;

use super::{
    Change, Cluster, Image, OwnConfigs, PartitionEntry, Refused, TopicEntry,
    logs::{host, settings, takes_records},
    names,
};
use crate::{clock::now_ms, config::BrokerConfig, config::TopicConfig};

/// Partitions one request may create, as in Kafka.
pub(crate) const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// A topic to be.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: usize,
    /// Validated, by Kafka's names.
    pub(crate) configs: BTreeMap<String, String>,
}

impl Cluster {
    /// How the logs of a topic are opened.
    pub(crate) fn partition_settings(record: &TopicRecord, config: &BrokerConfig) -> PartitionSettings {
        settings(record.topic_id, &TopicConfig::resolve(&record.configs, config))
    }

    /// Shows the topics of the store, whose logs are loaded; makes the logs that a stop kept from being made. Blocks.
    ///
    /// Partitions in `failed`, whose logs could not be opened, are shown as offline; so are those whose logs cannot be
    /// made. Everything else is served. Whether some of these only wanted room or file handles.
    pub(crate) fn load(&self, topics: &[TopicRecord], failed: &[FailedLog], config: &BrokerConfig) -> bool {
        let mut wants = failed.iter().any(|log| log.error.is_for_want());
        let mut failed_of: HashMap<&str, Vec<i32>> = HashMap::new();
        for log in failed {
            failed_of.entry(&log.topic).or_default().push(log.partition);
        }
        let mut image = Image::default();
        for record in topics {
            let resolved = Arc::new(TopicConfig::resolve(&record.configs, config));
            let least_epoch = self.identity.leader_epoch;
            let failed = failed_of.get(record.name.as_str()).map_or(&[][..], Vec::as_slice);
            let (partitions, error) = host(
                (&self.log_dirs, &self.lanes),
                record,
                &resolved,
                0..record.partitions.len(),
                failed,
                least_epoch,
            );
            wants |= error.as_ref().is_some_and(CreateError::is_for_want);
            // Directories that are not here are told of once, not once a topic.
            if let Some(error) = error.filter(|error| !matches!(error, CreateError::Away { .. })) {
                tracing::error!(topic = record.name, %error, "logs cannot be made and are not served");
            }
            image.add(entry(record, resolved, partitions));
        }
        // Those that cannot be named take no record until they are.
        if let Err(error) = self.log_dirs.name_made() {
            tracing::error!(%error, "logs that were made take no records until this can be written; it is tried again");
        }
        self.image.store(Arc::new(image));
        wants
    }

    /// What stands against a new topic of this name, if anything.
    pub(crate) fn refuse_name(&self, name: &str) -> Option<Refused> {
        if name == names::CLUSTER_METADATA {
            let message = format!("Creation of internal topic {name} is prohibited.");
            return Some(Refused::new(ErrorCode::InvalidRequest, message));
        }
        if let Some(reason) = names::refusal(name) {
            return Some(Refused::new(ErrorCode::InvalidTopicException, reason));
        }
        let image = self.image();
        if image.topic(name).is_some() {
            return Some(Refused::already_there(name));
        }
        if !names::may_collide(name) {
            return None;
        }
        let twin = image.topics().find(|topic| names::collide(&topic.name, name))?;
        Some(refuse_twin(name, &twin.name))
    }

    pub(super) fn publish(&self, topic: TopicEntry) -> Arc<TopicEntry> {
        let topic = Arc::new(topic);
        self.publish_all([Arc::clone(&topic)]);
        topic
    }

    fn publish_all(&self, topics: impl IntoIterator<Item = Arc<TopicEntry>>) {
        self.image.store(Arc::new(self.image().with(topics)));
    }
}

/// A topic that is stored, and has logs that nobody sees.
struct Begun {
    record: TopicRecord,
    version: Revision,
    entry: TopicEntry,
}

/// How far a creation has come.
enum Creation {
    Begun(Box<Begun>),
    Done(Result<Arc<TopicEntry>, Refused>),
}

impl Change {
    /// Creates a topic; when this returns it takes records.
    pub(crate) async fn create_topic(&self, new: NewTopic) -> Result<Arc<TopicEntry>, Refused> {
        let gone = || Refused::new(ErrorCode::UnknownServerError, "the creation was lost");
        self.create_topics(vec![new]).await.pop().unwrap_or_else(|| Err(gone()))
    }

    /// Creates topics, in order; when this returns they take records. All logs that are made for them are written down at once,
    /// before the first of them is seen.
    pub(crate) async fn create_topics(&self, all: Vec<NewTopic>) -> Vec<Result<Arc<TopicEntry>, Refused>> {
        let mut begun: Vec<Creation> = Vec::with_capacity(all.len());
        for new in all {
            let twin = begun.iter().find_map(|one| match one {
                Creation::Begun(other) if names::collide(&other.record.name, &new.name) => {
                    Some(&other.record.name)
                }
                _ => None,
            });
            let creation = match twin {
                Some(twin) => Creation::Done(Err(refuse_twin(&new.name, twin))),
                None => self.begin_topic(new).await,
            };
            begun.push(creation);
        }
        let named = self.name_logs().await;
        let (mut created, mut shown) = (Vec::with_capacity(begun.len()), Vec::new());
        for one in begun {
            created.push(match one {
                Creation::Begun(begun) => {
                    let kept = self.keep_begun(*begun, &named).await;
                    shown.extend(kept.iter().cloned());
                    kept
                }
                Creation::Done(done) => done,
            });
        }
        let ids = shown.iter().map(|topic: &Arc<TopicEntry>| topic.id).collect();
        self.cluster().publish_all(shown);
        self.cluster().note_made(ids);
        created
    }

    /// Stores a topic and makes its logs.
    async fn begin_topic(&self, new: NewTopic) -> Creation {
        match self.try_begin_topic(new).await {
            Ok(creation) => creation,
            Err(refused) => Creation::Done(Err(refused)),
        }
    }

    async fn try_begin_topic(&self, new: NewTopic) -> Result<Creation, Refused> {
        let cluster = self.cluster();
        if let Some(refused) = cluster.refuse_name(&new.name) {
            return Err(refused);
        }
        let node = cluster.identity.node_id;
        let mut record = TopicRecord::on_one_node(&new.name, new.partitions, node, now_ms());
        record.partitions = self.placed(&new.name, 0..new.partitions)?;
        record.configs = new.configs;
        let version = match cluster.catalog.create_topic(&record).await {
            Ok(version) => version,
            Err(CatalogError::Conflict { .. }) => {
                return Ok(Creation::Done(self.finish_topic(&record).await));
            }
            Err(error) => return Err(error.into()),
        };
        match self.bring_up(&record).await {
            Ok(entry) => Ok(Creation::Begun(Box::new(Begun { record, version, entry }))),
            Err(refused) => {
                self.drop_begun(&record, version).await?;
                Err(refused)
            }
        }
    }

    /// A topic whose logs are `named` is to be shown, another is dropped.
    async fn keep_begun(
        &self,
        begun: Begun,
        named: &Result<(), Refused>,
    ) -> Result<Arc<TopicEntry>, Refused> {
        let Begun { record, version, entry } = begun;
        if let Err(refused) = takes_records(&entry.partitions, named) {
            self.drop_begun(&record, version).await?;
            return Err(refused);
        }
        Ok(Arc::new(entry))
    }

    /// Takes back a topic that nobody saw.
    async fn drop_begun(&self, record: &TopicRecord, version: Revision) -> Result<(), Refused> {
        let cluster = self.cluster();
        let deleted = cluster.catalog.delete_topic(record, version).await?;
        let logs_gone = self.remove_logs(&record.name, 0..record.partitions.len()).await;
        // Nobody ever saw it, so no group has committed anything for it: a client that tries again and again on a full
        // disk leaves nothing behind.
        if logs_gone {
            cluster.forget_deleted(std::iter::once(&deleted)).await;
        } else {
            cluster.remember_deleted(deleted, logs_gone);
        }
        Ok(())
    }

    /// Finishes what an earlier creation left in the store. The topic is `wish`'s own if nothing tells them apart,
    /// otherwise it is there from now on, and `wish` is refused for that.
    async fn finish_topic(&self, wish: &TopicRecord) -> Result<Arc<TopicEntry>, Refused> {
        let name = &wish.name;
        let found = self.cluster().catalog.topic(name).await?;
        let (record, _) = found.ok_or_else(|| Refused::already_there(name))?;
        let entry = self.bring_up(&record).await?;
        takes_records(&entry.partitions, &self.name_logs().await)?;
        let entry = self.cluster().publish(entry);
        self.cluster().note_made(vec![record.topic_id]);
        tracing::warn!(topic = %name, "a topic whose creation had broken off was finished");
        let same = record.partitions.len() == wish.partitions.len() && record.configs == wish.configs;
        if same { Ok(entry) } else { Err(Refused::already_there(name)) }
    }

    /// New partitions of this node, each in the directory it shall be in. The record says so before anything is made, so
    /// that none is ever made a second time elsewhere.
    fn placed(&self, topic: &str, range: Range<usize>) -> Result<Vec<PartitionRecord>, Refused> {
        let (cluster, count) = (self.cluster(), range.len());
        // Nothing new waits for a disk that does not answer, and with it all changes.
        let hangs = |dir: &Path| cluster.lanes.of(dir).hanging().is_some();
        let (node, directories) = (cluster.identity.node_id, cluster.log_dirs.place_sparing(count, hangs));
        let directories =
            directories.map_err(|none| Refused::new(ErrorCode::KafkaStorageError, none.to_string()))?;
        let placed = range.zip(directories).map(|(index, directory)| {
            let wished = i32::try_from(index).ok().and_then(|index| cluster.preferred.take(topic, index));
            let wished = wished.and_then(|dir| cluster.log_dirs.named_as(&dir));
            PartitionRecord::on(node, wished.unwrap_or(directory))
        });
        Ok(placed.collect())
    }

    /// From the store to what the image is to say.
    async fn bring_up(&self, record: &TopicRecord) -> Result<TopicEntry, Refused> {
        let resolved = Arc::new(TopicConfig::resolve(&record.configs, &self.config()));
        let partitions = self.make_logs(record, &resolved, 0..record.partitions.len()).await?;
        Ok(entry(record, resolved, partitions))
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
        let count = count.max(record.partitions.len());
        record.partitions.extend(self.placed(name, record.partitions.len()..count)?);
        Catalog::check_size(&record)
            .map_err(|error| Refused::from(error).if_too_large(ErrorCode::InvalidPartitions))?;
        let made = self.make_logs(&record, &topic.config, there..count).await;
        let named = self.name_logs().await;
        let added = match made.and_then(|added| takes_records(&added, &named).map(|()| added)) {
            Ok(added) => {
                cluster.catalog.replace_topic(&record, version).await.map(|_| added).map_err(Refused::from)
            }
            Err(refused) => Err(refused),
        };
        match added {
            Ok(added) => {
                let partitions = topic.partitions.iter().cloned().chain(added).collect();
                Ok(cluster.publish(entry(&record, Arc::clone(&topic.config), partitions)))
            }
            Err(refused) => {
                self.take_back(&topic, count).await;
                Err(refused)
            }
        }
    }

    /// Removes the logs of partitions that were to be added, but for those that the store knows of after all: it may have
    /// failed after it had written.
    async fn take_back(&self, topic: &TopicEntry, count: usize) {
        let Ok(stored) = self.cluster().catalog.topic(&topic.name).await else { return };
        let stored = stored.filter(|(record, _)| record.topic_id == topic.id);
        let kept = stored.map_or(0, |(record, _)| record.partitions.len()).max(topic.partitions.len());
        if kept < count {
            self.remove_logs(&topic.name, kept..count).await;
        }
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
        let stored = cluster.catalog.replace_topic(&record, version).await;
        stored.map_err(|error| Refused::from(error).if_too_large(ErrorCode::InvalidConfig))?;
        self.put_in_force(&record, &topic, &config);
        self.broker.tell_settings_changed();
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
        self.broker.tell_settings_changed();
        Ok(())
    }

    fn put_in_force(&self, record: &TopicRecord, topic: &TopicEntry, config: &BrokerConfig) {
        let resolved = Arc::new(TopicConfig::resolve(&record.configs, config));
        self.cluster().log_dirs.set_settings(&record.name, &settings(record.topic_id, &resolved));
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
        let mut partitions = topic.partitions.len();
        if let Some((record, version)) = cluster.catalog.topic(name).await?
            && record.topic_id == id
        {
            partitions = partitions.max(record.partitions.len());
            cluster.catalog.delete_topic(&record, version).await?;
        }
        cluster.image.store(Arc::new(image.without(name)));
        for partition in topic.partitions.iter().filter_map(|entry| entry.hosted.as_ref()) {
            partition.wake_all();
        }
        let logs_gone = self.remove_logs(name, 0..partitions).await;
        let deleted = DeletedTopicRecord { name: name.to_owned(), topic_id: id };
        cluster.remember_deleted(deleted, logs_gone);
        Ok(())
    }
}

/// Their metrics could not be told apart.
fn refuse_twin(name: &str, twin: &str) -> Refused {
    Refused::new(
        ErrorCode::InvalidTopicException,
        format!("Topic '{name}' collides with existing topic: {twin}"),
    )
}

fn entry(record: &TopicRecord, config: Arc<TopicConfig>, partitions: Vec<PartitionEntry>) -> TopicEntry {
    TopicEntry {
        name: record.name.as_str().into(),
        id: record.topic_id,
        internal: names::is_internal(&record.name),
        own_configs: record.configs.clone(),
        config,
        partitions,
    }
}
