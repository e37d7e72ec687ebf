//! Indexes whose segment is gone, behind the log's end. Where no checkpoint knows of that segment, they alone tell that there was
//! one, and how far it had come.
//!
//! ```text
//!   recovery point 0    [ 0 ... 38 ]  39.log (gone)        [ 78 ... ]   the log goes on where the entries end
//!                                     39.index  40 ... 77 ─┘            and stays there, as long as the index does
//! ```
//!
//! A segment that is being made has an empty one first, and one that is taken away loses its indexes before its records, so after
//! a kill entries mean that records are lost. After a power cut they may be of records that nobody was promised, if a file system
//! keeps what was written last and forgets an older name; then their offsets are told as lost, which is better than to give out
//! some again that were answered. An empty index tells nothing, whoever else knows how far the log had come: a power cut leaves the
//! same of records that nobody was promised, and of those no start makes a hole. Then it is told that they are lost. A time index,
//! whose last word is written as the next segment begins, is not asked.
//!
//! How far the entries are believed: `entries_said`. Whoever relies on it keeps the file: it is what tells the hole from one that
//! a torn write leaves, until the recovery point has passed it.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::{Disk, OpenMode};

use crate::errors::LogError;
use crate::files::{Entries, OffsetEntry};
use crate::open::entries_said;

/// An index without its segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orphan {
    pub(crate) path: PathBuf,
    /// Where its segment began.
    pub(crate) base: i64,
    /// Its segment had come to this offset; its base, if it has no entry.
    pub(crate) upto: i64,
}

impl Orphan {
    /// What the offset index at `path` says, of a segment that began at `base`.
    pub(crate) fn read(disk: &dyn Disk, path: PathBuf, base: i64) -> io::Result<Self> {
        let file = disk.open(&path, OpenMode::Read)?;
        let upto = entries_said::upto(&*file)?.and_then(|relative| base.checked_add(relative));
        Ok(Self { path, base, upto: upto.unwrap_or(base) })
    }

    /// The last entry of the offset index at `path` up to which all rise.
    pub(crate) fn last_entry(disk: &dyn Disk, path: &Path) -> io::Result<Option<OffsetEntry>> {
        let file = disk.open(path, OpenMode::Read)?;
        let mut entries = Entries::<OffsetEntry>::new(&*file, file.len()?);
        // The first batch of a segment has no entry, and zeros are none.
        let mut last = OffsetEntry { relative_offset: 0, position: 0 };
        while let Some((_, entry)) = entries.next()? {
            if entry.position <= last.position || entry.relative_offset <= last.relative_offset {
                break;
            }
            last = entry;
        }
        Ok((last.position > 0).then_some(last))
    }

    /// Whether it says that there were records.
    pub(crate) fn tells(&self) -> bool {
        self.upto > self.base
    }
}

/// How far the log had come whose segment at `from` is gone, and perhaps others behind that, before the one at `next`.
pub(crate) fn upto(orphans: &[Orphan], from: i64, next: i64) -> Option<i64> {
    let gone = || orphans.iter().filter(|orphan| orphan.tells() && (from..next).contains(&orphan.base));
    let begins_there = gone().any(|orphan| orphan.base == from);
    gone().map(|orphan| orphan.upto).max().filter(|_| begins_there)
}

/// Makes the entries stable that a log's end relies on: whoever was killed may have left them to a later sync.
pub(crate) fn make_stable(disk: &dyn Disk, orphans: &[Orphan]) -> Result<(), LogError> {
    orphans.iter().try_for_each(|orphan| {
        let synced = disk.open(&orphan.path, OpenMode::Read).and_then(|file| file.sync_data());
        synced.map_err(LogError::at(&orphan.path))
    })
}
