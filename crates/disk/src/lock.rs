//! One process per directory.
//!
//! The lock is `flock` on Kafka's own file name, `.lock`, so that it ends with the process however that ends. The
//! file holds the owner's process id, for the message the second one prints. A POSIX record lock is taken as well:
//! that is the kind a JVM takes, so Kafka and this broker keep each other off the same directory.
//! POSIX drops such a lock when its process closes any handle of the file, so a second attempt within one process ends
//! that part of the first lock; `flock` holds on.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use crate::disk::{Disk, DiskFile, OpenMode};

/// Name of the lock file in a log directory.
pub const LOCK_FILE: &str = ".lock";

/// Why a directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process (or another part of this one) has it.
    #[error("{} is in use by another process{}", .dir.display(), by(*.pid))]
    Held {
        /// The directory.
        dir: PathBuf,
        /// The holder, where the lock file names it.
        pid: Option<u32>,
    },
    /// The lock file could not be made or locked.
    #[error("cannot lock {}: {error}", .dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}

fn by(pid: Option<u32>) -> String {
    const STOP: &str = "stop it, or choose another directory";
    match pid {
        Some(pid) if is_ending(pid) => format!(
            " (process {pid}), which waits in the kernel, most likely for a disk that does not answer: nobody can stop it before the \
             disk does. Where it never will, unmount that file system by force (umount -f), or start the machine again"
        ),
        Some(pid) => format!(" (process {pid}): {STOP}"),
        None => format!(": {STOP}"),
    }
}

/// Whether a process no longer takes signals: what is left of it is in the kernel. Of another machine's, or where nobody can tell, it
/// does.
#[doc(alias = "/proc/pid/status")]
fn is_ending(pid: u32) -> bool {
    is_ending_by(&std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default())
}

/// By what the system says of it. Whoever reads from a disk waits in the kernel for a moment as well: one that has been killed and is
/// still there does for longer.
fn is_ending_by(status: &str) -> bool {
    const KILL: u64 = 1 << (9 - 1);
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let is_killed = |name| {
        of(name).and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & KILL != 0)
    };
    match of("State:").and_then(|state| state.chars().next()) {
        Some('Z' | 'X') => true,
        Some('D') => is_killed("SigPnd:") || is_killed("ShdPnd:"),
        _ => false,
    }
}

/// A held lock on a directory; released on drop.
#[derive(Debug)]
pub struct DirLock {
    file: Arc<dyn DiskFile>,
}

impl DirLock {
    /// Takes the lock or says who has it. Never waits. The directory must exist.
    pub fn acquire(disk: &dyn Disk, dir: &Path) -> Result<Self, LockError> {
        let io = |error| LockError::Io { dir: dir.to_path_buf(), error };
        let file = disk.open(&dir.join(LOCK_FILE), OpenMode::Create).map_err(io)?;
        for take in [flock_now, record_lock_now] {
            match take(file.as_ref()) {
                Err(Errno::WOULDBLOCK | Errno::ACCESS) => {
                    return Err(LockError::Held { dir: dir.to_path_buf(), pid: holder(file.as_ref()) });
                }
                // File systems without one kind of lock have the other.
                Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(errno) => return Err(io(errno.into())),
            }
        }
        let pid = std::process::id().to_string();
        // Naming ourselves is a courtesy: a full disk must not keep the broker from serving reads.
        drop(file.set_len(0).and_then(|()| file.write_all_at(0, &[IoSlice::new(pid.as_bytes())])));
        Ok(Self { file })
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Nobody may read a pid that no longer holds the lock.
        drop(self.file.set_len(0));
        let _ = fcntl_lock(self.file.file(), FlockOperation::Unlock);
        let _ = flock(self.file.file(), FlockOperation::Unlock);
    }
}

fn flock_now(file: &dyn DiskFile) -> Result<(), Errno> {
    flock(file.file(), FlockOperation::NonBlockingLockExclusive)
}

fn record_lock_now(file: &dyn DiskFile) -> Result<(), Errno> {
    fcntl_lock(file.file(), FlockOperation::NonBlockingLockExclusive)
}

/// The process id in the lock file, if it holds one.
fn holder(file: &dyn DiskFile) -> Option<u32> {
    let mut text = [0; 16];
    let len = file.read_at(0, &mut text).ok()?;
    named_pid(text.get(..len)?)
}

/// The process id that the bytes of a lock file are.
pub(crate) fn named_pid(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_process_that_nobody_can_stop_nobody_is_told_to_stop_it() {
        let held = |pid| LockError::Held { dir: PathBuf::from("/d"), pid }.to_string();
        let stop = "stop it, or choose another directory";
        assert_eq!(held(None), format!("/d is in use by another process: {stop}"));
        let own = std::process::id();
        assert_eq!(held(Some(own)), format!("/d is in use by another process (process {own}): {stop}"));
        let mut child = std::process::Command::new("true").spawn().expect("a process");
        // It has ended, and nobody has asked how.
        let began = std::time::Instant::now();
        while !is_ending(child.id()) && began.elapsed() < std::time::Duration::from_mins(1) {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let told = held(Some(child.id()));
        assert!(told.contains("nobody can stop it before the disk does") && !told.contains(stop), "{told}");
        child.wait().expect("ended");
    }

    #[test]
    fn who_waits_for_a_disk_counts_as_ending_only_once_it_was_killed() {
        let status = |state: &str, pending: &str| {
            format!("Name:\ta (b) State\nState:\t{state}\nSigPnd:\t0000000000000000\nShdPnd:\t{pending}\n")
        };
        let (none, term, kill) = ("0000000000000000", "0000000000004000", "0000000000000100");
        assert!(is_ending_by(&status("Z (zombie)", none)));
        assert!(is_ending_by(&status("D (disk sleep)", kill)));
        assert!(
            !is_ending_by(&status("D (disk sleep)", none)) && !is_ending_by(&status("D (disk sleep)", term))
        );
        assert!(!is_ending_by(&status("S (sleeping)", kill)) && !is_ending_by(""));
    }
}
