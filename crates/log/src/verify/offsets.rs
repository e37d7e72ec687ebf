//! A segment's `.index` beside the walk over its log.

use std::io;
use std::path::Path;

use pagewire_disk::DiskFile;

use super::finding::{Fate, Finding, Severity};
use super::job::Kept;
use crate::files::{Entries, OffsetEntry, WalkedBatch};

/// A log of more bytes has an entry at any interval that anybody sets.
const LONG: u64 = 16 << 20;

/// The entries not yet reached by the walk.
pub(super) struct OffsetsCheck<'f> {
    entries: Entries<'f, OffsetEntry>,
    next: Option<(u64, OffsetEntry)>,
    last: Option<OffsetEntry>,
    base: i64,
    path: &'f Path,
    seen: u64,
    /// An entry whose batch ends below the offset it names: its position, that offset, where the batch ends.
    ahead: Option<(u64, i64, i64)>,
}

impl<'f> OffsetsCheck<'f> {
    /// Of the file at `path`, which belongs to a segment with this base offset.
    pub(super) fn new(
        file: &'f dyn DiskFile,
        len: u64,
        base: i64,
        path: &'f Path,
        kept: &mut Kept,
    ) -> io::Result<Self> {
        let entries = Entries::new(file, len);
        let mut this = Self { entries, next: None, last: None, base, path, seen: 0, ahead: None };
        this.advance(kept)?;
        Ok(this)
    }

    /// The walk came to a batch.
    pub(super) fn meet(&mut self, batch: &WalkedBatch<'_>, kept: &mut Kept) -> io::Result<()> {
        self.settle_ahead(batch.header.last_offset(), kept);
        while let Some((at, entry)) = self.next {
            let position = u64::try_from(entry.position).unwrap_or(0);
            if position > batch.position {
                return Ok(());
            }
            let offset = self.base + i64::from(entry.relative_offset);
            let last = batch.header.last_offset();
            if position < batch.position {
                kept.push(self.wrong(
                    at,
                    offset,
                    &format!("points at position {position}, where no batch begins"),
                ));
            } else if last < offset {
                self.ahead = Some((at, offset, last));
            } else if last > offset {
                let what = format!("names offset {offset}, the batch it points at ends at {last}");
                kept.push(self.wrong(at, offset, &what));
            }
            self.advance(kept)?;
        }
        Ok(())
    }

    /// Judges an entry that names an offset behind the batch it points at, once the log came to `last_offset`. Brokers before
    /// Kafka 3.9 named the last of several batches that came at once, and lookups by such an entry are right.
    fn settle_ahead(&mut self, last_offset: i64, kept: &mut Kept) {
        if let Some((at, offset, ends)) = self.ahead
            && last_offset >= offset
        {
            self.ahead = None;
            let finding = self.wrong(at, offset, &ahead_of(offset, ends));
            let severity = if last_offset == offset { Severity::Doubt } else { Severity::Damage };
            kept.push(Finding { severity, ..finding });
        }
    }

    /// What lies before `position` was damaged: entries that point there say nothing.
    pub(super) fn forgive(&mut self, position: u64, kept: &mut Kept) -> io::Result<()> {
        while self.next.is_some_and(|(_, entry)| u64::try_from(entry.position).unwrap_or(0) < position) {
            self.advance(kept)?;
        }
        Ok(())
    }

    /// The walk came to the end of `size` bytes. `live`: the log may have grown since.
    pub(super) fn end(self, size: u64, live: bool, batches: u64, kept: &mut Kept) {
        if let Some((at, offset, ends)) = self.ahead.filter(|_| !live) {
            kept.push(self.wrong(at, offset, &ahead_of(offset, ends)));
        }
        if let Some((at, entry)) = self.next
            && !live
        {
            let what = format!("points at position {}, the log has {size} bytes", entry.position);
            let offset = self.base + i64::from(entry.relative_offset);
            kept.push(self.wrong(at, offset, &what));
        }
        if self.seen == 0 && batches > 1 && size > LONG && !live {
            let what = "no entry, though the log beside it is long: lookups walk";
            kept.push(Finding::new(Severity::Doubt, self.path, what, Fate::Rebuilt));
        }
    }

    /// Goes on to the next entry that can be right.
    fn advance(&mut self, kept: &mut Kept) -> io::Result<()> {
        loop {
            self.next = self.entries.next()?;
            let Some((at, entry)) = self.next else { return Ok(()) };
            let is_zero = entry.relative_offset == 0 && entry.position == 0;
            if is_zero && self.entries.only_zeros_follow()? {
                let what = "zeros at its end: room that a broker reserved and did not give back";
                kept.push(Finding::new(Severity::Note, self.path, what, Fate::Rebuilt).at(at));
                self.next = None;
                return Ok(());
            }
            let rises = self.last.is_none_or(|last| {
                entry.relative_offset > last.relative_offset && entry.position > last.position
            });
            self.seen += 1;
            // Also one that does not rise: what comes next is not to be blamed for it.
            self.last = Some(entry);
            if rises && entry.relative_offset >= 0 && entry.position >= 0 {
                return Ok(());
            }
            let offset = self.base + i64::from(entry.relative_offset);
            kept.push(self.wrong(at, offset, "does not rise above the entry before it"));
        }
    }

    fn wrong(&self, at: u64, offset: i64, what: &str) -> Finding {
        Finding::new(Severity::Damage, self.path, format!("an entry {what}"), Fate::Rebuilt)
            .at(at)
            .offset(offset)
    }
}

fn ahead_of(offset: i64, ends: i64) -> String {
    format!("names offset {offset}, the batch it points at ends at {ends}")
}
