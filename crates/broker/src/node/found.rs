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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pagewire_disk::MemoryDisk;
    use pagewire_zcopy::IoPool;

    use super::*;
    use crate::testing::{Bench, ROOT, SECOND};

    #[tokio::test]
    async fn a_partition_is_hidden_of_which_it_cannot_be_stored_where_it_is() {
        let bench = Bench::on_all(&[ROOT, SECOND], Arc::new(MemoryDisk::new()), IoPool::new(1, 64));
        bench.topic("t", 2, &[]).await;
        let (catalog, dirs) = (bench.broker.cluster().catalog(), bench.broker.cluster().log_dirs());
        let (record, version) = catalog.topic("t").await.expect("a store").expect("stored");
        catalog.replace_topic(&record, version).await.expect("stored");
        let second = dirs.here().nth(1).expect("two").directory_id();
        let mut elsewhere = record.clone();
        elsewhere.partitions[0].directory =
            if record.partitions[0].directory.is_none() { second } else { None };
        let hidden = remember(catalog, dirs, &mut [elsewhere], &[version]).await;
        assert_eq!(hidden, HashSet::from([("t".to_owned(), 0)]), "somebody else has stored something");
        let hidden = remember(catalog, dirs, &mut [record], &[version]).await;
        assert!(hidden.is_empty(), "nothing is to be stored");
    }
}
