//! Forgetting the oldest segments: decided purely, then done by rename, and by unlink after a while. What fails is tried
//! again with the next round.
//!
//! Ranges that were handed out keep their file; readers with an older list of segments find the name gone and look
//! again. The log start moves first, so no reader skips a hole without noticing.

use std::io;
use std::sync::Arc;

use crate::answers::Retained;
use crate::config::LogConfig;
use crate::doomed::Unlink;
use crate::errors::{AppendError, DeleteRecordsError};
use crate::log::Log;
use crate::marks::Marks;
use crate::names;
use crate::segment::Segment;

/// A segment as the decision sees it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// First offset after it.
    next_offset: i64,
    size: u64,
    active: bool,
}

/// How many of the oldest segments lie below the log start or are too many by size. Never the active one.
fn surplus(candidates: &[Candidate], config: &LogConfig, marks: &Marks) -> usize {
    let closed = |candidate: &Candidate| !candidate.active && candidate.next_offset <= limit(marks);
    let below_start = candidates.iter().take_while(|c| closed(c) && c.next_offset <= marks.log_start).count();
    if !config.cleanup_delete || config.retention_bytes < 0 {
        return below_start;
    }
    let rest = candidates.iter().skip(below_start);
    let total: u64 = rest.clone().map(|candidate| candidate.size).sum();
    let mut excess = total.saturating_sub(config.retention_bytes as u64);
    let too_many = rest.take_while(|candidate| {
        let goes = closed(candidate) && excess >= candidate.size;
        excess = excess.saturating_sub(candidate.size);
        goes
    });
    below_start + too_many.count()
}

/// Whether a segment is too old. One without timestamps is as old as its last change, which the caller gives.
fn is_expired(largest_timestamp: i64, config: &LogConfig, now_ms: i64) -> bool {
    config.cleanup_delete
        && config.retention_ms >= 0
        && now_ms.saturating_sub(largest_timestamp) > config.retention_ms
}

/// Only what nobody may still be waiting for goes.
fn limit(marks: &Marks) -> i64 {
    marks.high_watermark.min(marks.last_stable)
}

impl Log {
    /// Applies `retention.ms`, `retention.bytes` and the log start. Whole segments go, oldest first: renamed to
    /// `.deleted` now, unlinked by [`Log::unlink_due`] later. If even the active one is too old it is closed first.
    pub fn apply_retention(&self, now_ms: i64) -> Result<Retained, AppendError> {
        self.online()?;
        let config = self.config.load_full();
        let segments = self.segments.load_full();
        let marks = self.marks();
        let candidates: Vec<Candidate> = segments.iter().map(|segment| candidate(segment)).collect();
        let mut going = surplus(&candidates, &config, &marks);
        for (segment, candidate) in segments.iter().zip(&candidates).skip(going) {
            if candidate.next_offset > limit(&marks) || candidate.size == 0 && candidate.active {
                break;
            }
            let newest =
                segment.largest_timestamp().map_err(|error| AppendError::Write(io::Error::other(error)))?;
            let newest = newest.filter(|entry| entry.timestamp >= 0).map(|entry| entry.timestamp);
            let Some(newest) = newest.or_else(|| segment.modified_ms()) else { break };
            if !is_expired(newest, &config, now_ms) {
                break;
            }
            going += 1;
        }
        let mut retained = Retained::default();
        if going > 0 {
            let due_ms = now_ms.saturating_add(config.file_delete_delay_ms);
            for segment in self.take_oldest(&segments, going, marks.log_end, now_ms, due_ms)? {
                retained.segments += 1;
                retained.bytes += segment.end().size;
            }
        }
        self.rename_doomed().map_err(AppendError::Write)?;
        Ok(Retained { log_start: self.marks().log_start, ..retained })
    }

    /// Takes the oldest segments off the list and dooms them.
    fn take_oldest(
        &self,
        seen: &[Arc<Segment>],
        going: usize,
        decided_at: i64,
        now_ms: i64,
        due_ms: i64,
    ) -> Result<Vec<Arc<Segment>>, AppendError> {
        let mut writer = self.writer.lock();
        self.online()?;
        let mut going = going;
        if going >= seen.len() {
            // Records that came since the decision stay.
            if self.marks().log_end == decided_at {
                self.roll(&mut writer, now_ms)?;
            } else {
                going = seen.len().saturating_sub(1);
            }
        }
        let now = self.segments.load_full();
        let going = going.min(now.len().saturating_sub(1));
        let (gone, kept) = now.split_at(going);
        let start = kept.first().map_or(0, |first| first.base_offset);
        self.move_log_start(start).map_err(AppendError::Write)?;
        // Doomed before they leave the list: whoever looks at both misses none.
        self.doomed.lock().add(gone.iter().map(|segment| segment.base_offset), due_ms);
        self.segments.store(Arc::new(kept.to_vec()));
        Ok(gone.to_vec())
    }

    /// Renames the doomed segments, oldest first and each for good before the next, so that a crash leaves a log
    /// without holes. Those that cannot be renamed now stay doomed.
    fn rename_doomed(&self) -> io::Result<()> {
        loop {
            let Some(base_offset) = self.doomed.lock().oldest() else { return Ok(()) };
            self.rename_deleted(base_offset)?;
            if let Err(error) = self.home.disk.sync_dir(&self.home.dir) {
                self.fail(error.kind(), &format!("sync of the directory failed: {error}"));
                return Err(error);
            }
            self.doomed.lock().renamed(base_offset);
        }
    }

    /// Renames all files of a segment; those that exist.
    fn rename_deleted(&self, base_offset: i64) -> io::Result<()> {
        for suffix in names::OF_A_SEGMENT {
            if suffix == names::SNAPSHOT && self.writer.lock().snapshots.contains(&base_offset) {
                continue;
            }
            let to = self.home.path(base_offset, &format!("{suffix}{}", names::DELETED));
            match self.home.disk.rename(&self.home.path(base_offset, suffix), &to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The base offset of the oldest segment that a restart might find: one that is doomed but has its name still, or
    /// the first.
    pub(crate) fn oldest_on_disk(&self) -> i64 {
        let first = self.segments.load().first().map_or(0, |first| first.base_offset);
        self.doomed.lock().oldest().map_or(first, |doomed| doomed.min(first))
    }

    /// Unlinks files whose `file.delete.delay.ms` is over; how many. Those that cannot be unlinked are tried again with
    /// the next call.
    pub fn unlink_due(&self, now_ms: i64) -> io::Result<usize> {
        let due = self.doomed.lock().take_due(now_ms);
        let (mut unlinked, mut failed) = (0, None);
        for one in due {
            if let Err(error) = self.unlink(one, &mut unlinked) {
                self.doomed.lock().put_back(one);
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(unlinked), Err)
    }

    fn unlink(&self, due: Unlink, unlinked: &mut usize) -> io::Result<()> {
        for suffix in names::OF_A_SEGMENT {
            let file = self.home.path(due.base_offset, &format!("{suffix}{}", names::DELETED));
            match self.home.disk.remove_file(&file) {
                Ok(()) => *unlinked += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// DeleteRecords: nothing below `offset` can be read any more (-1: nothing at all, up to the high watermark).
    /// Returns the log start. Whole segments below it go with the next [`Log::apply_retention`].
    pub fn delete_records_before(&self, offset: i64) -> Result<i64, DeleteRecordsError> {
        let _writer = self.writer.lock();
        self.online()?;
        let high_watermark = self.marks().high_watermark;
        let offset = if offset == -1 { high_watermark } else { offset };
        if offset < 0 || offset > high_watermark {
            return Err(DeleteRecordsError::OffsetOutOfRange { offset, high_watermark });
        }
        if let Err(error) = self.move_log_start(offset) {
            self.fail(error.kind(), &format!("moving the log start failed: {error}"));
            self.online()?;
        }
        Ok(self.marks().log_start)
    }

    /// The caller holds the append lock.
    fn move_log_start(&self, offset: i64) -> io::Result<()> {
        let moved = self.marks.advance(|marks| {
            marks.log_start = marks.log_start.max(offset);
            marks.last_stable = marks.last_stable.max(marks.log_start);
        });
        let marks = moved.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        // Readers of the epochs do not wait for the disk.
        let mut next = self.epochs.read().clone();
        if next.truncate_start(marks.log_start) {
            next.write(&*self.home.disk, &self.home.dir)?;
            *self.epochs.write() = next;
        }
        Ok(())
    }
}

fn candidate(segment: &Segment) -> Candidate {
    let end = segment.end();
    Candidate { next_offset: end.next_offset, size: end.size, active: !segment.is_closed() }
}

impl Segment {
    /// When the file was last written: the age of records without timestamps.
    fn modified_ms(&self) -> Option<i64> {
        let modified = self.file().ok()?.file().metadata().ok()?.modified().ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(log_start: i64, end: i64) -> Marks {
        Marks { log_start, last_stable: end, high_watermark: end, log_end: end, recovery_point: 0 }
    }

    fn four() -> Vec<Candidate> {
        (1..=4).map(|n| Candidate { next_offset: n * 10, size: 100, active: n == 4 }).collect()
    }

    fn config(retention_bytes: i64) -> LogConfig {
        LogConfig { retention_bytes, retention_ms: 1000, ..LogConfig::default() }
    }

    #[test]
    fn size_retention_keeps_at_least_its_bytes() {
        assert_eq!(surplus(&four(), &config(400), &marks(0, 40)), 0);
        assert_eq!(surplus(&four(), &config(301), &marks(0, 40)), 0);
        assert_eq!(surplus(&four(), &config(300), &marks(0, 40)), 1);
        assert_eq!(surplus(&four(), &config(150), &marks(0, 40)), 2);
        assert_eq!(surplus(&four(), &config(0), &marks(0, 40)), 3, "never the active one");
        assert_eq!(surplus(&four(), &config(-1), &marks(0, 40)), 0);
    }

    #[test]
    fn segments_below_the_log_start_go_whatever_the_policy() {
        let compacted = LogConfig { cleanup_delete: false, ..config(0) };
        assert_eq!(surplus(&four(), &compacted, &marks(19, 40)), 1);
        assert_eq!(surplus(&four(), &compacted, &marks(20, 40)), 2);
        assert_eq!(surplus(&four(), &compacted, &marks(40, 40)), 3);
    }

    #[test]
    fn nothing_above_the_last_stable_offset_goes() {
        let open = Marks { last_stable: 15, ..marks(0, 40) };
        assert_eq!(surplus(&four(), &config(0), &open), 1);
    }

    #[test]
    fn a_segment_is_too_old_when_its_newest_record_is() {
        assert!(!is_expired(5000, &config(-1), 6000));
        assert!(is_expired(5000, &config(-1), 6001));
        assert!(!is_expired(9000, &config(-1), 6001), "from the future");
        assert!(!is_expired(0, &LogConfig { retention_ms: -1, ..config(-1) }, i64::MAX));
        assert!(!is_expired(0, &LogConfig { cleanup_delete: false, ..config(-1) }, i64::MAX));
    }
}
