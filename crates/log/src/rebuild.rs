//! Closed segments' indexes: loaded at their first use, and written anew from the log when they do not agree with it.
//!
//! One that could not be written is as short as it came out: lookups walk further. A use of it some time later tries again.

use std::io;
use std::sync::atomic::Ordering;

use pagewire_disk::OpenMode;
use parking_lot::MutexGuard;

use crate::errors::ReadError;
use crate::patience::{Patience, busy, wait_for};
use crate::scan::derive::{Sparse, is_missing};
use crate::scan::{Found, ScanError, Scanner, WINDOW_LOOKUP, WINDOW_WALK};
use crate::scrub::{Anchors, Places, Stretch};
use crate::segment::{Segment, names};
use crate::sick::is_full;

/// What lies behind the last entry of an index.
pub(crate) struct Behind {
    pub(crate) no_entry_is_due: bool,
    /// The offset after the last batch, if it was come to.
    next_offset: Option<i64>,
}

impl Segment {
    /// Loads a closed segment's index at its first use.
    pub(crate) fn index_is_loaded(&self, patience: Patience) -> io::Result<bool> {
        let is_there = || self.index.is_loaded() && !self.rebuild_later.is_due();
        if is_there() {
            return Ok(true);
        }
        patience.or_would_block()?;
        if !self.is_closed() {
            return Ok(false);
        }
        let _building = self.building()?;
        if is_there() {
            return Ok(true);
        }
        if self.index.is_loaded() {
            return Ok(self.rebuild_indexes().is_ok());
        }
        let size = self.end().size;
        let loaded = match self.index_file() {
            Err(error) if is_missing(&error) => false,
            file => self.index.load(&*file?, size)?,
        };
        if loaded && self.index_is_whole(size)? {
            return Ok(true);
        }
        Ok(self.rebuild_indexes().is_ok())
    }

    /// Whether no entry is due after the last one. An index that was cut is believed as far as it goes by all other
    /// checks, and would make lookups walk.
    fn index_is_whole(&self, size: u64) -> io::Result<bool> {
        let last = self.index.floor(u32::MAX, Patience::Endless, || self.index_file())?;
        let position = last.map_or(0, |last| u64::from(last.position));
        let behind = self.seen_behind(position, last.map(|last| last.relative), size)?;
        self.note_hole(behind.next_offset);
        Ok(behind.no_entry_is_due)
    }

    /// Walks over the headers from that of an entry, which names a last offset, or from the first one, up to where the next entry is
    /// due. Bytes that are no batch, or another one than the entry names, end it: a reader will find out.
    pub(crate) fn seen_behind(&self, position: u64, mut named: Option<u32>, size: u64) -> io::Result<Behind> {
        let file = self.file()?;
        let mut scanner = Scanner::new(&*file, position, size, self.base_offset, WINDOW_LOOKUP);
        let (mut sparse, mut last) = (Sparse::default(), None);
        loop {
            match scanner.next() {
                Ok(Some(found)) if named.take().is_some_and(|named| !self.ends_at(&found, named)) => {
                    return Ok(Behind { no_entry_is_due: true, next_offset: None });
                }
                Ok(Some(found)) if sparse.next(self.home.index_interval(), found.header.size_in_bytes()) => {
                    return Ok(Behind { no_entry_is_due: false, next_offset: None });
                }
                Ok(Some(found)) => last = Some(found.header.next_offset()),
                Err(ScanError::Io(error)) => return Err(error),
                Err(ScanError::Bad { .. }) => return Ok(Behind { no_entry_is_due: true, next_offset: None }),
                Ok(None) => return Ok(Behind { no_entry_is_due: true, next_offset: last }),
            }
        }
    }

    fn ends_at(&self, found: &Found, relative: u32) -> bool {
        found.header.last_offset() == self.base_offset + i64::from(relative)
    }

    /// A closed segment that ends before the next one begins was compacted, or what lay between them is lost.
    fn note_hole(&self, next_offset: Option<i64>) {
        let end = self.end();
        let lost = next_offset.and_then(|offset| Stretch::missing(end.size, offset..end.next_offset));
        if let Some(lost) = lost.filter(|_| !self.may_end_early()) {
            self.tell_damage(lost);
        }
    }

    /// An index contradicts the records, as it was after it had been rebuilt `seen` times. Of a closed segment both are written
    /// anew, once.
    pub(crate) fn distrust_index(&self, seen: u32) -> io::Result<()> {
        if !self.is_closed() {
            return Ok(());
        }
        let _building = self.building()?;
        if self.rebuilt.load(Ordering::Acquire) == seen
            && let Err(error) = self.rebuild_indexes()
        {
            tracing::warn!(segment = %self.path().display(), ?error, "index cannot be rebuilt");
        }
        Ok(())
    }

    /// One at a time; another waits so long and no longer.
    fn building(&self) -> io::Result<MutexGuard<'_, ()>> {
        wait_for(&self.building).ok_or_else(|| busy("indexes are being rebuilt"))
    }

    /// Walks the whole segment and writes both indexes anew. For closed segments; the caller holds `building`.
    /// Readers meanwhile find fewer entries and walk further.
    fn rebuild_indexes(&self) -> Result<(), ReadError> {
        tracing::info!(segment = %self.path().display(), "rebuilding indexes");
        let written = self.write_anew();
        self.rebuilt.fetch_add(1, Ordering::Release);
        if written.is_ok() {
            self.rebuild_later.no_more();
        } else {
            self.rebuild_later.again();
            // What was seen until then is not all of it.
            self.times.forget_max();
        }
        written
    }

    fn write_anew(&self) -> Result<(), ReadError> {
        let places = self.index_places();
        let anchors = |at| places.from(at);
        // An entry says for good where a batch begins: of one that is none it would say so, too.
        self.verify_due(0, self.end().size, &anchors)?;
        if !self.written_beside(&anchors)? {
            self.empty_indexes()?;
            self.note_all(&anchors)?;
        }
        self.index.close();
        self.times.close();
        Ok(())
    }

    /// Whether there was room for it beside the old index, whose place it has then.
    fn written_beside(&self, anchors: Anchors<'_>) -> Result<bool, ReadError> {
        let begun = self.begin_indexes_beside().map_err(ReadError::from);
        let written =
            begun.and_then(|()| self.note_all(anchors)).and_then(|()| Ok(self.put_index_in_place()?));
        match written {
            Err(ReadError::Io(error)) if is_full(error.kind()) => Ok(false),
            written => written.map(|()| true),
        }
    }

    /// Walks over the segment and writes its entries.
    fn note_all(&self, anchors: Anchors<'_>) -> Result<(), ReadError> {
        let (end, file) = (self.end(), self.file()?);
        let (mut sparse, mut follows_at) = (Sparse::default(), 0);
        let mut note = |found: Found| {
            if found.position > follows_at {
                sparse.owe();
            }
            follows_at = found.end();
            let due = sparse.next(self.home.index_interval(), found.header.size_in_bytes());
            self.note_batch(&found.header, found.position, due)
        };
        let scanner = Scanner::new(&*file, 0, end.size, self.base_offset, WINDOW_WALK);
        let scanner = scanner.upto(end.next_offset).contiguous_from(self.holes_below());
        let (mut scanner, mut last) = (scanner.around(&self.damage), None::<Found>);
        while let Some(found) = self.next_readable(&mut scanner, anchors)? {
            // Only the one behind shows that its base offset is no lie.
            let before = last.replace(found).filter(|before| self.damage.at(before.position).is_none());
            before.map_or(Ok(()), &mut note)?;
        }
        last.map_or(Ok(()), &mut note)?;
        Ok(self.write_indexes()?)
    }

    /// What the file of its offset index says, before it is written anew. One that cannot be read says nothing.
    pub(crate) fn index_places(&self) -> Places {
        let file = self.open(names::INDEX, OpenMode::Read);
        file.and_then(|file| Places::read(&*file, self.base_offset)).unwrap_or_default()
    }
}
