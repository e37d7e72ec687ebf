//! A log in the hands of one cleaner.

use std::fmt;
use std::sync::Arc;

use pagewire_disk::checkpoint::CLEANER_FILE;

use super::caught::caught;
use super::{Entry, LogDir, key};
use crate::clean::cleanable::Cleanable;
use crate::clean::{CleanError, Cleaned, Cleaner, Throttle};
use crate::share::Share;

/// A log that nobody else gets meanwhile.
pub(super) struct Taken<'d> {
    pub(super) dir: &'d LogDir,
    pub(super) entry: Arc<Entry>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.dir.cleaning.lock().busy.remove(&key(&self.entry));
    }
}

/// A log that is to be cleaned, handed to one cleaner at a time.
pub struct Dirty<'d> {
    taken: Taken<'d>,
    range: Cleanable,
    attempted: bool,
}

impl fmt::Debug for Dirty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dirty").field("dir", &self.taken.entry.log.dir()).field("range", &self.range).finish()
    }
}

impl<'d> Dirty<'d> {
    pub(super) fn new(taken: Taken<'d>, range: Cleanable) -> Self {
        Self { taken, range, attempted: false }
    }

    /// The topic.
    pub fn topic(&self) -> &Arc<str> {
        self.taken.entry.log.topic()
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.taken.entry.log.partition()
    }

    /// The share of bytes that are dirty.
    pub fn ratio(&self) -> Share {
        self.range.ratio()
    }

    /// Cleans the log and remembers how far. After an error that lasts, and after a panic, it is set aside, after one
    /// that may pass it is left alone for a while. A cleaner that panicked is not to be used again.
    pub fn clean(
        mut self,
        cleaner: &mut Cleaner,
        now_ms: i64,
        throttle: &Throttle,
    ) -> Result<Cleaned, CleanError> {
        self.attempted = true;
        let (dir, log) = (self.taken.dir, &self.taken.entry.log);
        let config = log.config();
        let cleaned =
            caught(|| self.remember().and_then(|()| log.clean(cleaner, self.range, now_ms, throttle)));
        if matches!(cleaned, Err(CleanError::Panicked(_))) {
            log.discard_unfinished();
        }
        let mut cleaning = dir.cleaning.lock();
        if log.has_left() {
            return cleaned;
        }
        match &cleaned {
            Ok(done) => {
                cleaning.troubles.remove(&key(&self.taken.entry));
                cleaning.offsets.set(log.topic(), log.partition(), done.clean_to);
                drop(cleaning);
                dir.write_clean_offsets_now_and_then(now_ms);
            }
            Err(error) if error.is_harmless() => {}
            Err(error) => cleaning.note_trouble(key(&self.taken.entry), error, config, now_ms),
        }
        cleaned
    }

    /// Before a hole is made between a log's offsets, the checkpoints say where there may be some. There they are no
    /// losses, whatever becomes of the log's settings; anywhere else they are.
    fn remember(&self) -> Result<(), CleanError> {
        self.remember_where()?;
        self.remember_that()
    }

    /// Below the recovery point, and not below the log start. That must not go back: what lies below it stays as it is while what
    /// was deleted by its key goes for good.
    fn remember_where(&self) -> Result<(), CleanError> {
        let (log, dir, until) = (&self.taken.entry.log, self.taken.dir, self.rewritten_to());
        let synced = if log.marks().recovery_point < until { log.sync().map(drop) } else { Ok(()) };
        if log.has_left()
            || dir.is_written_stable(log, until) && dir.is_start_written(log, self.range.log_start)
        {
            return Ok(());
        }
        synced.map_err(CleanError::at(log.dir()))?;
        dir.write_checkpoints().map(drop).map_err(CleanError::at(&dir.path))
    }

    /// Where the last segment ends that is written anew. Behind the range there may be holes in it as well: where
    /// aborted transactions were that ended there.
    fn rewritten_to(&self) -> i64 {
        let until = self.range.until;
        let segments = self.taken.entry.log.segments.load();
        let last = segments.iter().rfind(|segment| segment.base_offset < until);
        last.map_or(until, |last| last.end().next_offset.max(until))
    }

    /// In a log that was compacted.
    fn remember_that(&self) -> Result<(), CleanError> {
        let (log, dir) = (&self.taken.entry.log, self.taken.dir);
        {
            let mut cleaning = dir.cleaning.lock();
            if log.has_left() || cleaning.was_cleaned(log.topic(), log.partition()) {
                return Ok(());
            }
            cleaning.offsets.set(log.topic(), log.partition(), self.range.first_dirty);
        }
        let written = dir.write_clean_offsets();
        written.map_err(CleanError::at(dir.path.join(CLEANER_FILE))).inspect_err(|_| {
            dir.cleaning.lock().offsets.remove(log.topic(), log.partition());
        })
    }
}

impl Drop for Dirty<'_> {
    fn drop(&mut self) {
        if !self.attempted {
            let entry = Arc::clone(&self.taken.entry);
            self.taken.dir.cleaning.lock().due.put_back(self.range.ratio(), entry);
        }
    }
}
