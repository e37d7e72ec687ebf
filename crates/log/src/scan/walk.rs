//! Checking the batches of a segment one by one, CRC and all, and writing its indexes on the way.
//!
//! ```text
//!   [ good ][ damaged, stable once: kept, and known ][ good ] ... recovery point ... [ good ][ bad: the log is cut here ]
//! ```

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;

use pagewire_disk::DiskFile;

use crate::answers::RecoveryReport;
use crate::open::depth::Depth;
use crate::open::good::{Unknown, is_unfinished, last_end_in};
use crate::open::witnesses::Ragged;
use crate::scan::derive::Sparse;
use crate::scan::order::{self, Doubt, First};
use crate::scan::{Found, ScanError, Scanner, WINDOW_LOOKUP, WINDOW_WALK};
use crate::scrub::{Anchors, Evidence, Stretch, Stretches, stretch_at};
use crate::segment::{End, Segment};
use crate::sick::is_sick;

/// Bytes checked between two words to whoever watches.
const TELL_EVERY: u64 = 1 << 20;

/// Where a walk may begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) position: u64,
    pub(crate) offset: i64,
}

/// How far a walk may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Bytes in the file.
    pub(crate) size: u64,
    /// No batch reaches past this offset.
    pub(crate) upto: i64,
    /// No segment follows.
    pub(crate) last: bool,
}

/// How far a walk came.
pub(crate) struct Walked {
    /// The offset it began at, and the place.
    pub(crate) from: i64,
    pub(crate) position: u64,
    pub(crate) end: End,
    pub(crate) sparse: Sparse,
    /// Largest timestamp of the segment's first batch, if it is good and was met.
    pub(crate) first_timestamp: Option<i64>,
    /// What was stable once and is not what was written. The last one may reach to the end of the file: then the walk
    /// ended before it.
    pub(crate) damage: Stretches,
    /// Why it ended early: what follows was never known to be stable.
    pub(crate) bad: Option<String>,
    /// An entry that was due could not be written.
    pub(crate) lacks_entries: bool,
}

/// Checks every batch from `start` to the end of the file and notes it in the indexes. `anchors`: what the offset index said
/// before.
pub(crate) fn walk(
    segment: &Segment,
    start: Start,
    Reach { size, upto, last }: Reach,
    depth: &Depth,
    anchors: Anchors<'_>,
    report: &mut RecoveryReport,
) -> io::Result<Walked> {
    let file = segment.file()?;
    let whole_to = segment.home.whole_to(segment.base_offset);
    let window = if whole_to < size { WINDOW_WALK } else { WINDOW_LOOKUP };
    let scanner = Scanner::new(&*file, start.position, size, start.offset, window);
    let mut scanner = scanner.verifying_from(whole_to).contiguous_from(depth.whole_from).upto(upto);
    let mut notes = Notes::new(segment, start);
    let mut damage = Stretches::default();
    let bad = loop {
        let (position, reason) = match scanner.next() {
            Ok(None) => break None,
            Ok(Some(found)) => {
                notes.found(found)?;
                continue;
            }
            Err(ScanError::Io(error)) => return Err(error),
            Err(ScanError::Bad { position, reason }) => (position, reason),
        };
        let behind = if last { None } else { Some(upto) };
        let doubt = notes.doubt(&*file, position, size, behind)?;
        if !depth.was_stable(notes.next_offset) {
            break Some(reason);
        }
        let evidence = Evidence::of(anchors, damage.len());
        let mut stretch = stretch_at(&*file, doubt.from, size, notes.next_offset..upto, evidence)?;
        if doubt.either == Some(stretch.end()) {
            let more = stretch_at(&*file, position, size, stretch.next_offset..upto, evidence)?;
            stretch = Stretch::new(doubt.from..more.end(), stretch.offset..more.next_offset);
        }
        if stretch.end() == size {
            if last && !depth.is_known() && is_torn(&*file, doubt.from..size, stretch.offset..upto, depth)? {
                break Some(reason);
            }
            damage.add(stretch);
            break None;
        }
        damage.add(stretch);
        notes.go_on_at(stretch.next_offset);
        scanner.resume(stretch.end(), stretch.next_offset);
    };
    notes.settle()?;
    let Notes { end, next_offset, sparse, first_timestamp, told, lacks_entries, .. } = notes;
    report.scanned_bytes += end.saturating_sub(start.position);
    segment.home.checked.fetch_add(end.saturating_sub(told), Ordering::Relaxed);
    let (from, position) = (start.offset, start.position);
    let end = End { next_offset, size: end };
    Ok(Walked { from, position, end, sparse, first_timestamp, damage, bad, lacks_entries })
}

/// Whether the bytes up to the file's end are the end of what was being written, for all that is known: nobody says that their
/// offsets were given out, and they are a batch that was not finished, or bytes with no whole batch among them.
fn is_torn(file: &dyn DiskFile, bytes: Range<u64>, offsets: Range<i64>, depth: &Depth) -> io::Result<bool> {
    let (Range { start: from, end: size }, Range { start: offset, end: upto }) = (bytes, offsets);
    if depth.reached(Some(Ragged { offset, bytes: size - from })) > offset {
        return Ok(false);
    }
    if is_unfinished(file, from, size, offset)? {
        return Ok(true);
    }
    Ok(last_end_in(file, Unknown { from, size, offset, reached: 0, upto })?.is_none())
}

/// What a walk learns from good batches. The last one is noted when its successor was seen: only order speaks for offsets.
struct Notes<'s> {
    segment: &'s Segment,
    last: Option<Last>,
    sparse: Sparse,
    next_offset: i64,
    /// It is what follows the last good batch, rather than what damage left.
    follows: bool,
    /// Where the last good batch ends.
    end: u64,
    first_timestamp: Option<i64>,
    told: u64,
    lacks_entries: bool,
}

/// The last batch, and what was due in its place.
struct Last {
    found: Found,
    expected: i64,
    /// It has the offset that follows the batch before.
    in_order: bool,
    /// It lies behind damage.
    goes_on: bool,
}

impl<'s> Notes<'s> {
    fn new(segment: &'s Segment, start: Start) -> Self {
        let (next_offset, position) = (start.offset, start.position);
        let (sparse, last) = (Sparse::default(), None);
        let (first_timestamp, follows, lacks_entries) = (None, true, false);
        let (end, told) = (position, position);
        Self { segment, last, sparse, next_offset, follows, end, first_timestamp, told, lacks_entries }
    }

    fn found(&mut self, found: Found) -> io::Result<()> {
        self.settle()?;
        let expected = self.next_offset;
        let in_order = self.follows && found.header.base_offset == expected;
        self.last = Some(Last { found, expected, in_order, goes_on: !self.follows });
        (self.next_offset, self.end, self.follows) = (found.header.next_offset(), found.end(), true);
        if self.end - self.told >= TELL_EVERY {
            self.segment.home.checked.fetch_add(self.end - self.told, Ordering::Relaxed);
            self.told = self.end;
        }
        Ok(())
    }

    /// Damage is passed by: the next batch has this offset, as it says itself.
    fn go_on_at(&mut self, offset: i64) {
        (self.next_offset, self.follows) = (offset, false);
    }

    /// Notes the last batch.
    fn settle(&mut self) -> io::Result<()> {
        let Some(Last { found, goes_on, .. }) = self.last.take() else { return Ok(()) };
        if found.position == 0 {
            self.first_timestamp = Some(found.header.max_timestamp);
        } else if goes_on {
            self.sparse.owe();
        }
        let due = self.sparse.next(self.segment.home.index_interval(), found.header.size_in_bytes());
        // Entries may be missing; a full disk must not keep a log from being opened.
        match self.segment.note_batch(&found.header, found.position, due) {
            Err(error) if is_sick(&error) => return Err(error),
            noted => self.lacks_entries |= noted.is_err(),
        }
        Ok(())
    }

    /// The bytes at `position` are not in their place: they are what is not believed, or the last batch. `behind`: the offset that
    /// comes behind the segment, if that is known.
    fn doubt(
        &mut self,
        file: &dyn DiskFile,
        position: u64,
        size: u64,
        behind: Option<i64>,
    ) -> io::Result<Doubt> {
        let Some(last) = self.last.as_ref().filter(|last| !last.in_order) else {
            return Ok(Doubt::at(position));
        };
        let Found { position: from, header } = last.found;
        let first = First { position: from, header, due: last.expected };
        let doubt = order::doubt(file, &first, position, size, behind)?;
        if doubt.is_of(&first) {
            (self.next_offset, self.end, self.last) = (first.due, from, None);
        }
        Ok(doubt)
    }
}
