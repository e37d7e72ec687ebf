//! One segment, verified in slices: where it stands between two of them, and what it found so far.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_zcopy::{DropBehind, DropBehindOptions, FileRange, Residency, drop_pages_blocking, residency};

use super::damage::Stretch;
use crate::files::{BatchWalk, Step, WalkedBatch};
use crate::segment::Segment;

/// Whether pages are in the cache is asked for so many bytes at a time; those that were not are dropped again.
const WINDOW: u64 = 1 << 20;

/// A closed segment being verified.
#[derive(Debug)]
pub(super) struct SegmentPass {
    pub(super) segment: Arc<Segment>,
    position: u64,
    /// Base offsets below are not believed.
    expected: i64,
    open: Option<Open>,
    /// The batch before, and the offset that was due there.
    last: Option<Open>,
    found: Vec<Stretch>,
    behind: DropBehind,
}

/// A batch or damage whose end has not been seen.
#[derive(Debug, Clone, Copy)]
struct Open {
    from: u64,
    offset: i64,
}

/// What one slice came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) bytes: u64,
    pub(super) batches: u64,
    /// Stretches found.
    pub(super) damaged: u64,
    /// The segment was looked at to its end.
    pub(super) done: bool,
}

impl SegmentPass {
    pub(super) fn new(segment: Arc<Segment>) -> Self {
        let expected = segment.base_offset;
        let behind = DropBehind::new(DropBehindOptions { lag_bytes: 0, ..DropBehindOptions::default() });
        Self { segment, position: 0, expected, open: None, last: None, found: Vec::new(), behind }
    }

    /// Verifies batches until `bytes` were read or the segment ends; tells its readers what it found.
    pub(super) fn advance(&mut self, bytes: u64) -> io::Result<Slice> {
        let (file, end) = (self.segment.file()?, self.segment.end());
        let start = self.position;
        self.look_what_is_cached(file.file(), start, bytes.min(end.size - start.min(end.size)));
        let mut slice = Slice::default();
        let mut walk = BatchWalk::new(&*file, start, end.size);
        while self.position - start < bytes {
            let Some(step) = walk.step()? else {
                slice.done = true;
                break;
            };
            let (from, stated) = match step {
                Step::Batch(batch) => {
                    slice.batches += 1;
                    self.doubt_the_last(&batch);
                    if self.is_right(&batch, end.next_offset) {
                        slice.damaged += self.close(batch.position, batch.header.base_offset);
                        self.last = Some(Open { from: batch.position, offset: self.expected });
                        self.expected = batch.header.next_offset();
                        self.position = batch.end();
                        continue;
                    }
                    (batch.position, Some(batch.end()))
                }
                Step::Bad(bad) => (bad.position, bad.next),
            };
            self.damage_at(from);
            let next = walk.next_behind(from, stated, &(self.expected..=end.next_offset - 1))?;
            self.position = next.unwrap_or(end.size);
            walk.resume_at(self.position);
        }
        slice.bytes = self.position - start;
        if slice.done {
            slice.damaged += self.close(end.size, end.next_offset);
            self.segment.damage.set(std::mem::take(&mut self.found));
            self.segment.check_due.store(false, Ordering::Relaxed);
        }
        self.drop_what_was_brought_in(file.file(), start, slice);
        Ok(slice)
    }

    /// A batch goes back behind a hole before the last one: then that one's base offset is the lie. Offsets are not covered
    /// by the CRC, their order alone speaks for them.
    fn doubt_the_last(&mut self, batch: &WalkedBatch<'_>) {
        let base = batch.header.base_offset;
        if let Some(last) = self.last.take()
            && batch.is_whole()
            && (last.offset..self.expected).contains(&base)
        {
            self.open.get_or_insert(last);
            self.expected = last.offset;
        }
    }

    /// Its bytes are those that were written, and its offsets follow.
    fn is_right(&self, batch: &WalkedBatch<'_>, end_offset: i64) -> bool {
        let header = &batch.header;
        batch.is_whole()
            && header.base_offset >= self.expected
            && header.last_offset_delta >= 0
            && header.next_offset() <= end_offset
    }

    fn damage_at(&mut self, position: u64) {
        self.open.get_or_insert(Open { from: position, offset: self.expected });
    }

    /// Damage that was open ends before a good batch, or with the segment. How many stretches that are: one, or none.
    fn close(&mut self, to: u64, next_offset: i64) -> u64 {
        let Some(Open { from, offset }) = self.open.take() else { return 0 };
        let stretch = Stretch { from, to, offset, next_offset };
        // At once: what is known must not be served until the rest was looked at.
        self.segment.tell_damage(stretch);
        self.found.push(stretch);
        1
    }

    fn look_what_is_cached(&mut self, file: &Arc<File>, start: u64, bytes: u64) {
        let mut at = start;
        while at < start + bytes {
            let len = WINDOW.min(start + bytes - at);
            if residency(file, at, len) != Residency::Resident {
                self.behind.was_cold(&FileRange::new(Arc::clone(file), at, len));
            }
            at += len;
        }
    }

    fn drop_what_was_brought_in(&mut self, file: &Arc<File>, start: u64, slice: Slice) {
        let mut ranges = self.behind.sent(&FileRange::new(Arc::clone(file), start, slice.bytes));
        if slice.done {
            ranges.extend(self.behind.finish());
        }
        for range in &ranges {
            // Only advice.
            let _ = drop_pages_blocking(range);
        }
    }
}
