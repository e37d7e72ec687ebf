//! Keeps a stalled write from stalling others.
//!
//! A buffered write normally returns in microseconds. When too many pages are dirty, or the disk is slow, the kernel
//! holds the writer for tens of milliseconds, and with it every connection of that thread. Handing each append to
//! another thread would cost a wake-up per append, as much as copying 64 KiB. So appends run in place as long as they
//! are quick; once one was slow, the following ones tell the runtime first to move the thread's other tasks elsewhere
//! (`block_in_place`), until writes have been quick again for a while. Pacing of writeback by the log makes the first
//! slow one rare.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use crate::aside::aside;

/// A write that takes longer has been held by the kernel.
const SLOW: Duration = Duration::from_millis(2);
/// Quick writes after a slow one before appends are trusted again.
const WARY_APPENDS: u32 = 256;
/// Smaller appends are timed only when wary: reading the clock twice costs as much as their bookkeeping.
const TIMED_BYTES: usize = 16 * 1024;

/// Appends left before writes are trusted again; shared, because the page cache is.
static WARY: AtomicU32 = AtomicU32::new(0);

/// Runs `write`, in a place where it may block if blocking is to be expected.
pub(super) fn guarded<T>(bytes: usize, write: impl FnOnce() -> T) -> T {
    let wary = WARY.load(Ordering::Relaxed);
    if wary == 0 && bytes < TIMED_BYTES {
        return write();
    }
    let started = Instant::now();
    let done = aside(wary > 0, write);
    if started.elapsed() > SLOW {
        WARY.store(WARY_APPENDS, Ordering::Relaxed);
    } else if wary > 0 {
        let _ = WARY.compare_exchange(wary, wary - 1, Ordering::Relaxed, Ordering::Relaxed);
    }
    done
}
