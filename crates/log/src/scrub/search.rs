//! Where the bytes of a segment are no right batches: found in slices, by walking over it.
//!
//! Batches that are right have the CRC that they state, offsets that rise, and none behind the segment's end; where nothing
//! was ever compacted, they leave none out. Damage goes from the first byte that is none of them to the next batch that is.

use std::io;
use std::ops::Range;

use pagewire_disk::DiskFile;

use super::damage::Stretch;
use super::stretches::Stretches;
use crate::files::{BatchWalk, Step, WalkedBatch};
use crate::scan::order::{self, Doubt, First};
use crate::segment::{End, Segment};

/// How far damage reaches from a position on where the first of these offsets is due, in a segment of which so many stretches
/// were found before; whoever has to know of it does when this answers.
pub(crate) type HowFar<'a> = &'a dyn Fn(u64, Range<i64>, usize) -> io::Result<Stretch>;

/// Bytes that are read behind the last position, where batches begin that are looked at: they end there, unless they are long.
const AHEAD: u64 = 16 << 10;

/// A walk over one segment: where it stands, and what it found so far.
#[derive(Debug)]
pub(crate) struct Search {
    position: u64,
    /// What begins behind is not looked at.
    until: u64,
    /// Base offsets below are not believed.
    expected: i64,
    /// Below which offset a hole is no loss.
    holes_below: i64,
    /// So is one behind the last batch.
    may_end_early: bool,
    /// Where records are known to be missing that are no hole of compaction's.
    known: Vec<Stretch>,
    last: Option<Last>,
    /// What is expected follows the last batch, rather than what damage left.
    follows: bool,
    found: Stretches,
}

/// The batch before, and the offset that was due there.
#[derive(Debug, Clone, Copy)]
struct Last {
    batch: First,
    /// It has the offset that follows the one before.
    in_order: bool,
}

/// What one slice came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) bytes: u64,
    /// Bytes that were read besides, to find where damage ends.
    pub(crate) sought: u64,
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
        let (until, holes_below, may_end_early) = (u64::MAX, i64::MAX, true);
        let (known, last, follows, found) = (Vec::new(), None, true, Stretches::default());
        Self { position, until, expected: offset, holes_below, may_end_early, known, last, follows, found }
    }

    /// Looks at nothing that begins behind `position`.
    pub(crate) fn until(self, position: u64) -> Self {
        Self { until: position, ..self }
    }

    /// Takes what is missing for lost where none may be missing in the segment, and where it is known to be.
    pub(crate) fn lacking_as(self, segment: &Segment) -> Self {
        let holes = segment.holes_below() == i64::MAX;
        self.lacking(holes, segment.may_end_early()).knowing(segment.damage.all())
    }

    /// Takes what is missing between batches for lost unless `holes` may be, what is missing behind the last one unless it
    /// `may_end_early`.
    pub(crate) fn lacking(self, holes: bool, may_end_early: bool) -> Self {
        let holes_below = if holes { i64::MAX } else { i64::MIN };
        Self { holes_below, may_end_early, ..self }
    }

    /// Takes what is missing for lost where one of these says so.
    pub(crate) fn knowing(mut self, known: impl IntoIterator<Item = Stretch>) -> Self {
        self.known.extend(known.into_iter().filter(Stretch::is_missing));
        self
    }

    /// Where the next slice begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The offset that is due there.
    pub(crate) fn expected(&self) -> i64 {
        self.expected
    }

    /// The last batch left offsets out: whether its own base offset is a lie, the next one tells.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.last.is_some_and(|last| !last.in_order)
    }

    /// What was found so far.
    pub(crate) fn into_found(self) -> Stretches {
        self.found
    }

    /// Goes on until `bytes` were read or the segment ends. `tell` hears at once of records that are missing: what is known
    /// must not be served until the rest was looked at.
    pub(crate) fn advance(
        &mut self,
        file: &dyn DiskFile,
        end: End,
        bytes: u64,
        tell: &dyn Fn(Stretch),
        how_far: HowFar<'_>,
    ) -> io::Result<Slice> {
        let (start, until) = (self.position, self.until.min(end.size));
        let mut slice = Slice::default();
        let mut walk =
            BatchWalk::new(file, start, end.size).reading(until.saturating_sub(start).saturating_add(AHEAD));
        while self.position.saturating_sub(start) < bytes {
            let step = if self.position < until { walk.step()? } else { None };
            let doubt = match step {
                None => {
                    slice.done = true;
                    break;
                }
                Some(Step::Bad(bad)) => Doubt::at(bad.position),
                Some(Step::Batch(batch)) => {
                    slice.batches += 1;
                    if is_in_place(&batch, self.expected, self.holes_below, end) {
                        if let Some(lost) = self.lost_before(batch.position, batch.header.base_offset) {
                            tell(lost);
                            self.found(lost, &mut slice);
                        }
                        self.take(&batch);
                        continue;
                    }
                    self.doubt(file, batch.position, end)?
                }
            };
            let stretch = how_far(doubt.from, self.expected..end.next_offset, self.found.len())?;
            self.found(stretch, &mut slice);
            if doubt.either == Some(self.position) {
                let stretch = how_far(self.position, self.expected..end.next_offset, self.found.len())?;
                self.found(stretch, &mut slice);
            }
            walk.resume_at(self.position);
        }
        slice.bytes = self.position.saturating_sub(start);
        if slice.done && until == end.size {
            // The next segment begins behind records that are not there.
            let missing = Stretch::missing(end.size, self.expected..end.next_offset);
            let lost = missing.filter(|_| !self.may_end_early);
            if let Some(lost) = lost.or_else(|| self.lost_before(end.size, end.next_offset)) {
                tell(lost);
                self.found(lost, &mut slice);
            }
        }
        Ok(slice)
    }

    /// What no batch has before the one of offset `next` at `position`, if that is known to be a loss.
    fn lost_before(&self, position: u64, next: i64) -> Option<Stretch> {
        let missing = Stretch::missing(position, self.expected..next)?;
        let hole = missing.offset..missing.next_offset;
        self.known.iter().any(|known| known.tells_loss(position, &hole)).then_some(missing)
    }

    fn take(&mut self, batch: &WalkedBatch<'_>) {
        let (position, expected) = (batch.position, self.expected);
        let in_order = self.follows && batch.header.base_offset == expected;
        let batch_before = First { position, header: batch.header, due: expected };
        self.last = Some(Last { batch: batch_before, in_order });
        (self.position, self.expected, self.follows) = (batch.end(), batch.header.next_offset(), true);
    }

    /// A batch is not in its place: it is the one that is not believed, or the last one.
    fn doubt(&mut self, file: &dyn DiskFile, position: u64, end: End) -> io::Result<Doubt> {
        let Some(last) = self.last.filter(|last| !last.in_order) else { return Ok(Doubt::at(position)) };
        let doubt = order::doubt(file, &last.batch, position, end.size, Some(end.next_offset))?;
        if doubt.is_of(&last.batch) {
            self.expected = last.batch.due;
        }
        Ok(doubt)
    }

    fn found(&mut self, stretch: Stretch, slice: &mut Slice) {
        (self.position, self.expected) = (stretch.end(), stretch.next_offset);
        (self.last, self.follows) = (None, false);
        self.found.add(stretch);
        slice.damaged += 1;
    }
}

/// Whether a batch has the bytes that were written, and offsets that follow.
fn is_in_place(batch: &WalkedBatch<'_>, expected: i64, holes_below: i64, end: End) -> bool {
    let header = &batch.header;
    batch.is_whole()
        && (expected..=expected.max(holes_below)).contains(&header.base_offset)
        && header.last_offset_delta >= 0
        && header.next_offset() <= end.next_offset
}
