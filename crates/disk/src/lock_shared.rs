//! Keeping a directory still without changing it: a shared lock on the lock file of whoever owns the directory.
//!
//! A [`DirLock`](crate::DirLock), and the lock a JVM takes, are exclusive. A shared one needs no more than to read the
//! file: it is refused while they are held and keeps them from being taken, on read-only file systems too. Nothing is
//! written.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use crate::lock::{LOCK_FILE, LockError};
use crate::lock_look::{LockLook, look_at_lock};

/// Nobody takes the directory while this lives. POSIX locks end with the first handle of the file that a process
/// closes, so the process must not open the lock file meanwhile.
#[derive(Debug)]
pub struct SharedLock {
    _file: File,
}

impl SharedLock {
    /// Takes it, never waits. `None` if the directory has no lock file: nobody ever had it open where it lies.
    pub fn acquire(dir: &Path) -> Result<Option<Self>, LockError> {
        let io = |error| LockError::Io { dir: dir.to_path_buf(), error };
        let file = match File::open(dir.join(LOCK_FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let taken = [
            flock(&file, FlockOperation::NonBlockingLockShared),
            fcntl_lock(&file, FlockOperation::NonBlockingLockShared),
        ];
        for answer in taken {
            match answer {
                Err(Errno::WOULDBLOCK | Errno::ACCESS) => {
                    drop(file);
                    return Err(LockError::Held { dir: PathBuf::from(dir), pid: holder(dir) });
                }
                // File systems without one kind of lock have the other.
                Ok(()) | Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(errno) => return Err(io(errno.into())),
            }
        }
        Ok(Some(Self { _file: file }))
    }
}

fn holder(dir: &Path) -> Option<u32> {
    match look_at_lock(dir) {
        Ok(LockLook::Held { pid }) => pid,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DirLock, OsDisk};

    #[test]
    fn a_directory_that_is_held_still_cannot_be_taken_and_is_as_it_was_afterwards() {
        let dir = tempfile::tempdir().expect("a directory");
        let lock_file = dir.path().join(LOCK_FILE);
        std::fs::write(&lock_file, "as it was").expect("written");
        let held = SharedLock::acquire(dir.path()).expect("held").expect("a lock file");
        assert_eq!(std::fs::read(&lock_file).expect("read"), b"as it was");
        assert!(matches!(DirLock::acquire(&OsDisk::new(), dir.path()), Err(LockError::Held { .. })));
        drop(held);
        drop(DirLock::acquire(&OsDisk::new(), dir.path()).expect("free"));
    }

    #[test]
    fn a_directory_in_use_cannot_be_held_still() {
        let dir = tempfile::tempdir().expect("a directory");
        let _owner = DirLock::acquire(&OsDisk::new(), dir.path()).expect("taken");
        assert!(matches!(SharedLock::acquire(dir.path()), Err(LockError::Held { .. })));
    }

    #[test]
    fn a_directory_without_a_lock_file_stays_without() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(SharedLock::acquire(dir.path()).expect("looked").is_none());
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
    }
}
