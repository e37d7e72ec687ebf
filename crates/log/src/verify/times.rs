//! A segment's `.timeindex` beside the walk over its log.

use std::io;

use super::finding::{Finding, Severity};
use super::job::Kept;
use super::pending::{Judged, Pending};
use crate::files::{TimeStamped, WalkedBatch};

impl Judged for TimeStamped {
    // A first record of time zero.
    const MAY_BE_ZERO: bool = true;

    fn is_zero(&self) -> bool {
        self.timestamp == 0 && self.relative_offset == 0
    }

    fn offset(&self, base: i64) -> i64 {
        base + i64::from(self.relative_offset)
    }

    fn impossible(&self, _base: i64) -> Option<&'static str> {
        (self.relative_offset < 0).then_some("is of a negative offset")
    }

    fn rises_above(&self, before: &Self) -> bool {
        self.timestamp > before.timestamp && self.relative_offset >= before.relative_offset
    }
}

/// The entries, and the largest time of records that the walk saw. Of a batch of which compaction left the header alone an entry
/// may tell: Kafka's cleaner writes one, ours does not, as it leads to no record.
pub(super) struct TimesCheck<'f> {
    entries: Pending<'f, TimeStamped>,
    newest: i64,
}

impl<'f> TimesCheck<'f> {
    /// Of these entries.
    pub(super) fn new(entries: Pending<'f, TimeStamped>) -> Self {
        Self { entries, newest: -1 }
    }

    /// The walk came to a batch.
    pub(super) fn meet(&mut self, batch: &WalkedBatch<'_>, kept: &mut Kept) -> io::Result<()> {
        let header = &batch.header;
        let newest = self.newest.max(header.max_timestamp);
        while let Some((at, offset, entry)) = self.entries.next() {
            if offset > header.last_offset() {
                break;
            }
            if offset < header.base_offset {
                kept.push(self.entries.wrong(at, offset, "names an offset that no batch holds"));
            } else if entry.timestamp != header.max_timestamp {
                let (stated, found) = (entry.timestamp, header.max_timestamp);
                let what = format!("says time {stated}, the batch it names is of {found}");
                kept.push(self.entries.wrong(at, offset, &what));
            } else if entry.timestamp < newest {
                let what = format!("says {} is the largest time, one before it is {newest}", entry.timestamp);
                kept.push(self.entries.wrong(at, offset, &what));
            } else if entry.timestamp == self.newest {
                let what = format!("names another batch than the first of time {}", entry.timestamp);
                kept.push(Finding { severity: Severity::Doubt, ..self.entries.wrong(at, offset, &what) });
            }
            self.entries.advance(kept)?;
        }
        if header.records_count > 0 {
            self.newest = newest;
        }
        Ok(())
    }

    /// What lies before `offset` was damaged: entries that name it say nothing.
    pub(super) fn forgive(&mut self, offset: i64, kept: &mut Kept) -> io::Result<()> {
        self.entries.forgive(kept, |named, _| named < offset)
    }

    /// The walk came to the end of a segment. `growing`: it is the active one.
    pub(super) fn end(self, growing: bool, live: bool, kept: &mut Kept) {
        if let Some((at, offset, _)) = self.entries.next()
            && !live
        {
            kept.push(self.entries.wrong(at, offset, "names an offset behind the end of the log"));
        }
        let told = self.entries.last().map_or(-1, |last| last.timestamp);
        if !growing && self.entries.next().is_none() && told < self.newest {
            let what = format!("ends at time {told}, the log beside it has {}", self.newest);
            kept.push(self.entries.file(Severity::Doubt, &what));
        }
    }
}
