//! Whether a read may wait for a disk.
//!
//! Whoever runs on an event loop reads with [`Patience::None`]: files that are open, pages that are in the cache,
//! nothing else. What would wait comes back as an error of kind `WouldBlock`; no ordinary read of a file has that kind.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pagewire_disk::DiskFile;
use parking_lot::{Mutex, MutexGuard};

/// So many wait at a time, of all logs: they hold threads that others need, too.
const WAITERS_MAX: u32 = 1;

static WAITERS: Waiters = Waiters::new();

/// Who waits longer for another read's work on the same segment asks again: clients do so by themselves.
const WAIT_MAX: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 2 });

/// What somebody else may hold on behalf of another read: waited for so long, by so many, and no more.
pub(crate) fn wait_for(taken: &Mutex<()>) -> Option<MutexGuard<'_, ()>> {
    WAITERS.lock(taken, WAIT_MAX)
}

/// Those who wait.
struct Waiters {
    now: AtomicU32,
}

impl Waiters {
    const fn new() -> Self {
        Self { now: AtomicU32::new(0) }
    }

    fn lock<'m>(&self, taken: &'m Mutex<()>, wait: Duration) -> Option<MutexGuard<'m, ()>> {
        if let Some(free) = taken.try_lock() {
            return Some(free);
        }
        let locked =
            (self.now.fetch_add(1, Ordering::Relaxed) < WAITERS_MAX).then(|| taken.try_lock_for(wait));
        self.now.fetch_sub(1, Ordering::Relaxed);
        locked.flatten()
    }
}

/// Another read is at it.
pub(crate) fn busy(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} on behalf of another read: ask again"))
}

/// A reader's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the disk takes.
    Endless,
    /// None at all.
    None,
}

impl Patience {
    /// Fails with `WouldBlock` where the next step may wait and the reader may not.
    pub(crate) fn or_would_block(self) -> io::Result<()> {
        match self {
            Self::Endless => Ok(()),
            Self::None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// One positioned read; fewer bytes than asked at the end of the file or of what is cached.
    pub(crate) fn read_at(self, file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Endless => file.read_at(offset, buffer),
            Self::None => file.read_at_nowait(offset, buffer),
        }
    }

    /// Fills `buffer`.
    pub(crate) fn read_exact_at(self, file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self == Self::None && file.read_at_nowait(offset, buffer)? == buffer.len() {
            return Ok(());
        }
        // Too short a file or half a page in the cache: finding out is for those who may wait.
        self.or_would_block()?;
        file.read_exact_at(offset, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_waits_for_another_read_and_who_comes_then_is_told_to_ask_again() {
        let (waiters, taken, long) = (Waiters::new(), Mutex::new(()), Duration::from_mins(1));
        let held = taken.lock();
        let (second, first) = std::thread::scope(|threads| {
            let first = threads.spawn(|| waiters.lock(&taken, long).is_some());
            while waiters.now.load(Ordering::Relaxed) == 0 && !first.is_finished() {
                std::thread::yield_now();
            }
            let second = waiters.lock(&taken, long).is_some();
            drop(held);
            (second, first.join().expect("joined"))
        });
        assert!(first, "it was still waiting when the second had its answer");
        assert!(!second);
        assert!(waiters.lock(&taken, long).is_some(), "free");
    }
}
