//! `mmap(2)` of a file's range, shared with everybody who has the file open; `msync(2)` and `madvise(2)` on it.
//!
//! <https://man7.org/linux/man-pages/man2/mmap.2.html>
//!
//! No reference and no load through the map is to be had from here: a file that shrinks takes pages away, and a load
//! from one of them is `SIGBUS`. Addresses go to system calls only, which answer `EFAULT` in that case. Loads are in
//! [`LoadableMap`](super::LoadableMap), which asks for a promise.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::mm::{self, MapFlags, MsyncFlags, ProtFlags};

/// A shared mapping of `len` bytes of a file. Positions count from its first byte, in bytes.
#[derive(Debug)]
pub(crate) struct FileMap {
    /// Of the first mapped page; dangling when `len` is zero, and then nothing is mapped.
    base: NonNull<u8>,
    /// Bytes mapped before the first one asked for: less than a page.
    lead: usize,
    len: usize,
}

// SAFETY: addresses of a mapping mean the same in every thread; it is unmapped once, by its only owner.
unsafe impl Send for FileMap {}
// SAFETY: shared access makes system calls only, which the kernel orders among themselves.
unsafe impl Sync for FileMap {}

impl FileMap {
    /// Maps `len` bytes from any `offset`; the file may end before that. Nothing is mapped for a `len` of zero.
    ///
    /// # Errors
    /// `InvalidInput` when the range ends beyond 2^63 - 1 or does not fit into the address space; what `mmap(2)` says.
    pub(crate) fn new(file: BorrowedFd<'_>, offset: u64, len: u64, write: bool) -> io::Result<Self> {
        let page = rustix::param::page_size() as u64;
        let lead = offset % page;
        let fits = offset.checked_add(len).is_some_and(|end| i64::try_from(end).is_ok());
        let (Ok(whole), Ok(lead), true) =
            (isize::try_from(lead + len.min(u64::MAX / 2)), usize::try_from(lead), fits)
        else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if len == 0 {
            return Ok(Self { base: NonNull::dangling(), lead: 0, len: 0 });
        }
        let whole = whole.unsigned_abs();
        let protection = if write { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: the kernel chooses the address (null hint, no MAP_FIXED), so no existing memory is touched.
        let base = unsafe {
            mm::mmap(std::ptr::null_mut(), whole, protection, MapFlags::SHARED, file, offset - lead as u64)
        }?;
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, lead, len: whole - lead })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The address of the byte at `at`, which is at most `len`: for a system call, or behind a promise.
    pub(super) fn address(&self, at: usize) -> *mut u8 {
        // Clamped, hence inside the mapping or one past its end. Not a dereference, hence not unsafe.
        self.base.as_ptr().wrapping_add(self.lead + at.min(self.len))
    }

    /// Waits until `len` bytes from `at` are on stable storage (`MS_SYNC`).
    pub(crate) fn sync(&self, at: usize, len: usize) -> io::Result<()> {
        self.over_pages(at, len, |address, len| {
            // SAFETY: the pages belong to this live mapping; writing them out changes no byte of them.
            unsafe { mm::msync(address, len, MsyncFlags::SYNC) }
        })
    }

    /// Advises the kernel about `len` bytes from `at`. On a shared map of a file no advice of [`mm::Advice`] that is
    /// passed here loses bytes: `MADV_DONTNEED` forgets page table entries, and the file keeps what was stored.
    pub(crate) fn advise(&self, at: usize, len: usize, advice: mm::Advice) -> io::Result<()> {
        self.over_pages(at, len, |address, len| {
            // SAFETY: the pages belong to this live mapping, which is shared and of a file: advice moves no byte.
            unsafe { mm::madvise(address, len, advice) }
        })
    }

    /// `mincore(2)`: one byte for each page from the first on, its lowest bit set if the page is in the page cache.
    pub(super) fn pages_from(&self, at: usize) -> (*mut u8, usize) {
        let page = rustix::param::page_size();
        let skip = (self.lead + at.min(self.len)) / page * page;
        (self.base.as_ptr().wrapping_add(skip), self.lead + self.len - skip)
    }

    /// Hands `call` the whole pages that hold `len` bytes from `at`, if there are any.
    fn over_pages(
        &self,
        at: usize,
        len: usize,
        call: impl FnOnce(*mut std::ffi::c_void, usize) -> rustix::io::Result<()>,
    ) -> io::Result<()> {
        let end = at.checked_add(len).filter(|&end| end <= self.len).ok_or(io::ErrorKind::InvalidInput)?;
        if len == 0 {
            return Ok(());
        }
        let skip = (self.lead + at) / rustix::param::page_size() * rustix::param::page_size();
        Ok(call(self.base.as_ptr().wrapping_add(skip).cast(), self.lead + end - skip)?)
    }
}

impl Drop for FileMap {
    fn drop(&mut self) {
        if self.len != 0 {
            // SAFETY: exactly the mapping made in `new`, whose addresses nobody keeps beyond a call. A failure would
            // mean arguments that `new` could not have produced, and would leak, not dangle.
            let _ = unsafe { mm::munmap(self.base.as_ptr().cast(), self.lead + self.len) };
        }
    }
}
