//! The newest entries of an index, in memory that only grows: readers see what was published, without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::entry::Entry;
use crate::index::PIECE;

/// The newest entries, not yet looked up in the file.
#[derive(Debug)]
pub(super) struct Piece {
    /// Number of entries before this piece.
    pub(super) first: u32,
    pub(super) len: AtomicU32,
    pub(super) entries: [AtomicU64; PIECE],
}

impl Piece {
    /// Without entries, behind so many.
    pub(super) fn new(first: u32) -> Self {
        Self { first, len: AtomicU32::new(0), entries: [const { AtomicU64::new(0) }; PIECE] }
    }

    /// All that were published.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let len = self.len.load(Ordering::Acquire) as usize;
        self.entries.iter().take(len).map(|entry| Entry::unpack(entry.load(Ordering::Relaxed)))
    }

    /// The last one at or below this offset.
    pub(super) fn floor(&self, relative: u32) -> Option<Entry> {
        self.entries().take_while(|entry| entry.relative <= relative).last()
    }
}
