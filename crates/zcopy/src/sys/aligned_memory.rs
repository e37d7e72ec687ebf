//! Page-aligned memory from the allocator, for systems without `mmap(2)`: the same face as the anonymous map, and
//! zeroed as that is, but real from the start.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::NonNull;

use super::PAGE;

/// Page-aligned memory with a single owner. It is always initialised: zero until written.
#[derive(Debug)]
pub(crate) struct AnonymousMap {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: private memory with a single owner, like a boxed slice.
unsafe impl Send for AnonymousMap {}
// SAFETY: shared access only hands out `&[u8]`; writing needs `&mut self`.
unsafe impl Sync for AnonymousMap {}

impl AnonymousMap {
    /// Takes `len` bytes.
    ///
    /// # Errors
    /// `InvalidInput` for a length of zero or beyond `isize::MAX`, `OutOfMemory` without memory.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        if len == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let layout = Layout::from_size_align(len, PAGE).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, layout })
    }

    pub(crate) fn len(&self) -> usize {
        self.layout.size()
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: one live allocation of that size owned by `self`, initialised, and not written while borrowed shared.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for AnonymousMap {
    fn drop(&mut self) {
        // SAFETY: exactly the allocation made in `new`; no slice of it can outlive `self`.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
