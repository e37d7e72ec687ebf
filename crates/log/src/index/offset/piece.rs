//! The newest entries of an index, in memory that only grows: readers see what was published, without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::entry::{Entry, Near};
use crate::index::PIECE;

/// The newest entries, not yet looked up in the file.
#[derive(Debug)]
pub(super) struct Piece {
    /// Number of entries before this piece.
    pub(super) first: u32,
    pub(super) len: AtomicU32,
    /// So many of them the file has.
    written: AtomicU32,
    pub(super) entries: [AtomicU64; PIECE],
}

impl Piece {
    /// Without entries, behind so many.
    pub(super) fn new(first: u32) -> Self {
        let (len, written) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { first, len, written, entries: [const { AtomicU64::new(0) }; PIECE] }
    }

    /// All that were published.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let len = self.len.load(Ordering::Acquire) as usize;
        self.entries.iter().take(len).map(|entry| Entry::unpack(entry.load(Ordering::Relaxed)))
    }

    /// Those that the file lacks, up to this offset, and how many come before them.
    pub(super) fn unwritten(&self, relative: u32) -> (u32, impl Iterator<Item = Entry>) {
        let written = self.written.load(Ordering::Acquire);
        let news = self.entries().skip(written as usize);
        (written, news.take_while(move |entry| entry.relative <= relative))
    }

    /// The file has so many of them now.
    pub(super) fn note_written(&self, entries: usize) {
        self.written.fetch_max(entries as u32, Ordering::AcqRel);
    }

    /// Those around this offset.
    pub(super) fn near(&self, relative: u32) -> Option<Near> {
        Near::among(self.entries(), relative)
    }
}
