//! How far the entries of an offset index say that its segment had come, where nothing is left of that but the index.
//!
//! ```text
//!   offset    ·           40              44   (44 + 2^30)  52
//!   position  0 ───────── 512 ─────────── 1024 ──────────── 1536
//!             the first   │  no more than 64 offsets a byte, and so many as the widest gap for the batch that it names
//!             has none    └─ one that rises further, or is higher than the next, which follows the one before it, is a lie
//! ```
//!
//! No sum covers an entry, so one bad bit is to move no log's end. Where the last one cannot be, there was a batch more all the
//! same: it is taken for as long as the longest step before it.

use std::io;

use pagewire_disk::DiskFile;

use crate::files::{Entries, OffsetEntry};
use crate::open::good::most_behind;

/// An entry that is believed, or the segment's beginning.
#[derive(Debug, Clone, Copy, Default)]
struct Point {
    offset: i64,
    position: i64,
}

impl From<OffsetEntry> for Point {
    fn from(entry: OffsetEntry) -> Self {
        Self { offset: i64::from(entry.relative_offset), position: i64::from(entry.position) }
    }
}

/// What the entries came to so far.
#[derive(Debug, Default)]
struct Said {
    last: Point,
    /// The longest step from one to the next, in offsets and in bytes.
    offsets: i64,
    bytes: i64,
    /// Where an offset may be at most that stands behind the last one and rises further than it can.
    too_far: Option<i64>,
}

/// Behind which offset, relative to the base, the segment ended at least; `None`: no entry says that it had records.
pub(super) fn upto(file: &dyn DiskFile) -> io::Result<Option<i64>> {
    let mut entries = Entries::<OffsetEntry>::new(file, file.len()?);
    let mut said = Said::default();
    let mut entry = entries.next()?;
    while let Some((_, one)) = entry {
        let next = entries.next()?;
        said.hear(one.into(), next.map(|(_, next)| next.into()));
        entry = next;
    }
    Ok(said.upto())
}

impl Said {
    fn hear(&mut self, one: Point, next: Option<Point>) {
        let is_behind = one.offset > self.last.offset && one.position > self.last.position;
        if !is_behind || next.is_some_and(|next| self.leads_to(next) && !rises(one, next)) {
            return;
        }
        if !self.leads_to(one) {
            self.too_far = Some(self.most_at(one.position));
            return;
        }
        self.offsets = self.offsets.max(one.offset - self.last.offset);
        self.bytes = self.bytes.max(one.position - self.last.position);
        (self.last, self.too_far) = (one, None);
    }

    /// Whether one may follow the last.
    fn leads_to(&self, next: Point) -> bool {
        rises(self.last, next) && next.offset <= self.most_at(next.position)
    }

    /// The largest last offset of a batch at this position.
    fn most_at(&self, position: i64) -> i64 {
        let gap = position.saturating_sub(self.last.position);
        let bytes = gap.saturating_add(gap.max(self.bytes));
        most_behind(self.last.offset, u64::try_from(bytes).unwrap_or(0))
    }

    fn upto(&self) -> Option<i64> {
        let more =
            self.too_far.map(|most| if self.offsets > 0 { self.last.offset + self.offsets } else { most });
        let last = Some(self.last.offset).filter(|_| self.last.position > 0);
        more.or(last).map(|offset| offset + 1)
    }
}

fn rises(one: Point, next: Point) -> bool {
    next.offset > one.offset && next.position > one.position
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};

    use super::*;

    /// An entry of four offsets every 512 bytes.
    fn index(entries: i32) -> Vec<[i32; 2]> {
        (1..=entries).map(|n| [4 * n + 3, 512 * n]).collect()
    }

    fn said(entries: &[[i32; 2]]) -> Option<i64> {
        let file = MemoryDisk::new().open(Path::new("i"), OpenMode::Create).expect("a file");
        let bytes: Vec<u8> = entries.iter().flatten().flat_map(|number| number.to_be_bytes()).collect();
        file.write_at(0, &bytes).expect("written");
        upto(&*file).expect("read")
    }

    #[test]
    fn the_last_entry_counts_and_zeros_are_none() {
        assert_eq!((said(&[]), said(&[[0; 2]; 9])), (None, None));
        assert_eq!(said(&index(9)), Some(40));
        assert_eq!(said(&[index(9), vec![[0; 2]; 9]].concat()), Some(40));
        assert_eq!(said(&[[700, 5000]]), Some(701), "the only one");
    }

    #[test]
    fn a_bit_moves_what_is_said_by_no_more_than_its_bytes_could_hold() {
        for (at, field, bit) in
            (0..9).flat_map(|at| (0..2).flat_map(move |of| (0..32).map(move |bit| (at, of, bit))))
        {
            let mut entries = index(9);
            entries[at][field] ^= 1 << bit;
            let upto = said(&entries).expect("there were records");
            let most = if at == 8 { 36 + 64 * 2 * 512 } else { 40 };
            assert!((36..=most).contains(&upto), "{upto}, bit {bit} of field {field} of entry {at}");
        }
        let mut entries = index(9);
        entries[8][0] ^= 1 << 30;
        assert_eq!(said(&entries), Some(35 + 7 + 1), "as long as the longest before it, which is the first");
        assert_eq!(said(&[[1 << 30, 512]]), Some(64 * 2 * 512 + 1), "as long as it can be");
    }
}
