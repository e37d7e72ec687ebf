//! Room on the disk that a broker's log lies on: what is deleted frees it a while later.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::fstatvfs;

use super::log_folder;
use crate::drive::client::Stop;

/// Brokers that delete late, or hold a file that they have deleted, are not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(50);
/// Less is not to be seen beside what else happens on a disk, and disturbs nobody.
const MUCH: u64 = 64 << 20;

/// How much room there was at one time.
#[derive(Debug)]
pub(in crate::drive) struct Room {
    /// Any directory there: it may be gone by the time that it is asked.
    folder: File,
    free_bytes: u64,
}

impl Room {
    /// Where a log file lies that the process holds open, if that can be seen.
    pub(in crate::drive) fn of_log(pid: u32) -> Option<Self> {
        let folder = File::open(log_folder(pid)?).ok()?;
        Some(Self { free_bytes: free_bytes(&folder)?, folder })
    }

    /// Waits until there is more by most of these bytes, if they are many: others may write meanwhile.
    pub(in crate::drive) fn await_more(&self, bytes: u64, stop: &Stop) {
        let begun = Instant::now();
        while self.is_awaited(bytes, stop) && begun.elapsed() < PATIENCE {
            thread::sleep(AGAIN);
        }
    }

    fn is_awaited(&self, bytes: u64, stop: &Stop) -> bool {
        let enough = self.free_bytes.saturating_add(bytes / 10 * 9);
        bytes >= MUCH && !stop.is_set() && free_bytes(&self.folder).is_some_and(|free| free < enough)
    }
}

fn free_bytes(folder: &File) -> Option<u64> {
    let told = fstatvfs(folder).ok()?;
    Some(told.f_bfree.saturating_mul(told.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that had so much free.
    fn room(free_bytes: u64) -> Room {
        Room { folder: tempfile::tempfile().unwrap(), free_bytes }
    }

    #[test]
    fn what_is_free_again_or_little_is_not_waited_for_nor_is_anything_once_a_run_is_stopped() {
        let (stop, stopped) = (Stop::default(), Stop::default());
        stopped.set();
        let full = u64::MAX / 2;
        for (free, bytes, stop, is_awaited) in [
            (full, MUCH, &stop, true),
            (0, MUCH, &stop, false),
            (full, MUCH - 1, &stop, false),
            (full, MUCH, &stopped, false),
        ] {
            assert_eq!(room(free).is_awaited(bytes, stop), is_awaited, "{bytes} more than {free}");
        }
    }

    #[test]
    fn room_is_seen_through_a_folder_that_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = File::open(dir.path()).unwrap();
        dir.close().unwrap();
        assert!(free_bytes(&folder).is_some());
    }
}
