//! What only Linux has, one system call per file.

mod cachestat;
mod error_queue;
mod file_map;
mod loadable_map;
mod malloc_trim;
mod mincore;
#[cfg(feature = "uring")]
mod ring;
mod scheduling;
mod send_map;
mod socket_option;
mod steady_file;
mod sync_file_range;
mod try_map;

pub(crate) use cachestat::cachestat;
pub(crate) use error_queue::completion;
pub(crate) use file_map::FileMap;
pub(crate) use loadable_map::LoadableMap;
pub(crate) use malloc_trim::malloc_trim;
pub(crate) use mincore::all_in_core;
#[cfg(feature = "uring")]
pub(crate) use ring::Reported;
#[cfg(feature = "uring")]
pub use ring::{RING_BUFFERS_MAX, Ring, RingBuffer};
pub(crate) use scheduling::schedule_as_batch;
pub(crate) use send_map::{SendPart, send_map_zerocopy, send_parts};
pub(crate) use socket_option::{SocketOption, set_socket_option, socket_option};
pub use steady_file::SteadyFile;
pub(crate) use sync_file_range::sync_file_range;
pub(crate) use try_map::try_map;
