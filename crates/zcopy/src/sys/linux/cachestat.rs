//! `cachestat(2)`: how many pages of a file's range are in the page cache. Linux 6.5 and later.
//!
//! <https://man7.org/linux/man-pages/man2/cachestat.2.html>

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use linux_raw_sys::general::{__NR_cachestat, cachestat as RawStat, cachestat_range};

/// What the kernel told about a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheStat {
    /// Pages in the cache. Pages whose read is still under way are counted as well.
    pub(crate) cached_pages: u64,
}

/// Asks about `len` bytes from `offset`. `len` must not be zero: to the kernel that means "to the end".
pub(crate) fn cachestat(file: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<CacheStat> {
    let range = cachestat_range { off: offset, len };
    let mut stat =
        RawStat { nr_cache: 0, nr_dirty: 0, nr_writeback: 0, nr_evicted: 0, nr_recently_evicted: 0 };
    // SAFETY: the descriptor is borrowed for the call; both pointers are to live, properly laid out structs
    // that outlive it; the kernel reads the first and writes only the second.
    let answer = unsafe {
        libc::syscall(
            libc::c_long::from(__NR_cachestat),
            file.as_raw_fd(),
            &raw const range,
            &raw mut stat,
            0 as libc::c_uint,
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(CacheStat { cached_pages: stat.nr_cache })
}
