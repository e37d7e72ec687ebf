//! What an orderly stop vouches for that no other file shows: the indexes of aborted transactions.
//!
//! A segment without aborted transactions has no such file, so a lost one looks like none. An orderly stop therefore
//! leaves, in the format of the other checkpoints, a checksum for each log that has any; where it does not agree the
//! transactions are replayed from the log. Kafka does not know this file, and does without.

use std::io;
use std::path::Path;

use pagewire_disk::{CheckpointError, Disk, OffsetCheckpoint};

use super::errors::{LogDirError, usable};
use super::notice::Notice;
use crate::Log;

pub(crate) const FILE: &str = "aborted-transactions-checkpoint";

/// What the last stop left; `None` if it left nothing legible, which vouches for nothing and against nothing.
pub(super) fn read(
    disk: &dyn Disk,
    dir: &Path,
    notices: &mut Vec<Notice>,
) -> Result<Option<OffsetCheckpoint>, LogDirError> {
    match usable(OffsetCheckpoint::read(disk, &dir.join(FILE)))? {
        Ok(found) => Ok(found),
        Err(damage) => {
            notices.push(Notice::Damaged(damage));
            Ok(None)
        }
    }
}

/// Leaves the checksums of closed logs. No file is made for nothing.
pub(super) fn write<'l>(disk: &dyn Disk, dir: &Path, logs: impl Iterator<Item = &'l Log>) -> io::Result<()> {
    let mut sums = OffsetCheckpoint::new();
    for log in logs {
        let sum = log.aborted_sum();
        if sum != 0 {
            sums.set(log.topic(), log.partition(), sum);
        }
    }
    let path = dir.join(FILE);
    match OffsetCheckpoint::read(disk, &path) {
        Ok(before) if before.as_ref().unwrap_or(&OffsetCheckpoint::new()) == &sums => Ok(()),
        Err(CheckpointError::Io { error, .. }) => Err(error),
        _ => sums.write(disk, &path),
    }
}
