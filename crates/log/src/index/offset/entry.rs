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

/// The entries of page `number` of a file of so many.
pub(super) fn read_page<'p>(
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
