//! Looking which logs are due. No lock is held meanwhile: a look may read times from the disk.

use std::sync::Arc;

use super::caught::caught;
use super::dirty::{Dirty, Taken};
use super::trouble::Uncleanable;
use super::{Entry, LogDir, key};
use crate::clean::CleanError;
use crate::clean::cleanable::Cleanable;
use crate::share::Share;

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

impl LogDir {
    /// The log with the largest share of dirty bytes of those that are due, for this caller alone until it is dropped.
    /// `None`: nothing is due, or the directory takes no writes.
    ///
    /// All logs are looked at once for as many calls as that finds logs for, and again after a while.
    pub fn dirtiest(&self, now_ms: i64) -> Option<Dirty<'_>> {
        if self.offline().is_some() {
            return None;
        }
        while let Some(taken) = self.take_due(now_ms, false) {
            if let Some(dirty) = self.still_due(taken, now_ms) {
                return Some(dirty);
            }
        }
        let found = self.look_for_due(now_ms);
        self.cleaning.lock().due.renew(found, now_ms);
        while let Some(taken) = self.take_due(now_ms, true) {
            if let Some(dirty) = self.still_due(taken, now_ms) {
                return Some(dirty);
            }
        }
        self.end_cleaning();
        None
    }

    /// How the cleaning stands. Looks at every compacted log.
    pub fn cleaning(&self, now_ms: i64) -> CleaningReport {
        let mut report =
            CleaningReport { busy: self.cleaning.lock().busy.len(), ..CleaningReport::default() };
        for entry in &self.compacted() {
            let range = self.range_of(entry, now_ms);
            if let Some(range) = range {
                report.max_dirty =
                    if range.ratio() > report.max_dirty { range.ratio() } else { report.max_dirty };
                report.max_overdue_ms = report.max_overdue_ms.max(range.overdue_ms);
            }
            let (key, config, cleaning) = (key(entry), entry.log.config(), self.cleaning.lock());
            if let Some(trouble) =
                cleaning.troubles.get(&key).filter(|trouble| trouble.holds(&config, now_ms))
            {
                report.uncleanable_bytes += entry.log.size_bytes();
                report.uncleanable.push(trouble.describe(&key));
            } else if !cleaning.busy.contains(&key) && range.is_some_and(|range| range.is_due(&config)) {
                report.due += 1;
            }
        }
        report
    }

    /// The next one that waits, for this caller alone. `however_old`: the look may have been long ago.
    fn take_due(&self, now_ms: i64, however_old: bool) -> Option<Taken<'_>> {
        let mut cleaning = self.cleaning.lock();
        loop {
            let entry = if however_old { cleaning.due.take() } else { cleaning.due.next(now_ms) }?;
            if !entry.log.has_left() && !cleaning.is_kept_from(&entry, now_ms) {
                cleaning.busy.insert(key(&entry));
                return Some(Taken { dir: self, entry });
            }
        }
    }

    /// It may have been cleaned since the look, or have got other settings.
    fn still_due<'d>(&'d self, taken: Taken<'d>, now_ms: i64) -> Option<Dirty<'d>> {
        let config = taken.entry.log.config();
        let range = self.range_of(&taken.entry, now_ms)?;
        (config.cleanup_compact && range.is_due(&config)).then(|| Dirty::new(taken, range))
    }

    fn look_for_due(&self, now_ms: i64) -> Vec<(Share, Arc<Entry>)> {
        let mut due = Vec::new();
        for entry in self.compacted() {
            if self.cleaning.lock().is_kept_from(&entry, now_ms) {
                continue;
            }
            let Some(range) = self.range_of(&entry, now_ms) else { continue };
            if range.is_due(&entry.log.config()) {
                due.push((range.ratio(), entry));
            }
        }
        due
    }

    fn compacted(&self) -> Vec<Arc<Entry>> {
        let mut entries = self.entries();
        entries.retain(|entry| entry.log.config.load().cleanup_compact && entry.log.has_closed_segments());
        entries
    }

    /// What can be cleaned of a log. A checkpoint that cannot be its is started over, with a word. A log that cannot be
    /// looked at now is put off, and that is said.
    fn range_of(&self, entry: &Entry, now_ms: i64) -> Option<Cleanable> {
        let log = &entry.log;
        let checkpoint = self.cleaning.lock().offsets.get(log.topic(), log.partition());
        let looked = caught(|| log.cleanable(checkpoint, now_ms).map_err(CleanError::reading(log.dir())));
        let mut cleaning = self.cleaning.lock();
        let range = match looked {
            Ok(range) => range,
            // Whatever failed then, failed because of that.
            Err(_) if log.has_left() => return None,
            Err(error) => {
                if !cleaning.is_kept_from(entry, now_ms) {
                    cleaning.note_trouble(key(entry), &error, log.config(), now_ms);
                }
                return None;
            }
        };
        let now = cleaning.offsets.get(log.topic(), log.partition());
        if checkpoint.is_some_and(|checkpoint| checkpoint != range.first_dirty) && checkpoint == now {
            let (at, start) = (checkpoint.unwrap_or_default(), range.first_dirty);
            // Retention and DeleteRecords move the start of a log past what was cleaned: until that is for good what lies below is
            // not to count as clean. Nothing moves its end before that.
            if at > start {
                tracing::warn!(dir = %log.dir().display(), at, start, "clean up to an offset outside of the log: started over");
                cleaning.offsets.set(log.topic(), log.partition(), start);
            }
        }
        Some(range)
    }
}
