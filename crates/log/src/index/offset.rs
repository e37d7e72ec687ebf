//! The offset index: which batch may hold an offset.
//!
//! Lookups take no lock. The newest entries are in a piece of memory that only grows; older ones are in the file,
//! found through the first key of each 4 KiB page (2 KiB of memory per GiB of log at the default interval) and one
//! read of that page.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use pagewire_disk::DiskFile;

use super::PIECE;
use crate::patience::Patience;

/// Bytes of an entry.
pub(crate) const ENTRY_LEN: usize = 8;
const PAGE_LEN: usize = 4096;
const PAGE_ENTRIES: u32 = (PAGE_LEN / ENTRY_LEN) as u32;

/// One entry. Both fields are at most `i32::MAX` in a file that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Last offset of the batch, relative to the segment's base.
    pub(crate) relative: u32,
    /// Where the batch begins in the `.log`.
    pub(crate) position: u32,
}

impl Entry {
    fn pack(self) -> u64 {
        u64::from(self.relative) << 32 | u64::from(self.position)
    }

    fn unpack(packed: u64) -> Self {
        Self { relative: (packed >> 32) as u32, position: packed as u32 }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<ENTRY_LEN>().map(|bytes| Self::unpack(u64::from_be_bytes(*bytes)))
    }
}

/// The newest entries, not yet looked up in the file.
#[derive(Debug)]
struct Piece {
    /// Number of entries before this piece.
    first: u32,
    len: AtomicU32,
    entries: [AtomicU64; PIECE],
}

impl Piece {
    fn new(first: u32) -> Self {
        Self { first, len: AtomicU32::new(0), entries: [const { AtomicU64::new(0) }; PIECE] }
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let len = self.len.load(Ordering::Acquire) as usize;
        self.entries.iter().take(len).map(|entry| Entry::unpack(entry.load(Ordering::Relaxed)))
    }

    fn floor(&self, relative: u32) -> Option<Entry> {
        self.entries().take_while(|entry| entry.relative <= relative).last()
    }
}

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

    /// Drops all entries above `relative` from the file; nothing is in memory yet. `false`: the file cannot be read again.
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
        file.set_len((number as u64 * u64::from(PAGE_ENTRIES) + kept) * ENTRY_LEN as u64)?;
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
        let piece = self.piece.load();
        if let Some(entry) = piece.as_ref().and_then(|piece| piece.floor(relative)) {
            return Ok(Some(entry));
        }
        // Loaded after the piece: everything before the piece is in this top or a later one.
        let top = self.top.load();
        let Some(top) = &*top else { return Ok(None) };
        let pages = top.keys.partition_point(|key| *key <= relative);
        let Some(number) = pages.checked_sub(1) else { return Ok(None) };
        let mut page = [0; PAGE_LEN];
        let file = file()?;
        let entries = read_page(&*file, number as u32, top.entries, &mut page, patience)?;
        Ok(entries.take_while(|entry| entry.relative <= relative).last())
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
            let mut page = [0; PAGE_LEN];
            while low < high {
                let middle = low + (high - low) / 2;
                let mut entries = read_page(&*file, middle, top.entries, &mut page, patience)?;
                match entries.find(|entry| !below(entry)) {
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

    /// Adds an entry. Only the writer calls this. `true`: the piece is full, [`write`](Self::write) it. One that could not
    /// be written stays, and what comes meanwhile is left out.
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

    /// Writes the piece in memory to its place in the file. Only the writer calls this. A full piece moves out of
    /// memory; one that is not full stays and is written again later.
    pub(crate) fn write(&self, file: &dyn DiskFile) -> io::Result<()> {
        let Some(piece) = self.piece.load_full() else { return Ok(()) };
        let entries: Vec<Entry> = piece.entries().collect();
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.pack().to_be_bytes()).collect();
        file.write_at(u64::from(piece.first) * ENTRY_LEN as u64, &bytes)?;
        if entries.len() >= PIECE {
            self.absorb(piece.first, &entries);
        }
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

fn read_page<'p>(
    file: &dyn DiskFile,
    number: u32,
    entries: u32,
    page: &'p mut [u8; PAGE_LEN],
    patience: Patience,
) -> io::Result<impl Iterator<Item = Entry> + use<'p>> {
    let first = number * PAGE_ENTRIES;
    let len = entries.saturating_sub(first).min(PAGE_ENTRIES) as usize * ENTRY_LEN;
    let bytes = page.get_mut(..len).unwrap_or_default();
    patience.read_exact_at(file, u64::from(first) * ENTRY_LEN as u64, bytes)?;
    Ok(bytes.chunks_exact(ENTRY_LEN).filter_map(Entry::parse))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};

    use super::*;

    fn file() -> Arc<dyn DiskFile> {
        MemoryDisk::new().open(Path::new("/i"), OpenMode::Create).expect("memory")
    }

    fn filled(entries: u32, file: &Arc<dyn DiskFile>) -> OffsetIndex {
        let index = OffsetIndex::default();
        index.start_empty();
        for n in 1..=entries {
            if index.push(Entry { relative: n * 10, position: n * 100 }) {
                index.write(&**file).expect("write");
            }
        }
        index
    }

    fn floor(index: &OffsetIndex, relative: u32, file: &Arc<dyn DiskFile>) -> Option<u32> {
        index
            .floor(relative, Patience::None, || Ok(Arc::clone(file)))
            .expect("read")
            .map(|entry| entry.position)
    }

    #[test]
    fn the_floor_is_found_in_memory_and_in_every_page() {
        let file = file();
        let index = filled(1500, &file);
        assert_eq!(floor(&index, 9, &file), None);
        for n in 1..=1500 {
            assert_eq!(floor(&index, n * 10, &file), Some(n * 100));
            assert_eq!(floor(&index, n * 10 + 9, &file), Some(n * 100));
        }
    }

    #[test]
    fn the_ceiling_is_found_in_memory_and_in_every_page() {
        let file = file();
        let index = filled(1500, &file);
        let ceiling = |position| {
            let found = index.ceiling_position(position, Patience::None, || Ok(Arc::clone(&file)));
            found.expect("read").map(|entry| entry.position)
        };
        for n in 1..=1500 {
            assert_eq!(ceiling(u64::from(n) * 100), Some(n * 100));
            assert_eq!(ceiling(u64::from(n) * 100 - 99), Some(n * 100));
        }
        assert_eq!(ceiling(150_001), None);
    }

    #[test]
    fn a_closed_index_reads_back_from_its_file() {
        let file = file();
        let index = filled(1100, &file);
        index.write(&*file).expect("write");
        index.close();
        assert_eq!(file.len().expect("len"), 1100 * 8);
        let again = OffsetIndex::default();
        assert!(again.load(&*file, 1_000_000).expect("read"));
        assert_eq!((again.len(), index.len()), (1100, 1100));
        for n in [1, 511, 512, 513, 1024, 1025, 1100] {
            assert_eq!(floor(&again, n * 10 + 3, &file), Some(n * 100));
            assert_eq!(floor(&index, n * 10 + 3, &file), Some(n * 100));
        }
    }

    #[test]
    fn entries_that_do_not_rise_or_leave_the_segment_are_refused() {
        let file = file();
        let index = filled(70, &file);
        index.write(&*file).expect("write");
        let again = OffsetIndex::default();
        assert!(!again.load(&*file, 7000).expect("read"), "the last entry points at the end");
        file.write_at(8 * 33, &[0; 8]).expect("write");
        assert!(!again.load(&*file, 1_000_000).expect("read"));
        file.set_len(65).expect("cut");
        assert!(!again.load(&*file, 1_000_000).expect("read"), "not whole entries");
        assert!(!again.is_loaded());
    }

    #[test]
    fn entries_above_an_offset_can_be_cut() {
        for (relative, left) in [(6005, 600), (5120, 512), (5119, 511), (5, 0), (i32::MAX as u32, 600)] {
            let file = file();
            filled(600, &file).write(&*file).expect("write");
            let index = OffsetIndex::default();
            assert!(index.load(&*file, 1_000_000).expect("read"));
            assert!(index.cut_after(&*file, relative, 1_000_000).expect("cut"));
            assert_eq!((index.len(), file.len().expect("len")), (left, u64::from(left) * 8), "{relative}");
        }
    }

    #[test]
    fn a_full_piece_that_cannot_be_written_stays_and_is_written_later() {
        let file = file();
        let index = filled(63, &file);
        let due: Vec<bool> =
            (64..=100).map(|n| index.push(Entry { relative: n * 10, position: n * 100 })).collect();
        assert!(due.iter().all(|due| *due), "every one asks again");
        assert_eq!((index.len(), floor(&index, 999, &file)), (64, Some(6400)));
        index.write(&*file).expect("write");
        assert!(!index.push(Entry { relative: 1010, position: 10_100 }));
        index.write(&*file).expect("write");
        let again = OffsetIndex::default();
        assert!(again.load(&*file, 1_000_000).expect("read"));
        assert_eq!(
            (again.len(), floor(&again, 1010, &file), floor(&again, 999, &file)),
            (65, Some(10_100), Some(6400))
        );
    }

    #[test]
    fn adding_goes_on_where_a_loaded_file_ends() {
        let file = file();
        filled(64, &file);
        let index = OffsetIndex::default();
        assert!(index.load(&*file, 1_000_000).expect("read"));
        index.push(Entry { relative: 700, position: 7000 });
        index.write(&*file).expect("write");
        assert_eq!((index.len(), file.len().expect("len")), (65, 65 * 8));
        assert_eq!(floor(&index, 640, &file), Some(6400));
        assert_eq!(floor(&index, 700, &file), Some(7000));
    }
}
