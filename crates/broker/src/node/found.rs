//! Where a start found the partitions, where that is not what the metadata says: somebody moved their directories while
//! the broker was stopped, as one may. What is found counts, and is remembered, so that none of them is made anew where
//! it was when its new directory is away.

use std::collections::HashSet;

use pagewire_disk::checkpoint::format_id;
use pagewire_log::LogDirs;
use pagewire_metadata::{
    Catalog, Revision,
    model::{LogDirsRecord, TopicRecord, known_path},
};
use tracing::{error, info, warn};

use crate::cluster::{correct, forget_behind};

/// Corrects the records of topics, in memory and in the store. Answers the partitions of which that could not be stored: they are
/// not to be served until it is.
pub(super) async fn remember(
    catalog: &Catalog,
    log_dirs: &LogDirs,
    topics: &mut [TopicRecord],
    versions: &[Revision],
) -> HashSet<(String, i32)> {
    let mut hidden = HashSet::new();
    for (topic, version) in topics.iter_mut().zip(versions) {
        let moved = correct(topic, log_dirs);
        if !forget_behind(topic, log_dirs) && moved.is_empty() {
            continue;
        }
        if !moved.is_empty() {
            info!(topic = topic.name, partitions = moved.len(), "found in other log directories than before");
        }
        let Err(error) = catalog.replace_topic(topic, *version).await else { continue };
        if moved.is_empty() {
            warn!(topic = topic.name, %error, "that a log directory has nothing old of it any more cannot be stored: the next start looks again");
        } else {
            error!(topic = topic.name, %error, "where its partitions are now cannot be stored: not served until it can");
            hidden.extend(moved.into_iter().map(|index| (topic.name.clone(), index)));
        }
    }
    hidden
}

/// Adds the directories that are served, by their paths, so that an empty one is missed there.
pub(super) async fn remember_dirs(
    catalog: &Catalog,
    node_id: i32,
    log_dirs: &LogDirs,
    served: &mut LogDirsRecord,
    version: Revision,
) {
    let mut news = false;
    for dir in log_dirs.here() {
        if let Some(id) = dir.directory_id() {
            let path = known_path(dir.path());
            if let Some(before) = served.id_at(&path).filter(|before| *before != id) {
                let (before, now) = (format_id(before), format_id(id));
                warn!(path, before, now, "another log directory than before is served under this path");
            }
            news |= served.serve(&path, id);
        }
    }
    if news && let Err(error) = catalog.replace_log_dirs(node_id, served, version).await {
        warn!(%error, "which log directories are served could not be remembered; the next start tries again");
    }
}
