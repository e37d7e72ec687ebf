//! A segment's `.timeindex` beside the walk over its log.

use std::io;
use std::path::Path;

use pagewire_disk::DiskFile;

use super::finding::{Fate, Finding, Severity};
use super::job::Kept;
use crate::files::{Entries, TimeStamped, WalkedBatch};

/// The entries not yet reached by the walk, and the largest time that the walk saw.
pub(super) struct TimesCheck<'f> {
    entries: Entries<'f, TimeStamped>,
    next: Option<(u64, TimeStamped)>,
    last: Option<TimeStamped>,
    newest: i64,
    base: i64,
    path: &'f Path,
}

impl<'f> TimesCheck<'f> {
    /// Of the file at `path`, which belongs to a segment with this base offset.
    pub(super) fn new(
        file: &'f dyn DiskFile,
        len: u64,
        base: i64,
        path: &'f Path,
        kept: &mut Kept,
    ) -> io::Result<Self> {
        let entries = Entries::new(file, len);
        let mut this = Self { entries, next: None, last: None, newest: -1, base, path };
        this.advance(kept)?;
        Ok(this)
    }

    /// The walk came to a batch.
    pub(super) fn meet(&mut self, batch: &WalkedBatch<'_>, kept: &mut Kept) -> io::Result<()> {
        let header = &batch.header;
        let newest = self.newest.max(header.max_timestamp);
        while let Some((at, entry)) = self.next {
            let offset = self.base + i64::from(entry.relative_offset);
            if offset > header.last_offset() {
                break;
            }
            if offset < header.base_offset {
                kept.push(self.wrong(at, offset, "names an offset that no batch holds"));
            } else if entry.timestamp != header.max_timestamp {
                let (stated, found) = (entry.timestamp, header.max_timestamp);
                let what = format!("says time {stated}, the batch it names is of {found}");
                kept.push(self.wrong(at, offset, &what));
            } else if entry.timestamp < newest {
                let what = format!("says {} is the largest time, one before it is {newest}", entry.timestamp);
                kept.push(self.wrong(at, offset, &what));
            } else if entry.timestamp == self.newest {
                let what = format!("names another batch than the first of time {}", entry.timestamp);
                kept.push(Finding { severity: Severity::Doubt, ..self.wrong(at, offset, &what) });
            }
            self.advance(kept)?;
        }
        self.newest = newest;
        Ok(())
    }

    /// What lies before `offset` was damaged: entries that name it say nothing.
    pub(super) fn forgive(&mut self, offset: i64, kept: &mut Kept) -> io::Result<()> {
        while self.next.is_some_and(|(_, entry)| self.base + i64::from(entry.relative_offset) < offset) {
            self.advance(kept)?;
        }
        Ok(())
    }

    /// The walk came to the end of a segment. `growing`: it is the active one.
    pub(super) fn end(self, growing: bool, live: bool, kept: &mut Kept) {
        if let Some((at, entry)) = self.next
            && !live
        {
            let offset = self.base + i64::from(entry.relative_offset);
            kept.push(self.wrong(at, offset, "names an offset behind the end of the log"));
        }
        let told = self.last.map_or(-1, |last| last.timestamp);
        if !growing && self.next.is_none() && told < self.newest {
            let what = format!("ends at time {told}, the log beside it has {}", self.newest);
            kept.push(Finding::new(Severity::Doubt, self.path, what, Fate::Rebuilt));
        }
    }

    /// Goes on to the next entry that can be right.
    fn advance(&mut self, kept: &mut Kept) -> io::Result<()> {
        loop {
            self.next = self.entries.next()?;
            let Some((at, entry)) = self.next else { return Ok(()) };
            let is_zero = entry.timestamp == 0 && entry.relative_offset == 0;
            // One such entry may be right: a first record of time zero.
            if is_zero && (at > 0 || self.entries.has_more()) && self.entries.only_zeros_follow()? {
                let what = "zeros at its end: room that a broker reserved and did not give back";
                kept.push(Finding::new(Severity::Note, self.path, what, Fate::Rebuilt).at(at));
                self.next = None;
                return Ok(());
            }
            let rises = self.last.is_none_or(|last| {
                entry.timestamp > last.timestamp && entry.relative_offset >= last.relative_offset
            });
            // Also one that does not rise: what comes next is not to be blamed for it.
            self.last = Some(entry);
            if rises && entry.relative_offset >= 0 {
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
