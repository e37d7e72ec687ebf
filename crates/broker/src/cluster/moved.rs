//! A partition is served from another log directory from now on.
//!
//! ```text
//!   halt: nothing is appended, the copy becomes complete ──▶ the topic's record names the other directory
//!     └─▶ switch: the old directory loses its name, the copy takes it and is opened ──▶ the image
//! ```
//!
//! Whoever appends meanwhile is told NOT_LEADER_OR_FOLLOWER, and finds the partition with the next attempt; reads go on. The
//! record is what counts: until it is stored the log goes on where it is.

use std::sync::Arc;

use pagewire_log::{FutureLog, MoveError, Moving};
use pagewire_metadata::{Revision, model::TopicRecord};
use tracing::error;

use super::image::NO_LEADER;
use super::online::to_its_end;
use super::{Change, Cluster, PartitionEntry, Refused, TopicEntry};
use crate::{clock::now_ms, partition::Partition};

/// The last round, for which appends wait, brings no more than that.
const LAST_MAX_BYTES: u64 = 16 << 20;

/// What came of it.
pub(crate) enum Switch {
    Done,
    /// A backup needs the log where it is, another change of the topic waits for a disk, or the copy lacks much again.
    Later(Box<Moving>),
    /// The log goes on where it is.
    Failed(MoveError),
}

impl Change {
    /// Makes the switch of a log whose copy lacks little. Neither disk keeps changes of other topics waiting.
    pub(crate) async fn switch(&self, moving: Moving) -> Result<Switch, Refused> {
        let cluster = self.cluster();
        let future = moving.future().clone();
        let Ok(_claim) = self.claim([future.topic.as_str()]).await else {
            return Ok(Switch::Later(Box::new(moving)));
        };
        let (stored, version) = match cluster.catalog.topic(&future.topic).await? {
            Some((record, version)) if record.topic_id == future.topic_id => (record, version),
            _ => return Ok(Switch::Failed(MoveError::Nothing)),
        };
        let Some(record) = self.placed_in(stored, &moving) else {
            return Ok(Switch::Failed(MoveError::Nothing));
        };
        let halted = to_its_end(move || {
            let mut moving = moving;
            // It is little, and others wait for it: no rate slows it down.
            let halted = moving.halt(LAST_MAX_BYTES, &|_| Ok(()));
            (moving, halted)
        });
        let (moving, halted) = self.aside(halted).await.ok_or_else(|| Refused::broken_off("moving it"))?;
        match halted {
            Ok(()) => {}
            Err(MoveError::Held | MoveError::Behind(_)) => return Ok(Switch::Later(Box::new(moving))),
            Err(error) => return Ok(Switch::Failed(error)),
        }
        if let Err(refused) = self.store(&record, version).await {
            // One that cannot be taken back is offline, and has said so.
            if let Some(Err(why)) = self.aside(to_its_end(move || moving.take_back())).await {
                error!(topic = future.topic, partition = future.partition, %why, "its copy cannot be removed");
            }
            return Err(refused);
        }
        self.show_moved(&record, &future, moving).await;
        Ok(Switch::Done)
    }

    /// The topic's record with the partition where it goes.
    fn placed_in(&self, mut record: TopicRecord, moving: &Moving) -> Option<TopicRecord> {
        let (target, future) = (moving.target(), moving.future());
        let is_home = self.cluster().log_dirs.paths().next() == Some(target.path());
        let at = usize::try_from(future.partition).ok()?;
        record.partitions.get_mut(at)?.directory = if is_home { None } else { target.directory_id() };
        Some(record)
    }

    /// What could not be stored may be stored all the same.
    async fn store(&self, record: &TopicRecord, version: Revision) -> Result<(), Refused> {
        let catalog = &self.cluster().catalog;
        let Err(error) = catalog.replace_topic(record, version).await else { return Ok(()) };
        match catalog.topic(&record.name).await {
            Ok(Some((now, _))) if now == *record => Ok(()),
            _ => Err(error.into()),
        }
    }

    /// Puts the copy in the place of the log, and shows it.
    async fn show_moved(&self, record: &TopicRecord, future: &FutureLog, moving: Moving) {
        let cluster = self.cluster();
        let settings = Cluster::partition_settings(record, &self.config());
        let switched = self.aside(to_its_end(move || moving.switch(&settings, now_ms()))).await;
        let log = match switched {
            Some(Ok(log)) => Some(log),
            Some(Err(why)) => {
                let (topic, partition) = (&future.topic, future.partition);
                error!(topic, partition, %why, "has moved to another log directory and is not served from there yet");
                None
            }
            None => None,
        };
        let image = cluster.image();
        let Some(topic) = image.topic_by_id(future.topic_id) else { return };
        let (mut partitions, index) = (topic.partitions.clone(), future.partition);
        let Some(entry) = usize::try_from(index).ok().and_then(|at| partitions.get_mut(at)) else { return };
        let before = entry.clone();
        let hosted = log.map(|log| {
            let (name, config) = (Arc::clone(&topic.name), Arc::clone(&topic.config));
            let lane = Arc::clone(cluster.lanes.of_log(&log));
            Arc::new(Partition::new(name, index, log, lane, before.leader_epoch, config))
        });
        let leader = if hosted.is_some() { before.leader } else { NO_LEADER };
        *entry = PartitionEntry { leader, hosted, ..before.clone() };
        cluster.publish(TopicEntry { partitions, ..TopicEntry::clone(topic) });
        if let Some(old) = before.hosted {
            old.wake_all();
        }
    }
}
