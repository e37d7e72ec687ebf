//! What the indexes of aborted transactions were, for a segment without such transactions has no index: a lost one looks
//! like none, and one that was cut between two entries like a shorter one.
//!
//! `pagewire-aborted`, [a sum for a segment](lines), is in a partition's directory once a segment has aborted transactions
//! that are stable. A segment that is named must have one of the sums that it is named with; of one that is not named
//! nothing is said. It is named with the sum of what is stable of it, markers too, when the file is written: of the active
//! one those are the first entries, once for all that follow, and all when it is closed and synced. So a power cut takes
//! nothing that is named, retention need not write the file, and compaction does before its segment counts. A file that
//! says nothing, as import leaves it, asks for a look at the whole log.

use std::io;
use std::path::Path;

use pagewire_disk::Disk;

use crate::lines::{self, Line};
use crate::segment::Segment;
use crate::txns;
use crate::txns::index::AbortedTxn;

/// Its name.
pub(crate) const FILE: &str = "pagewire-aborted";

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Witness(Vec<Line<1>>);

impl Witness {
    /// What is to be said of these segments.
    pub(crate) fn of<'s>(segments: impl Iterator<Item = &'s Segment>) -> Self {
        let sum = |segment: &Segment| segment.txns.sum_of_stable(segment.base_offset);
        let lines = segments.map(|segment| (segment.base_offset, [sum(segment)]));
        Self(lines.filter(|(_, sum)| *sum != [0]).collect())
    }

    /// The same with one more sum of the segment at `base`, which may also be without entries.
    pub(crate) fn or(mut self, base: i64, sum: u32) -> Self {
        self.0.push((base, [sum]));
        self
    }

    /// Whether these can be all entries of the segment at `base`.
    pub(crate) fn allows(&self, base: i64, entries: &[AbortedTxn]) -> bool {
        !self.names(base) || self.has(base, entries)
    }

    /// Whether the segment at `base` is named with the sum of these.
    pub(crate) fn has(&self, base: i64, entries: &[AbortedTxn]) -> bool {
        self.0.contains(&(base, [txns::index::sum(base, entries)]))
    }

    /// Whether these can be the entries of the segment at `base`, which may have got more since.
    pub(crate) fn begins(&self, base: i64, entries: &[AbortedTxn]) -> bool {
        let named: Vec<u32> =
            self.0.iter().filter(|(named, _)| *named == base).map(|(_, [sum])| *sum).collect();
        named.is_empty() || txns::index::sums(base, entries).any(|sum| named.contains(&sum))
    }

    /// How many of these, the first entries of the segment at `base`, it is named with at most.
    pub(crate) fn named_of(&self, base: i64, entries: &[AbortedTxn]) -> usize {
        let named = |sum: &u32| self.0.iter().any(|(named, [of])| (*named, of) == (base, sum));
        let sums = txns::index::sums(base, entries).enumerate();
        sums.filter(|(_, sum)| named(sum)).last().map_or(0, |(count, _)| count)
    }

    /// Whether something is said of the segment at `base`.
    pub(crate) fn names(&self, base: i64) -> bool {
        self.0.iter().any(|(named, _)| *named == base)
    }

    /// The segments of which something is said that are not among these, which rise. Retention took those before the first; what
    /// lies at or behind the log's end was cut.
    pub(crate) fn gone(&self, bases: &[i64], log_end: i64) -> impl Iterator<Item = i64> {
        let among = bases.first().map_or(log_end, |first| *first)..log_end;
        let said = self.0.iter().map(|(named, _)| *named).filter(move |named| among.contains(named));
        said.filter(|named| bases.binary_search(named).is_err())
    }

    /// Reads the file in `dir`; `None` without one. `InvalidData`: it says nothing.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Self>> {
        Ok(lines::read(disk, &dir.join(FILE))?.map(Self))
    }

    /// Writes the file, durably; none if there is nothing to say.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        lines::write(disk, &dir.join(FILE), &self.0)
    }

    /// The file's bytes; `None` if there is nothing to say.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| lines::encode(&self.0))
    }
}

/// Lets the next start look at the whole log in the partition's directory `dir` for aborted transactions, and write
/// anew which indexes of them are missing or wrong. For logs that come from elsewhere.
pub fn doubt_aborted(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    lines::leave_blank(disk, &dir.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_of_the_sums_it_is_named_with() {
        let entry = |last_offset| AbortedTxn {
            producer_id: 1,
            first_offset: 3,
            last_offset,
            last_stable_offset: last_offset + 1,
        };
        let (one, two) = ([entry(8)], [entry(8), entry(9)]);
        let witness =
            Witness::default().or(0, txns::index::sum(0, &two)).or(5, 0).or(5, txns::index::sum(5, &one));
        assert!(witness.allows(0, &two) && !witness.allows(0, &one) && !witness.allows(0, &[]));
        assert!(witness.allows(5, &one) && witness.allows(5, &[]) && !witness.allows(5, &two));
        assert!(witness.allows(7, &one), "it is not named");
        let growing = Witness::default().or(0, txns::index::sum(0, &one));
        assert!(growing.begins(0, &one) && growing.begins(0, &two) && !growing.allows(0, &two));
        assert!(!growing.begins(0, &[]) && !growing.begins(0, &[entry(9)]), "it had another first one");
        assert!(witness.begins(5, &[]) && growing.begins(5, &[]), "it may have none; it is not named");
    }
}
