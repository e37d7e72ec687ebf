//! The disk under the data directory.

mod block;
pub(crate) mod device;
pub(crate) mod direct;
pub(crate) mod file_system;
mod mount;
pub(crate) mod preallocate;
pub(crate) mod read_ahead;
pub(crate) mod space;
pub(crate) mod sync;
mod sync_times;

pub(crate) use block::{Block, blocks_under, read_ahead_of};
pub(crate) use file_system::{Kind, kind_of};
pub(crate) use mount::{Mount, mount_of};
