//! What a process uses of memory that it need not: blocks that were freed, but that the allocator keeps.
//!
//! The GNU C library gives a heap's memory back from its end only: one small block that lives on keeps all that was
//! freed below it. After a burst (a crowd of connections, a few very large answers) a process may look several times as
//! large as it is, for as long as it runs.

use crate::sys;

/// Gives freed memory back to the system, whole pages wherever they lie. Answers whether there were any.
///
/// Each of the allocator's arenas is locked while it is walked: milliseconds where hundreds of MiB were freed. Call it
/// after a burst, on a thread that may wait, not by the clock.
/// <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>
///
/// `false`, and nothing done, where the C library is not GNU's: others have no such call.
#[doc(alias = "malloc_trim")]
pub fn trim_heap() -> bool {
    sys::malloc_trim()
}

/// Bytes of memory that are this process's own: its heap and stacks, not its files' pages. `None` where the system does
/// not tell (it does in Linux's `/proc/self/statm`).
/// <https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html>
pub fn own_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(shared) * sys::page_size())
}
