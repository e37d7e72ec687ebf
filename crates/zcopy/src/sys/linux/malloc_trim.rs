//! `malloc_trim(3)`: what the C library's allocator keeps goes back to the system. The GNU C library alone has it;
//! others give memory back as it is freed.
//!
//! <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>

/// Whether anything was given back.
#[cfg(target_env = "gnu")]
pub(crate) fn malloc_trim() -> bool {
    // SAFETY: no pointers are passed; the allocator takes its own locks.
    unsafe { libc::malloc_trim(0) == 1 }
}

/// Nothing to do.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn malloc_trim() -> bool {
    false
}
