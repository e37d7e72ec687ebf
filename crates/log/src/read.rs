//! Reading: from an offset to a range of a file, without a lock and without touching a record byte.
//!
//! A range starts with the batch that holds the offset (or the next one after a gap), ends at the bound or at
//! `max_bytes` (then possibly inside a batch, as in Kafka: clients ignore a cut tail), and never crosses a segment.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_zcopy::FileRange;

use crate::answers::{ReadSlice, ReadUpTo, TryRead};
use crate::errors::ReadError;
use crate::log::Log;
use crate::marks::Marks;
use crate::patience::Patience;
use crate::segment::{End, Segment};
use crate::txns::index::AbortedTxn;

/// Segments may vanish between a look at the list and the opening of a file, each time because the log start moved or
/// compaction put another in their place.
pub(crate) const LOOKS_MAX: usize = 8;

/// What a segment has for a reader.
enum Slice {
    /// Records below the bound.
    Range(FileRange),
    /// Records, but not even the first batch fits.
    TooBig,
    /// The next record is at or past the bound.
    BoundReached,
    /// All its records are below the offset: the next segment may have some.
    Past,
}

/// What a reader wants.
#[derive(Debug, Clone, Copy)]
struct Want {
    offset: i64,
    upto: ReadUpTo,
    max_bytes: u64,
    at_least_one: bool,
    patience: Patience,
}

impl Log {
    /// Finds the records from `offset` on, at most `max_bytes` of them, below the bound of `upto`.
    ///
    /// `at_least_one`: the first batch is returned whole even if it is longer than `max_bytes` (KIP-74). An offset at
    /// the bound (or between it and the log end) has no records yet: an empty slice, not an error.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: u32,
        upto: ReadUpTo,
        at_least_one: bool,
    ) -> Result<ReadSlice, ReadError> {
        let max_bytes = u64::from(max_bytes);
        let want = Want { offset, upto, max_bytes, at_least_one, patience: Patience::Endless };
        let mut looks = 0;
        loop {
            looks += 1;
            match self.look(want) {
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound && looks < LOOKS_MAX => {
                }
                answer => return answer,
            }
        }
    }

    /// [`Log::read`] for event loops: answers from memory and the page cache, or says that it would have to wait (for
    /// a cold index page or batch header, or for a file to be opened). Then the read belongs on a thread that may.
    pub fn try_read(
        &self,
        offset: i64,
        max_bytes: u32,
        upto: ReadUpTo,
        at_least_one: bool,
    ) -> Result<TryRead, ReadError> {
        let want =
            Want { offset, upto, max_bytes: u64::from(max_bytes), at_least_one, patience: Patience::None };
        match self.look(want) {
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(TryRead::WouldBlock),
            answer => answer.map(TryRead::Slice),
        }
    }

    fn look(&self, want: Want) -> Result<ReadSlice, ReadError> {
        let offset = want.offset;
        let marks = self.marks.load();
        check_range(offset, &marks)?;
        let bound = match want.upto {
            ReadUpTo::HighWatermark => marks.high_watermark,
            ReadUpTo::LastStable => marks.last_stable,
            ReadUpTo::LogEnd => marks.log_end,
        };
        let bound = match want.upto {
            ReadUpTo::LastStable => self.decided_before(offset, bound)?,
            _ => bound,
        };
        if offset >= bound {
            return Ok(ReadSlice { range: None, marks, closed: false, aborted: Vec::new() });
        }
        let segments = self.segments.load();
        // The log start moves before segments leave the list: what is missing from the list shows here.
        check_range(offset, &Marks { log_start: self.marks.load().log_start, ..marks })?;
        let first = segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1);
        let last = segments.len().saturating_sub(1);
        let below_bound = |(_, segment): &(usize, &Arc<Segment>)| segment.base_offset < bound;
        for (at, segment) in segments.iter().enumerate().skip(first).take_while(below_bound) {
            match segment.slice(want, bound)? {
                Slice::Range(range) => {
                    let aborted = self.aborted(want, &range, segments.get(at..).unwrap_or_default())?;
                    return Ok(ReadSlice { range: Some(range), marks, closed: at < last, aborted });
                }
                Slice::TooBig | Slice::BoundReached => break,
                // Only compaction makes holes.
                Slice::Past if segment.holds(offset) && !segment.may_end_early() => {
                    return Err(segment.missing(offset));
                }
                Slice::Past => {}
            }
        }
        Ok(ReadSlice { range: None, marks, closed: false, aborted: Vec::new() })
    }

    /// Up to where a reader of committed records may read from `offset` on, and no further than `bound`.
    fn decided_before(&self, offset: i64, bound: i64) -> Result<i64, ReadError> {
        match self.undecided.from(offset) {
            Some(part) if part.contains(&offset) => {
                let dir = self.home.dir.clone();
                Err(ReadError::Undecided { dir, offset, next_offset: part.end })
            }
            part => Ok(part.map_or(bound, |part| bound.min(part.start))),
        }
    }

    /// What a reader of committed records has to leave out of `range`, which lies in the first of `segments`. The
    /// marker of a transaction may lie segments behind its records.
    fn aborted(
        &self,
        want: Want,
        range: &FileRange,
        segments: &[Arc<Segment>],
    ) -> Result<Vec<AbortedTxn>, ReadError> {
        let mut found = Vec::new();
        let Some(first) = segments.first() else { return Ok(found) };
        if want.upto != ReadUpTo::LastStable || self.last_aborted.load(Ordering::Acquire) < want.offset {
            return Ok(found);
        }
        let upto = first.offset_past(range.offset() + range.len(), want.patience)?;
        for segment in segments {
            if segment.aborted(want.offset, upto, want.patience, &mut found)? {
                break;
            }
        }
        Ok(found)
    }
}

fn check_range(offset: i64, marks: &Marks) -> Result<(), ReadError> {
    if (marks.log_start..=marks.log_end).contains(&offset) {
        return Ok(());
    }
    Err(ReadError::OffsetOutOfRange { offset, log_start: marks.log_start, log_end: marks.log_end })
}

impl Segment {
    /// The records of `want` that lie below the offset `bound`.
    fn slice(&self, want: Want, bound: i64) -> Result<Slice, ReadError> {
        let patience = want.patience;
        // Before the end: the newest batch then lies below it.
        let newest = self.newest();
        let end = self.end();
        let whole = bound >= end.next_offset;
        if let Some((base_offset, position)) = newest
            && whole
            && base_offset == want.offset
            && end.size > position
            && end.size - position <= want.max_bytes
        {
            // A consumer at the tail: no index, no header.
            return self.range(position, end.size - position, want.offset, patience);
        }
        let Some(first) = self.locate_verified(want.offset, patience)? else { return Ok(Slice::Past) };
        if first.header.base_offset >= bound {
            return Ok(Slice::BoundReached);
        }
        let until = if whole { end.size } else { self.end_below(bound, first.position, end.size, patience)? };
        let available = until.saturating_sub(first.position);
        let size = first.header.size_in_bytes();
        if available < size {
            return Ok(Slice::BoundReached);
        }
        if want.max_bytes < 2 * size {
            // The next one will hardly come with it.
            self.note_step(first.header.next_offset(), first.end());
        }
        if size <= want.max_bytes {
            return self.range(
                first.position,
                available.min(want.max_bytes),
                first.header.base_offset,
                patience,
            );
        }
        if !want.at_least_one {
            return Ok(Slice::TooBig);
        }
        // Of one batch that was verified nothing else begins before it ends.
        self.verified_range(first.position, size, first.header.base_offset, patience)
    }

    /// Who takes the batch that ends before `offset`, at `position`, asks for that offset next.
    fn note_step(&self, offset: i64, position: u64) {
        if let (Some(relative), Ok(position)) = (self.relative(offset), u32::try_from(position)) {
            self.steps.note(relative, position);
        }
    }

    /// Where the batches from `position` on end that lie below the offset `bound`. Damage that has the bound is none of theirs: it
    /// lies behind them.
    fn end_below(&self, bound: i64, position: u64, size: u64, patience: Patience) -> Result<u64, ReadError> {
        match self.locate_verified(bound, patience) {
            Err(ReadError::Damaged { position: damaged, .. }) if damaged > position => Ok(damaged),
            found => Ok(found?.map_or(size, |batch| batch.position)),
        }
    }

    /// Bytes from a batch of base offset `offset` on, up to the first that are known to be damaged.
    fn range(&self, position: u64, len: u64, offset: i64, patience: Patience) -> Result<Slice, ReadError> {
        self.verify_once(position, len, patience)?;
        self.verified_range(position, len, offset, patience)
    }

    /// The same of batches that are verified, where that is due.
    fn verified_range(
        &self,
        position: u64,
        len: u64,
        offset: i64,
        patience: Patience,
    ) -> Result<Slice, ReadError> {
        let file = self.file_with(patience)?;
        let len = self.damage.clip(position, len).map_err(|stretch| self.damaged(stretch, offset))?;
        Ok(Slice::Range(FileRange::new(file.file().clone(), position, len)))
    }

    /// Whether the offset is one of this segment, which is closed.
    fn holds(&self, offset: i64) -> bool {
        self.is_closed() && (self.base_offset..self.end().next_offset).contains(&offset)
    }

    /// No batch has the offset, though the next segment begins behind it. The scrub tells how much is missing.
    fn missing(&self, offset: i64) -> ReadError {
        self.suspected();
        let End { next_offset, size: position } = self.end();
        ReadError::Damaged { file: self.path(), position, offset, next_offset }
    }
}
