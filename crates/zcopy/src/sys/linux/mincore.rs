//! `mincore(2)`: which pages of a mapped file are in the page cache.
//!
//! <https://man7.org/linux/man-pages/man2/mincore.2.html>
//!
//! Of a file that the process neither owns nor may write, the kernel says that every page is there: ask only about
//! others.

use std::io;
use std::os::fd::BorrowedFd;

use super::FileMap;

/// Pages asked about in one call, and in one temporary map: 16 MiB of 4 KiB pages.
const PAGES_PER_CALL: usize = 4096;

/// Whether all pages of `len` bytes (not zero) from `offset` are in the page cache, as far as the file reaches; pages
/// behind its end are not. Maps the range for the time of the call, piece by piece, and stops at the first hole.
pub(crate) fn all_in_core(file: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<bool> {
    let end = offset.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
    let page = rustix::param::page_size() as u64;
    let mut at = offset - offset % page;
    while at < end {
        let step = (PAGES_PER_CALL as u64 * page).min(end - at);
        if !piece_in_core(&FileMap::new(file, at, step, false)?)? {
            return Ok(false);
        }
        at += step;
    }
    Ok(true)
}

fn piece_in_core(map: &FileMap) -> io::Result<bool> {
    let mut pages = [0_u8; PAGES_PER_CALL];
    let (start, len) = map.pages_from(0);
    let count = len.div_ceil(rustix::param::page_size());
    let Some(asked) = pages.get_mut(..count) else { return Err(io::ErrorKind::InvalidInput.into()) };
    // SAFETY: `start` is the page-aligned start of a live mapping of `len` bytes; the kernel writes one byte for each
    // of its pages, and `asked` has as many.
    let answer = unsafe { libc::mincore(start.cast(), len, asked.as_mut_ptr()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(asked.iter().all(|page| page & 1 != 0))
}
