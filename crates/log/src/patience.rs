//! Whether a read may wait for a disk.
//!
//! Whoever runs on an event loop reads with [`Patience::None`]: files that are open, pages that are in the cache,
//! nothing else. What would wait comes back as an error of kind `WouldBlock`; no ordinary read of a file has that kind.

use std::io;
use std::time::Duration;

use pagewire_disk::DiskFile;

/// Who waits longer for another read's work on the same segment asks again: clients do so by themselves.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 2 });

/// Another read is at it.
pub(crate) fn busy(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} on behalf of another read: ask again"))
}

/// A reader's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the disk takes.
    Endless,
    /// None at all.
    None,
}

impl Patience {
    /// Fails with `WouldBlock` where the next step may wait and the reader may not.
    pub(crate) fn or_would_block(self) -> io::Result<()> {
        match self {
            Self::Endless => Ok(()),
            Self::None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// One positioned read; fewer bytes than asked at the end of the file or of what is cached.
    pub(crate) fn read_at(self, file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Endless => file.read_at(offset, buffer),
            Self::None => file.read_at_nowait(offset, buffer),
        }
    }

    /// Fills `buffer`.
    pub(crate) fn read_exact_at(self, file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self == Self::None && file.read_at_nowait(offset, buffer)? == buffer.len() {
            return Ok(());
        }
        // Too short a file or half a page in the cache: finding out is for those who may wait.
        self.or_would_block()?;
        file.read_exact_at(offset, buffer)
    }
}
