//! The fence: the only unsafe code, one system call per file. Borrowed descriptors in, `io::Result` out; what
//! rustix offers safely is called where it is needed and has no file here.

#![allow(unsafe_code, reason = "the one place where system calls without a safe wrapper are made")]

#[cfg(unix)]
mod anonymous_map;
#[cfg(not(unix))]
#[path = "aligned_memory.rs"]
mod anonymous_map;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod missing;

pub(crate) use anonymous_map::AnonymousMap;
#[cfg(target_os = "linux")]
pub use linux::SteadyFile;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(all(target_os = "linux", feature = "uring"))]
pub use linux::{RING_BUFFERS_MAX, Ring, RingBuffer};
#[cfg(not(target_os = "linux"))]
pub(crate) use missing::{all_in_core, cachestat, malloc_trim, sync_file_range};

/// Bytes in a page. The smallest page of the systems we build for; a larger real page only makes alignment
/// coarser than asked for, never finer.
pub(crate) const PAGE: usize = 4096;

/// Bytes in a page of this system.
pub(crate) fn page_size() -> u64 {
    #[cfg(unix)]
    return rustix::param::page_size() as u64;
    #[cfg(not(unix))]
    return PAGE as u64;
}
