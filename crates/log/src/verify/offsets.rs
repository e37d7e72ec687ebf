//! A segment's `.index` beside the walk over its log.

use std::io;

use super::finding::{Finding, Severity};
use super::job::Kept;
use super::pending::{Judged, Pending};
use crate::files::{OffsetEntry, WalkedBatch};

/// A log of more bytes has an entry at any interval that anybody sets.
const LONG: u64 = 16 << 20;

impl Judged for OffsetEntry {
    const MAY_BE_ZERO: bool = false;

    fn is_zero(&self) -> bool {
        self.relative_offset == 0 && self.position == 0
    }

    fn offset(&self, base: i64) -> i64 {
        base + i64::from(self.relative_offset)
    }

    fn impossible(&self, _base: i64) -> Option<&'static str> {
        (self.relative_offset < 0 || self.position < 0).then_some("is of a negative offset or position")
    }

    fn rises_above(&self, before: &Self) -> bool {
        self.relative_offset > before.relative_offset && self.position > before.position
    }
}

/// What was seen of them.
pub(super) struct OffsetsCheck<'f> {
    entries: Pending<'f, OffsetEntry>,
    /// An entry whose batch ends below the offset it names: its position, that offset, where the batch ends.
    ahead: Option<(u64, i64, i64)>,
}

impl<'f> OffsetsCheck<'f> {
    /// Of these entries.
    pub(super) fn new(entries: Pending<'f, OffsetEntry>) -> Self {
        Self { entries, ahead: None }
    }

    /// The walk came to a batch.
    pub(super) fn meet(&mut self, batch: &WalkedBatch<'_>, kept: &mut Kept) -> io::Result<()> {
        self.settle_ahead(batch.header.last_offset(), kept);
        while let Some((at, offset, entry)) = self.entries.next() {
            let position = position_of(entry);
            if position > batch.position {
                return Ok(());
            }
            let last = batch.header.last_offset();
            if position < batch.position {
                let what = format!("points at position {position}, where no batch begins");
                kept.push(self.entries.wrong(at, offset, &what));
            } else if last < offset {
                self.ahead = Some((at, offset, last));
            } else if last > offset {
                let what = format!("names offset {offset}, the batch it points at ends at {last}");
                kept.push(self.entries.wrong(at, offset, &what));
            }
            self.entries.advance(kept)?;
        }
        Ok(())
    }

    /// Judges an entry that names an offset behind the batch it points at, once the log came to `last_offset`. Brokers
    /// before Kafka 3.9 named the last of several batches that came at once, and lookups by such an entry are right.
    fn settle_ahead(&mut self, last_offset: i64, kept: &mut Kept) {
        if let Some((at, offset, ends)) = self.ahead
            && last_offset >= offset
        {
            self.ahead = None;
            let finding = self.entries.wrong(at, offset, &ahead_of(offset, ends));
            let severity = if last_offset == offset { Severity::Doubt } else { Severity::Damage };
            kept.push(Finding { severity, ..finding });
        }
    }

    /// What lies before `position` was damaged: entries that point there say nothing.
    pub(super) fn forgive(&mut self, position: u64, kept: &mut Kept) -> io::Result<()> {
        self.entries.forgive(kept, |_, entry| position_of(entry) < position)
    }

    /// The walk came to the end of `size` bytes. `live`: the log may have grown since.
    pub(super) fn end(self, size: u64, live: bool, batches: u64, kept: &mut Kept) {
        if let Some((at, offset, ends)) = self.ahead.filter(|_| !live) {
            kept.push(self.entries.wrong(at, offset, &ahead_of(offset, ends)));
        }
        if let Some((at, offset, entry)) = self.entries.next()
            && !live
        {
            let what = format!("points at position {}, the log has {size} bytes", entry.position);
            kept.push(self.entries.wrong(at, offset, &what));
        }
        if self.entries.seen() == 0 && batches > 1 && size > LONG && !live {
            let what = "no entry, though the log beside it is long: lookups walk";
            kept.push(self.entries.file(Severity::Doubt, what));
        }
    }
}

fn position_of(entry: OffsetEntry) -> u64 {
    // A negative one is not shown.
    u64::try_from(entry.position).unwrap_or(0)
}

fn ahead_of(offset: i64, ends: i64) -> String {
    format!("names offset {offset}, the batch it points at ends at {ends}")
}
