//! How far a log had come, by all that lies beside its segments. Asked where the file of a segment is gone: an offset that one of
//! these knows was given out, and is not given out again. Not where the end of a file was torn: what no sync had reached may go,
//! and a log goes on where it ends.
//!
//! ```text
//!   recovery point, high watermark    checkpoints of the directory
//!   snapshot                          of the producers, as of its offset
//!   leader epoch                      began where the log ended
//!   index                             of a segment that is gone
//!   pagewire-compacted                where segments ended that compaction wrote
//! ```
//!
//! The highest counts. One that is wrong costs offsets, and there are enough of them.

use std::path::Path;

use pagewire_disk::{Disk, EpochCheckpoint};

use crate::epochs;
use crate::files::ProducerSnapshot;
use crate::open::orphans::Orphan;
use crate::rewritten::Rewritten;
use crate::segment::names;

/// A log does not go on so close to the last offset there is.
pub(crate) const OFFSET_MAX: i64 = i64::MAX - (1 << 32);

/// What is known before anybody looks into the partition's directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checkpointed {
    pub(crate) recovery_point: Option<i64>,
    pub(crate) high_watermark: Option<i64>,
}

/// Up to where offsets were given out of the log in `dir`, in which these `snapshots` lie. What cannot be read says nothing.
pub(crate) fn given_out(disk: &dyn Disk, dir: &Path, said: Checkpointed, snapshots: &[i64]) -> i64 {
    let is_whole = |offset: &&i64| {
        matches!(ProducerSnapshot::read(disk, &names::path(dir, **offset, names::SNAPSHOT)), Ok(Some(_)))
    };
    let epochs = EpochCheckpoint::read(disk, &dir.join(epochs::FILE)).ok().flatten();
    let compacted = Rewritten::read(disk, dir).ok().flatten();
    let known = [
        said.recovery_point,
        said.high_watermark,
        snapshots.iter().filter(is_whole).max().copied(),
        epochs.and_then(|epochs| epochs.entries.iter().map(|entry| entry.start_offset).max()),
        compacted.and_then(|said| said.reached()),
    ];
    known.into_iter().flatten().filter(|known| *known <= OFFSET_MAX).max().unwrap_or(0)
}

/// The same where indexes are left of segments that are gone.
pub(crate) fn with_indexes(given_out: i64, orphans: &[Orphan]) -> i64 {
    orphans
        .iter()
        .map(|orphan| orphan.upto)
        .filter(|upto| *upto <= OFFSET_MAX)
        .max()
        .unwrap_or(0)
        .max(given_out)
}

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;

    use super::*;

    #[test]
    fn a_number_near_the_last_offset_there_is_moves_no_end() {
        let (disk, dir) = (MemoryDisk::new(), Path::new("/d"));
        disk.create_dir_all(dir).expect("a directory");
        let said = |recovery_point, high_watermark| {
            let said =
                Checkpointed { recovery_point: Some(recovery_point), high_watermark: Some(high_watermark) };
            given_out(&disk, dir, said, &[])
        };
        assert_eq!((said(7, 9), said(7, i64::MAX - 1), said(i64::MAX, i64::MAX)), (9, 7, 0));
    }
}
