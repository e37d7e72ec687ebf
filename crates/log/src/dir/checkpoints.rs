//! The three offset checkpoints of a directory.
//!
//! `log-start-offset-checkpoint` names a log only where its start is not that of the first segment on the disk, as in
//! Kafka: the file names say the rest. Segments that could not be removed yet are on the disk.

use std::io;
use std::path::Path;

use pagewire_disk::checkpoint::{HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{CheckpointError, Damage, Disk, OffsetCheckpoint};

use super::LogDir;
use super::errors::{LogDirError, usable};
use super::notice::Notice;
use super::table::Table;
use crate::log::Log;

/// What the three files hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Checkpoints {
    /// The file of the recovery points was there, and legible.
    pub(super) legible: bool,
    pub(super) recovery: OffsetCheckpoint,
    pub(super) log_start: OffsetCheckpoint,
    pub(super) high_watermark: OffsetCheckpoint,
}

/// What the files hold for certain; `None` for one that was damaged and has to be written whatever it shall say.
#[derive(Debug)]
pub(super) struct Written([Option<OffsetCheckpoint>; 3]);

impl Written {
    /// Whether anything is said of one partition.
    pub(super) fn mention(&self, topic: &str, partition: i32) -> bool {
        self.0.iter().flatten().any(|checkpoint| checkpoint.get(topic, partition).is_some())
    }

    fn recovery_point(&self, topic: &str, partition: i32) -> Option<i64> {
        self.0.first()?.as_ref()?.get(topic, partition)
    }
}

impl Checkpoints {
    /// Reads all three. A damaged one counts as empty and is noted.
    pub(super) fn read(
        disk: &dyn Disk,
        dir: &Path,
        notices: &mut Vec<Notice>,
    ) -> Result<(Self, Written), LogDirError> {
        let mut legible = false;
        let mut read = |file: &str| -> Result<Option<OffsetCheckpoint>, LogDirError> {
            match usable(OffsetCheckpoint::read(disk, &dir.join(file)))? {
                Ok(checkpoint) => {
                    legible |= file == RECOVERY_POINT_FILE && checkpoint.is_some();
                    Ok(Some(checkpoint.unwrap_or_default()))
                }
                // Kafka makes its checkpoints empty and fills them later.
                Err(CheckpointError::Damaged { damage: Damage::Empty, .. }) => {
                    Ok(Some(OffsetCheckpoint::new()))
                }
                Err(damage) => {
                    notices.push(Notice::Damaged(damage));
                    Ok(None)
                }
            }
        };
        let (recovery, log_start, high_watermark) =
            (read(RECOVERY_POINT_FILE)?, read(LOG_START_FILE)?, read(HIGH_WATERMARK_FILE)?);
        let checkpoints = Self {
            legible,
            recovery: recovery.clone().unwrap_or_default(),
            log_start: log_start.clone().unwrap_or_default(),
            high_watermark: high_watermark.clone().unwrap_or_default(),
        };
        Ok((checkpoints, Written([recovery, log_start, high_watermark])))
    }

    /// Takes over what `from` says of one partition, except its high watermark unless it was `closed` in order: without
    /// one it does not count as such at the next start.
    pub(super) fn carry(&mut self, from: &Self, topic: &str, partition: i32, closed: bool) {
        let pairs = [
            (&mut self.recovery, Some(&from.recovery)),
            (&mut self.log_start, Some(&from.log_start)),
            (&mut self.high_watermark, closed.then_some(&from.high_watermark)),
        ];
        for (to, from) in pairs {
            if let Some(offset) = from.and_then(|from| from.get(topic, partition)) {
                to.set(topic, partition, offset);
            }
        }
    }

    /// Drops what is said of one partition.
    pub(super) fn forget(&mut self, topic: &str, partition: i32) {
        for checkpoint in [&mut self.recovery, &mut self.log_start, &mut self.high_watermark] {
            checkpoint.remove(topic, partition);
        }
    }

    /// Whether a partition was closed in order, if the last stop was: then both files name it.
    pub(super) fn name_as_closed(&self, topic: &str, partition: i32) -> bool {
        self.recovery.get(topic, partition).is_some() && self.high_watermark.get(topic, partition).is_some()
    }

    /// Whether it is known up to where a partition was synced. A start that follows no orderly stop finds young partitions
    /// that no checkpoint names yet; after an orderly stop one that is not named came from elsewhere.
    pub(super) fn know(&self, topic: &str, partition: i32, clean: bool) -> bool {
        self.recovery.get(topic, partition).is_some() || self.legible && !clean
    }

    /// The offset the partition had reached for certain.
    pub(super) fn known_end(&self, topic: &str, partition: i32) -> i64 {
        self.recovery.get(topic, partition).max(self.high_watermark.get(topic, partition)).unwrap_or(0)
    }

    fn of(table: &Table, carried: &Self) -> Self {
        let mut checkpoints = carried.clone();
        for entry in table.entries() {
            let (topic, partition, marks) = (entry.log.topic(), entry.log.partition(), entry.log.marks());
            checkpoints.recovery.set(topic, partition, marks.recovery_point);
            checkpoints.high_watermark.set(topic, partition, marks.high_watermark);
            if marks.log_start > 0 && marks.log_start > entry.log.oldest_on_disk() {
                checkpoints.log_start.set(topic, partition, marks.log_start);
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

    /// Writes the checkpoints that changed since they were last written; answers how many files that were.
    ///
    /// Called every `log.flush.offset.checkpoint.interval.ms` or so, and after DeleteRecords where its effect must
    /// survive a kill: until then only memory knows the new log start. A sick disk takes the directory offline; on a full
    /// one the next call tries again.
    pub fn write_checkpoints(&self) -> io::Result<usize> {
        let mut written = self.written.lock();
        let Checkpoints { recovery, log_start, high_watermark, .. } =
            Checkpoints::of(&self.table.read(), &self.carried.lock());
        let current = [
            (RECOVERY_POINT_FILE, recovery),
            (LOG_START_FILE, log_start),
            (HIGH_WATERMARK_FILE, high_watermark),
        ];
        let mut files = 0;
        for ((file, now), before) in current.into_iter().zip(&mut written.0) {
            if before.as_ref() == Some(&now) {
                continue;
            }
            let path = self.path.join(file);
            now.write(&*self.disk, &path).inspect_err(|error| self.note(&path, error))?;
            *before = Some(now);
            files += 1;
        }
        self.note_written();
        Ok(files)
    }
}
