//! Forgetting the oldest segments: decided purely, then done by rename, and by unlink after a while. What fails is tried
//! again with the next round.
//!
//! Ranges that were handed out keep their file; readers with an older list of segments find the name gone and look
//! again. The log start moves first, so no reader skips a hole without noticing.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::answers::Retained;
use crate::config::LogConfig;
use crate::doomed::Unlink;
use crate::errors::{AppendError, DeleteRecordsError};
use crate::log::Log;
use crate::marks::Marks;
use crate::names;
use crate::segment::Segment;
use crate::sick::is_full;
use crate::writer::Writer;

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
    ///
    /// An error, of a segment that cannot be looked at or of a rename, is told after everything else was done.
    pub fn apply_retention(&self, now_ms: i64) -> Result<Retained, AppendError> {
        let mut placing = self.placing.lock();
        self.may_shrink()?;
        self.place(&mut placing).map_err(AppendError::Write)?;
        let config = self.config.load_full();
        let segments = self.segments.load_full();
        let marks = self.marks();
        let (going, looked) = going(&segments, &config, &marks, now_ms);
        let mut retained = Retained::default();
        if going > 0 {
            self.make_stable(segments.get(..going).unwrap_or(&segments))?;
            let due_ms = now_ms.saturating_add(config.file_delete_delay_ms);
            for segment in self.take_oldest(&segments, going, marks.log_end, now_ms, due_ms)? {
                retained.segments += 1;
                retained.bytes += segment.end().size;
            }
            self.write_epochs();
        }
        self.rename_doomed().and(looked).map_err(AppendError::Write)?;
        Ok(Retained { log_start: self.marks().log_start, ..retained })
    }

    /// A segment that is off the list is synced no more, and has its name until it was renamed for good. A power cut that
    /// took its records would leave a hole before those that were synced meanwhile, and the log would end there.
    fn make_stable(&self, going: &[Arc<Segment>]) -> Result<(), AppendError> {
        // Offline, nothing is synced behind them either.
        if self.online().is_err() || !going.iter().any(|segment| segment.is_dirty()) {
            return Ok(());
        }
        match self.sync() {
            // Nothing else makes room.
            Err(error) if !is_full(error.kind()) => Err(AppendError::Write(error)),
            _ => Ok(()),
        }
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
        self.may_shrink()?;
        let mut going = going;
        if going >= seen.len() {
            // Records that came since the decision stay, and so do all where no new segment can be made.
            let rolled = self.marks().log_end == decided_at && self.roll_to_retire(&mut writer, now_ms);
            going = if rolled { going } else { seen.len().saturating_sub(1) };
        }
        let now = self.segments.load_full();
        let going = going.min(now.len().saturating_sub(1));
        let (gone, kept) = now.split_at(going);
        self.move_log_start(kept.first().map_or(0, |first| first.base_offset));
        // Doomed before they leave the list: whoever looks at both misses none.
        self.doomed.lock().add(gone.iter().map(|segment| segment.base_offset), due_ms);
        self.segments.store(Arc::new(kept.to_vec()));
        Ok(gone.to_vec())
    }

    /// Closes the active segment, whose records are all too old; whether it could be done.
    fn roll_to_retire(&self, writer: &mut Writer, now_ms: i64) -> bool {
        let rolled = self.online().map_err(AppendError::from).and_then(|()| self.roll(writer, now_ms));
        if let Err(error) = &rolled {
            tracing::debug!(topic = %self.topic, partition = self.partition, %error, "the active segment stays");
        }
        rolled.is_ok()
    }

    /// Renames the doomed segments, oldest first and each for good before the next, so that a crash leaves a log
    /// without holes; the log before what goes with it, so that a crash leaves no log without its index of aborted
    /// transactions. Those that cannot be renamed now stay doomed. The caller holds `placing`.
    fn rename_doomed(&self) -> io::Result<()> {
        if self.doomed.lock().oldest().is_some() {
            self.keep_producers()?;
        }
        loop {
            let Some(base_offset) = self.doomed.lock().oldest() else { return Ok(()) };
            let (log, rest) = names::OF_A_SEGMENT.split_at(1);
            for files in [log, rest] {
                self.rename_deleted(base_offset, files)?;
                let synced = self.home.disk.sync_dir(&self.home.dir);
                synced.inspect_err(|error| self.fail(error, "sync of the directory failed"))?;
            }
            self.doomed.lock().renamed(base_offset);
        }
    }

    /// What producers wrote in the segments that go, a snapshot has to tell: one at or past their end, which no power cut
    /// takes, neither itself nor the log up to it. Its name is durable too before anything is renamed.
    fn keep_producers(&self) -> io::Result<()> {
        let first = self.segments.load().first().map_or(0, |first| first.base_offset);
        {
            let mut writer = self.writer.lock();
            let stable = self.marks().recovery_point;
            let told = |within: RangeInclusive<i64>| writer.snapshots.iter().any(|at| within.contains(at));
            if writer.producers.len() == 0 || told(first..=stable) {
                drop(writer);
                self.sync_snapshots();
                let synced = self.home.disk.sync_dir(&self.home.dir);
                return synced.inspect_err(|error| self.fail(error, "sync of the directory failed"));
            }
            if !told(first..=i64::MAX) {
                let log_end = self.marks().log_end;
                self.snapshot_producers(&mut writer, log_end)?;
            }
            self.dir_dirty.store(true, Ordering::Release);
        }
        self.sync().map(|_| ())
    }

    /// Renames files of a segment; those that exist.
    pub(crate) fn rename_deleted(&self, base_offset: i64, suffixes: &[&str]) -> io::Result<()> {
        for &suffix in suffixes {
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
        let moved = {
            let _writer = self.writer.lock();
            self.may_shrink()?;
            let high_watermark = self.marks().high_watermark;
            let offset = if offset == -1 { high_watermark } else { offset };
            if offset < 0 || offset > high_watermark {
                return Err(DeleteRecordsError::OffsetOutOfRange { offset, high_watermark });
            }
            self.move_log_start(offset)
        };
        if moved {
            self.write_epochs();
        }
        Ok(self.marks().log_start)
    }

    /// The caller holds the append lock, and [writes the epochs](Self::write_epochs) when it has given it back if they
    /// changed.
    fn move_log_start(&self, offset: i64) -> bool {
        let moved = self.marks.advance(|marks| {
            marks.log_start = marks.log_start.max(offset);
            marks.last_stable = marks.last_stable.max(marks.log_start);
        });
        match moved {
            Ok(marks) => self.epochs.write().truncate_start(marks.log_start),
            Err(error) => {
                self.poison(&io::Error::new(io::ErrorKind::InvalidData, error), "moving the log start");
                false
            }
        }
    }

    /// Writes the epochs as they are now. Opening a log cuts them at its start and its end anyhow, so what cannot be
    /// written on a full disk is not missed.
    fn write_epochs(&self) {
        let _file = self.epoch_file.lock();
        // The directory may have another name by now, and another log in its place.
        if self.is_deleted() {
            return;
        }
        let epochs = self.epochs.read().clone();
        if let Err(error) = epochs.write(&*self.home.disk, &self.home.dir) {
            self.fail(&error, "the leader epochs are not written");
        }
    }
}

/// How many of the oldest segments retention takes, and what kept it from looking at more.
fn going(
    segments: &[Arc<Segment>],
    config: &LogConfig,
    marks: &Marks,
    now_ms: i64,
) -> (usize, io::Result<()>) {
    let candidates: Vec<Candidate> = segments.iter().map(|segment| candidate(segment)).collect();
    let mut going = surplus(&candidates, config, marks);
    for (segment, candidate) in segments.iter().zip(&candidates).skip(going) {
        if candidate.next_offset > limit(marks) || candidate.size == 0 && candidate.active {
            break;
        }
        match segment.newest_ms() {
            Ok(Some(newest)) if is_expired(newest, config, now_ms) => going += 1,
            Ok(_) => break,
            Err(error) => return (going, Err(error)),
        }
    }
    (going, Ok(()))
}

fn candidate(segment: &Segment) -> Candidate {
    let end = segment.end();
    Candidate { next_offset: end.next_offset, size: end.size, active: !segment.is_closed() }
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
