//! Which leader epoch begins at which offset (KIP-101), and its checkpoint file.
//!
//! Pure but for the file. Epochs and their first offsets rise strictly. Bounded: one entry per leadership that wrote,
//! and entries below the log start fold into one.

use std::io;
use std::path::Path;

use pagewire_disk::{Disk, EpochCheckpoint, EpochEntry};

/// Name of the checkpoint in a partition's directory.
pub(crate) const FILE: &str = "leader-epoch-checkpoint";

/// The epochs of one log, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Epochs(Vec<EpochEntry>);

impl Epochs {
    pub(crate) fn new(entries: Vec<EpochEntry>) -> Self {
        Self(entries)
    }

    /// Oldest first.
    pub(crate) fn entries(&self) -> &[EpochEntry] {
        &self.0
    }

    /// The epoch in force at `offset`, if one is known.
    pub(crate) fn at(&self, offset: i64) -> Option<i32> {
        let began = self.0.partition_point(|entry| entry.start_offset <= offset);
        began.checked_sub(1).and_then(|at| self.0.get(at)).map(|entry| entry.epoch)
    }

    /// A number that tells this list from others: 31 bits of its CRC-32C.
    pub(crate) fn sum(&self) -> u32 {
        crc32c::crc32c(self.checkpoint().render().as_bytes()) >> 1
    }

    /// The newest epoch.
    pub(crate) fn latest(&self) -> Option<i32> {
        self.0.last().map(|entry| entry.epoch)
    }

    /// Whether some epoch is known to have been in force at `offset`.
    pub(crate) fn covers(&self, offset: i64) -> bool {
        self.0.first().is_some_and(|first| first.start_offset <= offset)
    }

    /// Whether [`assign`](Self::assign) would change anything.
    pub(crate) fn is_news(&self, epoch: i32) -> bool {
        epoch >= 0 && self.latest().is_none_or(|latest| epoch > latest)
    }

    /// Batches from `start_offset` on carry `epoch`. `true` if that is new.
    pub(crate) fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        if !self.is_news(epoch) {
            return false;
        }
        // An epoch that wrote nothing is superseded.
        self.0.retain(|entry| entry.start_offset < start_offset);
        self.0.push(EpochEntry { epoch, start_offset });
        true
    }

    /// The log ends at `end`: epochs that began past it never were. `true` if an entry went.
    pub(crate) fn truncate_end(&mut self, end: i64) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.start_offset <= end);
        self.0.len() != before
    }

    /// The log starts at `start` now: the epoch in force there begins there. `true` if anything changed.
    pub(crate) fn truncate_start(&mut self, start: i64) -> bool {
        let below = self.0.partition_point(|entry| entry.start_offset <= start);
        if below == 0 || self.0.first().is_some_and(|first| below == 1 && first.start_offset == start) {
            return false;
        }
        self.0.drain(..below - 1);
        if let Some(first) = self.0.first_mut() {
            first.start_offset = start;
        }
        true
    }

    /// The answer to OffsetForLeaderEpoch: the largest epoch at or below `epoch`, and where it ends. `None` (the
    /// protocol's -1, -1) for an epoch this log cannot know.
    pub(crate) fn end_offset(&self, epoch: i32, log_end: i64) -> Option<(i32, i64)> {
        let latest = self.latest()?;
        if epoch == latest {
            return Some((latest, log_end));
        }
        let higher = self.0.partition_point(|entry| entry.epoch <= epoch);
        // Above all we know: undefined.
        let end = self.0.get(higher)?.start_offset;
        // Below all we know: the first one's start, with the asked epoch.
        let found = higher.checked_sub(1).and_then(|at| self.0.get(at)).map_or(epoch, |entry| entry.epoch);
        Some((found, end))
    }

    /// What the checkpoint holds.
    pub(crate) fn checkpoint(&self) -> EpochCheckpoint {
        EpochCheckpoint { entries: self.0.clone() }
    }

    /// Writes the checkpoint, durably.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        self.checkpoint().write(disk, &dir.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        Epochs(entries.iter().map(|&(epoch, start_offset)| EpochEntry { epoch, start_offset }).collect())
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let epochs = epochs(&[(2, 0), (5, 10), (6, 30)]);
        assert_eq!(epochs.end_offset(2, 99), Some((2, 10)));
        assert_eq!(epochs.end_offset(4, 99), Some((2, 10)));
        assert_eq!(epochs.end_offset(5, 99), Some((5, 30)));
        assert_eq!(epochs.end_offset(6, 99), Some((6, 99)));
        assert_eq!(epochs.end_offset(7, 99), None);
        assert_eq!(epochs.end_offset(1, 99), Some((1, 0)));
    }

    #[test]
    fn an_epoch_without_records_is_superseded() {
        let mut epochs = epochs(&[(0, 0), (1, 10)]);
        assert!(epochs.assign(2, 10));
        assert_eq!(epochs, self::epochs(&[(0, 0), (2, 10)]));
        assert!(!epochs.assign(2, 20));
        assert!(!epochs.assign(1, 20));
        assert!(!epochs.assign(-1, 20));
    }

    #[test]
    fn cutting_the_log_cuts_the_epochs() {
        let mut both = epochs(&[(0, 0), (1, 10), (2, 20)]);
        assert!(both.truncate_start(15));
        assert_eq!(both, epochs(&[(1, 15), (2, 20)]));
        assert!(!both.truncate_start(15));
        assert!(both.truncate_end(19));
        assert_eq!(both, epochs(&[(1, 15)]));
        assert!(!both.truncate_end(19));
    }
}
