//! Taking away the files of segments that nobody reads any more: renamed for good, unlinked after `file.delete.delay.ms`.

use std::collections::VecDeque;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use crate::log::Log;
use crate::retention::doomed::Unlink;
use crate::segment::names;

/// What of a segment is renamed in one step, for good before the next. Its offset index goes before its records: alone it would
/// say that they are lost. The rest goes after them: a log without its index of aborted transactions would have to be replayed.
/// A reader may have made an index anew meanwhile.
const STEPS: [&[&str]; 3] =
    [&[names::INDEX], &[names::LOG], &[names::INDEX, names::TIME_INDEX, names::TXN_INDEX, names::SNAPSHOT]];

impl Log {
    /// Renames the doomed segments, oldest first and the records of each for good before those of the next, so that a crash leaves
    /// a log without holes.
    ///
    /// ```text
    ///   index 0 | sync | log 0, index 1 | sync | rest of 0, log 1, index 2 | sync | rest of 1, log 2 | sync | rest of 2 | sync
    /// ```
    ///
    /// What says that the log begins behind them comes first. Those that cannot be renamed now stay doomed. So do the others
    /// once somebody waits for the log to end: who deletes a topic does not wait for all of them. The caller holds `placing`.
    pub(crate) fn rename_doomed(&self) -> io::Result<()> {
        let mut going = self.doomed.lock().named().into_iter();
        if going.len() == 0 {
            return Ok(());
        }
        self.cut_epochs_on_disk()?;
        self.keep_producers()?;
        let mut under_way: VecDeque<(i64, &[&[&str]])> = VecDeque::with_capacity(STEPS.len());
        loop {
            let coming = if self.may_shrink().is_ok() { going.next() } else { None };
            under_way.extend(coming.map(|base_offset| (base_offset, &STEPS[..])));
            if under_way.is_empty() {
                return Ok(());
            }
            for (base_offset, steps) in &mut under_way {
                if let Some((step, later)) = steps.split_first() {
                    self.rename_deleted(*base_offset, step)?;
                    *steps = later;
                }
            }
            let synced = self.home.disk.sync_dir(&self.home.dir);
            synced.inspect_err(|error| self.fail(error, "sync of the directory failed"))?;
            if let Some((base_offset, _)) = under_way.pop_front_if(|(_, steps)| steps.is_empty()) {
                self.doomed.lock().renamed(base_offset);
            }
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
                self.sync_snapshots()?;
                let synced = self.home.disk.sync_dir(&self.home.dir);
                return synced.inspect_err(|error| self.fail(error, "sync of the directory failed"));
            }
            if !told(first..=i64::MAX) {
                let log_end = self.marks().log_end;
                self.snapshot_producers(&mut writer, log_end)?;
            }
            self.dir_dirty.store(true, Ordering::Release);
        }
        self.sync()?;
        let told = first..=self.marks().recovery_point;
        if self.writer.lock().snapshots.iter().any(|at| told.contains(at)) {
            return Ok(());
        }
        Err(io::Error::other(
            "no snapshot of the producers is on stable storage: their records are not taken away",
        ))
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
}
