//! Kernel, processors, memory, clocks.

mod cgroup;
pub(crate) mod clock;
pub(crate) mod dirty;
pub(crate) mod huge_pages;
pub(crate) mod kernel;
pub(crate) mod memory;
pub(crate) mod overcommit;
pub(crate) mod processors;
pub(crate) mod sandbox;
pub(crate) mod swap;
pub(crate) mod time_sync;
