//! The rounds over all logs that somebody with a clock calls: retention, syncs for time's sake.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::table::Entry;
use super::{LogDir, parallel};
use crate::{AppendError, Log, Marks, Removed};

/// What a retention round did.
#[derive(Debug, Default)]
pub struct RetainedAll {
    /// Segments that were closed because of their age.
    pub rolled: usize,
    /// Segments removed.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// From which logs they were, and why.
    pub removed: Vec<(Arc<Log>, Removed)>,
    /// Logs that could not do it, by directory, each once until it can again.
    pub failed: Vec<(PathBuf, AppendError)>,
}

/// What a flush round did.
#[derive(Debug, Default)]
pub struct Flushed {
    /// Logs synced.
    pub logs: usize,
    /// Logs whose sync failed, by directory. They are offline, unless the sync could not even begin.
    pub failed: Vec<(PathBuf, io::Error)>,
}

impl LogDir {
    /// One retention round (`log.retention.check.interval.ms`): closes segments that are old enough, removes those
    /// that retention no longer covers, and gives back what idle logs have reserved ahead. Does nothing while the directory is
    /// offline.
    pub fn retain(&self, now_ms: i64) -> RetainedAll {
        let mut all = RetainedAll::default();
        if self.is_sick() {
            return all;
        }
        for entry in self.entries() {
            let Some(retained) = entry.round(|log| retain_one(log, now_ms, &mut all)) else { continue };
            let is_news = entry.note_retention(retained.is_err());
            match retained {
                Ok(removed) => {
                    all.removed.extend(removed.into_iter().map(|removed| (Arc::clone(&entry.log), removed)));
                }
                // Alone, and that was said.
                Err(AppendError::Offline(_)) => {}
                Err(error) if is_news => all.failed.push((entry.log.dir().to_path_buf(), error)),
                Err(_) => {}
            }
        }
        all
    }

    /// Forgets producers that were silent for too long (`producer.id.expiration.check.interval.ms`); how many.
    pub fn expire_producers(&self, now_ms: i64) -> usize {
        self.entries().iter().filter_map(|entry| entry.round(|log| log.expire_producers(now_ms))).sum()
    }

    /// One flush round (every second or so where a topic has `flush.ms`, and before each checkpoint): syncs the logs
    /// whose `flush.ms` has passed with unsynced records, and those that closed a segment since their last sync, so
    /// that recovery after a crash never reads closed segments.
    pub fn flush_due(&self, now_ms: i64) -> Flushed {
        if self.offline().is_some() {
            return Flushed::default();
        }
        let mut due = self.entries();
        due.retain(|entry| is_due(entry, now_ms));
        self.sync_all(&due, now_ms)
    }

    /// More files are open than [`Handles`](crate::Handles) allow: run [`close_files`](Self::close_files).
    pub fn has_too_many_files(&self) -> bool {
        self.handles.is_exceeded()
    }

    /// Syncs all that is not synced, because only then can its files be closed, and closes what is over the budget.
    pub fn close_files(&self, now_ms: i64) -> Flushed {
        let mut unsynced = self.entries();
        unsynced.retain(|entry| {
            let marks = entry.log.marks();
            marks.recovery_point < marks.log_end && entry.log.offline().is_none()
        });
        let flushed =
            if self.offline().is_some() { Flushed::default() } else { self.sync_all(&unsynced, now_ms) };
        self.handles.shrink();
        flushed
    }

    fn sync_all(&self, due: &[Arc<Entry>], now_ms: i64) -> Flushed {
        let mut flushed = Flushed::default();
        let answers = parallel::map(due, self.threads, |entry| entry.round(Log::sync));
        for (entry, answer) in due.iter().zip(answers) {
            match answer {
                Some(Ok(_)) => {
                    entry.note_flush(now_ms);
                    flushed.logs += 1;
                }
                Some(Err(error)) => flushed.failed.push((entry.log.dir().to_path_buf(), error)),
                None => {}
            }
        }
        flushed
    }
}

/// A segment that cannot be closed keeps none from being removed: on a full disk that is what makes room.
fn retain_one(log: &Log, now_ms: i64, all: &mut RetainedAll) -> Result<Vec<Removed>, AppendError> {
    let rolled = if log.offline().is_some() { Ok(false) } else { log.roll_if_due(now_ms) };
    if log.offline().is_none()
        && let Err(error) = log.give_back_idle()
    {
        tracing::debug!(dir = %log.dir().display(), %error, "reserved blocks stay");
    }
    let retained = log.apply_retention(now_ms)?;
    all.segments += retained.segments;
    all.bytes += retained.bytes;
    all.rolled += usize::from(rolled?);
    Ok(retained.removed)
}

fn is_due(entry: &Entry, now_ms: i64) -> bool {
    if entry.log.offline().is_some() {
        // Alone, after a sync of it failed: nothing of it becomes stable any more, and that was said.
        return false;
    }
    let marks = entry.log.marks();
    if marks.recovery_point >= marks.log_end {
        return false;
    }
    time_is_up(entry.flush_ms(), entry.flushed_ms(), now_ms) || {
        let active_base = entry.log.segments().last().map_or(0, |segment| segment.base_offset);
        closed_unsynced(&marks, active_base)
    }
}

fn time_is_up(flush_ms: i64, flushed_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(flushed_ms) >= flush_ms
}

fn closed_unsynced(marks: &Marks, active_base: i64) -> bool {
    marks.recovery_point < active_base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flush_ms_counts_from_the_last_flush() {
        assert!(!time_is_up(100, 1_000, 1_099));
        assert!(time_is_up(100, 1_000, 1_100));
        assert!(!time_is_up(i64::MAX, 0, 1 << 60), "never");
        assert!(!time_is_up(100, 1_000, 0), "a clock that goes back");
    }

    #[test]
    fn a_closed_segment_is_synced_soon() {
        let marks = |recovery_point| Marks {
            log_start: 0,
            last_stable: 9,
            high_watermark: 9,
            log_end: 9,
            recovery_point,
        };
        assert!(closed_unsynced(&marks(4), 5));
        assert!(!closed_unsynced(&marks(5), 5));
    }
}
