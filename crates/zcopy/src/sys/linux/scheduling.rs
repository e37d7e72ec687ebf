//! `sched_setscheduler(2)`: how the calling thread gets its CPU.
//!
//! <https://man7.org/linux/man-pages/man2/sched_setscheduler.2.html>

use std::io;

/// `SCHED_BATCH` for the calling thread, and for those it starts from now on.
pub(crate) fn schedule_as_batch() -> io::Result<()> {
    // SAFETY: all zeros are a priority of 0, the only one that this policy has.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: 0 is the calling thread; the parameters are read during the call.
    let answer = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
