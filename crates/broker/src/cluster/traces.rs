//! What deleted topics left behind: directories that still have their names, offsets that groups committed.
//!
//! The store knows each of them until both are gone, so that whatever a stop or a failing disk keeps from being cleaned up
//! is cleaned up after the next start.

use std::{collections::HashSet, sync::Arc};

use pagewire_metadata::model::DeletedTopicRecord;
use parking_lot::Mutex;
use uuid::Uuid;

use super::Cluster;
use crate::clock::now_ms;

/// Topics remembered here while their offsets cannot be forgotten. More are left to the next start.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Traces {
    topics: Mutex<Vec<Trace>>,
}

struct Trace {
    topic: DeletedTopicRecord,
    /// No directory has its name any more.
    logs_gone: bool,
}

impl Cluster {
    /// Removes what is left of the directories of topics deleted before this start. Blocks.
    ///
    /// Answers what was removed by the names it had.
    pub(crate) fn clean_up(&self, deleted: Vec<DeletedTopicRecord>) -> Vec<std::path::PathBuf> {
        let ids: HashSet<Uuid> = deleted.iter().map(|topic| topic.topic_id).collect();
        if ids.is_empty() {
            return Vec::new();
        }
        let (removed, all) = self.log_dirs.delete_leftovers(&ids, now_ms());
        let all = all.unwrap_or_else(|error| {
            tracing::error!(%error, "directories of deleted topics could not be renamed");
            false
        });
        for topic in deleted {
            self.remember_deleted(topic, all);
        }
        removed
    }

    /// [`clean_up`](Self::clean_up) once more, as a directory is here now that was not then.
    pub(super) async fn clean_up_again(&self) {
        let deleted = match self.catalog.deleted_topics().await {
            Ok(deleted) if !deleted.is_empty() => deleted,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "what is left of deleted topics is looked for at the next start");
                return;
            }
        };
        let ids: HashSet<Uuid> = deleted.iter().map(|topic| topic.topic_id).collect();
        let (log_dirs, wanted) = (Arc::clone(&self.log_dirs), ids.clone());
        let looked = tokio::task::spawn_blocking(move || log_dirs.delete_leftovers(&wanted, now_ms())).await;
        let Ok((removed, Ok(true))) = looked else { return };
        for path in removed {
            tracing::info!(path = %path.display(), "what was left of a deleted topic is removed");
        }
        let waiting: HashSet<Uuid> = {
            let mut traces = self.traces.topics.lock();
            let ours = traces.iter_mut().filter(|trace| ids.contains(&trace.topic.topic_id));
            ours.map(|trace| {
                trace.logs_gone = true;
                trace.topic.topic_id
            })
            .collect()
        };
        // Those whose offsets went while their logs could not.
        self.forget_deleted(deleted.iter().filter(|topic| !waiting.contains(&topic.topic_id))).await;
    }

    /// A topic is gone from store and image; its offsets are not. Says whether it is remembered until they are.
    pub(super) fn remember_deleted(&self, topic: DeletedTopicRecord, logs_gone: bool) -> bool {
        let mut topics = self.traces.topics.lock();
        let has_room = topics.len() < REMEMBERED_MAX;
        if has_room {
            topics.push(Trace { topic, logs_gone });
        }
        has_room
    }

    /// No directory of a topic that is [remembered](Self::remember_deleted) has its name any more.
    pub(super) async fn note_logs_gone(&self, topic: &DeletedTopicRecord) {
        let are_offsets_gone = {
            let mut topics = self.traces.topics.lock();
            let trace = topics.iter_mut().find(|trace| trace.topic.topic_id == topic.topic_id);
            trace.map(|trace| trace.logs_gone = true).is_none()
        };
        if are_offsets_gone {
            self.forget_deleted(std::iter::once(topic)).await;
        }
    }

    /// Topics whose offsets are to be forgotten.
    pub(crate) fn deleted(&self) -> Vec<DeletedTopicRecord> {
        self.traces.topics.lock().iter().map(|trace| trace.topic.clone()).collect()
    }

    /// The offsets of these topics are gone.
    pub(crate) async fn offsets_gone(&self, deleted: &[DeletedTopicRecord]) {
        let ids: HashSet<Uuid> = deleted.iter().map(|topic| topic.topic_id).collect();
        let done: Vec<Trace> =
            self.traces.topics.lock().extract_if(.., |trace| ids.contains(&trace.topic.topic_id)).collect();
        self.forget_deleted(done.iter().filter(|trace| trace.logs_gone).map(|trace| &trace.topic)).await;
    }

    /// Nothing is left of these topics. A store that takes no changes says so of all of them once.
    pub(super) async fn forget_deleted<'t>(&self, topics: impl Iterator<Item = &'t DeletedTopicRecord>) {
        let mut kept = Vec::new();
        for topic in topics {
            if let Err(error) = self.catalog.forget_deleted(topic.topic_id).await {
                kept.push((topic, error));
            }
        }
        if let Some((topic, error)) = kept.first() {
            let (topic, topics) = (&topic.name, kept.len());
            tracing::warn!(topic, topics, %error, "deleted topics are looked for again at the next start");
        }
    }
}
