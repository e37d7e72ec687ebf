//! The entries of an index that the walk over its log has not reached: what the checks of all three kinds share.
//!
//! Entries come one by one, as the walk passes what they name. Those that cannot be right whatever the log holds are
//! told and passed over here; the checks hold the others against the batches.

use std::io;
use std::path::Path;

use pagewire_disk::DiskFile;

use super::finding::{Fate, Finding, Severity};
use super::job::Kept;
use crate::files::{Entries, Entry};

/// An entry, as far as it can be judged without the log.
pub(super) trait Judged: Entry + Copy {
    /// Whether it is nothing but zeros, where a broker reserves room for entries.
    fn is_zero(&self) -> bool;

    /// Whether such an entry may be right, as the only one of its file.
    const MAY_BE_ZERO: bool;

    /// The offset that it names, in a segment with this base offset.
    fn offset(&self, base: i64) -> i64;

    /// What is wrong with it by itself.
    fn impossible(&self, base: i64) -> Option<&'static str>;

    /// Whether it may stand behind `before`.
    fn rises_above(&self, before: &Self) -> bool;
}

/// The entries not yet reached by the walk.
pub(super) struct Pending<'f, E> {
    entries: Entries<'f, E>,
    next: Option<(u64, E)>,
    last: Option<E>,
    seen: u64,
    base: i64,
    path: &'f Path,
    /// Zeros at its end are room for entries of a segment that is written to.
    grows: bool,
}

impl<'f, E: Judged> Pending<'f, E> {
    /// Of the file at `path`, which has `len` bytes and belongs to a segment with this base offset; `grows`: the one
    /// that is written to.
    pub(super) fn new(
        file: &'f dyn DiskFile,
        len: u64,
        base: i64,
        (path, grows): (&'f Path, bool),
        kept: &mut Kept,
    ) -> io::Result<Self> {
        let entries = Entries::new(file, len);
        let mut this = Self { entries, next: None, last: None, seen: 0, base, path, grows };
        this.advance(kept)?;
        Ok(this)
    }

    /// The next one with its position in the file, and the offset that it names.
    pub(super) fn next(&self) -> Option<(u64, i64, E)> {
        self.next.map(|(at, entry)| (at, entry.offset(self.base), entry))
    }

    /// The last one that was shown, or would not rise above the one before it.
    pub(super) fn last(&self) -> Option<E> {
        self.last
    }

    /// How many there were until here, right or wrong.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Goes on behind entries for which this holds: what they name was damaged, so they say nothing.
    pub(super) fn forgive(
        &mut self,
        kept: &mut Kept,
        says_nothing: impl Fn(i64, E) -> bool,
    ) -> io::Result<()> {
        while self.next().is_some_and(|(_, offset, entry)| says_nothing(offset, entry)) {
            self.advance(kept)?;
        }
        Ok(())
    }

    /// Goes on to the next entry that can be right.
    pub(super) fn advance(&mut self, kept: &mut Kept) -> io::Result<()> {
        loop {
            self.next = self.entries.next()?;
            let Some((at, entry)) = self.next else { return Ok(()) };
            let reserved = entry.is_zero() && !(E::MAY_BE_ZERO && at == 0 && !self.entries.has_more());
            if reserved && self.entries.only_zeros_follow()? {
                if !self.grows {
                    let what = "zeros at its end: room that a broker reserved and did not give back";
                    kept.push(Finding::new(Severity::Note, self.path, what, Fate::Rebuilt).at(at));
                }
                self.next = None;
                return Ok(());
            }
            self.seen += 1;
            if let Some(what) = entry.impossible(self.base) {
                kept.push(self.wrong(at, entry.offset(self.base), what));
                continue;
            }
            // Also one that does not rise: what comes next is not to be blamed for it.
            let before = self.last.replace(entry);
            if before.is_none_or(|before| entry.rises_above(&before)) {
                return Ok(());
            }
            let what = "does not rise above the entry before it";
            kept.push(self.wrong(at, entry.offset(self.base), what));
        }
    }

    /// Says what is wrong with the entry at `at`.
    pub(super) fn wrong(&self, at: u64, offset: i64, what: &str) -> Finding {
        self.file(Severity::Damage, &format!("an entry {what}")).at(at).offset(offset)
    }

    /// Says something of the file.
    pub(super) fn file(&self, severity: Severity, what: &str) -> Finding {
        Finding::new(severity, self.path, what, Fate::Rebuilt)
    }
}
