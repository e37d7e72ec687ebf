//! Where the bytes of a segment are no right batches: found in slices, by walking over it.
//!
//! Batches that are right have the CRC that they state, offsets that rise, and none behind the segment's end. Damage goes
//! from the first byte that is none of them to the next batch that is.

use std::io;

use pagewire_disk::DiskFile;

use super::damage::Stretch;
use crate::files::{BatchWalk, Step, WalkedBatch};
use crate::segment::End;

/// A walk over one segment: where it stands, and what it found so far.
#[derive(Debug)]
pub(crate) struct Search {
    position: u64,
    /// Base offsets below are not believed.
    expected: i64,
    open: Option<Open>,
    /// The batch before, and the offset that was due there.
    last: Option<Open>,
    found: Vec<Stretch>,
}

/// A batch or damage whose end has not been seen.
#[derive(Debug, Clone, Copy)]
struct Open {
    from: u64,
    offset: i64,
}

/// What one slice came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) bytes: u64,
    pub(crate) batches: u64,
    /// Stretches found.
    pub(crate) damaged: u64,
    /// The segment was looked at to its end.
    pub(crate) done: bool,
}

impl Search {
    /// Of a segment that begins at `base_offset`.
    pub(crate) fn new(base_offset: i64) -> Self {
        Self::from(0, base_offset)
    }

    /// From `position` on, where a batch of an offset not below `offset` is due.
    pub(crate) fn from(position: u64, offset: i64) -> Self {
        Self { position, expected: offset, open: None, last: None, found: Vec::new() }
    }

    /// The end of damage has not been seen yet.
    pub(crate) fn is_in_damage(&self) -> bool {
        self.open.is_some()
    }

    /// Where the next slice begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// What was found so far.
    pub(crate) fn into_found(self) -> Vec<Stretch> {
        self.found
    }

    /// Goes on until `bytes` were read or the segment ends. `tell` hears of each stretch as soon as its end is known.
    pub(crate) fn advance(
        &mut self,
        file: &dyn DiskFile,
        end: End,
        bytes: u64,
        tell: &dyn Fn(Stretch),
    ) -> io::Result<Slice> {
        let start = self.position;
        let mut slice = Slice::default();
        let mut walk = BatchWalk::new(file, start, end.size);
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
                        slice.damaged += self.close(batch.position, batch.header.base_offset, tell);
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
            slice.damaged += self.close(end.size, end.next_offset, tell);
        }
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
    fn close(&mut self, to: u64, next_offset: i64, tell: &dyn Fn(Stretch)) -> u64 {
        let Some(Open { from, offset }) = self.open.take() else { return 0 };
        let stretch = Stretch { from, to, offset, next_offset };
        // At once: what is known must not be served until the rest was looked at.
        tell(stretch);
        self.found.push(stretch);
        1
    }
}
