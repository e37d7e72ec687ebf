//! Creating and growing topics; deleting.rs and topic_settings.rs have the rest.
//!
//! ```text
//!   create   store (its name is taken from here on), with a note that its logs are to be made ─ logs on disk ─ image:
//!            usable, and only then answered ─ the note goes (missing.rs)
//!   delete   store, with a note of what is left ─ image (nobody finds it) ─ when the disk answers: logs renamed `-delete`,
//!            unlinked later ─ offsets forgotten ─ the note goes (traces.rs)
//!   start    store ─ logs, missing ones made where a note says so: a stop in the middle of a creation heals ─ image ─
//!            what notes tell of goes
//! ```
//!
//! A store that fails may have written or not. Whatever it says later counts: a topic that is stored and not in the
//! image is finished by the next creation of that name, one that is in the image and not stored by the next deletion.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
    path::Path,
    sync::Arc,
};

use pagewire_log::{CreateError, FailedLog, Homeless, PartitionSettings, Takes};
use pagewire_metadata::{
    Catalog, CatalogError, Revision,
    model::{PartitionRecord, TopicRecord},
};
use pagewire_wire::ErrorCode;

use super::{
    Change, Cluster, Image, PartitionEntry, Refused, TopicEntry,
    change::refuse_claimed,
    image::NO_LEADER,
    logs::{Unnamed, host, settings},
    names,
    placement::Placed,
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
    /// made, and those that are to be `hidden` until it can be stored where they are. Everything else is served. Whether some of
    /// these only wanted room or file handles, or that.
    pub(crate) fn load(
        &self,
        topics: &[TopicRecord],
        (failed, hidden): (&[FailedLog], &HashSet<(String, i32)>),
        config: &BrokerConfig,
    ) -> bool {
        let mut wants = !hidden.is_empty() || failed.iter().any(|log| log.error.is_for_want());
        let mut failed_of: HashMap<&str, Vec<i32>> = HashMap::new();
        for log in failed {
            failed_of.entry(&log.topic).or_default().push(log.partition);
        }
        let mut image = Image::default();
        for record in topics {
            let resolved = Arc::new(TopicConfig::resolve(&record.configs, config));
            let least_epoch = self.identity.leader_epoch;
            let failed = failed_of.get(record.name.as_str()).map_or(&[][..], Vec::as_slice);
            let (mut partitions, error) = host(
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
            for (one, index) in partitions.iter_mut().zip(0..).filter(|_| !hidden.is_empty()) {
                if hidden.contains(&(record.name.clone(), index)) {
                    (one.hosted, one.leader) = (None, NO_LEADER);
                }
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

impl Creation {
    fn partitions(&self) -> &[PartitionEntry] {
        match self {
            Self::Begun(begun) => &begun.entry.partitions,
            Self::Done(_) => &[],
        }
    }
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
        let (_claims, claimed) = self.claim_what_is_free(all.iter().map(|new| new.name.as_str())).await;
        let config = self.config();
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
                None if claimed.contains(&names::folded(&new.name)) => Creation::Done(Err(refuse_claimed())),
                None => self.begin_topic(new).await,
            };
            begun.push(creation);
        }
        let unnamed = self.name_logs(begun.iter().flat_map(Creation::partitions)).await;
        let (mut created, mut shown) = (Vec::with_capacity(begun.len()), Vec::new());
        for one in begun {
            created.push(match one {
                Creation::Begun(begun) => {
                    let kept = self.keep_begun(*begun, &unnamed).await;
                    shown.extend(kept.iter().cloned());
                    kept
                }
                Creation::Done(done) => done,
            });
        }
        let ids = shown.iter().map(|topic: &Arc<TopicEntry>| topic.id).collect();
        self.cluster().publish_all(shown);
        self.cluster().note_made(ids);
        if !Arc::ptr_eq(&config, &self.config()) {
            self.catch_up(&created).await;
        }
        created
    }

    /// Broker defaults changed while the logs of these were made.
    async fn catch_up(&self, created: &[Result<Arc<TopicEntry>, Refused>]) {
        for topic in created.iter().filter_map(|one| one.as_ref().ok()) {
            let resolved = Arc::new(TopicConfig::resolve(&topic.own_configs, &self.config()));
            self.put_in_force(topic, resolved).await;
        }
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
        let (partitions, _until_made) = self.placed(&new.name, 0..new.partitions)?;
        record.partitions = partitions;
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
    async fn keep_begun(&self, begun: Begun, unnamed: &Unnamed) -> Result<Arc<TopicEntry>, Refused> {
        let Begun { record, version, entry } = begun;
        if let Err(refused) = unnamed.refuse(&entry.partitions) {
            self.drop_begun(&record, version).await?;
            return Err(refused);
        }
        Ok(Arc::new(entry))
    }

    /// Takes back a topic that nobody saw.
    async fn drop_begun(&self, record: &TopicRecord, version: Revision) -> Result<(), Refused> {
        let cluster = self.cluster();
        let deleted = cluster.catalog.delete_topic(record, version).await?;
        let logs_gone = self.aside(cluster.remove_logs(&record.name, 0..record.partitions.len())).await;
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
        self.name_logs(entry.partitions.iter()).await.refuse(&entry.partitions)?;
        let entry = self.cluster().publish(entry);
        self.cluster().note_made(vec![record.topic_id]);
        tracing::warn!(topic = %name, "a topic whose creation had broken off was finished");
        let same = record.partitions.len() == wish.partitions.len() && record.configs == wish.configs;
        if same { Ok(entry) } else { Err(Refused::already_there(name)) }
    }

    /// New partitions of this node, each in the directory it shall be in. The record says so before anything is made, so
    /// that none is ever made a second time elsewhere.
    fn placed(&self, topic: &str, range: Range<usize>) -> Result<(Vec<PartitionRecord>, Placed), Refused> {
        let (cluster, count) = (self.cluster(), range.len());
        let (node, config) = (cluster.identity.node_id, self.config());
        let takes = |dir: &Path| match () {
            () if config.is_cordoned(dir) => Takes::Nothing,
            // What is new waits for no disk that does not answer, as long as there is another.
            () if cluster.is_silent(dir) => Takes::IfNoneElse,
            () => Takes::New,
        };
        let directories = cluster.log_dirs.place_beside(count, takes, |dir| cluster.placing.of(dir));
        let directories = directories.map_err(|none| Refused::new(homeless_code(&none), none.to_string()))?;
        let placed = range.zip(directories).map(|(index, directory)| {
            let wished = i32::try_from(index).ok().and_then(|index| cluster.preferred.take(topic, index));
            let wished = wished.filter(|dir| takes(dir) != Takes::Nothing);
            wished.and_then(|dir| cluster.log_dirs.named_as(&dir)).unwrap_or(directory)
        });
        let directories: Vec<_> = placed.collect();
        let records = directories.iter().map(|directory| PartitionRecord::on(node, *directory)).collect();
        Ok((records, cluster.placing.begin(directories)))
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
        let _claim = self.claim([name]).await?;
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
        let (new, _until_made) = self.placed(name, record.partitions.len()..count)?;
        record.partitions.extend(new);
        Catalog::check_size(&record)
            .map_err(|error| Refused::from(error).if_too_large(ErrorCode::InvalidPartitions))?;
        let added = match self.make_named(&record, &topic.config, there..count).await {
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

    /// Makes logs that take records.
    async fn make_named(
        &self,
        record: &TopicRecord,
        resolved: &Arc<TopicConfig>,
        range: Range<usize>,
    ) -> Result<Vec<PartitionEntry>, Refused> {
        let made = self.make_logs(record, resolved, range).await?;
        self.name_logs(made.iter()).await.refuse(&made)?;
        Ok(made)
    }

    /// Removes the logs of partitions that were to be added, but for those that the store knows of after all: it may have
    /// failed after it had written.
    async fn take_back(&self, topic: &TopicEntry, count: usize) {
        let Ok(stored) = self.cluster().catalog.topic(&topic.name).await else { return };
        let stored = stored.filter(|(record, _)| record.topic_id == topic.id);
        let kept = stored.map_or(0, |(record, _)| record.partitions.len()).max(topic.partitions.len());
        if kept < count {
            self.aside(self.cluster().remove_logs(&topic.name, kept..count)).await;
        }
    }
}

const fn homeless_code(none: &Homeless) -> ErrorCode {
    match none {
        Homeless::Offline(_) => ErrorCode::KafkaStorageError,
        Homeless::Cordoned => ErrorCode::InvalidReplicationFactor,
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
