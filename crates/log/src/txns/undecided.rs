//! Offsets among which nobody knows what became of a transaction: what ended it may be among records that are lost.
//!
//! ```text
//!   first record of the transaction ── ... ── [ lost: its marker, or none ]
//!   └───────── refused to readers of committed records ───────────────────┘  compaction does not come here
//! ```
//!
//! `pagewire-undecided`, [a line for each of them](lines), is in a partition's directory as long as there are any: the first
//! offset; of how many transactions it is, how many offsets it has, and 1 if a COMMIT behind may still settle them, else 0. It is
//! a place to look at: the next start replays the transactions from there, and comes to the same, or to none if what was lost is
//! back. Of those that nothing settles it replays no more than the part, as long as it comes to the same. Why a COMMIT does not settle them (an index that was missing or damaged, and is whole since it was written anew) is
//! known to the start that was in doubt first, and to the later ones by this alone.
//!
//! Nobody else remembers: the producers' snapshots since then know of no transaction. So nothing leaves the file for what a power cut may
//! take back, be it the COMMIT that settled it, or that the segment has lost its name.
//!
//! One that says nothing asks for a look at the whole log, and no COMMIT settles what that finds.

use std::io;
use std::ops::Range;
use std::path::Path;

use pagewire_disk::Disk;

use crate::lines::{self, Line};

/// The file's name.
pub const FILE: &str = "pagewire-undecided";
/// In the place of a number of offsets: too many to be told.
const ENDLESS: u32 = u32::MAX;

/// A transaction: offsets from its first record to where the log goes on behind what is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) offsets: Range<i64>,
    /// All that was aborted among what is lost is known, so a COMMIT behind settles it.
    pub(crate) all_known: bool,
}

/// Of transactions that overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    offsets: Range<i64>,
    transactions: u32,
    /// Of all of them.
    all_known: bool,
}

/// What the start before wrote down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// Nothing was in doubt.
    #[default]
    Nothing,
    /// The file says nothing: whatever is in doubt stays so.
    Everything,
    /// These were.
    Parts(Vec<Doubt>),
}

impl Remembered {
    /// What was in doubt, as far as it is known, in rising order.
    pub(crate) fn parts(&self) -> &[Doubt] {
        match self {
            Self::Parts(parts) => parts,
            Self::Nothing | Self::Everything => &[],
        }
    }

    /// Whether no COMMIT settles a transaction that began at `first_offset`.
    pub(crate) fn is_for_good(&self, first_offset: i64) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Parts(parts) => {
                parts.iter().any(|part| !part.all_known && part.offsets.contains(&first_offset))
            }
        }
    }

    /// Whether more is lost, up to here, of what came after the transaction began than when that was in doubt first. Its next marker
    /// may be in that, and no index knows it: for those who wrote it the transaction had ended.
    pub(crate) fn is_outgrown(&self, offsets: &Range<i64>) -> bool {
        self.parts()
            .iter()
            .any(|part| part.offsets.contains(&offsets.start) && part.offsets.end < offsets.end)
    }
}

/// See the module. In rising order, and no two overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Undecided(Box<[Part]>);

impl Undecided {
    /// Of these transactions, in any order.
    pub(crate) fn of(mut transactions: Vec<Doubt>) -> Self {
        transactions.sort_unstable_by_key(|doubt| doubt.offsets.start);
        let mut parts: Vec<Part> = Vec::new();
        for Doubt { offsets, all_known } in transactions {
            match parts.last_mut().filter(|last| offsets.start < last.offsets.end) {
                Some(last) => {
                    last.offsets.end = last.offsets.end.max(offsets.end);
                    last.transactions += 1;
                    last.all_known &= all_known;
                }
                None => parts.push(Part { offsets, transactions: 1, all_known }),
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

    /// What the file in `dir` says; `None` without one. `InvalidData`: it says nothing.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Vec<Doubt>>> {
        let lines = lines::read(disk, &dir.join(FILE))?;
        Ok(lines.map(|lines| lines.into_iter().map(doubt).collect()))
    }

    /// Writes the file, durably; none if there is nothing to say. Segments that were not found in `dir` are gone for good before.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        disk.sync_dir(dir)?;
        lines::write(disk, &dir.join(FILE), &self.lines())
    }

    /// What the file has to say; `None`: there is to be none.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| lines::encode(&self.lines()))
    }

    fn lines(&self) -> Vec<Line<3>> {
        self.0.iter().map(line).collect()
    }
}

fn line(part: &Part) -> Line<3> {
    let count = part.offsets.end.saturating_sub(part.offsets.start);
    let count = u32::try_from(count).unwrap_or(ENDLESS);
    (part.offsets.start, [part.transactions, count, u32::from(part.all_known)])
}

fn doubt((first, [_, count, all_known]): Line<3>) -> Doubt {
    let end = if count == ENDLESS { i64::MAX } else { first.saturating_add(i64::from(count)) };
    Doubt { offsets: first..end, all_known: all_known == 1 }
}

/// Lets the next start look at the whole log in the partition's directory `dir` for transactions in doubt, and leave in doubt
/// what it finds. Where it was known and is lost what is.
pub fn doubt_decided(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    lines::leave_blank(disk, &dir.join(FILE))
}

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;

    use super::*;

    fn known(offsets: Range<i64>) -> Doubt {
        Doubt { offsets, all_known: true }
    }

    fn unknown(offsets: Range<i64>) -> Doubt {
        Doubt { offsets, all_known: false }
    }

    #[test]
    fn transactions_that_overlap_are_one_part_and_those_that_touch_are_not() {
        let undecided = Undecided::of([40..50, 10..20, 15..17, 20..22, 19..20].map(known).to_vec());
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
        let long = 60..i64::MAX;
        let doubts = vec![unknown(40..50), known(10..20), known(48..55), unknown(long.clone())];
        Undecided::of(doubts).write(&disk, dir).expect("written");
        let read = Undecided::read(&disk, dir).expect("read");
        assert_eq!(read, Some(vec![known(10..20), unknown(40..55), unknown(long)]));
        let bytes = pagewire_disk::read_small(&disk, &dir.join(FILE), 1 << 10).expect("read").expect("there");
        assert_eq!(bytes.get(..2), Some(&[0, 2][..]), "the version of docs/format.md");
        Undecided::default().write(&disk, dir).expect("removed");
        assert!(!disk.exists(&dir.join(FILE)).expect("seen"));
    }

    #[test]
    fn a_file_that_says_nothing_leaves_in_doubt_whatever_is_and_one_that_does_what_it_says() {
        let (disk, dir) = (MemoryDisk::new(), Path::new("/d"));
        disk.create_dir_all(dir).expect("a directory");
        doubt_decided(&disk, dir).expect("written");
        assert_eq!(Undecided::read(&disk, dir).expect_err("nothing").kind(), io::ErrorKind::InvalidData);
        assert!(Remembered::Everything.is_for_good(7) && !Remembered::Nothing.is_for_good(7));
        let parts = Remembered::Parts(vec![known(10..20), unknown(40..55)]);
        assert_eq!(
            [15, 39, 40, 54, 55].map(|first| parts.is_for_good(first)),
            [false, false, true, true, false]
        );
    }
}
