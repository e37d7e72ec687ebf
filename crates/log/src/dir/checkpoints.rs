//! The three offset checkpoints of a directory.
//!
//! `log-start-offset-checkpoint` names a log only where its start is not that of the first segment on the disk, as in
//! Kafka: the file names say the rest. Segments that could not be removed yet are on the disk.
//!
//! A log start that is written lies in what is stable, where Kafka's may lie past it: a power cut would leave a log
//! that ends before it begins, and such a one begins anew, without its producers and their open transactions.

use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::{HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{Disk, OffsetCheckpoint};

use super::errors::LogDirError;
use super::notice::Notice;
use super::sums::Sums;
use super::table::{Entry, Table};
use super::{LogDir, parallel};
use crate::Marks;
use crate::log::Log;

/// What the three files hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Checkpoints {
    /// The file of the recovery points was there, and legible.
    pub(super) legible: bool,
    pub(super) recovery: OffsetCheckpoint,
    /// A checksum says that the recovery points are those that were written.
    pub(super) recovery_is_certain: bool,
    pub(super) log_start: OffsetCheckpoint,
    /// A checksum says that the starts are those that were written.
    pub(super) starts_are_certain: bool,
    pub(super) high_watermark: OffsetCheckpoint,
    /// A checksum says that the high watermarks are those that were written.
    pub(super) watermarks_are_certain: bool,
}

/// What the files hold for certain; `None` for one of which nobody knows: it was damaged, or is being written, or that
/// failed half-way. It has to be written whatever it shall say.
#[derive(Debug)]
pub(super) struct Written([Option<OffsetCheckpoint>; 3]);

impl Written {
    /// Whether anything is said of one partition, for all that is known.
    pub(super) fn mention(&self, topic: &str, partition: i32) -> bool {
        self.0.iter().flatten().any(|checkpoint| checkpoint.get(topic, partition).is_some())
    }

    /// Whether anything may be said of one partition.
    pub(super) fn may_mention(&self, topic: &str, partition: i32) -> bool {
        let says = |checkpoint: &OffsetCheckpoint| checkpoint.get(topic, partition).is_some();
        self.0.iter().any(|checkpoint| checkpoint.as_ref().is_none_or(says))
    }

    fn log_start(&self, topic: &str, partition: i32) -> Option<i64> {
        self.0.get(1)?.as_ref()?.get(topic, partition)
    }

    fn recovery_point(&self, topic: &str, partition: i32) -> Option<i64> {
        self.0.first()?.as_ref()?.get(topic, partition)
    }
}

/// Whether the checkpoints that an orderly stop left say of a partition that it was closed by it.
pub(crate) fn says_closed(recovery_point: Option<i64>, high_watermark: Option<i64>) -> bool {
    recovery_point.zip(high_watermark).is_some_and(|(point, watermark)| point >= watermark)
}

/// Whether the file of the recovery points in `dir` was there and held something legible, be it that no log has one yet.
/// `read`: what was read of it.
fn is_legible(disk: &dyn Disk, dir: &Path, read: Option<&OffsetCheckpoint>) -> io::Result<bool> {
    Ok(read.is_some() && says_something(disk, &dir.join(RECOVERY_POINT_FILE))?)
}

impl Checkpoints {
    /// Reads all three. A damaged one counts as empty and is noted.
    pub(super) fn read(
        disk: &dyn Disk,
        dir: &Path,
        sums: &mut Sums,
        notices: &mut Vec<Notice>,
    ) -> Result<(Self, Written), LogDirError> {
        let mut read = |file| sums.checkpoint(disk, dir, file, notices);
        let (recovery, log_start, high_watermark) =
            (read(RECOVERY_POINT_FILE)?, read(LOG_START_FILE)?, read(HIGH_WATERMARK_FILE)?);
        let legible = is_legible(disk, dir, recovery.content.as_ref()).map_err(LogDirError::at(dir))?;
        let checkpoints = Self {
            legible,
            recovery: recovery.content.clone().unwrap_or_default(),
            recovery_is_certain: recovery.certain,
            log_start: log_start.content.clone().unwrap_or_default(),
            starts_are_certain: log_start.certain,
            high_watermark: high_watermark.content.clone().unwrap_or_default(),
            watermarks_are_certain: high_watermark.certain,
        };
        Ok((checkpoints, Written([recovery.content, log_start.content, high_watermark.content])))
    }

    /// Takes over what `from` says of one partition, except its high watermark unless it was `closed` in order: without
    /// one it does not count as such at the next start. Without a recovery point it does not either, and the high watermark
    /// is a witness then.
    pub(super) fn carry(&mut self, from: &Self, topic: &str, partition: i32, closed: bool) {
        let keeps_watermark = closed || !from.know(topic, partition);
        let pairs = [
            (&mut self.recovery, Some(&from.recovery)),
            (&mut self.log_start, Some(&from.log_start)),
            (&mut self.high_watermark, keeps_watermark.then_some(&from.high_watermark)),
        ];
        for (to, from) in pairs {
            if let Some(offset) = from.and_then(|from| from.get(topic, partition)) {
                to.set(topic, partition, offset);
            }
        }
    }

    /// [`carry`](Self::carry) of a partition that is gone, after a `clean` stop or not. That it had records is said in
    /// any case.
    pub(super) fn carry_gone(&mut self, from: &Self, topic: &str, partition: i32, clean: bool) {
        self.carry(from, topic, partition, clean);
        let end = from.known_end(topic, partition);
        if end > 0 && self.known_end(topic, partition) == 0 {
            self.high_watermark.set(topic, partition, end);
        }
    }

    /// Drops what is said of one partition.
    pub(super) fn forget(&mut self, topic: &str, partition: i32) {
        for checkpoint in [&mut self.recovery, &mut self.log_start, &mut self.high_watermark] {
            checkpoint.remove(topic, partition);
        }
    }

    /// Whether a partition was closed in order, if the last stop was: then both files name it, and all of it is stable.
    pub(super) fn name_as_closed(&self, topic: &str, partition: i32) -> bool {
        says_closed(self.recovery.get(topic, partition), self.high_watermark.get(topic, partition))
    }

    /// Whether it is known up to where a partition was synced. One that is made is named before it takes a record, and one of
    /// which that is not known is not named until it is stable: what is not named came from elsewhere, or could not be opened.
    pub(super) fn know(&self, topic: &str, partition: i32) -> bool {
        self.recovery.get(topic, partition).is_some()
    }

    /// The offset the partition had reached for certain.
    pub(super) fn known_end(&self, topic: &str, partition: i32) -> i64 {
        self.recovery.get(topic, partition).max(self.high_watermark.get(topic, partition)).unwrap_or(0)
    }

    fn of(table: &Table, carried: &Self) -> Self {
        let mut checkpoints = carried.clone();
        for entry in table.entries() {
            let (topic, partition, marks) = (entry.log.topic(), entry.log.partition(), entry.log.marks());
            if !entry.log.is_unknown() {
                checkpoints.recovery.set(topic, partition, entry.log.evident_point(marks.recovery_point));
            }
            checkpoints.high_watermark.set(topic, partition, marks.high_watermark);
            let log_start = certain_start(&entry.log, marks);
            if log_start > 0 && log_start > entry.log.oldest_on_disk() {
                checkpoints.log_start.set(topic, partition, log_start);
            }
        }
        checkpoints
    }
}

impl LogDir {
    /// Whether the checkpoint on the disk says that everything of `log` below `offset` is stable.
    pub(super) fn is_written_stable(&self, log: &Log, offset: i64) -> bool {
        self.written.lock().recovery_point(log.topic(), log.partition()).is_some_and(|point| point >= offset)
    }

    /// Whether what is on the disk says that `log` does not begin below `start`.
    pub(super) fn is_start_written(&self, log: &Log, start: i64) -> bool {
        let written = self.written.lock().log_start(log.topic(), log.partition());
        start <= log.oldest_on_disk() || written.is_some_and(|written| written >= start)
    }

    /// Writes the checkpoints that changed since they were last written; answers how many files that were.
    ///
    /// Called every `log.flush.offset.checkpoint.interval.ms` or so, and after DeleteRecords where its effect must
    /// survive a kill: until then only memory knows the new log start. Syncs logs that start past what is stable. A
    /// sick disk takes the directory offline; on a full one the next call tries again.
    pub fn write_checkpoints(&self) -> io::Result<usize> {
        let starts_are_stable = self.sync_to_starts();
        self.make_evident(self.entries());
        let mut written = self.written.lock();
        let Checkpoints { recovery, log_start, high_watermark, .. } =
            Checkpoints::of(&self.table.read(), &self.carried.lock());
        let current = [
            (RECOVERY_POINT_FILE, recovery),
            (LOG_START_FILE, log_start),
            (HIGH_WATERMARK_FILE, high_watermark),
        ];
        let mut changed = Vec::new();
        for ((file, now), before) in current.iter().zip(&mut written.0) {
            if before.as_ref() != Some(now) {
                // Should one of them fail, some have landed.
                *before = None;
                changed.push((*file, now));
            }
        }
        let files = changed.len();
        self.write_summed(&changed)?;
        written.0 = current.map(|(_, now)| Some(now));
        if files > 0 {
            for entry in self.table.read().entries() {
                let point = written.recovery_point(entry.log.topic(), entry.log.partition());
                entry.log.checkpointed(point);
            }
        }
        self.forget_noted();
        self.note_written();
        starts_are_stable.map(|()| files)
    }

    /// Whether a log has no name in the checkpoints yet, and waits for it; or has stable records in the segment that it writes to,
    /// and no checkpoint says that of any of them: were the segment lost, or a batch of it damaged, and the process killed, nobody
    /// would know that they had been stable. So after the first sync of a log, and after the first behind each new segment, a
    /// checkpoint is due.
    pub fn has_unnoted(&self) -> bool {
        !self.unnoted.is_empty()
    }

    /// Writes down up to where [those logs](Self::has_unnoted) are stable, and nothing else: no other log is looked at. An error is
    /// that of [`write_checkpoints`](Self::write_checkpoints).
    pub fn note_stable(&self) -> io::Result<()> {
        let mut due: Vec<_> =
            self.unnoted.names().iter().filter_map(|(topic, at)| self.entry(topic, *at)).collect();
        due.retain(|entry| entry.log.is_unnoted());
        self.note_points(due)
    }

    /// Has these logs [wait](Log::is_unnamed) for their names, where no checkpoint has them: of one that none names nobody knows
    /// what was stable, and of one that is compacted which holes are losses. Nothing is appended to them before.
    pub(super) fn await_names<'e>(&self, entries: impl IntoIterator<Item = &'e Arc<Entry>>) {
        let unnamed = entries.into_iter().filter(|entry| !entry.log.is_unknown() && self.is_unnamed(entry));
        unnamed.for_each(|entry| entry.log.await_name());
    }

    /// Names all logs that wait for that, in one write. Should it fail, they go on waiting, and the next note or checkpoint names
    /// them.
    pub fn name_made(&self) -> io::Result<()> {
        let mut due: Vec<_> =
            self.unnoted.names().iter().filter_map(|(topic, at)| self.entry(topic, *at)).collect();
        due.retain(|entry| entry.log.is_unnamed() && entry.log.is_unnoted());
        if due.is_empty() { Ok(()) } else { self.note_points(due) }
    }

    fn note_points(&self, mut due: Vec<Arc<Entry>>) -> io::Result<()> {
        self.make_evident(due.clone());
        let mut written = self.written.lock();
        // Should it fail, nobody knows what has landed.
        let Some(mut recovery) = written.0.first_mut().and_then(Option::take) else {
            drop(written);
            return self.write_checkpoints().map(drop);
        };
        // One that was deleted meanwhile must not be named again.
        due.retain(|entry| self.is_open(entry) && !entry.log.is_unknown());
        let point = |log: &Log| log.evident_point(log.marks().recovery_point);
        let points: Vec<_> = due.iter().map(|entry| point(&entry.log)).collect();
        for (entry, point) in due.iter().zip(&points) {
            recovery.set(entry.log.topic(), entry.log.partition(), *point);
        }
        if !due.is_empty() {
            self.write_summed(&[(RECOVERY_POINT_FILE, &recovery)])?;
        }
        if let Some(first) = written.0.first_mut() {
            *first = Some(recovery);
        }
        for (entry, point) in due.iter().zip(points) {
            entry.log.checkpointed(Some(point));
        }
        self.forget_noted();
        Ok(())
    }

    fn is_open(&self, entry: &Arc<Entry>) -> bool {
        let open = self.entry(entry.log.topic(), entry.log.partition());
        open.is_some_and(|open| Arc::ptr_eq(&open, entry))
    }

    fn forget_noted(&self) {
        self.unnoted.keep(|topic, partition| self.get(topic, partition).is_some_and(|log| log.is_unnoted()));
    }

    /// Makes sure that the checkpoints name all logs before anything is appended to them: whoever made one may have died before it
    /// wrote that. What cannot be written now is tried again every second.
    pub(super) fn name_all(&self) {
        let mut young = self.entries();
        young.retain(|entry| self.is_unnamed(entry) && !entry.log.is_unknown());
        self.await_names(&young);
        for entry in &young {
            entry.log.tell_unnoted();
        }
        parallel::map(&young, self.threads, |entry| entry.round(Log::sync));
        let _ = self.name_made();
    }

    /// Whether no checkpoint says yet up to where a log is stable.
    pub(super) fn is_unnamed(&self, entry: &Entry) -> bool {
        self.written.lock().recovery_point(entry.log.topic(), entry.log.partition()).is_none()
    }

    /// Makes logs stable up to their starts. The first error that leaves its log online is answered after all were
    /// tried.
    fn sync_to_starts(&self) -> io::Result<()> {
        let mut due = self.entries();
        due.retain(|entry| starts_unstable(entry.log.marks()) && entry.log.offline().is_none());
        let answers = parallel::map(&due, self.threads, |entry| entry.round(Log::sync));
        let failed = |(entry, answer): (&Arc<Entry>, Option<io::Result<i64>>)| {
            answer?.err().filter(|_| entry.log.offline().is_none())
        };
        due.iter().zip(answers).find_map(failed).map_or(Ok(()), Err)
    }

    /// Makes the index entries of all that is stable in these logs as stable. Of most logs there are no new ones, which costs nothing.
    fn make_evident(&self, mut due: Vec<Arc<Entry>>) {
        due.retain(|entry| !entry.log.note_evident());
        parallel::map(&due, self.threads, |entry| entry.round(Log::make_evident));
    }

    /// Writes checkpoints with their checksums. An error is noted.
    pub(super) fn write_summed(&self, checkpoints: &[(&'static str, &OffsetCheckpoint)]) -> io::Result<()> {
        let mut sums = self.sums.lock();
        self.may_change()?;
        sums.write(&*self.disk, &self.path, checkpoints).map_err(|(path, error)| {
            self.note(&path, &error);
            error
        })
    }
}

fn starts_unstable(marks: Marks) -> bool {
    marks.log_start > marks.recovery_point
}

/// The log start to be written: one that moved past what is stable a moment ago has to wait. Of a log that is offline
/// nothing becomes stable any more; what was deleted stays deleted even so.
fn certain_start(log: &Log, marks: Marks) -> i64 {
    if starts_unstable(marks) && log.offline().is_none() { marks.recovery_point } else { marks.log_start }
}

/// Whether there is such a file, and not an empty one.
fn says_something(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    match disk.file_len(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        len => Ok(len? > 0),
    }
}
