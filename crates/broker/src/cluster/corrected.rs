//! Partitions that are found in other directories than their records say: what is found counts, and is remembered before anything
//! is appended there. Else a start without that directory would look for them where they were, or take a copy that was left
//! there.

use std::collections::HashSet;

use pagewire_log::LogDirs;
use pagewire_metadata::{Revision, model::TopicRecord};

use super::{Change, Refused};

/// Corrects a topic's record; the partitions that this is about.
pub(crate) fn correct(topic: &mut TopicRecord, log_dirs: &LogDirs) -> HashSet<i32> {
    let mut found_elsewhere = HashSet::new();
    for (placed, index) in topic.partitions.iter_mut().zip(0..) {
        if log_dirs.topic_id(&topic.name, index) == Some(topic.topic_id)
            && let Some(found) = log_dirs.directory_of(&topic.name, index)
            && found != placed.directory
        {
            placed.directory = found;
            found_elsewhere.insert(index);
        }
    }
    found_elsewhere
}

impl Change {
    /// The same, and stores it. Of a topic that is claimed. Where that cannot be stored, these partitions are not to be shown.
    pub(super) async fn store_corrected(
        &self,
        mut topic: TopicRecord,
        version: Revision,
    ) -> (TopicRecord, Result<(), (HashSet<i32>, Refused)>) {
        let found_elsewhere = correct(&mut topic, &self.cluster().log_dirs);
        if found_elsewhere.is_empty() {
            return (topic, Ok(()));
        }
        tracing::info!(
            topic = topic.name,
            partitions = found_elsewhere.len(),
            "found in other log directories than before"
        );
        let stored = self.store(&topic, version).await;
        (topic, stored.map_err(|refused| (found_elsewhere, refused)))
    }
}
