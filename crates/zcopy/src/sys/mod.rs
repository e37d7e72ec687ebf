//! The fence: the only unsafe code, one system call per file. Borrowed descriptors in, `io::Result` out; what
//! rustix offers safely is called where it is needed and has no file here.

#![allow(unsafe_code, reason = "the one place where system calls without a safe wrapper are made")]

mod anonymous_map;
mod cachestat;
#[cfg(feature = "uring")]
mod ring;
mod sync_file_range;

pub(crate) use anonymous_map::AnonymousMap;
pub(crate) use cachestat::cachestat;
#[cfg(feature = "uring")]
pub(crate) use ring::Reported;
#[cfg(feature = "uring")]
pub use ring::{RING_BUFFERS_MAX, Ring, RingBuffer};
pub(crate) use sync_file_range::sync_file_range;

/// Bytes in a page. The smallest page of the systems we build for; a larger real page only makes alignment
/// coarser than asked for, never finer.
pub(crate) const PAGE: usize = 4096;
