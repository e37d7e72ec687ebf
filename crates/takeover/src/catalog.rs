//! Writes what the new directory's broker remembers: who it is, its topics, its settings. The last of all that an
//! import writes: without it nothing is served.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pagewire_metadata::model::{
    ClusterRecord, ConfigRecord, FeaturesRecord, LogDirsRecord, PartitionRecord, ProducerIdsRecord, Record,
    TopicRecord, UnmadeTopicRecord, encode, keys, known_path,
};
use pagewire_metadata::{CatalogError, EmbeddedStore, Entry, FILE_NAME, SystemClock, Versioned, fill};
use uuid::Uuid;

use crate::error::ImportError;
use crate::plan::{Plan, PlannedTopic};

/// Who the cluster is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
    pub(crate) node_id: i32,
    /// The least that partitions are led by.
    pub(crate) leader_epoch: i32,
    pub(crate) next_producer_id: i64,
    /// Levels of features below those of a new cluster.
    pub(crate) features: BTreeMap<String, i16>,
    pub(crate) now_ms: i64,
}

/// A new directory: where it will be, and its id.
pub(crate) type Placed<'a> = (&'a Path, Option<Uuid>);

/// Writes the metadata of `plan` into the new directory `dir`. `directories`: all new ones.
pub(crate) fn write(
    dir: &Path,
    identity: &Identity,
    plan: &Plan,
    directories: &[Placed<'_>],
) -> Result<(), ImportError> {
    let rows = rows(identity, plan, directories)?;
    let store = EmbeddedStore::open(&dir.join(FILE_NAME), Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(ImportError::at(dir))?;
    let written = runtime.block_on(fill(&store, rows));
    store.close();
    Ok(written.map_err(CatalogError::from)?)
}

fn rows(identity: &Identity, plan: &Plan, directories: &[Placed<'_>]) -> Result<Vec<Entry>, CatalogError> {
    let cluster = ClusterRecord {
        cluster_id: identity.cluster_id.clone(),
        created_ms: identity.now_ms,
        leader_epoch: identity.leader_epoch,
    };
    let mut rows = vec![
        row(keys::CLUSTER.to_owned(), &cluster)?,
        row(keys::PRODUCER_IDS.to_owned(), &ProducerIdsRecord { next: identity.next_producer_id })?,
    ];
    if !identity.features.is_empty() {
        rows.push(row(keys::FEATURES.to_owned(), &FeaturesRecord { levels: identity.features.clone() })?);
    }
    let mut topics: Vec<_> = plan.topics.iter().map(|topic| record(topic, identity.node_id)).collect();
    // Those in the first directory need no name for it.
    for partition in plan.partitions.iter().filter(|partition| partition.home > 0) {
        let of = topics.get_mut(partition.topic).map(|topic| &mut topic.partitions);
        let index = usize::try_from(partition.index).ok();
        if let Some(placed) = of.zip(index).and_then(|(all, index)| all.get_mut(index)) {
            placed.directory = directories.get(partition.home).and_then(|(_, id)| *id);
        }
    }
    let mut taken = vec![0; topics.len()];
    for partition in &plan.partitions {
        if let Some(count) = taken.get_mut(partition.topic) {
            *count += 1;
        }
    }
    for (topic, taken) in topics.into_iter().zip(taken) {
        if taken < topic.partitions.len() {
            // The first start makes them, as whoever imported without them wanted.
            let unmade = UnmadeTopicRecord { name: topic.name.clone(), topic_id: topic.topic_id };
            rows.push(row(keys::unmade(topic.topic_id), &unmade)?);
        }
        rows.push(row(keys::topic(&topic.name), &topic)?);
    }
    if let Some(served) = served(directories) {
        rows.push(row(keys::log_dirs(identity.node_id), &served)?);
    }
    for (scope, own) in &plan.configs {
        rows.push(row(scope.key(), &ConfigRecord { configs: own.clone() })?);
    }
    Ok(rows)
}

/// As a start remembers them, so that none takes an empty mount point for a new directory. The first one needs no name:
/// without its metadata nothing is served.
fn served(directories: &[Placed<'_>]) -> Option<LogDirsRecord> {
    let mut served = LogDirsRecord::default();
    let mut news = false;
    for (path, id) in directories.iter().skip(1).filter_map(|(path, id)| Some((path, (*id)?))) {
        news |= served.serve(&known_path(path), id);
    }
    news.then_some(served)
}

fn record(topic: &PlannedTopic, node: i32) -> TopicRecord {
    // The cluster's leader epoch is the least of all partitions'.
    let partition = PartitionRecord::on(node, None);
    TopicRecord {
        name: topic.name.clone(),
        topic_id: topic.id,
        partitions: vec![partition; topic.partitions],
        configs: topic.configs.clone(),
        created_ms: topic.created_ms,
    }
}

fn row<R: Record>(key: String, record: &R) -> Result<Entry, CatalogError> {
    match encode(record) {
        Ok(value) => Ok(Entry { key, value: Versioned { value, version: 0 } }),
        Err(error) => Err(CatalogError::Model { key, error }),
    }
}
