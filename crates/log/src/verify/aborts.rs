//! A segment's `.txnindex` beside the walk over its log.

use std::io;
use std::path::Path;

use bytes::Bytes;
use pagewire_disk::DiskFile;
use pagewire_record::{ControlType, DecompressLimits, SharedBatch};

use super::finding::{Fate, Finding, Severity};
use super::job::Kept;
use crate::files::{AbortedTxn, Entries, WalkedBatch};

/// The entries not yet reached by the walk.
pub(super) struct AbortsCheck<'f> {
    entries: Entries<'f, AbortedTxn>,
    next: Option<(u64, AbortedTxn)>,
    last: Option<AbortedTxn>,
    base: i64,
    path: &'f Path,
}

impl<'f> AbortsCheck<'f> {
    /// Of the file at `path`, which belongs to a segment with this base offset.
    pub(super) fn new(
        file: &'f dyn DiskFile,
        len: u64,
        base: i64,
        path: &'f Path,
        kept: &mut Kept,
    ) -> io::Result<Self> {
        let mut this = Self { entries: Entries::new(file, len), next: None, last: None, base, path };
        this.advance(kept)?;
        Ok(this)
    }

    /// The walk came to a batch. An offset that compaction took the marker from has none.
    pub(super) fn meet(&mut self, batch: &WalkedBatch<'_>, kept: &mut Kept) -> io::Result<()> {
        while let Some((at, entry)) =
            self.next.filter(|(_, entry)| entry.last_offset <= batch.header.last_offset())
        {
            let here = entry.last_offset >= batch.header.base_offset;
            if here && !aborts(batch, entry.producer_id) {
                let what = format!("names a marker of producer {}, and there is none", entry.producer_id);
                kept.push(self.wrong(at, &entry, &what));
            }
            self.advance(kept)?;
        }
        Ok(())
    }

    /// What lies before `offset` was damaged: entries that name it say nothing.
    pub(super) fn forgive(&mut self, offset: i64, kept: &mut Kept) -> io::Result<()> {
        while self.next.is_some_and(|(_, entry)| entry.last_offset < offset) {
            self.advance(kept)?;
        }
        Ok(())
    }

    /// The walk came to the end of a segment whose next offset this is.
    pub(super) fn end(self, next_offset: i64, live: bool, kept: &mut Kept) {
        if let Some((at, entry)) = self.next
            && !live
        {
            kept.push(self.wrong(
                at,
                &entry,
                &format!("names a marker behind the segment's end, {next_offset}"),
            ));
        }
    }

    /// Goes on to the next entry that can be right.
    fn advance(&mut self, kept: &mut Kept) -> io::Result<()> {
        loop {
            self.next = self.entries.next()?;
            let Some((at, entry)) = self.next else { return Ok(()) };
            match self.impossible(&entry) {
                None => {
                    self.last = Some(entry);
                    return Ok(());
                }
                Some(what) => kept.push(self.wrong(at, &entry, what)),
            }
        }
    }

    fn impossible(&self, entry: &AbortedTxn) -> Option<&'static str> {
        if entry.version != 0 {
            return Some("is of a version that is not known");
        }
        if entry.producer_id < 0 || entry.first_offset < 0 || entry.first_offset > entry.last_offset {
            return Some("is of a transaction that cannot be");
        }
        if entry.last_offset < self.base
            || self.last.is_some_and(|last| entry.last_offset <= last.last_offset)
        {
            return Some("does not rise above the entry before it");
        }
        (entry.last_stable_offset > entry.last_offset + 1)
            .then_some("has a last stable offset behind its marker")
    }

    fn wrong(&self, at: u64, entry: &AbortedTxn, what: &str) -> Finding {
        let what = format!("an entry {what}");
        Finding::new(Severity::Damage, self.path, what, Fate::Rebuilt).at(at).offset(entry.last_offset)
    }
}

/// Whether a batch is the marker that aborts a transaction of this producer.
fn aborts(batch: &WalkedBatch<'_>, producer_id: i64) -> bool {
    if !batch.header.is_control() || batch.header.producer_id != producer_id {
        return false;
    }
    // Too long to be kept is too long to be a marker.
    let Some(bytes) = batch.bytes else { return false };
    let Ok(whole) = SharedBatch::first(&Bytes::copy_from_slice(bytes)) else { return false };
    let Ok(mut records) = whole.records(&DecompressLimits::default()) else { return false };
    // Compaction may leave an empty batch in its place.
    records.next().is_none_or(|record| {
        record.is_ok_and(|record| {
            record.key.as_deref().and_then(ControlType::from_key) == Some(ControlType::Abort)
        })
    })
}
