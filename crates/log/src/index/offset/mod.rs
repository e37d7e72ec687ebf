//! The offset index: which batch may hold an offset.
//!
//! Lookups take no lock. The newest entries are in a piece of memory that only grows; older ones are in the file,
//! found through the first key of each 4 KiB page (2 KiB of memory per GiB of log at the default interval) and one
//! read of that page, which the thread keeps for the next lookup.

mod entry;
mod kept;
mod piece;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwapOption;
use pagewire_disk::DiskFile;

pub(crate) use self::entry::{ENTRY_LEN, Entry, Near};
use self::entry::{PAGE_ENTRIES, PAGE_LEN, entries_of, fetch_page, read_page};
use self::piece::Piece;
use super::PIECE;
use crate::patience::Patience;

/// What the file holds, as far as lookups need it.
#[derive(Debug)]
struct Top {
    entries: u32,
    /// Relative offset of the first entry of each page.
    keys: Vec<u32>,
}

/// The index of one segment.
#[derive(Debug, Default)]
pub(crate) struct OffsetIndex {
    /// `None` until the file was read and judged.
    top: ArcSwapOption<Top>,
    piece: ArcSwapOption<Piece>,
}

impl OffsetIndex {
    /// Whether the file was read (or there is nothing in it).
    pub(crate) fn is_loaded(&self) -> bool {
        self.top.load().is_some()
    }

    /// Starts with an empty file.
    pub(crate) fn start_empty(&self) {
        self.piece.store(None);
        self.top.store(Some(Arc::new(Top { entries: 0, keys: Vec::new() })));
    }

    /// Reads the file of a segment of `size` bytes. `false`: its entries do not rise or leave the segment, rebuild it.
    pub(crate) fn load(&self, file: &dyn DiskFile, size: u64) -> io::Result<bool> {
        let len = file.len()?;
        // One entry per batch at most, and a batch has a header.
        if len % ENTRY_LEN as u64 != 0 || len / ENTRY_LEN as u64 > size / 61 {
            return Ok(false);
        }
        let entries = (len / ENTRY_LEN as u64) as u32;
        let mut keys = Vec::with_capacity(entries.div_ceil(PAGE_ENTRIES) as usize);
        let mut last: Option<Entry> = None;
        let mut page = [0; PAGE_LEN];
        for number in 0..entries.div_ceil(PAGE_ENTRIES) {
            let mut first = None;
            for entry in read_page(file, number, entries, &mut page, Patience::Endless)? {
                let rises =
                    last.is_none_or(|last| entry.relative > last.relative && entry.position > last.position);
                if !rises || u64::from(entry.position) >= size || entry.relative > i32::MAX as u32 {
                    return Ok(false);
                }
                first.get_or_insert(entry.relative);
                last = Some(entry);
            }
            keys.extend(first);
        }
        self.piece.store(None);
        self.top.store(Some(Arc::new(Top { entries, keys })));
        Ok(true)
    }

    /// Drops all entries above `relative` from the file; nothing is in memory yet. `false`: the file cannot be read
    /// again.
    pub(crate) fn cut_after(&self, file: &dyn DiskFile, relative: u32, size: u64) -> io::Result<bool> {
        let Some(top) = self.top.load_full() else { return Ok(false) };
        let pages = top.keys.partition_point(|key| *key <= relative);
        let Some(number) = pages.checked_sub(1) else {
            file.set_len(0)?;
            self.start_empty();
            return Ok(true);
        };
        let mut page = [0; PAGE_LEN];
        let kept = read_page(file, number as u32, top.entries, &mut page, Patience::Endless)?;
        let kept = kept.take_while(|entry| entry.relative <= relative).count() as u64;
        let entries = number as u64 * u64::from(PAGE_ENTRIES) + kept;
        if entries == u64::from(top.entries) {
            return Ok(true);
        }
        file.set_len(entries * ENTRY_LEN as u64)?;
        self.load(file, size)
    }

    /// Number of entries, in memory and in the file.
    pub(crate) fn len(&self) -> u32 {
        match &*self.piece.load() {
            Some(piece) => piece.first + piece.len.load(Ordering::Acquire),
            None => self.top.load().as_ref().map_or(0, |top| top.entries),
        }
    }

    /// The last entry at or below `relative`. `file` is called only if the answer is not in memory.
    pub(crate) fn floor(
        &self,
        relative: u32,
        patience: Patience,
        file: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Option<Entry>> {
        Ok(self.near(relative, patience, file)?.map(|near| near.floor))
    }

    /// The same, and the entry behind it.
    pub(crate) fn near(
        &self,
        relative: u32,
        patience: Patience,
        file: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Option<Near>> {
        let piece = self.piece.load();
        if let Some(near) = piece.as_ref().and_then(|piece| piece.near(relative)) {
            return Ok(Some(near));
        }
        // Loaded after the piece: everything before the piece is in this top or a later one.
        let top = self.top.load();
        let Some(top) = &*top else { return Ok(None) };
        let pages = top.keys.partition_point(|key| *key <= relative);
        let Some(number) = pages.checked_sub(1) else { return Ok(None) };
        let (number, entries) = (number as u32, top.entries);
        kept::look(
            top,
            number,
            |page| fetch_page(&*file()?, number, entries, page, patience),
            |page| Near::among(entries_of(page, number, entries), relative),
        )
    }

    /// The last entry of a batch that begins at or below `position`. Nobody appends meanwhile.
    pub(crate) fn floor_position(&self, position: u64, file: &dyn DiskFile) -> io::Result<Option<Entry>> {
        let below = |entry: &Entry| u64::from(entry.position) <= position;
        let piece = self.piece.load();
        if let Some(entry) = piece.as_ref().and_then(|piece| piece.entries().take_while(below).last()) {
            return Ok(Some(entry));
        }
        let top = self.top.load();
        let Some(top) = &*top else { return Ok(None) };
        let (mut low, mut high, mut nearest) = (0, top.keys.len() as u32, None);
        let mut page = [0; PAGE_LEN];
        while low < high {
            let middle = low + (high - low) / 2;
            let entries = read_page(file, middle, top.entries, &mut page, Patience::Endless)?;
            match entries.take_while(below).last() {
                Some(entry) => (nearest, low) = (Some(entry), middle + 1),
                None => high = middle,
            }
        }
        Ok(nearest)
    }

    /// The first entry of a batch that begins at or above `position`. `file` is called only if there are entries in it.
    pub(crate) fn ceiling_position(
        &self,
        position: u64,
        patience: Patience,
        file: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Option<Entry>> {
        let below = |entry: &Entry| u64::from(entry.position) < position;
        let (piece, top) = (self.piece.load(), self.top.load());
        if let Some(top) = top.as_ref().filter(|top| top.entries > 0) {
            let file = file()?;
            let (mut low, mut high, mut nearest) = (0, top.keys.len() as u32, None);
            while low < high {
                let middle = low + (high - low) / 2;
                let fetch = |page: &mut _| fetch_page(&*file, middle, top.entries, page, patience);
                let find = |page: &_| entries_of(page, middle, top.entries).find(|entry| !below(entry));
                match kept::look(top, middle, fetch, find)? {
                    Some(entry) => (nearest, high) = (Some(entry), middle),
                    None => low = middle + 1,
                }
            }
            if nearest.is_some() {
                return Ok(nearest);
            }
        }
        Ok(piece.as_ref().and_then(|piece| piece.entries().find(|entry| !below(entry))))
    }

    /// Adds an entry. Only the writer calls this. `true`: the piece is full, [`write`](Self::write) it. One that could
    /// not be written stays, and what comes meanwhile is left out.
    pub(crate) fn push(&self, entry: Entry) -> bool {
        let piece = self.piece.load_full().unwrap_or_else(|| {
            let piece = Arc::new(Piece::new(self.len()));
            self.piece.store(Some(Arc::clone(&piece)));
            piece
        });
        let len = piece.len.load(Ordering::Relaxed);
        let Some(slot) = piece.entries.get(len as usize) else { return true };
        slot.store(entry.pack(), Ordering::Relaxed);
        piece.len.store(len + 1, Ordering::Release);
        len as usize + 1 >= PIECE
    }

    /// Whether there is a piece in memory.
    pub(crate) fn is_dirty(&self) -> bool {
        self.piece.load().is_some()
    }

    /// Writes the piece in memory to its place in the file. Only the writer calls this. A full piece moves out of
    /// memory; one that is not full stays and is written again later.
    pub(crate) fn write(&self, file: &dyn DiskFile) -> io::Result<()> {
        let Some(piece) = self.piece.load_full() else { return Ok(()) };
        let entries: Vec<Entry> = piece.entries().collect();
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.pack().to_be_bytes()).collect();
        file.write_at(u64::from(piece.first) * ENTRY_LEN as u64, &bytes)?;
        piece.note_written(entries.len());
        if entries.len() >= PIECE {
            self.absorb(piece.first, &entries);
        }
        Ok(())
    }

    /// Whether the file lacks entries at or below `relative`.
    pub(crate) fn lacks(&self, relative: u32) -> bool {
        self.piece.load().as_ref().is_some_and(|piece| piece.unwritten(relative).1.next().is_some())
    }

    /// Writes those, and none above: an entry that is on the disk before its batch makes the whole file unbelievable. Only the
    /// writer calls this.
    pub(crate) fn write_upto(&self, file: &dyn DiskFile, relative: u32) -> io::Result<()> {
        let Some(piece) = self.piece.load_full() else { return Ok(()) };
        let (before, news) = piece.unwritten(relative);
        let bytes: Vec<u8> = news.flat_map(|entry| entry.pack().to_be_bytes()).collect();
        file.write_at(u64::from(piece.first + before) * ENTRY_LEN as u64, &bytes)?;
        piece.note_written(before as usize + bytes.len() / ENTRY_LEN);
        Ok(())
    }

    /// Moves what is left in memory over to the file, which [`write`](Self::write) has written: the segment is closed.
    pub(crate) fn close(&self) {
        if let Some(piece) = self.piece.load_full() {
            let entries: Vec<Entry> = piece.entries().collect();
            self.absorb(piece.first, &entries);
        }
    }

    fn absorb(&self, first: u32, entries: &[Entry]) {
        let mut keys = self.top.load().as_ref().map(|top| top.keys.clone()).unwrap_or_default();
        for (number, entry) in (first..).zip(entries) {
            if number % PAGE_ENTRIES == 0 {
                keys.push(entry.relative);
            }
        }
        // Readers load the piece first, so the top must know the entries before the piece is gone.
        self.top.store(Some(Arc::new(Top { entries: first + entries.len() as u32, keys })));
        self.piece.store(None);
    }
}

#[cfg(test)]
mod tests;
