//! Where a batch ends whose header is lost, as its records say, if they are not compressed: each begins with its length, so one
//! leads to the next.
//!
//! ```text
//!   [ lost header │ length, record │ length, record ── value [ whole batch ] ── ][ header of the next batch
//!     61 bytes                                               └ never come to      └ no record begins with a zero
//! ```
//!
//! Whatever a record holds, a walk from record to record passes it by. Leaders let no batch in whose records end before it does.

use std::io;

use pagewire_record::{HEADER_LEN, varint};

use crate::files::{BATCH_LEN_MAX, BatchWalk};

/// The longest varint of 32 bits.
const VARINT_MAX: usize = 5;

/// Where the records end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordsEnd {
    pub(super) position: u64,
    /// So many offsets the batch takes at least.
    pub(super) offsets: i64,
}

/// Of the batch at `from`; of one with damaged records where the first of those begins.
pub(super) fn end_of_records(walk: &mut BatchWalk<'_>, from: u64) -> io::Result<RecordsEnd> {
    let (mut at, mut offsets, mut needed) = (from + HEADER_LEN as u64, 0, VARINT_MAX);
    loop {
        let bytes = walk.bytes_at(at, needed)?;
        let left = bytes.len();
        let (passed, not) = pass(bytes, &mut offsets);
        at += passed as u64;
        match not {
            // More of the file than was at hand.
            Not::Whole(more)
                if (passed > 0 || left >= needed && more > left) && at - from < BATCH_LEN_MAX =>
            {
                needed = more;
            }
            _ => return Ok(RecordsEnd { position: at, offsets }),
        }
    }
}

/// Passes by whole records; how many bytes they take, and why there are no more. `offsets`: what those before took, and these.
fn pass(bytes: &[u8], offsets: &mut i64) -> (usize, Not) {
    let mut passed = 0;
    loop {
        match record(bytes.get(passed..).unwrap_or_default()) {
            Ok((len, delta)) if i64::from(delta) >= *offsets => {
                passed += len;
                *offsets = i64::from(delta) + 1;
            }
            Ok(_) => return (passed, Not::Record),
            Err(not) => return (passed, not),
        }
    }
}

/// Why bytes begin with no whole record.
#[derive(Debug, PartialEq, Eq)]
enum Not {
    /// It takes so many.
    Whole(usize),
    Record,
}

/// The bytes that the first record takes, and its offset delta.
fn record(bytes: &[u8]) -> Result<(usize, i32), Not> {
    if bytes.len() < VARINT_MAX {
        return Err(Not::Whole(VARINT_MAX));
    }
    let mut fields = Fields(bytes);
    let len = fields.int().and_then(|len| usize::try_from(len).ok()).ok_or(Not::Record)?;
    let whole = bytes.len() - fields.0.len() + len;
    if len == 0 || whole as u64 > BATCH_LEN_MAX {
        return Err(Not::Record);
    }
    let body = fields.0.get(..len).ok_or(Not::Whole(whole))?;
    Fields(body).delta().map(|delta| (whole, delta)).ok_or(Not::Record)
}

/// The fields of a record that were not read yet.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    /// The offset delta, if all fields are there and nothing is left.
    fn delta(mut self) -> Option<i32> {
        self.skip(1)?;
        let (_, taken) = varint::read_i64(self.0).ok()?;
        self.skip(taken)?;
        let delta = self.int()?;
        self.blob()?;
        self.blob()?;
        for _ in 0..u32::try_from(self.int()?).ok()? {
            self.blob()?;
            self.blob()?;
        }
        self.0.is_empty().then_some(delta)
    }

    fn int(&mut self) -> Option<i32> {
        let (number, taken) = varint::read_i32(self.0).ok()?;
        self.skip(taken)?;
        Some(number)
    }

    /// Bytes behind their length; none, if that is negative.
    fn blob(&mut self) -> Option<()> {
        let len = self.int()?;
        self.skip(usize::try_from(len).unwrap_or(0))
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.0 = self.0.get(len..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};
    use pagewire_record::{BatchBuilder, Codec};

    use super::*;

    fn batch(values: &[&[u8]]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Codec::None);
        for value in values {
            builder.append(7, Some(b"key"), Some(value), &[(b"h", Some(value))]).expect("a record");
        }
        builder.build().expect("a batch").to_vec()
    }

    fn end(bytes: &[u8]) -> (u64, i64) {
        let file = MemoryDisk::new().open(Path::new("f"), OpenMode::Create).expect("a file");
        file.write_at(0, bytes).expect("written");
        let mut walk = BatchWalk::new(&*file, 0, bytes.len() as u64);
        let end = end_of_records(&mut walk, 0).expect("read");
        (end.position, end.offsets)
    }

    #[test]
    fn records_lead_past_the_batches_they_hold_to_where_the_next_one_begins() {
        let held = batch(&[b"held"]);
        for long in [0, 1, 200, 70_000, 300_000] {
            let mut lost = batch(&[&held, &[&vec![3; long][..], &held].concat(), &held]);
            lost[..HEADER_LEN].fill(0);
            let len = lost.len() as u64;
            assert_eq!(end(&[&lost[..], &held].concat()), (len, 3), "{long}");
            assert_eq!(end(&lost), (len, 3), "{long}, the last one");
        }
    }

    #[test]
    fn records_lead_no_further_than_to_damage() {
        let next = batch(&[b"next"]);
        let good = batch(&[b"one", b"two"]);
        let first = end(&batch(&[b"one"])).0 as usize;
        // The length of the second record, the delta of its offset, the length of its key.
        for (at, bit) in [(0, 4), (3, 2), (4, 4)] {
            let mut lost = good.clone();
            lost[first + at] ^= bit;
            assert_eq!(end(&[&lost[..], &next].concat()).0, first as u64, "byte {at}");
        }
        let mut lost = good.clone();
        lost[HEADER_LEN..].fill(0xee);
        assert_eq!(end(&[&lost[..], &next].concat()), (HEADER_LEN as u64, 0));
    }
}
