//! The log of one partition: what it consists of, and the questions that need no work.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use pagewire_disk::{Disk, DiskFile};
use parking_lot::{Mutex, RwLock};

use crate::answers::{OpenOptions, ProducerInfo, RecoveryReport, SegmentInfo};
use crate::clean::replace::Placing;
use crate::config::LogConfig;
use crate::epochs::Epochs;
use crate::errors::{AppendError, LogError, Offline};
use crate::files::OpenTxn;
use crate::halted::Halting;
use crate::handles::Handles;
use crate::held::Held;
use crate::home::{Home, Vouched};
use crate::marks::{MarkCells, Marks};
use crate::retention::doomed::Doomed;
use crate::scrub::Noted;
use crate::segment::Segment;
use crate::sick::{is_full, is_lasting, is_sick, told};
use crate::txns::undecided::Undecided;
use crate::writer::Writer;

/// Descriptors of a log that was opened without a shared budget.
const OWN_HANDLES: usize = 64;

/// The log of one partition. All calls that touch the disk block.
///
/// Appends, rolls and retention take one short lock; reads and marks take none; syncs hold up only each other.
#[derive(Debug)]
pub struct Log {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) home: Arc<Home>,
    pub(crate) config: ArcSwap<LogConfig>,
    pub(crate) marks: MarkCells,
    /// The recovery point that a start after a kill goes by: the one that was written down.
    pub(crate) checkpointed: AtomicI64,
    /// Nothing at or past this is cleaned: a backup has noted the log and has not copied it yet.
    pub(crate) held: Held,
    /// What lies below it has its index entries on the disk.
    pub(crate) evident: AtomicI64,
    /// So far a checkpoint may go although entries could not be written.
    pub(crate) excused: AtomicI64,
    /// Oldest first, never empty; the last one is active.
    pub(crate) segments: ArcSwap<Vec<Arc<Segment>>>,
    pub(crate) writer: Mutex<Writer>,
    /// Offset of the newest ABORT marker that ended a transaction with records; -1 before any.
    pub(crate) last_aborted: AtomicI64,
    /// Where nobody knows what became of transactions, since the log was opened.
    pub(crate) undecided: Undecided,
    pub(crate) epochs: RwLock<Epochs>,
    /// Held while the epochs' file is written.
    pub(crate) epoch_file: Mutex<()>,
    /// The file could not be written when they changed last.
    pub(crate) epochs_behind: AtomicBool,
    /// What was aborted could not be [written down](crate::txns::witness) with the last sync.
    pub(crate) aborted_behind: AtomicBool,
    /// Held while that about aborted transactions is.
    pub(crate) witness: Mutex<()>,
    pub(crate) offline: OnceLock<Offline>,
    /// Nobody knows up to where it is stable, and it could not be made so.
    pub(crate) unknown: bool,
    /// No checkpoint names it yet.
    pub(crate) unnamed: AtomicBool,
    /// When this process made it, without a record; 0 if it was there.
    pub(crate) made_ms: AtomicI64,
    /// Its files are another's, who opens them anew.
    pub(crate) given_up: AtomicBool,
    /// Nothing is appended: it is about to be served from another directory, or is by now.
    pub(crate) halted: Halting,
    /// Names were made or changed since the directory was last synced.
    pub(crate) dir_dirty: AtomicBool,
    /// Held for the length of a sync.
    pub(crate) syncs: Mutex<()>,
    /// Producer snapshots written since the last sync, with their offsets.
    pub(crate) small_files: Mutex<Vec<(i64, Arc<dyn DiskFile>)>>,
    pub(crate) pacing: Mutex<()>,
    pub(crate) doomed: Mutex<Doomed>,
    /// Held while compaction or retention changes names in the directory.
    pub(crate) placing: Mutex<Placing>,
}

impl Log {
    /// Opens the log in `dir`, making the directory and a first segment if there is none, and recovers it as far as
    /// needed. With a descriptor budget of its own.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        topic: &str,
        partition: i32,
        options: OpenOptions,
    ) -> Result<(Self, RecoveryReport), LogError> {
        Self::open_with(disk, dir, topic, partition, options, Handles::new(OWN_HANDLES))
    }

    /// As [`Log::open`], with a descriptor budget shared by many logs.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        dir: &Path,
        topic: &str,
        partition: i32,
        options: OpenOptions,
        handles: Arc<Handles>,
    ) -> Result<(Self, RecoveryReport), LogError> {
        let home = Home::new(disk, dir.to_path_buf(), handles);
        Self::open_at(home, topic, partition, options, &Noted::default())
    }

    pub(crate) fn open_at(
        home: Home,
        topic: &str,
        partition: i32,
        options: OpenOptions,
        noted: &Noted,
    ) -> Result<(Self, RecoveryReport), LogError> {
        home.set_index_interval(options.config.index_interval_bytes);
        let (log, report) = crate::open::open(Arc::new(home), topic, partition, options, noted)?;
        log.home.note_identity();
        Ok((log, report))
    }

    /// The topic's name.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.home.dir
    }

    /// The marks of this moment. Takes no lock.
    pub fn marks(&self) -> Marks {
        self.marks.load()
    }

    /// The settings in force.
    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    /// Puts other settings in force, for what happens from now on.
    pub fn set_config(&self, config: LogConfig) {
        self.home.set_index_interval(config.index_interval_bytes);
        if config.cleanup_compact {
            self.home.note_compaction();
        }
        self.config.store(Arc::new(config));
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        self.segments
            .load()
            .iter()
            .map(|segment| {
                let end = segment.end();
                let (base_offset, next_offset, size_bytes) = (segment.base_offset, end.next_offset, end.size);
                SegmentInfo { base_offset, next_offset, size_bytes }
            })
            .collect()
    }

    /// Where the segment begins that appends go to.
    pub fn active_base_offset(&self) -> Option<i64> {
        self.segments.load().last().map(|segment| segment.base_offset)
    }

    /// Bytes of all `.log` files.
    pub fn size_bytes(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.end().size).sum()
    }

    /// The idempotent producers, by id. Waits for an append under way.
    pub fn producers(&self) -> Vec<ProducerInfo> {
        self.writer.lock().producers.with(|known| known.describe())
    }

    /// The highest id of these.
    pub fn highest_producer_id(&self) -> Option<i64> {
        self.writer.lock().producers.with(|known| known.iter().map(|(id, _)| id).max())
    }

    /// Transactions that nothing has ended yet, the earliest first. Waits for an append under way.
    pub fn open_transactions(&self) -> Vec<OpenTxn> {
        let producers = self.producers();
        let mut open: Vec<OpenTxn> = producers.iter().filter_map(OpenTxn::of).collect();
        open.sort_unstable_by_key(|open| open.first_offset);
        open
    }

    /// Offsets that readers of committed records do not get, because a transaction is open.
    pub fn held_back(&self) -> i64 {
        let marks = self.marks();
        marks.high_watermark - marks.last_stable
    }

    /// How many producers there are.
    pub fn producer_count(&self) -> usize {
        self.writer.lock().producers.len()
    }

    /// Forgets producers silent for longer than `producer.id.expiration.ms`; how many.
    pub fn expire_producers(&self, now_ms: i64) -> usize {
        let expiration_ms = self.config.load().producer_id_expiration_ms;
        self.writer.lock().producers.with(|known| known.expire(now_ms, expiration_ms))
    }

    /// Whether nobody knows up to where it is stable, which could not be changed. A checkpoint would say 0 of it, as of a log of
    /// which nothing is, and the next start cut what this one kept: so no checkpoint names it. It takes no writes.
    pub(crate) fn is_unknown(&self) -> bool {
        self.unknown
    }

    /// A checkpoint says that everything below an offset is stable, or it does not name the log.
    pub(crate) fn checkpointed(&self, point: Option<i64>) {
        self.checkpointed.store(point.unwrap_or(0), Ordering::Relaxed);
        if point.is_some() {
            self.unnamed.store(false, Ordering::Release);
        }
    }

    /// Whether no checkpoint of its directory names it yet. It takes no record until one does: what was stable of it after a kill
    /// nobody would know.
    pub fn is_unnamed(&self) -> bool {
        self.unnamed.load(Ordering::Acquire)
    }

    /// It takes no record until a checkpoint names it, which is due soon.
    pub(crate) fn await_name(&self) {
        self.unnamed.store(true, Ordering::Release);
    }

    /// Why it takes no record, if it waits for its name.
    pub(crate) fn named(&self) -> Result<(), AppendError> {
        if !self.is_unnamed() {
            return Ok(());
        }
        let kind = if self.home.health.is_full() { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
        let why = "the log is not in the checkpoint of its directory yet, where every log is before its first record; that could \
                   not be written, and is tried again every second";
        Err(AppendError::Write(io::Error::new(kind, why)))
    }

    /// What an orderly stop may vouch for.
    pub(crate) fn vouch(&self) -> Vouched {
        let segments = self.segments.load();
        let aborted = segments.iter().fold(0, |all, segment| all ^ segment.txns.sum(segment.base_offset));
        Vouched { epochs: self.epochs.read().sum(), aborted }
    }

    /// The newest leader epoch in the log, `None` before the first.
    pub fn leader_epoch(&self) -> Option<i32> {
        self.epochs.read().latest()
    }

    /// OffsetForLeaderEpoch: the largest epoch at or below `epoch` and the offset after its last record; `None` for
    /// an epoch above all known ones (the protocol's -1, -1).
    pub fn end_offset_for_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let log_end = self.marks().log_end;
        self.epochs.read().end_offset(epoch, log_end)
    }

    /// The partition was deleted while somebody still holds its log.
    pub fn is_deleted(&self) -> bool {
        self.has_left() && !self.is_halted()
    }

    /// Its directory has another name, or is another's: the partition was deleted or moved.
    pub(crate) fn has_left(&self) -> bool {
        self.home.is_gone()
    }

    /// Why the log takes no writes, if so: by an error of its own or of its log directory.
    pub fn offline(&self) -> Option<Offline> {
        self.why_offline().cloned()
    }

    /// Why this log takes no writes whatever its log directory does, if so.
    pub fn offline_alone(&self) -> Option<Offline> {
        self.offline.get().cloned()
    }

    /// Refuses all writes and syncs of this log from now on. The first reason stays.
    pub fn take_offline(&self, kind: io::ErrorKind, reason: &str) {
        self.set_offline(kind, reason);
    }

    /// The partition is being deleted: the same, and nothing to be alarmed about.
    pub(crate) fn retire(&self) {
        self.home.leave();
        let _ = self
            .offline
            .set(Offline { reason: "the partition was deleted".into(), kind: io::ErrorKind::NotFound });
    }

    /// Something could not be done. A sick disk takes the log offline, and the whole log directory with it at the same
    /// moment, because what one file lost others may have lost too. Anything else is the caller's to tell, and to try
    /// again.
    pub(crate) fn fail(&self, error: &io::Error, what: &str) {
        if is_sick(error) {
            self.poison(error, what);
        } else {
            if is_full(error.kind()) {
                self.note_full(error);
            }
            tracing::debug!(topic = %self.topic, partition = self.partition, %error, what);
        }
    }

    /// What keeps records from being taken. Unless it may pass by itself, the log takes none from now on, and that is said; nor
    /// does its directory where nothing else can be written either.
    pub(crate) fn shut(&self, error: &io::Error, what: &str) {
        if is_sick(error) || !is_lasting(error) || self.home.is_gone() {
            return self.fail(error, what);
        }
        self.poison(error, what);
        self.home.health.look(&*self.home.disk);
    }

    /// As [`shut`](Self::shut), and what an append that changed nothing is told.
    pub(crate) fn refuse(&self, error: io::Error, what: &str) -> AppendError {
        self.shut(&error, what);
        self.online().map_or_else(AppendError::Offline, |()| AppendError::Write(error))
    }

    /// What was promised may be lost, or the file is not what the log takes it for: the log takes no writes until it is
    /// opened again, whatever the error was. On a sick disk nor does its directory.
    pub(crate) fn poison(&self, error: &io::Error, what: &str) {
        let again = self.looked_at_again(error);
        let error = again.as_ref().unwrap_or(error);
        let (kind, reason) = (error.kind(), format!("{}: {what}: {}", self.home.dir.display(), told(error)));
        self.set_offline(kind, &reason);
        if is_full(kind) {
            self.note_full(error);
        }
        if !is_sick(error) {
            return;
        }
        self.home.health.fail(Offline { reason: reason.into(), kind });
    }

    fn note_full(&self, error: &io::Error) {
        self.home.note_full(error, self.config.load().file_delete_delay_ms);
    }

    fn set_offline(&self, kind: io::ErrorKind, reason: &str) {
        if self.offline.set(Offline { reason: reason.into(), kind }).is_ok() {
            tracing::error!(
                topic = %self.topic,
                partition = self.partition,
                reason,
                "log is offline for writes. {}",
                self.home.health.way_back(kind != io::ErrorKind::NotFound)
            );
        }
    }

    fn why_offline(&self) -> Option<&Offline> {
        self.offline.get().or_else(|| self.home.health.offline())
    }

    pub(crate) fn online(&self) -> Result<(), Offline> {
        self.why_offline().map_or(Ok(()), |offline| Err(offline.clone()))
    }

    /// Whether segments may be removed: as long as the log is online, and also after it ran out of space, since nothing
    /// else makes room.
    pub(crate) fn may_shrink(&self) -> Result<(), Offline> {
        if let Some(sick) = self.home.health.sick() {
            return Err(sick.clone());
        }
        match self.offline.get() {
            Some(offline) if !is_full(offline.kind) => Err(offline.clone()),
            _ => Ok(()),
        }
    }

    /// The segment appends go to. The caller holds the append lock.
    pub(crate) fn active(&self) -> Option<Arc<Segment>> {
        self.segments.load().last().map(Arc::clone)
    }
}

impl From<Offline> for io::Error {
    fn from(offline: Offline) -> Self {
        Self::new(offline.kind, offline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_send_and_sync_and_small() {
        fn shared<T: Send + Sync>() {}
        shared::<Log>();
        let bytes = size_of::<Log>() + size_of::<LogConfig>() + size_of::<Segment>() + size_of::<Home>();
        assert!(bytes < 1536, "100,000 partitions must be thinkable: {bytes}");
    }
}
