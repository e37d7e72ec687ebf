//! What the indexes of aborted transactions of closed segments were, for a segment without such transactions has no index:
//! a lost one looks like none, and one that was cut between two entries like a shorter one.
//!
//! ```text
//!  pagewire-aborted   | version i16 = 0 | crc32c of what follows u32 | count i32 | count x { base offset i64 | sum u32 } |
//! ```
//!
//! In a partition's directory once a closed segment has aborted transactions. A segment that is named must have one of the
//! sums that it is named with; of one that is not named nothing is said. So retention need not write it, and compaction
//! does before its segment counts. A file that says nothing, as import leaves it, asks for a look at the whole log.

use std::io::{self, ErrorKind};
use std::path::Path;

use pagewire_disk::{Disk, OpenMode, read_small, write_atomically};

use crate::segment::Segment;
use crate::txn_index::{self, AbortedTxn};

/// Its name.
pub(crate) const FILE: &str = "pagewire-aborted";

const VERSION: i16 = 0;
const HEAD_LEN: usize = 10;
const LINE_LEN: usize = 12;
/// Of more segments than a log can have in practice.
const FILE_MAX: u64 = 64 << 20;

/// A segment's base offset and the sum of its index.
pub(crate) type Line = (i64, u32);

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Witness(Vec<Line>);

impl Witness {
    /// What is to be said of these segments.
    pub(crate) fn of<'s>(closed: impl Iterator<Item = &'s Segment>) -> Self {
        let lines = closed.map(|segment| (segment.base_offset, segment.txns.sum(segment.base_offset)));
        Self(lines.filter(|(_, sum)| *sum != 0).collect())
    }

    /// The same with one more sum of the segment at `base`, which may also be without entries.
    pub(crate) fn or(mut self, base: i64, sum: u32) -> Self {
        self.0.push((base, sum));
        self
    }

    /// Whether these can be all entries of the segment at `base`.
    pub(crate) fn allows(&self, base: i64, entries: &[AbortedTxn]) -> bool {
        let sum = txn_index::sum(base, entries);
        let mut named = self.0.iter().filter(|(named, _)| *named == base).peekable();
        named.peek().is_none() || named.any(|(_, named)| *named == sum)
    }

    /// Reads the file in `dir`; `None` without one. `InvalidData`: it says nothing.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Option<Self>> {
        let useless = || io::Error::new(ErrorKind::InvalidData, "it says nothing");
        match read_small(disk, &dir.join(FILE), FILE_MAX) {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(useless()),
            read => read?.map(|bytes| Self::decode(&bytes).ok_or_else(useless)).transpose(),
        }
    }

    /// Writes the file, durably; none if there is nothing to say.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let path = dir.join(FILE);
        if !self.0.is_empty() {
            return write_atomically(disk, &path, &self.encode());
        }
        match disk.remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| disk.sync_dir(dir)),
        }
    }

    /// The file's bytes; `None` if there is nothing to say.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = (self.0.len() as u32).to_be_bytes().to_vec();
        for (base, sum) in &self.0 {
            body.extend_from_slice(&base.to_be_bytes());
            body.extend_from_slice(&sum.to_be_bytes());
        }
        let mut bytes = VERSION.to_be_bytes().to_vec();
        bytes.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, lines) = bytes.split_first_chunk::<HEAD_LEN>()?;
        let (version, rest) = head.split_first_chunk::<2>()?;
        let (crc, count) = rest.split_first_chunk::<4>()?;
        let sum = crc32c::crc32c_append(crc32c::crc32c(count), lines);
        let (lines, rest) = lines.as_chunks::<LINE_LEN>();
        let is_whole = *version == VERSION.to_be_bytes()
            && *crc == sum.to_be_bytes()
            && *count == (lines.len() as u32).to_be_bytes()
            && rest.is_empty();
        let line = |line: &[u8; LINE_LEN]| {
            let (base, sum) = line.split_first_chunk::<8>()?;
            Some((i64::from_be_bytes(*base), u32::from_be_bytes(*sum.first_chunk::<4>()?)))
        };
        is_whole.then(|| lines.iter().map(line).collect::<Option<Vec<_>>>().map(Self))?
    }
}

/// Lets the next start look at the whole log in the partition's directory `dir` for aborted transactions, and write anew
/// which indexes of them are missing or wrong. For logs that come from elsewhere.
pub fn doubt_aborted(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let file = disk.open(&dir.join(FILE), OpenMode::Create)?;
    file.set_len(0)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness() -> Witness {
        Witness(vec![(0, 7), (400, 9), (400, 0)])
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let bytes = witness().encode();
        assert_eq!(Witness::decode(&bytes), Some(witness()));
        assert_eq!(Witness::decode(&[]), None);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(Witness::decode(&flipped), None, "byte {at}");
            assert_eq!(Witness::decode(&bytes[..at]), None, "cut at {at}");
        }
        assert_eq!(Witness::decode(&[&bytes[..], &[0; LINE_LEN]].concat()), None, "grown");
    }

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
            Witness::default().or(0, txn_index::sum(0, &two)).or(5, 0).or(5, txn_index::sum(5, &one));
        assert!(witness.allows(0, &two) && !witness.allows(0, &one) && !witness.allows(0, &[]));
        assert!(witness.allows(5, &one) && witness.allows(5, &[]) && !witness.allows(5, &two));
        assert!(witness.allows(7, &one), "it is not named");
    }
}
