//! `sync_file_range(2)`: start writing back a file's range without waiting for it, and without any promise.
//!
//! <https://man7.org/linux/man-pages/man2/sync_file_range.2.html>

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Starts writeback of the dirty pages in `len` bytes from `offset`. Not a sync: metadata and the disk's own cache are
/// untouched.
pub(crate) fn sync_file_range(file: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<()> {
    let (Ok(offset), Ok(len)) = (i64::try_from(offset), i64::try_from(len)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // SAFETY: the descriptor is borrowed for the call; the kernel takes numbers only and touches no memory of ours.
    let answer = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
