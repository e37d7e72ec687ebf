//! Offsets among which nobody knows what became of a transaction: what ended it may be among records that are lost.
//!
//! ```text
//!   first record of the transaction ── ... ── [ lost: its marker, or none ]
//!   └───────── refused to readers of committed records ───────────────────┘  compaction does not come here
//! ```
//!
//! `pagewire-undecided`, [a line for each of them](lines) with the first offset and how many transactions it is of, is in a
//! partition's directory as long as there are any. It is a place to look at: the next start replays the transactions from
//! there, and comes to the same, or to none if what was lost is back. One that says nothing asks for a look at the whole log.

use std::io;
use std::ops::Range;
use std::path::Path;

use pagewire_disk::Disk;

use crate::lines::{self, Line};

/// The file's name.
pub(crate) const FILE: &str = "pagewire-undecided";

/// Offsets from the first record of a transaction to where the log goes on behind what is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    offsets: Range<i64>,
    transactions: u32,
}

/// See the module. In rising order, and no two overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Undecided(Box<[Part]>);

impl Undecided {
    /// Of transactions with these offsets, in any order.
    pub(crate) fn of(mut transactions: Vec<Range<i64>>) -> Self {
        transactions.sort_unstable_by_key(|offsets| offsets.start);
        let mut parts: Vec<Part> = Vec::new();
        for offsets in transactions {
            match parts.last_mut().filter(|last| offsets.start < last.offsets.end) {
                Some(last) => {
                    last.offsets.end = last.offsets.end.max(offsets.end);
                    last.transactions += 1;
                }
                None => parts.push(Part { offsets, transactions: 1 }),
            }
        }
        Self(parts.into())
    }

    /// The offsets of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range<i64>> {
        self.0.iter().map(|part| &part.offsets)
    }

    /// The first that ends behind `offset`: it holds it, or comes after it.
    pub(crate) fn from(&self, offset: i64) -> Option<&Range<i64>> {
        self.0.get(self.0.partition_point(|part| part.offsets.end <= offset)).map(|part| &part.offsets)
    }

    /// First offsets, as the file in `dir` has them; `None` without one. `InvalidData`: it says nothing.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Vec<i64>>> {
        let lines = lines::read::<1>(disk, &dir.join(FILE))?;
        Ok(lines.map(|lines| lines.into_iter().map(|(first, _)| first).collect()))
    }

    /// Writes the file, durably; none if there is nothing to say.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        lines::write(disk, &dir.join(FILE), &self.lines())
    }

    /// What the file has to say; `None`: there is to be none.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| lines::encode(&self.lines()))
    }

    fn lines(&self) -> Vec<Line<1>> {
        self.0.iter().map(|part| (part.offsets.start, [part.transactions])).collect()
    }
}

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;

    use super::*;

    #[test]
    fn transactions_that_overlap_are_one_part_and_those_that_touch_are_not() {
        let undecided = Undecided::of(vec![40..50, 10..20, 15..17, 20..22, 19..20]);
        assert_eq!(undecided.iter().cloned().collect::<Vec<_>>(), [10..20, 20..22, 40..50]);
        assert_eq!(undecided.from(5), Some(&(10..20)));
        assert_eq!(undecided.from(20), Some(&(20..22)));
        assert_eq!((undecided.from(22), undecided.from(50)), (Some(&(40..50)), None));
    }

    #[test]
    fn the_file_says_where_to_look_and_goes_with_the_last_of_them() {
        let (disk, dir) = (MemoryDisk::new(), Path::new("/d"));
        disk.create_dir_all(dir).expect("a directory");
        assert_eq!(Undecided::read(&disk, dir).expect("none"), None);
        Undecided::of(vec![40..50, 10..20]).write(&disk, dir).expect("written");
        assert_eq!(Undecided::read(&disk, dir).expect("read"), Some(vec![10, 40]));
        Undecided::default().write(&disk, dir).expect("removed");
        assert!(!disk.exists(&dir.join(FILE)).expect("seen"));
    }
}
