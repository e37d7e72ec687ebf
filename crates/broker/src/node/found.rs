//! Where a start found the partitions, where that is not what the metadata says: somebody moved their directories while the
//! broker was stopped, as one may. What is found counts, and is remembered, so that none of them is made anew where it was
//! when its new directory is away.

use pagewire_log::LogDirs;
use pagewire_metadata::{Catalog, Revision, model::TopicRecord};
use tracing::{info, warn};

/// Corrects the records of topics, in memory and in the store.
pub(super) async fn remember(
    catalog: &Catalog,
    log_dirs: &LogDirs,
    topics: &mut [TopicRecord],
    versions: &[Revision],
) {
    for (topic, version) in topics.iter_mut().zip(versions) {
        let moved = correct(topic, log_dirs);
        if moved == 0 {
            continue;
        }
        info!(topic = topic.name, partitions = moved, "found in other log directories than before");
        if let Err(error) = catalog.replace_topic(topic, *version).await {
            warn!(topic = topic.name, %error, "where its partitions are now could not be remembered");
        }
    }
}

/// How many partitions were found elsewhere.
fn correct(topic: &mut TopicRecord, log_dirs: &LogDirs) -> usize {
    let mut moved = 0;
    for (placed, index) in topic.partitions.iter_mut().zip(0..) {
        if let Some(found) = log_dirs.directory_of(&topic.name, index)
            && found != placed.directory
        {
            placed.directory = found;
            moved += 1;
        }
    }
    moved
}
