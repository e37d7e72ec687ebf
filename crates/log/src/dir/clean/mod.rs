//! Compaction of a directory's logs: which one is dirtiest, who is at it, who was set aside, and the checkpoint that
//! remembers how far each is clean.
//!
//! ```text
//!   look ──▶ dirtiest ──▶ Dirty: nobody else gets this log ──clean──▶ checkpoint
//!                                                             ├────▶ set aside, with the reason, until a restart or
//!                                                             │      other settings: damage, a panic, too much at once
//!                                                             └────▶ tried again later, each time later: a full disk,
//!                                                                    a read that failed
//! ```
//!
//! `cleaner-offset-checkpoint` is Kafka's. One that is lost or behind costs a clean that finds little to do; one that
//! is ahead of its log is noticed and started over.
//!
//! The lock is held for a look at memory, never over the disk. How far a log is clean is written down at most once a
//! second, and when nothing is due: the file names every log, and there may be many to clean.

mod caught;
mod dirty;
mod due;
mod look;
mod trouble;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::CLEANER_FILE;
use pagewire_disk::{Disk, OffsetCheckpoint};
use parking_lot::{Mutex, MutexGuard};

pub use dirty::Dirty;
pub use look::CleaningReport;
pub use trouble::Uncleanable;

use super::LogDir;
use super::errors::LogDirError;
use super::notice::Notice;
use super::sums::{Read, Sums};
use super::table::Entry;
use due::Due;
use trouble::Trouble;

type Key = (Arc<str>, i32);

/// What a directory knows of the cleaning of its logs.
#[derive(Debug, Default)]
pub(super) struct Cleaning {
    offsets: OffsetCheckpoint,
    /// The file is damaged or lost: nobody knows which logs were compacted.
    lost: bool,
    busy: HashSet<Key>,
    troubles: HashMap<Key, Trouble>,
    due: Due,
    /// The file lacks what was cleaned since.
    unwritten: bool,
    wrote_ms: Option<i64>,
}

/// Where compaction may have made holes between a log's offsets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holes {
    /// There may be some.
    pub(super) compacted: bool,
    /// None from here on; `None` if nobody knows.
    pub(super) whole_from: Option<i64>,
}

/// What was cleaned is written down no more often than this, as long as there is more to clean.
const WRITE_EVERY_MS: i64 = 1000;

/// What a directory knows of its logs' cleaning.
#[derive(Debug)]
pub(super) struct CleaningCell {
    state: Mutex<Cleaning>,
    /// Held while the checkpoint is written; taken before the other.
    file: Mutex<()>,
}

impl CleaningCell {
    pub(super) fn new(state: Cleaning) -> Self {
        Self { state: Mutex::new(state), file: Mutex::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Cleaning> {
        self.state.lock()
    }
}

fn key(entry: &Entry) -> Key {
    (Arc::clone(entry.log.topic()), entry.log.partition())
}

impl Cleaning {
    /// Reads the checkpoint. A damaged one counts as empty and is noted.
    pub(super) fn read(
        disk: &dyn Disk,
        dir: &Path,
        sums: &mut Sums,
        notices: &mut Vec<Notice>,
    ) -> Result<Self, LogDirError> {
        let Read { content, lost, .. } = sums.checkpoint(disk, dir, CLEANER_FILE, notices)?;
        Ok(Self { offsets: content.unwrap_or_default(), lost, ..Self::default() })
    }

    /// Whether the checkpoint is damaged or lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Takes logs for compacted of which nobody knows whether they were, from now on: better that a hole is read over
    /// than that records behind one that is none of ours are refused.
    pub(super) fn doubt<'l>(&mut self, logs: impl Iterator<Item = (&'l str, i32)>) {
        for (topic, partition) in logs {
            if !self.was_cleaned(topic, partition) {
                self.offsets.set(topic, partition, 0);
                self.unwritten = true;
            }
        }
    }

    /// Whether the partition was ever compacted, as far as is known: holes between its offsets are no losses then.
    pub(super) fn was_cleaned(&self, topic: &str, partition: i32) -> bool {
        self.offsets.get(topic, partition).is_some()
    }

    /// Where compaction may have made holes in a log of this recovery point, if that is known.
    pub(super) fn holes(&self, topic: &str, partition: i32, recovery_point: Option<i64>) -> Holes {
        let whole_from = recovery_point.map(|point| self.whole_from(topic, partition, point));
        Holes { compacted: self.was_cleaned(topic, partition), whole_from }
    }

    /// Where compaction made no hole for certain, of a log whose recovery point was written as `recovery_point`. Kafka,
    /// whose directories are taken over, may be ahead of it.
    pub(super) fn whole_from(&self, topic: &str, partition: i32, recovery_point: i64) -> i64 {
        self.offsets.get(topic, partition).map_or(recovery_point, |clean_to| recovery_point.max(clean_to))
    }

    /// Somebody is at it, or it has failed and it is not time for another attempt.
    fn is_kept_from(&self, entry: &Entry, now_ms: i64) -> bool {
        let key = key(entry);
        self.busy.contains(&key)
            || self.troubles.get(&key).is_some_and(|trouble| trouble.holds(&entry.log.config.load(), now_ms))
    }
}

impl LogDir {
    /// Up to where a log was cleaned; `None` if it never was: there are no holes between its offsets.
    pub fn cleaned_to(&self, topic: &str, partition: i32) -> Option<i64> {
        self.cleaning.lock().offsets.get(topic, partition)
    }

    /// Up to where a log that comes from another directory was cleaned there.
    pub(super) fn set_cleaned(&self, topic: &str, partition: i32, cleaned_to: Option<i64>) {
        if let Some(offset) = cleaned_to {
            self.cleaning.lock().offsets.set(topic, partition, offset);
        }
    }

    /// Forgets what is said of a partition, also on the disk: its offsets would be taken for another's of the same
    /// name.
    pub(super) fn forget_cleaning(&self, topic: &str, partition: i32) {
        let had_offset = {
            let mut cleaning = self.cleaning.lock();
            cleaning.troubles.remove(&(Arc::from(topic), partition));
            cleaning.offsets.remove(topic, partition).is_some()
        };
        if had_offset {
            let _ = self.write_clean_offsets();
        }
    }

    /// Writes down what was cleaned, unless that was done a moment ago.
    fn write_clean_offsets_now_and_then(&self, now_ms: i64) {
        let due = {
            let mut cleaning = self.cleaning.lock();
            let ago = cleaning.wrote_ms.map(|wrote_ms| now_ms.saturating_sub(wrote_ms));
            let due = ago.is_none_or(|ago| !(0..WRITE_EVERY_MS).contains(&ago));
            cleaning.unwritten = true;
            if due {
                cleaning.wrote_ms = Some(now_ms);
            }
            due
        };
        if due {
            // What cannot be written is written with the next one; until then a restart finds less clean than there is.
            let _ = self.write_clean_offsets();
        }
    }

    /// Writes down what was not yet: nothing is due any more, or the directory is opened or closed.
    pub(super) fn end_cleaning(&self) {
        if self.cleaning.lock().unwritten && self.offline().is_none() {
            let _ = self.write_clean_offsets();
        }
    }

    /// An error is noted; the next write says what this one did not.
    pub(super) fn write_clean_offsets(&self) -> io::Result<()> {
        let _file = self.cleaning.file.lock();
        let offsets = {
            let mut cleaning = self.cleaning.lock();
            cleaning.unwritten = false;
            cleaning.offsets.clone()
        };
        let written = self.write_summed(&[(CLEANER_FILE, &offsets)]);
        written.inspect_err(|_| self.cleaning.lock().unwritten = true)
    }
}
