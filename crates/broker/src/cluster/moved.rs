//! A partition is served from another log directory from now on.
//!
//! ```text
//!   halt: nothing is appended, the copy becomes complete ──▶ the topic's record names the other directory
//!     └─▶ switch: the old directory loses its name, the copy takes it and is opened ──▶ the image
//!                      └─▶ or keeps its name: the record names it again, and the log goes on
//! ```
//!
//! What clients append meanwhile waits until it is known where the log is (`settled.rs`); the coordinators are told
//! NOT_LEADER_OR_FOLLOWER, and find the partition with the next attempt; reads go on. The record is what counts: until it is stored
//! the log goes on where it is. A disk that does not answer does not keep the log from its clients: before the round has ended, in
//! the turn in which the record is stored, it is called off.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pagewire_log::{Apart, FutureLog, Log, MoveError, Moving, Unswitched};
use pagewire_metadata::{Revision, model::TopicRecord};
use tokio::time::{sleep, timeout};
use tracing::{debug, error};

use super::change::to_its_end;
use super::image::NO_LEADER;
use super::settled::Waiting;
use super::{Change, Cluster, PartitionEntry, Refused, TopicEntry};
use crate::{clock::now_ms, partition::Partition};

/// The last round, for which appends wait, brings no more than that.
const LAST_MAX_BYTES: u64 = 16 << 20;

/// And takes no longer than that, or the log goes on where it is.
const LAST_ROUND_MAX: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 10_000 });

/// A last round that waits for a disk, and what came of it.
pub(crate) type Late = Pin<Box<dyn Future<Output = Option<(Moving, Result<(), MoveError>)>> + Send>>;

/// What came of it.
pub(crate) enum Switch {
    Done,
    /// The log has left its directory and is not served, which was said; what is noted of the move is all there is of the log.
    Apart,
    /// A disk has not answered in the last round: the log goes on where it is, and the move where the round has ended.
    Late(Late),
    /// A backup needs the log where it is, another change of the topic waits for a disk, compaction was quicker, or the copy lacks
    /// much again.
    Later(Box<Moving>),
    /// Compaction puts segments in the places of others: the same, once it is done.
    Changing(Box<Moving>, MoveError),
    /// The log goes on where it is.
    Failed(MoveError),
}

impl Change {
    /// Makes the switch of a log whose copy lacks little. Neither disk keeps changes of other topics waiting.
    pub(crate) async fn switch(&self, moving: Moving) -> Result<Switch, Refused> {
        let cluster = self.cluster();
        let _waiting = self.waiting(&moving);
        let future = moving.future().clone();
        let Ok(_claim) = self.claim([future.topic.as_str()]).await else {
            return Ok(Switch::Later(Box::new(moving)));
        };
        let (before, version) = match cluster.catalog.topic(&future.topic).await? {
            Some((record, version)) if record.topic_id == future.topic_id => (record, version),
            _ => return Ok(Switch::Failed(MoveError::Nothing)),
        };
        let Some(record) = self.placed_in(before.clone(), &moving) else {
            return Ok(Switch::Failed(MoveError::Nothing));
        };
        let moving = match self.last_round(moving).await? {
            Ok(moving) => moving,
            Err(ended) => return Ok(ended),
        };
        if let Err(refused) = self.store(&record, version).await {
            // One that cannot be taken back is offline, and has said so.
            if let Some(Err(why)) = self.aside(to_its_end(move || moving.take_back())).await {
                error!(topic = future.topic, partition = future.partition, %why, "its copy cannot be removed");
            }
            return Err(refused);
        }
        let settings = Cluster::partition_settings(&record, &self.config());
        let to = moving.target().path().to_path_buf();
        let switched = self.aside(to_its_end(move || moving.switch(&settings, now_ms()))).await;
        match switched {
            Some(Ok(log)) => {
                self.show_moved(&future, Some(log));
                self.has_left(record, future.partition).await;
                Ok(Switch::Done)
            }
            Some(Err(Unswitched::Stays(moving, error))) => Ok(self.stays(&before, *moving, error).await),
            Some(Err(Unswitched::Apart(why))) => Ok(self.left(&future, Some(&why))),
            None => {
                // Perhaps not even from where it was.
                self.broker.moves().put_off(&to, &future);
                Ok(self.left(&future, None))
            }
        }
    }

    /// Who waits for it, told to look again when this is dropped.
    fn waiting(&self, moving: &Moving) -> Waiting {
        Waiting::of(&self.broker, moving.future().topic_id, moving.future().partition)
    }

    /// Nothing is appended to the log, and its copy is complete; or the log goes on where it is, and this is what came of it.
    async fn last_round(&self, moving: Moving) -> Result<Result<Moving, Switch>, Refused> {
        let round = moving.last_round();
        let waiting = self.waiting(&moving);
        let on_thread = round.clone();
        let mut halting: Late = Box::pin(to_its_end(move || {
            let mut moving = moving;
            // It is little, and others wait for it: no rate slows it down.
            let halted = moving.halt(&on_thread, LAST_MAX_BYTES, &|_| Ok(()));
            (moving, halted)
        }));
        // Also while somebody else has the turn.
        let watched = tokio::spawn(async move {
            sleep(LAST_ROUND_MAX).await;
            round.call_off();
            drop(waiting);
        });
        let halted = self.aside(timeout(LAST_ROUND_MAX, &mut halting)).await;
        let Ok(halted) = halted else { return Ok(Err(Switch::Late(halting))) };
        let (mut moving, halted) = halted.ok_or_else(|| Refused::broken_off("moving it"))?;
        match halted {
            Ok(()) if moving.end_round() => {
                watched.abort();
                Ok(Ok(moving))
            }
            Ok(()) | Err(MoveError::CalledOff) => {
                let late = to_its_end(move || {
                    let called_off = moving.give_way();
                    (moving, Err(called_off))
                });
                Ok(Err(Switch::Late(Box::pin(late))))
            }
            Err(MoveError::Held | MoveError::Behind(_)) => Ok(Err(Switch::Later(Box::new(moving)))),
            Err(error) if error.is_changing() => Ok(Err(Switch::Changing(Box::new(moving), error))),
            Err(error) => Ok(Err(Switch::Failed(error))),
        }
    }

    /// The name is gone for good where the partition was. Where that cannot be stored, the next start that finds it so says it.
    async fn has_left(&self, mut record: TopicRecord, partition: i32) {
        let Some(placed) = usize::try_from(partition).ok().and_then(|at| record.partitions.get_mut(at))
        else {
            return;
        };
        if placed.left.take().is_none() {
            return;
        }
        if let Ok(Some((stored, version))) = self.cluster().catalog.topic(&record.name).await
            && stored.topic_id == record.topic_id
            && let Err(refused) = self.store(&record, version).await
        {
            debug!(topic = record.name, partition, error = refused.message, "that it has left is not stored");
        }
    }

    /// The log has its name where it was: the topic's record says so as well, and it goes on there. Where that cannot be stored,
    /// the log is offline, which is said: until it is, a start without that directory takes the copy for the log.
    async fn stays(&self, before: &TopicRecord, moving: Moving, error: MoveError) -> Switch {
        let (topic, partition) = (moving.future().topic.clone(), moving.future().partition);
        let corrected = async {
            let (_, version) =
                self.cluster().catalog.topic(&topic).await?.ok_or_else(|| Refused::unknown_topic(&topic))?;
            self.store(before, version).await
        };
        if let Err(refused) = corrected.await {
            error!(topic, partition, error = refused.message, "where it is cannot be stored");
            // It is served, and goes on moving, when its directory is opened anew.
            self.broker.moves().put_off(moving.target().path(), moving.future());
            let _ = self.aside(to_its_end(move || drop(moving))).await;
            return Switch::Apart;
        }
        if let Some(Err(why)) = self.aside(to_its_end(move || moving.stay())).await {
            error!(topic, partition, %why, "the directory that it was to go to still counts it among its own");
        }
        Switch::Failed(error)
    }

    /// Nobody serves the log now.
    fn left(&self, future: &FutureLog, why: Option<&Apart>) -> Switch {
        let (topic, partition) = (&future.topic, future.partition);
        let why = why.map_or_else(|| "a restart serves it".to_owned(), ToString::to_string);
        error!(topic, partition, why, "has moved to another log directory and is not served from there yet");
        self.show_moved(future, None);
        Switch::Apart
    }

    /// The topic's record with the partition where it goes, and what it leaves.
    fn placed_in(&self, mut record: TopicRecord, moving: &Moving) -> Option<TopicRecord> {
        let (target, future) = (moving.target(), moving.future());
        let is_home = self.cluster().log_dirs.paths().next() == Some(target.path());
        let at = usize::try_from(future.partition).ok()?;
        let placed = record.partitions.get_mut(at)?;
        placed.left = placed.directory;
        placed.directory = if is_home { None } else { target.directory_id() };
        placed.behind.retain(|id| target.directory_id() != Some(*id));
        Some(record)
    }

    /// What could not be stored may be stored all the same.
    pub(super) async fn store(&self, record: &TopicRecord, version: Revision) -> Result<(), Refused> {
        let catalog = &self.cluster().catalog;
        let Err(error) = catalog.replace_topic(record, version).await else { return Ok(()) };
        match catalog.topic(&record.name).await {
            Ok(Some((now, _))) if now == *record => Ok(()),
            _ => Err(error.into()),
        }
    }

    /// Shows the log that is in the place of the other one, if there is one.
    fn show_moved(&self, future: &FutureLog, log: Option<Arc<Log>>) {
        let cluster = self.cluster();
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
