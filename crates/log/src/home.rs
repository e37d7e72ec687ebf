//! What all parts of one log share: the disk, the directory, the budgets.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use pagewire_disk::{Disk, DiskFile, Identity, OpenMode};

use crate::ahead::Ahead;
use crate::answers::Leftovers;
use crate::handles::Handles;
use crate::health::Health;
use crate::producers::budget::ProducerBudget;
use crate::segment::names;
use crate::unnoted::Unnoted;

/// What an orderly stop vouches for of one log: checksums of what no other file shows to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vouched {
    /// Of its leader epochs.
    pub(crate) epochs: u32,
    /// Of its indexes of aborted transactions; 0 if it has none.
    pub(crate) aborted: u32,
}

/// Where a log lives.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    /// What the directory is, whatever its name by now, if the disk knows that.
    identity: OnceLock<Identity>,
    pub(crate) handles: Arc<Handles>,
    pub(crate) producers: Arc<ProducerBudget>,
    /// Whether the logs of the log directory take writes.
    pub(crate) health: Arc<Health>,
    /// What they have reserved ahead of their writers.
    pub(crate) ahead: Arc<Ahead>,
    /// Which of them no checkpoint knows well enough.
    pub(crate) unnoted: Arc<Unnoted>,
    /// Bytes of log that were checked, for whoever watches a recovery.
    pub(crate) checked: Arc<AtomicU64>,
    /// What the last orderly stop left, if it did.
    pub(crate) vouched: Option<Vouched>,
    /// The log start that was read is one that was written.
    pub(crate) certain_start: bool,
    /// The recovery point is known, be it 0.
    recovery_known: bool,
    /// It is one that was written.
    recovery_is_certain: bool,
    /// What the high watermark had reached, if that is known.
    high_watermark: Option<i64>,
    /// It is one that was written.
    watermark_is_certain: bool,
    /// The directory has another name, or another log has moved in: nothing is opened by name any more.
    gone: AtomicBool,
    /// The log was compacted at some time: holes between its offsets are no losses.
    compacted: AtomicBool,
    /// From here on compaction made no hole; `None` if nobody knows.
    whole_from: Option<i64>,
    /// Everything is only played, nothing is worth copying; and up to where segments are known to be good, by base
    /// offset.
    rehearsed: Option<HashMap<i64, u64>>,
    /// `index.interval.bytes` in force, for whoever rebuilds an index.
    index_interval: AtomicU32,
}

impl Home {
    /// Removes a file that nobody needs.
    pub(crate) fn remove_leftover(&self, path: &Path) -> io::Result<Leftovers> {
        // Only told.
        let bytes = self.disk.open(path, OpenMode::Read).and_then(|file| file.len()).unwrap_or(0);
        match self.disk.remove_file(path) {
            Ok(()) => Ok(Leftovers { files: 1, bytes }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Leftovers::default()),
            Err(error) => Err(error),
        }
    }

    /// Something of the log did not fit on its disk.
    pub(crate) fn note_full(&self, error: &io::Error, delete_delay_ms: i64) {
        self.health.note_full(self.dir.parent().unwrap_or(&self.dir), error, delete_delay_ms);
    }

    /// The home of a log that shares nothing but its descriptors.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, handles: Arc<Handles>) -> Self {
        Self {
            disk,
            dir,
            identity: OnceLock::new(),
            handles,
            producers: Arc::default(),
            health: Arc::default(),
            ahead: Arc::default(),
            unnoted: Arc::default(),
            checked: Arc::default(),
            vouched: None,
            recovery_known: true,
            recovery_is_certain: true,
            high_watermark: None,
            watermark_is_certain: false,
            certain_start: true,
            gone: AtomicBool::default(),
            compacted: AtomicBool::default(),
            whole_from: None,
            rehearsed: None,
            index_interval: AtomicU32::default(),
        }
    }

    /// The home of a log that stops taking writes with the others of its log directory, and remembers no more producers and
    /// reserves no more ahead than all of them may.
    pub(crate) fn within(
        self,
        health: &Arc<Health>,
        producers: &Arc<ProducerBudget>,
        ahead: &Arc<Ahead>,
    ) -> Self {
        Self {
            health: Arc::clone(health),
            producers: Arc::clone(producers),
            ahead: Arc::clone(ahead),
            ..self
        }
    }

    /// The home of a log that says with the others of its log directory what no checkpoint knows.
    pub(crate) fn noted_with(self, unnoted: &Arc<Unnoted>) -> Self {
        Self { unnoted: Arc::clone(unnoted), ..self }
    }

    /// The same home of a log that was compacted, whatever its settings say now.
    pub(crate) fn compacted(self, compacted: bool) -> Self {
        Self { compacted: compacted.into(), ..self }
    }

    /// Whether there may be holes between the log's offsets that are no losses.
    pub(crate) fn was_compacted(&self) -> bool {
        self.compacted.load(Ordering::Relaxed)
    }

    /// Such holes may be made from now on.
    pub(crate) fn note_compaction(&self) {
        self.compacted.store(true, Ordering::Relaxed);
    }

    /// The same home of a log in which compaction made no hole from this offset on, if that is known.
    pub(crate) fn whole_since(self, whole_from: Option<i64>) -> Self {
        Self { whole_from, ..self }
    }

    /// The home of a log that is opened on a disk on which changes are only played. Its segments were found `whole` up
    /// to these positions.
    pub(crate) fn rehearsed(self, whole: HashMap<i64, u64>) -> Self {
        Self { rehearsed: Some(whole), ..self }
    }

    pub(crate) fn is_rehearsed(&self) -> bool {
        self.rehearsed.is_some()
    }

    /// Up to where every batch of the segment at `base` is known to be good.
    pub(crate) fn whole_to(&self, base: i64) -> u64 {
        self.rehearsed.as_ref().and_then(|whole| whole.get(&base)).copied().unwrap_or(0)
    }

    pub(crate) fn whole_from(&self) -> Option<i64> {
        self.whole_from
    }

    /// The home of a log whose recovery is counted with others.
    pub(crate) fn metered(self, checked: &Arc<AtomicU64>) -> Self {
        Self { checked: Arc::clone(checked), ..self }
    }

    /// The home of a log whose start was read from a file that may hold anything, unless it is `certain`.
    pub(crate) fn certain_start(self, certain: bool) -> Self {
        Self { certain_start: certain, ..self }
    }

    /// The home of a log of which the last stop left this.
    pub(crate) fn vouched(self, vouched: Option<Vouched>) -> Self {
        Self { vouched, ..self }
    }

    /// The home of a log of which the checkpoints say this much.
    pub(crate) fn witnessed(self, recovery_known: bool, high_watermark: Option<i64>) -> Self {
        Self { recovery_known, high_watermark, ..self }
    }

    /// The home of a log whose recovery point was read from a file that may hold anything, unless it is `certain`.
    pub(crate) fn certain_recovery(self, certain: bool) -> Self {
        Self { recovery_is_certain: certain, ..self }
    }

    /// The home of a log whose high watermark was read from a file that holds what was written, if that is `certain`.
    pub(crate) fn certain_watermark(self, certain: bool) -> Self {
        Self { watermark_is_certain: certain, ..self }
    }

    pub(crate) fn watermark_is_certain(&self) -> bool {
        self.watermark_is_certain
    }

    pub(crate) fn recovery_is_certain(&self) -> bool {
        self.recovery_is_certain
    }

    pub(crate) fn recovery_known(&self) -> bool {
        self.recovery_known
    }

    pub(crate) fn high_watermark(&self) -> Option<i64> {
        self.high_watermark
    }

    /// The log was opened in the directory that has its name now.
    pub(crate) fn note_identity(&self) {
        if let Ok(Some(identity)) = self.disk.identity(&self.dir) {
            let _ = self.identity.set(identity);
        }
    }

    /// Whether its directory is at `path` now.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.identity.get().is_some_and(|own| self.disk.identity(path).is_ok_and(|there| there == Some(*own)))
    }

    pub(crate) fn path(&self, offset: i64, suffix: &str) -> PathBuf {
        names::path(&self.dir, offset, suffix)
    }

    /// Opens a file of the log. `NotFound` once the log has left: what has the name then is not its file.
    pub(crate) fn open(&self, offset: i64, suffix: &str, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.still_here()?;
        let file = self.disk.open(&self.path(offset, suffix), mode)?;
        // The directory is renamed after the log has left, so a file opened before that is the log's.
        self.still_here()?;
        Ok(file)
    }

    fn still_here(&self) -> io::Result<()> {
        if self.is_gone() { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Opens nothing from now on. Files that are open stay so.
    pub(crate) fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// The directory has kept its name after all.
    pub(crate) fn come_back(&self) {
        self.gone.store(false, Ordering::Release);
    }

    pub(crate) fn index_interval(&self) -> u32 {
        self.index_interval.load(Ordering::Relaxed)
    }

    pub(crate) fn set_index_interval(&self, bytes: u32) {
        self.index_interval.store(bytes, Ordering::Relaxed);
    }
}
