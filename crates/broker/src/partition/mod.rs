//! One partition that this node leads: its log and those who wait for it.
//!
//! ```text
//!   handlers/produce ── append ──> log ── wake ──> waiting fetches (wait.rs)
//!          └── acks=all: stable(offset) ──> group commit (commit.rs): one fdatasync for all who wait
//!   handlers/fetch   ── read ────> log ── FileRange ──> the reply
//! ```

mod commit;
mod epoch;
mod marker;
mod refused;
mod unreadable;
mod wait;

use std::{
    sync::Arc,
    sync::atomic::{AtomicI32, Ordering},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use pagewire_log::{AppendContext, AppendError, Appended, Log, Origin, ReadError};
use pagewire_record::check::Checked;
use pagewire_zcopy::{GroupCommit, IoPool};
use parking_lot::Mutex;

pub(crate) use commit::CommitError;
pub(crate) use epoch::epoch_error;
pub(crate) use marker::Marker;
pub(crate) use refused::append_error_code;
pub(crate) use wait::{Ticket, Waker};

use crate::{
    config::TopicConfig,
    lanes::{Admission, Lane},
};

/// A partition led here.
pub(crate) struct Partition {
    pub(crate) topic: Arc<str>,
    pub(crate) index: i32,
    pub(crate) log: Arc<Log>,
    lane: Arc<Lane>,
    leader_epoch: AtomicI32,
    config: ArcSwap<TopicConfig>,
    waiting: wait::WaitList,
    /// Where the log and its last segment began when [`wake_if_moved`](Self::wake_if_moved) looked.
    began: Mutex<(i64, Option<i64>)>,
    commit: GroupCommit,
    /// What was told of reads that failed.
    unreadable: Mutex<unreadable::Unreadable>,
}

impl Partition {
    pub(crate) fn new(
        topic: Arc<str>,
        index: i32,
        log: Arc<Log>,
        lane: Arc<Lane>,
        leader_epoch: i32,
        config: Arc<TopicConfig>,
    ) -> Self {
        Self {
            topic,
            index,
            commit: commit::group_commit(&log, &lane),
            began: Mutex::new(began(&log)),
            log,
            lane,
            leader_epoch: AtomicI32::new(leader_epoch),
            config: ArcSwap::new(config),
            waiting: wait::WaitList::default(),
            unreadable: Mutex::default(),
        }
    }

    /// A read of it failed, which is said unless that was done.
    pub(crate) fn note_unreadable(&self, error: &ReadError, now_ms: i64) {
        let place = match error {
            ReadError::Io(io) => {
                return self.lane.note_unread((&self.topic, self.index), (io, error.is_shortage()), now_ms);
            }
            ReadError::Damaged { next_offset, .. } | ReadError::Undecided { next_offset, .. } => {
                Some(*next_offset)
            }
            ReadError::Corrupt { .. } | ReadError::OffsetOutOfRange { .. } => None,
        };
        if self.unreadable.lock().is_news(place) {
            let dir = self.log.dir();
            tracing::error!(topic = %self.topic, partition = self.index, dir = %dir.display(), %error, "{}", unreadable::DAMAGED);
        }
    }

    /// What its directory has of its own.
    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Whether this is its directory's.
    pub(crate) fn is_in(&self, lane: &Lane) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.lane), lane)
    }

    /// Threads for what may wait for the disk of its directory.
    pub(crate) fn io(&self) -> &IoPool {
        self.lane.io()
    }

    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leader_epoch.load(Ordering::Acquire)
    }

    /// The answer to OffsetForLeaderEpoch: the largest epoch at or below `epoch` that has records here, or this leader's
    /// own before it has any, and where it ends. `None`: an epoch that nobody can know.
    pub(crate) fn end_offset_for_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        if epoch == self.leader_epoch() {
            return Some((epoch, self.log.marks().log_end));
        }
        self.log.end_offset_for_epoch(epoch)
    }

    pub(crate) fn config(&self) -> Arc<TopicConfig> {
        self.config.load_full()
    }

    /// Puts changed settings in force, here and in the log.
    pub(crate) fn set_config(&self, config: Arc<TopicConfig>) {
        self.log.set_config(config.log_config());
        self.config.store(config);
    }

    /// Appends batches and wakes those who wait for data. May be held by the kernel while it writes back dirty pages;
    /// [`Lane::write`] sees to it that the other connections of this thread go on.
    pub(crate) fn append(
        &self,
        batches: Bytes,
        origin: Origin,
        now_ms: i64,
        io: &IoPool,
    ) -> Result<Appended, AppendError> {
        let context = AppendContext { leader_epoch: self.leader_epoch(), origin, now_ms };
        let bytes = batches.len();
        let written = self.lane.write(bytes, || self.log.append(batches, context));
        let appended = written.map_err(AppendError::Write)??;
        self.tell(&appended, io);
        Ok(appended)
    }

    /// As [`append`](Self::append), of what a client sent and a check let pass. A batch whose records have the time of
    /// appending gets `now_ms`, not the time at which it was checked.
    pub(crate) fn append_checked(
        &self,
        batch: &Checked,
        origin: Origin,
        now_ms: i64,
        (admission, io): (Admission<'_>, &IoPool),
    ) -> Result<Appended, AppendError> {
        let context = AppendContext { leader_epoch: self.leader_epoch(), origin, now_ms };
        let header = batch.header.appended_at(now_ms);
        let write = || self.log.append_batch(&header, &batch.payload, context);
        let appended = self.lane.write_admitted(admission, batch.size_in_bytes(), write)?;
        self.tell(&appended, io);
        Ok(appended)
    }

    fn tell(&self, appended: &Appended, io: &IoPool) {
        self.waiting.wake_all();
        if appended.pace_due {
            self.pace(io);
        }
    }

    /// Starts writing back what is dirty, before the kernel makes a writer wait for it. Only advice: a full pool skips it.
    fn pace(&self, io: &IoPool) {
        let log = Arc::clone(&self.log);
        let _ = io.submit(move || {
            if let Err(error) = log.pace() {
                tracing::warn!(topic = %log.topic(), partition = log.partition(), %error, "writeback could not be started");
            }
        });
    }

    /// Whether `flush.messages` have piled up that are not on stable storage.
    pub(crate) fn is_flush_due(&self) -> bool {
        let every = self.config.load().flush_messages;
        every != i64::MAX && {
            let marks = self.log.marks();
            marks.log_end - marks.recovery_point >= every
        }
    }

    /// Starts a sync that covers `offset`, for nobody who waits. A full pool skips it: the next append tries again.
    pub(crate) fn start_sync(&self, offset: i64, io: &IoPool) {
        self.commit.start(commit::mark(offset), io);
    }

    /// Waits until everything below `offset` is on stable storage.
    pub(crate) async fn stable(self: &Arc<Self>, offset: i64, io: &IoPool) -> Result<(), CommitError> {
        self.commit.wait(commit::mark(offset), io).await
    }

    /// Asks to be woken at the next change: an append, a moved log start, the end of the partition.
    pub(crate) fn watch(self: &Arc<Self>, waker: &Arc<Waker>) -> Ticket {
        Ticket::new(Arc::clone(self), waker)
    }

    /// Tells all who wait to look again.
    pub(crate) fn wake_all(&self) {
        self.waiting.wake_all();
    }

    /// The same, if records went or a segment was closed since the last call: who waits at records that are gone, or in a
    /// segment that was closed, is to be told.
    pub(crate) fn wake_if_moved(&self) {
        let now = began(&self.log);
        if std::mem::replace(&mut *self.began.lock(), now) != now {
            self.wake_all();
        }
    }
}

/// Where a log and its last segment begin.
fn began(log: &Log) -> (i64, Option<i64>) {
    (log.marks().log_start, log.active_base_offset())
}
