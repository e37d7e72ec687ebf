//! An entry of the offset index, and the pages of the file that holds them.

use std::io;

use pagewire_disk::DiskFile;

use crate::patience::Patience;

/// Bytes of an entry.
pub(crate) const ENTRY_LEN: usize = 8;
/// Bytes read by a lookup.
pub(super) const PAGE_LEN: usize = 4096;
/// Entries in them.
pub(super) const PAGE_ENTRIES: u32 = (PAGE_LEN / ENTRY_LEN) as u32;

/// One entry. Both fields are at most `i32::MAX` in a file that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Last offset of the batch, relative to the segment's base.
    pub(crate) relative: u32,
    /// Where the batch begins in the `.log`.
    pub(crate) position: u32,
}

/// The entries around an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Near {
    /// The last one at or below it.
    pub(crate) floor: Entry,
    /// The one behind that, if it was at hand.
    pub(crate) next: Option<Entry>,
}

impl Near {
    /// Among entries that rise.
    pub(super) fn among(entries: impl Iterator<Item = Entry>, relative: u32) -> Option<Self> {
        let mut floor = None;
        for entry in entries {
            if entry.relative > relative {
                return floor.map(|floor| Self { floor, next: Some(entry) });
            }
            floor = Some(entry);
        }
        floor.map(|floor| Self { floor, next: None })
    }

    /// Where the batch begins that begins with the offset `relative`, if each batch has an entry: as a rule those do that are longer
    /// than the interval of the index.
    pub(crate) fn may_begin(self, relative: u32) -> Option<u64> {
        let next = self.next.filter(|_| self.floor.relative.checked_add(1) == Some(relative))?;
        Some(u64::from(next.position))
    }
}

impl Entry {
    /// As it is in the file, read as a big-endian number.
    pub(super) fn pack(self) -> u64 {
        u64::from(self.relative) << 32 | u64::from(self.position)
    }

    /// The other way round.
    pub(super) fn unpack(packed: u64) -> Self {
        Self { relative: (packed >> 32) as u32, position: packed as u32 }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<ENTRY_LEN>().map(|bytes| Self::unpack(u64::from_be_bytes(*bytes)))
    }
}

/// Reads page `number` of a file of so many entries.
pub(super) fn fetch_page(
    file: &dyn DiskFile,
    number: u32,
    entries: u32,
    page: &mut [u8; PAGE_LEN],
    patience: Patience,
) -> io::Result<()> {
    let bytes = page.get_mut(..len_of(number, entries)).unwrap_or_default();
    patience.read_exact_at(file, u64::from(number) * PAGE_LEN as u64, bytes)
}

/// The entries of page `number` of a file of so many, once it was read.
pub(super) fn entries_of(
    page: &[u8; PAGE_LEN],
    number: u32,
    entries: u32,
) -> impl Iterator<Item = Entry> + use<'_> {
    let bytes = page.get(..len_of(number, entries)).unwrap_or_default();
    bytes.chunks_exact(ENTRY_LEN).filter_map(Entry::parse)
}

/// Both.
pub(super) fn read_page<'p>(
    file: &dyn DiskFile,
    number: u32,
    entries: u32,
    page: &'p mut [u8; PAGE_LEN],
    patience: Patience,
) -> io::Result<impl Iterator<Item = Entry> + use<'p>> {
    fetch_page(file, number, entries, page, patience)?;
    Ok(entries_of(page, number, entries))
}

/// Bytes in it.
fn len_of(number: u32, entries: u32) -> usize {
    entries.saturating_sub(number * PAGE_ENTRIES).min(PAGE_ENTRIES) as usize * ENTRY_LEN
}
