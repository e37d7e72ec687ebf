//! A segment's `.txnindex` beside the walk over its log.

use std::io;

use bytes::Bytes;
use pagewire_record::{ControlType, DecompressLimits, SharedBatch};

use super::job::Kept;
use super::pending::{Judged, Pending};
use crate::files::{TxnEntry, WalkedBatch};

impl Judged for TxnEntry {
    const MAY_BE_ZERO: bool = false;

    // Nobody reserves room in this file.
    fn is_zero(&self) -> bool {
        false
    }

    fn offset(&self, _base: i64) -> i64 {
        self.txn.last_offset
    }

    fn impossible(&self, base: i64) -> Option<&'static str> {
        let txn = &self.txn;
        if !self.is_known() {
            return Some("is of a version that is not known");
        }
        if txn.producer_id < 0 || txn.first_offset < 0 || txn.first_offset > txn.last_offset {
            return Some("is of a transaction that cannot be");
        }
        if txn.last_offset < base {
            return Some("names a marker before the segment's first offset");
        }
        (txn.last_stable_offset > txn.last_offset + 1).then_some("has a last stable offset behind its marker")
    }

    fn rises_above(&self, before: &Self) -> bool {
        self.txn.last_offset > before.txn.last_offset
    }
}

/// The entries beside the walk.
pub(super) struct AbortsCheck<'f> {
    entries: Pending<'f, TxnEntry>,
}

impl<'f> AbortsCheck<'f> {
    /// Of these entries.
    pub(super) fn new(entries: Pending<'f, TxnEntry>) -> Self {
        Self { entries }
    }

    /// The walk came to a batch. An offset that compaction took the marker from has none.
    pub(super) fn meet(&mut self, batch: &WalkedBatch<'_>, kept: &mut Kept) -> io::Result<()> {
        let upto = batch.header.last_offset();
        while let Some((at, offset, entry)) = self.entries.next().filter(|(_, offset, _)| *offset <= upto) {
            let producer_id = entry.txn.producer_id;
            if offset >= batch.header.base_offset && !aborts(batch, producer_id) {
                let what = format!("names a marker of producer {producer_id}, and there is none");
                kept.push(self.entries.wrong(at, offset, &what));
            }
            self.entries.advance(kept)?;
        }
        Ok(())
    }

    /// What lies before `offset` was damaged: entries that name it say nothing.
    pub(super) fn forgive(&mut self, offset: i64, kept: &mut Kept) -> io::Result<()> {
        self.entries.forgive(kept, |named, _| named < offset)
    }

    /// The walk came to the end of a segment whose next offset this is.
    pub(super) fn end(self, next_offset: i64, live: bool, kept: &mut Kept) {
        if let Some((at, offset, _)) = self.entries.next()
            && !live
        {
            let what = format!("names a marker behind the segment's end, {next_offset}");
            kept.push(self.entries.wrong(at, offset, &what));
        }
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
