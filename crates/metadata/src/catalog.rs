//! The typed face of a store: topics, identity, settings, producer ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::model::{
    BLOCK_LEN, ClusterRecord, ConfigRecord, ConfigScope, DeletedTopicRecord, FeaturesRecord, LogDirsRecord,
    ModelError, ProducerIdBlock, ProducerIdsRecord, TopicRecord, UnmadeTopicRecord, decode, encode, keys,
};
use crate::store::{Batch, Entry, Expect, MAX_BATCH_OPS, PutError, Revision, Store, StoreError, Watch};

/// Attempts at a conditional write before its rival is believed to be broken.
const ATTEMPTS_MAX: usize = 64;

/// After nine quintillion producers.
const EXHAUSTED: CatalogError = CatalogError::Store(StoreError::TooLarge {
    what: "producer ids",
    limit: i64::MAX.unsigned_abs() as usize,
});

/// A typed operation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    /// Someone else changed the record, or created it first: read again.
    #[error("{key} was changed by someone else")]
    Conflict {
        /// The key.
        key: String,
    },
    /// A stored record cannot be understood.
    #[error("{key}: {error}")]
    Model {
        /// The key.
        key: String,
        /// What is wrong with it.
        error: ModelError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PutError> for CatalogError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Conflict { key, .. } => Self::Conflict { key },
            PutError::NoSuchLease(lease) => {
                Self::Store(StoreError::Unavailable(format!("there is no lease {lease}")))
            }
            PutError::Store(error) => Self::Store(error),
        }
    }
}

/// Records in a store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    store: Arc<dyn Store>,
}

/// A record with the version to name when replacing it.
type Current<R> = (R, Revision);

impl Catalog {
    /// The typed face of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Changes of all records after `revision`.
    pub async fn watch(&self, after: Revision) -> Result<Watch, CatalogError> {
        Ok(self.store.watch("", after).await?)
    }

    /// The cluster's identity, made up at the first call ever.
    pub async fn cluster(&self, now_ms: i64) -> Result<ClusterRecord, CatalogError> {
        if let Some((record, _)) = self.read(keys::CLUSTER).await? {
            return Ok(record);
        }
        let record = ClusterRecord::random(now_ms);
        match self.write(keys::CLUSTER, &record, Expect::Absent).await {
            Ok(_) => Ok(record),
            Err(CatalogError::Conflict { key }) => match self.read(keys::CLUSTER).await? {
                Some((record, _)) => Ok(record),
                None => Err(CatalogError::Conflict { key }),
            },
            Err(error) => Err(error),
        }
    }

    /// Raises the leader epoch by one, durably; the new one.
    pub async fn raise_leader_epoch(&self) -> Result<i32, CatalogError> {
        self.change_leader_epoch(|stored| stored.saturating_add(1)).await
    }

    /// Raises the leader epoch to `least`, durably, if it is not that high yet; the one that is stored then.
    pub async fn raise_leader_epoch_to(&self, least: i32) -> Result<i32, CatalogError> {
        self.change_leader_epoch(|stored| stored.max(least)).await
    }

    async fn change_leader_epoch(&self, raise: impl Fn(i32) -> i32) -> Result<i32, CatalogError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((record, version)) = self.read::<ClusterRecord>(keys::CLUSTER).await? else { break };
            let raised = ClusterRecord { leader_epoch: raise(record.leader_epoch), ..record };
            match self.write(keys::CLUSTER, &raised, Expect::Version(version)).await {
                Ok(_) => return Ok(raised.leader_epoch),
                Err(CatalogError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CatalogError::Conflict { key: keys::CLUSTER.to_owned() })
    }

    /// Skips leader epochs and producer ids that the original of a restored copy may have given out since the copy was
    /// made. Both durably.
    pub async fn leap(&self, leader_epochs: i32, producer_ids: i64) -> Result<(), CatalogError> {
        if let Some((record, version)) = self.read::<ClusterRecord>(keys::CLUSTER).await? {
            let leader_epoch = record.leader_epoch.saturating_add(leader_epochs);
            let record = ClusterRecord { leader_epoch, ..record };
            self.write(keys::CLUSTER, &record, Expect::Version(version)).await?;
        }
        // The original may have given out its first after the copy was made.
        let (next, expect) = match self.read::<ProducerIdsRecord>(keys::PRODUCER_IDS).await? {
            Some((record, version)) => (record.next, Expect::Version(version)),
            None => (0, Expect::Absent),
        };
        let next = next.checked_add(producer_ids).ok_or(EXHAUSTED)?;
        self.write(keys::PRODUCER_IDS, &ProducerIdsRecord { next }, expect).await?;
        Ok(())
    }

    /// All topics in name order with their versions, and the revision to watch from.
    pub async fn topics(&self) -> Result<(Vec<Current<TopicRecord>>, Revision), CatalogError> {
        let listing = self.store.list(keys::TOPICS).await?;
        let mut topics = Vec::with_capacity(listing.entries.len());
        for entry in listing.entries {
            let record =
                decode(&entry.value.value).map_err(|error| CatalogError::Model { key: entry.key, error })?;
            topics.push((record, entry.value.version));
        }
        Ok((topics, listing.revision))
    }

    /// One topic.
    pub async fn topic(&self, name: &str) -> Result<Option<Current<TopicRecord>>, CatalogError> {
        self.read(&keys::topic(name)).await
    }

    /// Adds a topic, and in the same moment takes down that its logs are still to be made; a conflict says that its
    /// name is taken.
    pub async fn create_topic(&self, topic: &TopicRecord) -> Result<Revision, CatalogError> {
        let unmade = UnmadeTopicRecord { name: topic.name.clone(), topic_id: topic.topic_id };
        let batch = Batch::new();
        let batch = put(batch, keys::topic(&topic.name), topic, Expect::Absent)?;
        let batch = put(batch, keys::unmade(topic.topic_id), &unmade, Expect::Any)?;
        Ok(self.store.commit(batch).await?)
    }

    /// Topics whose logs may not all have been made.
    pub async fn unmade_topics(&self) -> Result<Vec<UnmadeTopicRecord>, CatalogError> {
        self.list(keys::UNMADE).await
    }

    /// Takes down that logs of a topic that is there are to be made anew.
    pub async fn note_unmade(&self, topic: &TopicRecord) -> Result<(), CatalogError> {
        let unmade = UnmadeTopicRecord { name: topic.name.clone(), topic_id: topic.topic_id };
        self.write(&keys::unmade(topic.topic_id), &unmade, Expect::Any).await?;
        Ok(())
    }

    /// The logs of these topics are made. Many notes go in one batch.
    pub async fn forget_unmade(&self, topic_ids: &[Uuid]) -> Result<(), CatalogError> {
        for some in topic_ids.chunks(MAX_BATCH_OPS) {
            let forget = |batch: Batch, id: &Uuid| batch.delete(keys::unmade(*id), Expect::Any);
            self.store.commit(some.iter().fold(Batch::new(), forget)).await?;
        }
        Ok(())
    }

    /// Replaces the record read at `version`.
    pub async fn replace_topic(
        &self,
        topic: &TopicRecord,
        version: Revision,
    ) -> Result<Revision, CatalogError> {
        self.write(&keys::topic(&topic.name), topic, Expect::Version(version)).await
    }

    /// Removes the record read at `version`, and in the same moment takes down that the topic may have left traces.
    pub async fn delete_topic(
        &self,
        topic: &TopicRecord,
        version: Revision,
    ) -> Result<DeletedTopicRecord, CatalogError> {
        let deleted = DeletedTopicRecord { name: topic.name.clone(), topic_id: topic.topic_id };
        let batch = Batch::new().delete(keys::topic(&topic.name), Expect::Version(version));
        let batch = batch.delete(keys::unmade(topic.topic_id), Expect::Any);
        self.store.commit(put(batch, keys::deleted(topic.topic_id), &deleted, Expect::Any)?).await?;
        Ok(deleted)
    }

    /// Topics that were deleted and may have left traces.
    pub async fn deleted_topics(&self) -> Result<Vec<DeletedTopicRecord>, CatalogError> {
        self.list(keys::DELETED).await
    }

    /// Nothing is left of a deleted topic.
    pub async fn forget_deleted(&self, topic_id: Uuid) -> Result<(), CatalogError> {
        self.store.delete_if(&keys::deleted(topic_id), Expect::Any).await?;
        Ok(())
    }

    /// Whether the record can be stored as far as its size goes.
    pub fn check_size(topic: &TopicRecord) -> Result<(), CatalogError> {
        let key = keys::topic(&topic.name);
        let value = encode(topic).map_err(|error| CatalogError::Model { key: key.clone(), error })?;
        Ok(Batch::new().put(key, value, Expect::Any).validate()?)
    }

    /// All dynamic settings but those of topics.
    pub async fn configs(&self) -> Result<BTreeMap<ConfigScope, Current<ConfigRecord>>, CatalogError> {
        let listing = self.store.list(keys::CONFIGS).await?;
        let mut configs = BTreeMap::new();
        for entry in listing.entries {
            let Some(scope) = ConfigScope::from_key(&entry.key) else { continue };
            let record =
                decode(&entry.value.value).map_err(|error| CatalogError::Model { key: entry.key, error })?;
            configs.insert(scope, (record, entry.value.version));
        }
        Ok(configs)
    }

    /// The settings of one scope; none set is version 0.
    pub async fn config(&self, scope: &ConfigScope) -> Result<Current<ConfigRecord>, CatalogError> {
        Ok(self.read(&scope.key()).await?.unwrap_or_default())
    }

    /// Replaces the settings read at `version` (0: there were none).
    pub async fn replace_config(
        &self,
        scope: &ConfigScope,
        record: &ConfigRecord,
        version: Revision,
    ) -> Result<Revision, CatalogError> {
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        self.write(&scope.key(), record, expect).await
    }

    /// Levels of features that were changed; none was is version 0.
    pub async fn features(&self) -> Result<Current<FeaturesRecord>, CatalogError> {
        Ok(self.read(keys::FEATURES).await?.unwrap_or_default())
    }

    /// Replaces the levels read at `version` (0: none was changed).
    pub async fn replace_features(
        &self,
        record: &FeaturesRecord,
        version: Revision,
    ) -> Result<Revision, CatalogError> {
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        self.write(keys::FEATURES, record, expect).await
    }

    /// How many changes there have been.
    pub async fn revision(&self) -> Result<Revision, CatalogError> {
        // The least that can be listed.
        Ok(self.store.list(keys::CLUSTER).await?.revision)
    }

    /// The log directories that a node has served; none remembered is version 0.
    pub async fn log_dirs(&self, node_id: i32) -> Result<Current<LogDirsRecord>, CatalogError> {
        Ok(self.read(&keys::log_dirs(node_id)).await?.unwrap_or_default())
    }

    /// Those of every node that has served any.
    pub async fn all_log_dirs(&self) -> Result<Vec<(i32, LogDirsRecord)>, CatalogError> {
        let mut all = Vec::new();
        for entry in self.store.list(keys::LOG_DIRS).await?.entries {
            let node = entry.key.strip_prefix(keys::LOG_DIRS).and_then(|node| node.parse().ok());
            if let Some(node) = node {
                all.push((node, self.log_dirs(node).await?.0));
            }
        }
        Ok(all)
    }

    /// Replaces what was read at `version` (0: nothing was).
    pub async fn replace_log_dirs(
        &self,
        node_id: i32,
        record: &LogDirsRecord,
        version: Revision,
    ) -> Result<Revision, CatalogError> {
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        self.write(&keys::log_dirs(node_id), record, expect).await
    }

    /// Forgets which log directories nodes have served: what was said is of another machine.
    pub async fn forget_log_dirs(&self) -> Result<(), CatalogError> {
        for entry in self.store.list(keys::LOG_DIRS).await?.entries {
            self.store.delete_if(&entry.key, Expect::Any).await?;
        }
        Ok(())
    }

    /// Takes the next thousand producer ids. No two callers ever get the same one.
    pub async fn allocate_producer_ids(&self) -> Result<ProducerIdBlock, CatalogError> {
        for _ in 0..ATTEMPTS_MAX {
            let (first, expect) = match self.read::<ProducerIdsRecord>(keys::PRODUCER_IDS).await? {
                Some((record, version)) => (record.next, Expect::Version(version)),
                None => (0, Expect::Absent),
            };
            let next = first.checked_add(BLOCK_LEN).ok_or(EXHAUSTED)?;
            match self.write(keys::PRODUCER_IDS, &ProducerIdsRecord { next }, expect).await {
                Ok(_) => return Ok(ProducerIdBlock { first, len: BLOCK_LEN }),
                Err(CatalogError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CatalogError::Conflict { key: keys::PRODUCER_IDS.to_owned() })
    }

    /// The first producer id that nobody was given yet.
    pub async fn next_producer_id(&self) -> Result<i64, CatalogError> {
        Ok(self.read::<ProducerIdsRecord>(keys::PRODUCER_IDS).await?.map_or(0, |(record, _)| record.next))
    }

    async fn list<R: crate::model::Record>(&self, prefix: &str) -> Result<Vec<R>, CatalogError> {
        let read = |entry: Entry| {
            decode(&entry.value.value).map_err(|error| CatalogError::Model { key: entry.key, error })
        };
        self.store.list(prefix).await?.entries.into_iter().map(read).collect()
    }

    async fn read<R: crate::model::Record>(&self, key: &str) -> Result<Option<Current<R>>, CatalogError> {
        let Some(found) = self.store.get(key).await? else { return Ok(None) };
        let record =
            decode(&found.value).map_err(|error| CatalogError::Model { key: key.to_owned(), error })?;
        Ok(Some((record, found.version)))
    }

    async fn write<R: crate::model::Record>(
        &self,
        key: &str,
        record: &R,
        expect: Expect,
    ) -> Result<Revision, CatalogError> {
        let value = encode(record).map_err(|error| CatalogError::Model { key: key.to_owned(), error })?;
        Ok(self.store.put_if(key, value, expect).await?)
    }
}

fn put<R: crate::model::Record>(
    batch: Batch,
    key: String,
    record: &R,
    expect: Expect,
) -> Result<Batch, CatalogError> {
    let value = encode(record).map_err(|error| CatalogError::Model { key: key.clone(), error })?;
    Ok(batch.put(key, value, expect))
}
