//! One segment, verified in slices: where it stands between two of them, and what it found so far.

use std::fs::File;
use std::io;
use std::sync::Arc;

use pagewire_zcopy::{DropBehind, DropBehindOptions, FileRange, Residency, drop_pages_blocking, residency};

use super::damage::Stretch;
use crate::files::{BatchWalk, Step, WalkedBatch};
use crate::segment::{End, Segment};

/// Whether pages are in the cache is asked for so many bytes at a time; those that were not are dropped again.
const WINDOW: u64 = 1 << 20;

/// A segment being verified.
#[derive(Debug)]
pub(super) struct SegmentPass {
    pub(super) segment: Arc<Segment>,
    position: u64,
    /// What begins behind is not looked at.
    until: u64,
    /// Base offsets below are not believed.
    expected: i64,
    last: Option<Last>,
    found: Vec<Stretch>,
    behind: DropBehind,
}

/// The batch before, and the offset that was due there.
#[derive(Debug, Clone, Copy)]
struct Last {
    position: u64,
    expected: i64,
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
        // Of one that grows, what was there when it was opened: the rest was written by this process.
        let until = if segment.is_closed() { u64::MAX } else { segment.due_below() };
        Self { segment, position: 0, until, expected, last: None, found: Vec::new(), behind }
    }

    /// Verifies batches until `bytes` were read or the segment ends; tells its readers what it found.
    pub(super) fn advance(&mut self, bytes: u64) -> io::Result<Slice> {
        let (file, end) = (self.segment.file()?, self.segment.end());
        let (start, until) = (self.position, self.until.min(end.size));
        self.look_what_is_cached(file.file(), start, bytes.min(until.saturating_sub(start)));
        let mut slice = Slice::default();
        let mut walk = BatchWalk::new(&*file, start, end.size);
        while self.position.saturating_sub(start) < bytes {
            let step = if self.position < until { walk.step()? } else { None };
            let from = match step {
                None => {
                    slice.done = true;
                    break;
                }
                Some(Step::Bad(bad)) => bad.position,
                Some(Step::Batch(batch)) => {
                    slice.batches += 1;
                    if self.segment.is_in_place(&batch, self.expected, end) {
                        self.last = Some(Last { position: batch.position, expected: self.expected });
                        self.expected = batch.header.next_offset();
                        self.position = batch.end();
                        continue;
                    }
                    self.doubt_the_last(&batch).unwrap_or(batch.position)
                }
            };
            let stretch = self.segment.learn_damage(from, self.expected)?;
            self.found(stretch, &mut slice);
            walk.resume_at(self.position);
        }
        slice.bytes = self.position.saturating_sub(start);
        if slice.done {
            self.end(end, &mut slice);
        }
        self.drop_what_was_brought_in(file.file(), start, slice);
        Ok(slice)
    }

    /// A batch goes back behind a hole before the last one: then that one's base offset is the lie, from where it begins.
    /// Offsets are not covered by the CRC, their order alone speaks for them.
    fn doubt_the_last(&mut self, batch: &WalkedBatch<'_>) -> Option<u64> {
        let last = self.last?;
        let goes_back =
            batch.is_whole() && (last.expected..self.expected).contains(&batch.header.base_offset);
        goes_back.then(|| {
            self.expected = last.expected;
            last.position
        })
    }

    /// Its readers know it already: what is known must not be served until the rest was looked at.
    fn found(&mut self, stretch: Stretch, slice: &mut Slice) {
        (self.position, self.expected, self.last) = (stretch.to, stretch.next_offset, None);
        self.found.push(stretch);
        slice.damaged += 1;
    }

    fn end(&mut self, end: End, slice: &mut Slice) {
        self.segment.unverified_below(0);
        if !self.segment.is_closed() {
            return;
        }
        if self.expected < end.next_offset && !self.segment.home.was_compacted() {
            // The next segment begins behind records that are not there.
            let (from, to, offset) = (end.size, end.size, self.expected);
            let missing = Stretch { from, to, offset, next_offset: end.next_offset };
            self.segment.tell_damage(missing);
            self.found(missing, slice);
        }
        self.segment.damage.set(std::mem::take(&mut self.found));
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
