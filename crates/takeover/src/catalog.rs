//! Writes what the new directory's broker remembers: who it is, its topics, its settings. The last of all that an import
//! writes: without it nothing is served.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_metadata::model::{
    ClusterRecord, ConfigRecord, PartitionRecord, ProducerIdsRecord, Record, TopicRecord, encode, keys,
};
use pagewire_metadata::{
    Batch, CatalogError, EmbeddedStore, Expect, FILE_NAME, MAX_BATCH_BYTES, MAX_BATCH_OPS, Store, SystemClock,
};

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
    pub(crate) now_ms: i64,
}

/// A key and its value.
type Row = (String, Bytes);

/// Writes the metadata of `plan` into the new directory `dir`.
pub(crate) fn write(dir: &Path, identity: &Identity, plan: &Plan) -> Result<(), ImportError> {
    let rows = rows(identity, plan)?;
    let store = EmbeddedStore::open(&dir.join(FILE_NAME), Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(ImportError::at(dir))?;
    let written = runtime.block_on(put(&store, rows));
    store.close();
    Ok(written?)
}

fn rows(identity: &Identity, plan: &Plan) -> Result<Vec<Row>, CatalogError> {
    let cluster = ClusterRecord {
        cluster_id: identity.cluster_id.clone(),
        created_ms: identity.now_ms,
        leader_epoch: identity.leader_epoch,
    };
    let mut rows = vec![
        row(keys::CLUSTER.to_owned(), &cluster)?,
        row(keys::PRODUCER_IDS.to_owned(), &ProducerIdsRecord { next: identity.next_producer_id })?,
    ];
    for topic in &plan.topics {
        rows.push(row(keys::topic(&topic.name), &record(topic, identity.node_id))?);
    }
    for (scope, own) in &plan.configs {
        rows.push(row(scope.key(), &ConfigRecord { configs: own.clone() })?);
    }
    Ok(rows)
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

fn row<R: Record>(key: String, record: &R) -> Result<Row, CatalogError> {
    match encode(record) {
        Ok(value) => Ok((key, value)),
        Err(error) => Err(CatalogError::Model { key, error }),
    }
}

/// Puts the rows, as many at once as the store takes.
async fn put(store: &EmbeddedStore, rows: Vec<Row>) -> Result<(), CatalogError> {
    let (mut batch, mut bytes) = (Batch::new(), 0);
    for (key, value) in rows {
        let size = 2 * key.len() + value.len();
        if batch.ops.len() == MAX_BATCH_OPS || bytes + size > MAX_BATCH_BYTES {
            store.commit(std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
        batch = batch.put(key, value, Expect::Absent);
        bytes += size;
    }
    store.commit(batch).await?;
    Ok(())
}
