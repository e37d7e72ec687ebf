//! Letting pages of a file go: `posix_fadvise(2)` with `POSIX_FADV_DONTNEED`.
//!
//! <https://man7.org/linux/man-pages/man2/posix_fadvise.2.html>

use std::num::NonZeroU64;

use std::io;

use rustix::fs::{Advice, fadvise};

use crate::{FileRange, IoPool, PoolFull};

/// Drops the pages of `range` from the page cache, whoever uses them: they are read from the disk the next time. Only a
/// hint: whole pages go, and not those that are dirty (their writing is started), locked, mapped, or in a socket's
/// buffer. No byte is lost. Takes about 15 us per MiB and may wait for the disk's queue: keep it off an event loop.
///
/// # Errors
/// `EBADF` and `ESPIPE` for what is no file; none for pages that stay.
#[doc(alias = "POSIX_FADV_DONTNEED")]
#[doc(alias = "posix_fadvise")]
pub fn drop_pages_blocking(range: &FileRange) -> io::Result<()> {
    match NonZeroU64::new(range.len()) {
        Some(len) => Ok(fadvise(range.file(), range.offset(), Some(len), Advice::DontNeed)?),
        // To the kernel no length means up to the end.
        None => Ok(()),
    }
}

/// As [`drop_pages_blocking`], of several ranges, on a thread of `io`; nobody waits for it, and errors are nobody's. No
/// job is made of nothing.
///
/// # Errors
/// [`PoolFull`]: the ranges are given up, and their pages stay until the kernel needs the memory.
pub fn drop_pages(io: &IoPool, ranges: Vec<FileRange>) -> Result<(), PoolFull> {
    if ranges.is_empty() {
        return Ok(());
    }
    io.submit(move || {
        for range in &ranges {
            // Only advice.
            let _ = drop_pages_blocking(range);
        }
    })
}
