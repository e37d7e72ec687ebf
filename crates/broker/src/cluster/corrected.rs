//! Partitions that are found in other directories than their records say: what is found counts, and is remembered before anything
//! is appended there. Else a start without that directory would look for them where they were, or take a copy that was left
//! there.

use std::collections::HashSet;
use std::sync::Arc;

use pagewire_log::{LogDir, LogDirs};
use pagewire_metadata::{Revision, model::TopicRecord};
use tracing::debug;
use uuid::Uuid;

use super::change::to_its_end;
use super::{Change, Refused};

/// Corrects a topic's record; the partitions that this is about. One that is served from where it moved to, while the directory
/// that it was to leave is away, may have its name there still: what is there is behind it from now on.
pub(crate) fn correct(topic: &mut TopicRecord, log_dirs: &LogDirs) -> HashSet<i32> {
    let mut corrected = HashSet::new();
    for (placed, index) in topic.partitions.iter_mut().zip(0..) {
        if log_dirs.topic_id(&topic.name, index) != Some(topic.topic_id) {
            continue;
        }
        let Some(found) = log_dirs.directory_of(&topic.name, index) else { continue };
        let left = placed.left.filter(|left| found != Some(*left));
        let behind = left.filter(|left| !is_here(log_dirs, *left) && !placed.behind.contains(left));
        if found != placed.directory || behind.is_some() {
            placed.directory = found;
            placed.behind.extend(behind);
            placed.behind.retain(|id| found != Some(*id));
            placed.left = None;
            corrected.insert(index);
        }
    }
    corrected
}

/// Directories that are here and have nothing of a partition's name any more have nothing of it. Whether the record did not say
/// so. Looks for each of these.
pub(crate) fn forget_behind(topic: &mut TopicRecord, log_dirs: &LogDirs) -> bool {
    let mut forgotten = false;
    for (placed, index) in topic.partitions.iter_mut().zip(0..) {
        let before = (placed.left, placed.behind.len());
        let may_have = |id: &Uuid| !log_dirs.has_none_in(*id, &topic.name, index);
        placed.left = placed.left.filter(may_have);
        placed.behind.retain(may_have);
        forgotten |= before != (placed.left, placed.behind.len());
    }
    forgotten
}

fn is_here(log_dirs: &LogDirs, id: Uuid) -> bool {
    log_dirs.here().any(|dir| dir.directory_id() == Some(id))
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

impl Change {
    /// A directory has come back: what was behind in it has been set aside, so that records need not say it any more. Where that
    /// cannot be stored, the next start says it again.
    pub(super) async fn forget_behind_in(&self, dir: &LogDir, topics: &[TopicRecord]) {
        let Some(id) = dir.directory_id() else { return };
        let may_have = |topic: &&TopicRecord| {
            topic.partitions.iter().any(|placed| placed.left == Some(id) || placed.behind.contains(&id))
        };
        for topic in topics.iter().filter(may_have) {
            let Ok(_claim) = self.claim([topic.name.as_str()]).await else { continue };
            let Ok(Some((mut record, version))) = self.cluster().catalog.topic(&topic.name).await else {
                continue;
            };
            let log_dirs = Arc::clone(&self.cluster().log_dirs);
            let looked = to_its_end(move || {
                let has_news = forget_behind(&mut record, &log_dirs);
                has_news.then_some(record)
            });
            if let Some(Some(record)) = self.aside(looked).await
                && let Err(refused) = self.store(&record, version).await
            {
                debug!(topic = record.name, error = refused.message, "that nothing is behind is not stored");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;
    use pagewire_zcopy::IoPool;

    use super::*;
    use crate::cluster::Known;
    use crate::testing::{Bench, ROOT, SECOND};

    const AWAY: Uuid = Uuid::from_u128(77);

    #[tokio::test]
    async fn what_a_partition_left_in_a_directory_that_is_away_is_behind_once_it_is_served() {
        let bench = Bench::on_all(&[ROOT, SECOND], Arc::new(MemoryDisk::new()), IoPool::new(1, 64));
        bench.topic("t", 2, &[]).await;
        let (broker, dirs) = (&bench.broker, bench.broker.cluster().log_dirs());
        let mut record = broker.cluster().catalog().topic("t").await.expect("a store").expect("stored").0;
        let second = dirs.here().nth(1).expect("two").directory_id();
        record.partitions[1].directory = second;
        let before = record.clone();
        for placed in &mut record.partitions {
            placed.left = second;
        }
        let found: Vec<_> = (0..2).map(|index| dirs.directory_of("t", index).expect("served")).collect();
        let elsewhere = (0..2).filter(|at| found[*at as usize] != before.partitions[*at as usize].directory);
        assert_eq!(correct(&mut record, dirs), elsewhere.collect::<HashSet<i32>>());
        assert!(
            record.partitions.iter().all(|placed| placed.behind.is_empty()),
            "it is here, and so open where it is"
        );
        record.partitions[0].left = Some(AWAY);
        assert_eq!(correct(&mut record, dirs), HashSet::from([0]), "not shown before that is stored");
        assert_eq!((record.partitions[0].left, &record.partitions[0].behind), (None, &vec![AWAY]));
        assert!(correct(&mut record, dirs).is_empty());
        let known = Known::of(&[record.clone()], &broker.config());
        let behind = |index| known.settings("t", index).expect("known").behind;
        assert_eq!((behind(0), behind(1)), (vec![AWAY], vec![]));
        let at = usize::from(found[0].is_none());
        let one = &mut record.partitions[at];
        (one.directory, one.behind) = (None, found[at].into_iter().collect());
        correct(&mut record, dirs);
        let one = &record.partitions[at];
        assert_eq!((one.directory, one.behind.len()), (found[at], 0), "it is where it is served from");
        record.partitions[0].behind = vec![AWAY];
        forget_behind(&mut record, dirs);
        assert_eq!(record.partitions[0].behind, [AWAY], "nobody knows what is in it");
        let elsewhere = if found[0].is_none() { second } else { None };
        record.partitions[0].behind.extend(elsewhere);
        assert_eq!(forget_behind(&mut record, dirs), elsewhere.is_some(), "it has come, and has nothing");
        assert_eq!(record.partitions[0].behind, [AWAY]);
    }
}
