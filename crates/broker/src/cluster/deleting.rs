//! Deleting topics. The metadata's word counts; the logs go when the disks answer.

use std::{sync::Arc, time::Duration};

use pagewire_metadata::model::DeletedTopicRecord;
use uuid::Uuid;

use super::{Change, Refused};

/// A deletion is answered when its logs are gone, or after this: they go when the disk answers.
const REMOVED_WITHIN: Duration = Duration::from_secs(1);

impl Change {
    /// Deletes a topic, by its name and id, so that a namesake created meanwhile is left alone. It is gone when this
    /// returns; where a disk does not answer, its logs there go when it does.
    pub(crate) async fn delete_topic(&self, name: &str, id: Uuid) -> Result<(), Refused> {
        let claim = self.claim([name]).await?;
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
        cluster.image.store(Arc::new(cluster.image().without(name)));
        let hosted = || topic.partitions.iter().filter_map(|entry| entry.hosted.as_ref());
        hosted().for_each(|partition| partition.wake_all());
        let is_silent = hosted().any(|partition| partition.lane().is_silent());
        let deleted = DeletedTopicRecord { name: name.to_owned(), topic_id: id };
        let is_remembered = cluster.remember_deleted(deleted.clone(), false);
        let broker = Arc::clone(&self.broker);
        let removed = cluster.changes.spawn(async move {
            // Nothing of this name is made before.
            let _claim = claim;
            let cluster = broker.cluster();
            if cluster.remove_logs(&deleted.name, 0..partitions).await && is_remembered {
                cluster.note_logs_gone(&deleted).await;
            }
        });
        if !is_silent {
            // What is not done by then is done later.
            let _ = self.aside(tokio::time::timeout(REMOVED_WITHIN, removed)).await;
        }
        Ok(())
    }
}
