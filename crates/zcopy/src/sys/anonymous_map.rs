//! `mmap(2)` of anonymous memory: page-aligned, zeroed, given to the process page by page as it is touched.
//!
//! <https://man7.org/linux/man-pages/man2/mmap.2.html>

use std::io;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// A private anonymous mapping. Its memory is always initialised: zero until written.
#[derive(Debug)]
pub(crate) struct AnonymousMap {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is private memory with a single owner, like a boxed slice.
unsafe impl Send for AnonymousMap {}
// SAFETY: shared access only hands out `&[u8]`; writing needs `&mut self`.
unsafe impl Sync for AnonymousMap {}

impl AnonymousMap {
    /// Maps `len` bytes. Address space is taken at once, memory as pages are touched.
    ///
    /// # Errors
    /// `EINVAL` for a length of zero or beyond `isize::MAX`, `ENOMEM` without address space.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        if len == 0 || isize::try_from(len).is_err() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the kernel chooses the address (null hint, no MAP_FIXED), so no existing memory is touched.
        let start =
            unsafe { mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: `start..start+len` is one live mapping owned by `self`, readable, initialised by the kernel,
        // at most isize::MAX long, and not written while `self` is borrowed shared.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for AnonymousMap {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made in `new`; no slice of it can outlive `self`. A failure would mean
        // arguments that `new` could not have produced, and would leak, not dangle.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_aligned_zeroed_and_writable() {
        let mut map = AnonymousMap::new(10_000).expect("a small map");
        assert_eq!(map.as_slice().as_ptr() as usize % crate::sys::PAGE, 0);
        assert!(map.as_slice().iter().all(|&byte| byte == 0));
        map.as_mut_slice().fill(7);
        assert_eq!((map.len(), map.as_slice().last()), (10_000, Some(&7)));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(AnonymousMap::new(0).is_err());
        assert!(AnonymousMap::new(usize::MAX).is_err());
    }
}
