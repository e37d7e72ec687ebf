//! What an orderly stop vouches for that no other file shows: the indexes of aborted transactions, and the leader
//! epochs.
//!
//! A segment without aborted transactions has no index of them, so a lost one looks like none; and epochs can be other
//! ones that are in order, too. An orderly stop therefore leaves checksums of each log's, in the format of the other
//! checkpoints: those of the epochs and the indexes are the upper and the lower half of what stands in the offset's
//! place. Where they do not agree, the batches say what is right. Kafka does not know this file, and does without.

use std::io;
use std::path::Path;

use pagewire_disk::{CheckpointError, Disk, OffsetCheckpoint};

use super::errors::{LogDirError, usable};
use super::notice::Notice;
use crate::Log;
use crate::home::Vouched;

/// Its name.
pub const FILE: &str = "pagewire-vouched-checkpoint";

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

/// What they say of one log; one that they do not name has nothing that fits.
pub(crate) fn of(sums: &OffsetCheckpoint, topic: &str, partition: i32) -> Vouched {
    let packed = sums.get(topic, partition).unwrap_or(0);
    Vouched { epochs: (packed >> 32) as u32, aborted: packed as u32 }
}

/// An offset is not negative, so the sum of the epochs has 31 bits.
fn packed(Vouched { epochs, aborted }: Vouched) -> i64 {
    i64::from(epochs) << 32 | i64::from(aborted)
}

/// Leaves the checksums of closed logs. No file is made for nothing.
pub(super) fn write<'l>(disk: &dyn Disk, dir: &Path, logs: impl Iterator<Item = &'l Log>) -> io::Result<()> {
    let mut sums = OffsetCheckpoint::new();
    for log in logs {
        sums.set(log.topic(), log.partition(), packed(log.vouch()));
    }
    let path = dir.join(FILE);
    match OffsetCheckpoint::read(disk, &path) {
        Ok(before) if before.as_ref().unwrap_or(&OffsetCheckpoint::new()) == &sums => Ok(()),
        Err(CheckpointError::Io { error, .. }) => Err(error),
        _ => sums.write(disk, &path),
    }
}
