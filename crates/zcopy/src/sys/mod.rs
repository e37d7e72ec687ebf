//! The fence: the only unsafe code, one system call per file. Borrowed descriptors in, `io::Result` out; what
//! rustix offers safely is called where it is needed and has no file here.

#![allow(unsafe_code, reason = "the one place where system calls without a safe wrapper are made")]

mod anonymous_map;
mod cachestat;
mod error_queue;
mod file_map;
mod loadable_map;
mod mincore;
mod send_map;
mod socket_option;
mod steady_file;
mod sync_file_range;

pub(crate) use anonymous_map::AnonymousMap;
pub(crate) use cachestat::cachestat;
pub(crate) use error_queue::completion;
pub(crate) use file_map::FileMap;
pub(crate) use loadable_map::LoadableMap;
pub(crate) use mincore::all_in_core;
pub(crate) use send_map::{SendPart, send_map_zerocopy, send_parts};
pub(crate) use socket_option::{SocketOption, set_socket_option, socket_option};
pub use steady_file::SteadyFile;
pub(crate) use sync_file_range::sync_file_range;

/// Bytes in a page. The smallest page of the systems we build for; a larger real page only makes alignment
/// coarser than asked for, never finer.
pub(crate) const PAGE: usize = 4096;
