//! Work that takes long, on a thread that serves connections: the others are moved elsewhere first.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs `work`. If it is `long`, the runtime gives the other tasks of this thread to another one first, where it can;
/// that costs about as much as copying 64 KiB.
pub(crate) fn aside<T>(long: bool, work: impl FnOnce() -> T) -> T {
    if long && has_other_threads() { tokio::task::block_in_place(work) } else { work() }
}

fn has_other_threads() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}
