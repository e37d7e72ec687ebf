//! Partitions of the metadata that have no directory.
//!
//! A topic's record is written before its logs are made, together with a note that goes when they are. So one that is
//! missing and whose topic has no note was made once: it is gone, and is not made anew in silence, whether or not a
//! checkpoint is left that knows of its records. One whose topic has a note may never have been made, for the process
//! ended in between; nobody was told of it, and it is made now.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use pagewire_log::{FailedLog, LogDirs, LogError, Placed};
use pagewire_metadata::{Catalog, CatalogError, model::TopicRecord};
use uuid::Uuid;

use super::{Change, Cluster, Refused};

/// What is missing in the directories that are here.
#[derive(Default)]
pub(crate) struct Missing {
    /// Partitions that are gone, and were not known to be.
    pub(crate) gone: Vec<FailedLog>,
    /// Partitions that are to be made.
    pub(crate) unmade: usize,
}

/// The ids of topics whose logs may not all have been made.
pub(crate) async fn unmade(catalog: &Catalog) -> Result<HashSet<Uuid>, CatalogError> {
    Ok(catalog.unmade_topics().await?.into_iter().map(|topic| topic.topic_id).collect())
}

/// Looks for what is missing; what is gone is not made anew from then on. Blocks.
pub(crate) fn look(log_dirs: &LogDirs, topics: &[TopicRecord], unmade: &HashSet<Uuid>) -> Missing {
    let (young, made): (Vec<_>, Vec<_>) = topics.iter().partition(|topic| unmade.contains(&topic.topic_id));
    Missing {
        gone: log_dirs.miss(&log_dirs.without_log(made.into_iter().flat_map(placed))),
        unmade: log_dirs.without_log(young.into_iter().flat_map(placed)).len(),
    }
}

/// What a directory is said to have lost, and is placed in one that is away, is not lost: that one is to come back.
pub(crate) fn pass_over_away(log_dirs: &LogDirs, topics: &[TopicRecord], failed: &mut Vec<FailedLog>) {
    let by_name = OnceCell::new();
    let placed = |topic: &str, partition: i32| {
        let by_name: &HashMap<&str, &TopicRecord> =
            by_name.get_or_init(|| topics.iter().map(|topic| (topic.name.as_str(), topic)).collect());
        let placed = by_name.get(topic)?.partitions.get(usize::try_from(partition).ok()?)?;
        Some(placed.directory)
    };
    let passed_over = log_dirs.pass_over_away(&placed);
    failed.retain(|log| {
        let is_one = passed_over.contains(&(log.topic.clone(), log.partition));
        !(is_one && matches!(log.error, LogError::Gone { .. }))
    });
}

fn placed(topic: &TopicRecord) -> impl Iterator<Item = Placed<'_>> {
    (0..).zip(&topic.partitions).map(|(index, placed)| (topic.name.as_str(), index, placed.directory))
}

impl Cluster {
    /// The logs of topics are made: their notes go. Nobody waits for that, but for a stop in order.
    pub(super) fn note_made(&self, topic_ids: Vec<Uuid>) {
        if topic_ids.is_empty() {
            return;
        }
        let catalog = self.catalog.clone();
        self.changes.spawn(async move {
            if let Err(error) = catalog.forget_unmade(&topic_ids).await {
                tracing::debug!(%error, "that topics' logs are made is noted by the next start");
            }
        });
    }

    /// Drops the notes of topics whose logs are all there by now, or that are no more.
    pub(crate) fn note_all_made(&self, unmade: HashSet<Uuid>) {
        let image = self.image();
        let is_made = |id: &Uuid| {
            let topic = image.topic_by_id(*id);
            topic.is_none_or(|topic| topic.partitions.iter().all(|entry| entry.hosted.is_some()))
        };
        self.note_made(unmade.into_iter().filter(is_made).collect());
    }
}

impl Change {
    /// Drops the notes of topics whose logs are all there by now, but not of those that somebody is making.
    pub(super) async fn forget_notes(&self) -> Result<(), Refused> {
        let (cluster, mut unmade) = (self.cluster(), unmade(&self.cluster().catalog).await?);
        if unmade.is_empty() {
            return Ok(());
        }
        let image = cluster.image();
        for topic in cluster.topic_records().await? {
            if image.topic_by_id(topic.topic_id).is_none() {
                unmade.remove(&topic.topic_id);
            }
        }
        cluster.note_all_made(unmade);
        Ok(())
    }
}
