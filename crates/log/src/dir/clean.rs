//! Compaction of a directory's logs: which one is dirtiest, who is at it, who was set aside, and the checkpoint that
//! remembers how far each is clean.
//!
//! ```text
//!   dirtiest ──▶ Dirty: nobody else gets this log ──clean──▶ checkpoint
//!                                                     ├────▶ set aside, with the reason, until a restart or other settings
//!                                                     └────▶ tried again later (a full disk), each time later
//! ```
//!
//! `cleaner-offset-checkpoint` is Kafka's. One that is lost or behind costs a clean that finds little to do; one that is
//! ahead of its log is noticed and started over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::CLEANER_FILE;
use pagewire_disk::{CheckpointError, Damage, Disk, OffsetCheckpoint};
use parking_lot::Mutex;

use super::LogDir;
use super::errors::{LogDirError, usable};
use super::notice::Notice;
use super::table::Entry;
use crate::clean::cleanable::Cleanable;
use crate::clean::{CleanError, Cleaned, Cleaner, Throttle};
use crate::config::LogConfig;
use crate::share::Share;

/// The first wait after a failure that may pass; each further one doubles it.
const RETRY_MS: i64 = 15_000;
/// The longest.
const RETRY_MS_MAX: i64 = 600_000;

type Key = (String, i32);

/// What a directory knows of the cleaning of its logs.
#[derive(Debug, Default)]
pub(super) struct Cleaning {
    offsets: OffsetCheckpoint,
    /// The file was damaged: nobody knows which logs were compacted.
    illegible: bool,
    busy: BTreeSet<Key>,
    troubles: BTreeMap<Key, Trouble>,
}

/// A log that could not be cleaned.
#[derive(Debug)]
struct Trouble {
    reason: String,
    /// Of the first attempt that failed.
    since_ms: i64,
    /// When it may be tried again.
    retry_at_ms: i64,
    wait_ms: i64,
    /// With other settings it may be tried again, too.
    config: Arc<LogConfig>,
}

impl Trouble {
    fn holds(&self, config: &LogConfig, now_ms: i64) -> bool {
        now_ms < self.retry_at_ms && *self.config == *config
    }
}

/// A log that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncleanable {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why, in words.
    pub reason: String,
    /// Since when, ms.
    pub since_ms: i64,
    /// When it is tried again; `None`: after a restart, or with other settings.
    pub retry_at_ms: Option<i64>,
}

/// How the cleaning of a directory's logs stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CleaningReport {
    /// Compacted logs that are being cleaned.
    pub busy: usize,
    /// Compacted logs that wait for a cleaner.
    pub due: usize,
    /// The largest share of dirty bytes.
    pub max_dirty: Share,
    /// The longest time by which `max.compaction.lag.ms` is exceeded.
    pub max_overdue_ms: i64,
    /// Logs that could not be cleaned.
    pub uncleanable: Vec<Uncleanable>,
    /// Bytes of those.
    pub uncleanable_bytes: u64,
}

/// A log that is to be cleaned, handed to one cleaner at a time.
pub struct Dirty<'d> {
    dir: &'d LogDir,
    entry: Arc<Entry>,
    range: Cleanable,
}

impl fmt::Debug for Dirty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dirty").field("dir", &self.entry.log.dir()).field("range", &self.range).finish()
    }
}

impl Dirty<'_> {
    /// The topic.
    pub fn topic(&self) -> &Arc<str> {
        self.entry.log.topic()
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.entry.log.partition()
    }

    /// The share of bytes that are dirty.
    pub fn ratio(&self) -> Share {
        self.range.ratio()
    }

    /// Cleans the log and remembers how far. After an error that lasts it is set aside, after one that may pass it is left
    /// alone for a while.
    pub fn clean(
        self,
        cleaner: &mut Cleaner,
        now_ms: i64,
        throttle: &Throttle,
    ) -> Result<Cleaned, CleanError> {
        let log = &self.entry.log;
        let config = log.config();
        let cleaned = self.remember().and_then(|()| log.clean(cleaner, self.range, now_ms, throttle));
        let mut cleaning = self.dir.cleaning.lock();
        if log.is_deleted() {
            return cleaned;
        }
        match &cleaned {
            Ok(done) => {
                cleaning.troubles.remove(&key(&self.entry));
                cleaning.offsets.set(log.topic(), log.partition(), done.clean_to);
                // What cannot be written is written with the next one; until then a restart finds less clean than there is.
                let _ = self.dir.write_clean_offsets(&cleaning);
            }
            Err(error) if error.is_harmless() => {}
            Err(error) => cleaning.note_trouble(key(&self.entry), error, config, now_ms),
        }
        cleaned
    }

    /// Before a hole is made between a log's offsets, the checkpoints say where there may be some. There they are no losses,
    /// whatever becomes of the log's settings; anywhere else they are.
    fn remember(&self) -> Result<(), CleanError> {
        self.remember_where()?;
        self.remember_that()
    }

    /// Below the recovery point.
    fn remember_where(&self) -> Result<(), CleanError> {
        let (log, dir, until) = (&self.entry.log, self.dir, self.range.until);
        let synced = if log.marks().recovery_point < until { log.sync().map(drop) } else { Ok(()) };
        if log.is_deleted() || dir.is_written_stable(log, until) {
            return Ok(());
        }
        synced.map_err(CleanError::at(log.dir()))?;
        dir.write_checkpoints().map(drop).map_err(CleanError::at(&dir.path))
    }

    /// In a log that was compacted.
    fn remember_that(&self) -> Result<(), CleanError> {
        let (log, mut cleaning) = (&self.entry.log, self.dir.cleaning.lock());
        if log.is_deleted() || cleaning.was_cleaned(log.topic(), log.partition()) {
            return Ok(());
        }
        cleaning.offsets.set(log.topic(), log.partition(), self.range.first_dirty);
        self.dir
            .write_clean_offsets(&cleaning)
            .map_err(CleanError::at(self.dir.path.join(CLEANER_FILE)))
            .inspect_err(|_| {
                cleaning.offsets.remove(log.topic(), log.partition());
            })
    }
}

impl Drop for Dirty<'_> {
    fn drop(&mut self) {
        self.dir.cleaning.lock().busy.remove(&key(&self.entry));
    }
}

fn key(entry: &Entry) -> Key {
    (entry.log.topic().to_string(), entry.log.partition())
}

impl Cleaning {
    /// Reads the checkpoint. A damaged one counts as empty and is noted.
    pub(super) fn read(disk: &dyn Disk, dir: &Path, notices: &mut Vec<Notice>) -> Result<Self, LogDirError> {
        let mut illegible = false;
        let offsets = match usable(OffsetCheckpoint::read(disk, &dir.join(CLEANER_FILE)))? {
            Ok(checkpoint) => checkpoint.unwrap_or_default(),
            Err(CheckpointError::Damaged { damage: Damage::Empty, .. }) => OffsetCheckpoint::new(),
            Err(damage) => {
                notices.push(Notice::Damaged(damage));
                illegible = true;
                OffsetCheckpoint::new()
            }
        };
        Ok(Self { offsets, illegible, ..Self::default() })
    }

    /// Whether the partition may have been compacted: holes between its offsets are no losses then.
    pub(super) fn may_have_holes(&self, topic: &str, partition: i32) -> bool {
        self.illegible || self.was_cleaned(topic, partition)
    }

    /// Whether the partition was ever compacted, as far as is known.
    pub(super) fn was_cleaned(&self, topic: &str, partition: i32) -> bool {
        self.offsets.get(topic, partition).is_some()
    }

    /// Where compaction made no hole for certain, of a log whose recovery point was written as `recovery_point`. Kafka,
    /// whose directories are taken over, may be ahead of it.
    pub(super) fn whole_from(&self, topic: &str, partition: i32, recovery_point: i64) -> i64 {
        self.offsets.get(topic, partition).map_or(recovery_point, |clean_to| recovery_point.max(clean_to))
    }

    fn note_trouble(&mut self, key: Key, error: &CleanError, config: Arc<LogConfig>, now_ms: i64) {
        let before = self.troubles.get(&key);
        let since_ms = before.map_or(now_ms, |before| before.since_ms);
        let wait_ms = match before {
            _ if error.is_lasting() => i64::MAX,
            Some(before) => before.wait_ms.saturating_mul(2).min(RETRY_MS_MAX),
            None => RETRY_MS,
        };
        let (topic, partition) = &key;
        if error.is_lasting() {
            tracing::error!(topic, partition, %error, "set aside: it is not compacted until a restart or other settings");
        } else {
            tracing::warn!(topic, partition, %error, wait_ms, "not compacted; tried again later");
        }
        let retry_at_ms = now_ms.saturating_add(wait_ms);
        self.troubles
            .insert(key, Trouble { reason: error.to_string(), since_ms, retry_at_ms, wait_ms, config });
    }
}

impl LogDir {
    /// The log with the largest share of dirty bytes of those that are due, for this caller alone until it is dropped.
    /// `None`: nothing is due, or the directory takes no writes.
    pub fn dirtiest(&self, now_ms: i64) -> Option<Dirty<'_>> {
        if self.offline().is_some() {
            return None;
        }
        let entries = self.compacted();
        let mut cleaning = self.cleaning.lock();
        let mut best: Option<(Cleanable, Arc<Entry>)> = None;
        for entry in entries {
            if cleaning.is_kept_from(&entry, now_ms) {
                continue;
            }
            let Some(range) = cleaning.range_of(&entry, now_ms) else { continue };
            let dirtier = best.as_ref().is_none_or(|(best, _)| range.ratio() > best.ratio());
            if range.is_due(&entry.log.config()) && dirtier {
                best = Some((range, entry));
            }
        }
        let (range, entry) = best?;
        cleaning.busy.insert(key(&entry));
        Some(Dirty { dir: self, entry, range })
    }

    /// Up to where a log was cleaned; `None` if it never was: there are no holes between its offsets.
    pub fn cleaned_to(&self, topic: &str, partition: i32) -> Option<i64> {
        self.cleaning.lock().offsets.get(topic, partition)
    }

    /// How the cleaning stands. Looks at every compacted log.
    pub fn cleaning(&self, now_ms: i64) -> CleaningReport {
        let entries = self.compacted();
        let mut cleaning = self.cleaning.lock();
        let mut report = CleaningReport { busy: cleaning.busy.len(), ..CleaningReport::default() };
        for entry in &entries {
            let Some(range) = cleaning.range_of(entry, now_ms) else { continue };
            report.max_dirty =
                if range.ratio() > report.max_dirty { range.ratio() } else { report.max_dirty };
            report.max_overdue_ms = report.max_overdue_ms.max(range.overdue_ms);
            let (key, config) = (key(entry), entry.log.config());
            if let Some(trouble) =
                cleaning.troubles.get(&key).filter(|trouble| trouble.holds(&config, now_ms))
            {
                report.uncleanable_bytes += entry.log.size_bytes();
                report.uncleanable.push(trouble.describe(&key));
            } else if !cleaning.busy.contains(&key) && range.is_due(&config) {
                report.due += 1;
            }
        }
        report
    }

    /// Forgets what is said of a partition, also on the disk: its offsets would be taken for another's of the same name.
    pub(super) fn forget_cleaning(&self, topic: &str, partition: i32) {
        let mut cleaning = self.cleaning.lock();
        cleaning.troubles.remove(&(topic.to_owned(), partition));
        if cleaning.offsets.remove(topic, partition).is_some() {
            let _ = self.write_clean_offsets(&cleaning);
        }
    }

    fn compacted(&self) -> Vec<Arc<Entry>> {
        let mut entries = self.entries();
        entries.retain(|entry| entry.log.config.load().cleanup_compact && entry.log.has_closed_segments());
        entries
    }

    /// An error is noted; the next write says what this one did not.
    fn write_clean_offsets(&self, cleaning: &Cleaning) -> io::Result<()> {
        let path = self.path.join(CLEANER_FILE);
        cleaning.offsets.write(&*self.disk, &path).inspect_err(|error| self.note(&path, error))
    }
}

impl Cleaning {
    /// What can be cleaned of a log. A checkpoint that cannot be its is started over, with a word. A log that cannot be
    /// looked at now is looked at again.
    fn range_of(&mut self, entry: &Entry, now_ms: i64) -> Option<Cleanable> {
        let log = &entry.log;
        let checkpoint = self.offsets.get(log.topic(), log.partition());
        let looked = log.cleanable(checkpoint, now_ms);
        let range = looked.inspect_err(|error| note_look(log.dir(), error)).ok()?;
        if checkpoint.is_some_and(|checkpoint| checkpoint != range.first_dirty) {
            // Retention moves the start of a log that is compacted and deleted past what was cleaned; nothing is odd then.
            if !log.config.load().cleanup_delete {
                let (at, start) = (checkpoint.unwrap_or_default(), range.first_dirty);
                tracing::warn!(dir = %log.dir().display(), at, start, "clean up to an offset outside of the log: started over");
            }
            self.offsets.set(log.topic(), log.partition(), range.first_dirty);
        }
        Some(range)
    }

    /// Somebody is at it, or it has failed and it is not time for another attempt.
    fn is_kept_from(&self, entry: &Entry, now_ms: i64) -> bool {
        let key = key(entry);
        self.busy.contains(&key)
            || self.troubles.get(&key).is_some_and(|trouble| trouble.holds(&entry.log.config.load(), now_ms))
    }
}

impl Trouble {
    fn describe(&self, (topic, partition): &Key) -> Uncleanable {
        Uncleanable {
            topic: topic.clone(),
            partition: *partition,
            reason: self.reason.clone(),
            since_ms: self.since_ms,
            retry_at_ms: (self.retry_at_ms < i64::MAX).then_some(self.retry_at_ms),
        }
    }
}

fn note_look(dir: &Path, error: &io::Error) {
    tracing::debug!(dir = %dir.display(), %error, "not looked at for compaction");
}

/// What a directory knows of its logs' cleaning, behind its lock.
pub(super) type CleaningCell = Mutex<Cleaning>;
