//! Partitions whose logs are others than those that clients reach, or that have none: they are shown, and what is missing is
//! made.

use std::{collections::HashSet, io, path::Path, sync::Arc};

use pagewire_log::{CreateError, Log, LogDir, LogError};
use pagewire_metadata::model::TopicRecord;

use super::{Change, Cluster, PartitionEntry, TopicEntry, change::to_its_end, image::NO_LEADER, logs::host};
use crate::config::TopicConfig;

/// A topic's partition.
pub(crate) type Name = (String, i32);

/// What is shown that was not before.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) partitions: Vec<Name>,
    /// Why a log could not be made or opened.
    pub(super) error: Option<CreateError>,
    /// Some of those that could not only wanted room or file handles.
    pub(super) wants: bool,
}

impl Change {
    /// Shows partitions whose logs are others than they were, and makes the logs that are missing, but for those in
    /// `failed`. Which have a log now that they had not before, and the first error that is none of those told at the start.
    pub(super) async fn show(
        &self,
        topics: &[TopicRecord],
        failed: &HashSet<(String, i32)>,
        least_epoch: i32,
    ) -> Shown {
        let (mut all, cluster) = (Shown::default(), self.cluster());
        let is_unshown = |topic: &TopicEntry, (index, entry): (i32, &PartitionEntry)| match &entry.hosted {
            Some(hosted) => {
                let log = cluster.log_dirs.get(&topic.name, index);
                !log.is_some_and(|log| Arc::ptr_eq(&log, &hosted.log))
            }
            None => entry.leader == NO_LEADER,
        };
        for record in topics {
            let found = |id| cluster.image().topic(&record.name).filter(|topic| topic.id == id).cloned();
            let is_due = |topic: &TopicEntry| (0..).zip(&topic.partitions).any(|one| is_unshown(topic, one));
            if !found(record.topic_id).is_some_and(|topic| is_due(&topic)) {
                continue;
            }
            let _claim = self.claim_at_last(&record.name).await;
            // Whoever had the turn meanwhile may have changed it, or there is another one of its name.
            let Ok(Some((record, version))) = cluster.catalog.topic(&record.name).await else { continue };
            if let Some(topic) = found(record.topic_id) {
                let (record, stored) = self.store_corrected(record, version).await;
                let hidden = stored.err().map(|(hidden, refused)| {
                    tracing::error!(
                        topic = record.name,
                        error = refused.message,
                        "where it is now cannot be stored: not served"
                    );
                    let path = cluster.log_dirs.paths().next().unwrap_or(Path::new("")).to_path_buf();
                    all.wants = true;
                    all.error
                        .get_or_insert(CreateError::Io { path, error: io::Error::other(refused.message) });
                    hidden
                });
                let one =
                    self.show_one(&record, &topic, (failed, &hidden.unwrap_or_default()), least_epoch).await;
                all.partitions.extend(one.partitions);
                all.wants |= one.wants;
                all.error = all.error.or(one.error);
            }
        }
        all
    }

    async fn show_one(
        &self,
        record: &TopicRecord,
        topic: &Arc<TopicEntry>,
        (failed, hidden): (&HashSet<(String, i32)>, &HashSet<i32>),
        least_epoch: i32,
    ) -> Shown {
        let (log_dirs, lanes) = (Arc::clone(&self.cluster().log_dirs), Arc::clone(&self.cluster().lanes));
        let (wanted, config) = (record.clone(), Arc::clone(&topic.config));
        let failed: Vec<i32> =
            failed.iter().filter(|(name, _)| *name == record.name).map(|(_, index)| *index).collect();
        let count = topic.partitions.len();
        // What was opened meanwhile is as it was when that began.
        let (name, now) = (record.name.clone(), Cluster::partition_settings(record, &self.config()));
        let opened: Vec<Arc<LogDir>> = log_dirs.here().filter(|dir| has_unshown(dir, topic)).collect();
        let hosted = to_its_end(move || {
            for dir in &opened {
                dir.set_settings(&name, &now);
            }
            let config: Arc<TopicConfig> = config;
            let dirs = (&*log_dirs, &*lanes);
            let (partitions, error) = host(dirs, &wanted, &config, 0..count, &failed, least_epoch);
            // Those that cannot be named take no record until they are.
            (partitions, error.or(log_dirs.name_made().err()))
        });
        let Some((mut partitions, error)) = self.aside(hosted).await else {
            tracing::error!(topic = record.name, "logs are not served until the next start");
            return Shown::default();
        };
        let is_told = |error: &CreateError| {
            matches!(
                error,
                CreateError::Away { .. }
                    | CreateError::Log(
                        LogError::Gone { .. } | LogError::Twice { .. } | LogError::Copied { .. }
                    )
            )
        };
        let error = error.filter(|error| !is_told(error));
        if let Some(error) = &error {
            tracing::error!(topic = record.name, %error, "logs cannot be made and are not served");
        }
        let mut shown = Vec::new();
        for ((now, before), index) in partitions.iter_mut().zip(&topic.partitions).zip(0..) {
            match (&now.hosted, &before.hosted) {
                // What is served already stays as it is, with whoever waits there.
                (Some(new), Some(old)) if Arc::ptr_eq(&new.log, &old.log) => *now = before.clone(),
                (Some(_), _) if hidden.contains(&index) => (now.hosted, now.leader) = (None, NO_LEADER),
                (Some(_), _) => shown.push((record.name.clone(), index)),
                (None, _) => {}
            }
        }
        self.cluster().publish(TopicEntry { partitions, ..TopicEntry::clone(topic) });
        for old in topic.partitions.iter().filter_map(|entry| entry.hosted.as_ref()) {
            old.wake_all();
        }
        let wants = error.as_ref().is_some_and(CreateError::is_for_want);
        Shown { partitions: shown, error, wants }
    }
}

/// Whether a directory has a log of the topic that is not the one which is shown.
fn has_unshown(dir: &LogDir, topic: &TopicEntry) -> bool {
    let is_unshown = |(index, entry): (i32, &PartitionEntry)| {
        let hosted = entry.hosted.as_ref();
        let is_shown = |log: &Arc<Log>| hosted.is_some_and(|hosted| Arc::ptr_eq(log, &hosted.log));
        dir.get(&topic.name, index).is_some_and(|log| !is_shown(&log))
    };
    (0..).zip(&topic.partitions).any(is_unshown)
}
