//! The entries of the three kinds of index files, one after the other.
//!
//! ```text
//!  .index      | last offset - base i32 | position i32 |                                                     8 bytes
//!  .timeindex  | largest timestamp so far i64 | last offset - base i32 |                                    12 bytes
//!  .txnindex   | version i16 = 0 | producer id i64 | first offset i64 | last offset i64 | last stable offset i64 |  34
//! ```

use std::io;
use std::marker::PhantomData;

use pagewire_disk::DiskFile;

use super::CHUNK;
use crate::scan::window::Window;
use crate::txns;
use crate::txns::index::AbortedTxn;

/// An entry of fixed length.
pub trait Entry: Sized {
    /// Its bytes in the file.
    const LEN: usize;

    /// Reads one; `None` for fewer bytes than [`LEN`](Self::LEN).
    fn parse(bytes: &[u8]) -> Option<Self>;
}

/// An entry of a `.index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetEntry {
    /// Last offset of the batch, relative to the base of the segment. Negative only in a damaged file.
    pub relative_offset: i32,
    /// Where the batch begins. Negative only in a damaged file.
    pub position: i32,
}

impl Entry for OffsetEntry {
    const LEN: usize = 8;

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut bytes = bytes;
        Some(Self {
            relative_offset: i32::from_be_bytes(take(&mut bytes)?),
            position: i32::from_be_bytes(take(&mut bytes)?),
        })
    }
}

/// An entry of a `.timeindex`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeStamped {
    /// Largest timestamp so far, ms.
    pub timestamp: i64,
    /// Offset in the batch that has it (its last one, as written today), relative to the base of the segment.
    pub relative_offset: i32,
}

impl Entry for TimeStamped {
    const LEN: usize = 12;

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut bytes = bytes;
        Some(Self {
            timestamp: i64::from_be_bytes(take(&mut bytes)?),
            relative_offset: i32::from_be_bytes(take(&mut bytes)?),
        })
    }
}

/// An entry of a `.txnindex`, of any version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxnEntry {
    /// 0, in all that are known.
    pub version: i16,
    /// What an entry of version 0 says.
    pub txn: AbortedTxn,
}

impl TxnEntry {
    /// Whether the version is one whose fields are known.
    pub fn is_known(&self) -> bool {
        self.version == txns::index::VERSION
    }
}

impl Entry for TxnEntry {
    const LEN: usize = txns::index::ENTRY_LEN;

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, txn) = AbortedTxn::fields(bytes.first_chunk()?)?;
        Some(Self { version, txn })
    }
}

pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (value, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*value)
}

/// The entries of a file in their order. Bytes at the end that are no whole entry are left out.
pub struct Entries<'f, E> {
    window: Window<'f>,
    position: u64,
    of: PhantomData<E>,
}

impl<'f, E: Entry> Entries<'f, E> {
    /// Of `file`, which has `len` bytes.
    pub fn new(file: &'f dyn DiskFile, len: u64) -> Self {
        Self { window: Window::new(file, len, CHUNK), position: 0, of: PhantomData }
    }

    /// Where the next one begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether bytes follow.
    pub fn has_more(&self) -> bool {
        self.position < self.window.end()
    }

    /// The next one with its position; `None` at the end.
    ///
    /// # Errors
    /// What the disk says.
    #[expect(clippy::should_implement_trait, reason = "it can fail between two entries")]
    pub fn next(&mut self) -> io::Result<Option<(u64, E)>> {
        let position = self.position;
        if position >= self.window.end() {
            return Ok(None);
        }
        let found = E::parse(self.window.at(position, E::LEN)?);
        self.position = position + E::LEN as u64;
        Ok(found.map(|entry| (position, entry)))
    }

    /// Whether there is nothing but zeros from where it stands: room that a broker reserved while it writes.
    ///
    /// # Errors
    /// What the disk says.
    pub fn only_zeros_follow(&mut self) -> io::Result<bool> {
        let only_zeros = self.window.only_zeros_from(self.position)?;
        if only_zeros {
            self.position = self.window.end();
        }
        Ok(only_zeros)
    }
}

impl<E> std::fmt::Debug for Entries<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entries").field("position", &self.position).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_field_by_field() {
        let bytes: Vec<u8> = (1..=40).collect();
        assert_eq!(
            OffsetEntry::parse(&bytes),
            Some(OffsetEntry { relative_offset: 0x0102_0304, position: 0x0506_0708 })
        );
        let time = TimeStamped::parse(&bytes).expect("an entry");
        assert_eq!((time.timestamp, time.relative_offset), (0x0102_0304_0506_0708, 0x090a_0b0c));
        let aborted = TxnEntry::parse(&bytes).expect("an entry");
        assert_eq!(
            (aborted.version, aborted.txn.producer_id & 0xff, aborted.txn.last_stable_offset & 0xff),
            (0x0102, 10, 34)
        );
        assert_eq!(TxnEntry::parse(bytes.get(..33).unwrap_or_default()), None);
    }
}
