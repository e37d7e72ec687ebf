//! Whether a directory is locked, without touching the lock.
//!
//! A [`DirLock`](crate::DirLock) is a `flock` and a POSIX record lock. The kernel answers a question about the second
//! (`F_GETLK`) and names its holder; about the first it answers only by giving or refusing it, which for a moment would
//! keep a broker that starts from its own directory. So only the second is asked for.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::lock::{LOCK_FILE, named_pid};

/// How the lock of a directory stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockLook {
    /// Nothing ever locked it.
    NoFile,
    /// A process has it.
    Held {
        /// Which, unless it lives in another pid namespace or on another machine.
        pid: Option<u32>,
    },
    /// Nobody has it.
    Free {
        /// The process that had it and ended without giving it back: it was killed, or the machine stopped.
        left_by: Option<u32>,
    },
}

/// Looks at the lock of `dir`. Takes nothing, changes nothing, never waits for the holder. A lock that this very
/// process holds is not seen.
#[doc(alias = "F_GETLK")]
pub fn look_at_lock(dir: &Path) -> io::Result<LockLook> {
    let file = match File::open(dir.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LockLook::NoFile),
        Err(error) => return Err(error),
    };
    let mut text = [0; 16];
    let len = file.read_at(&mut text, 0)?;
    let named = named_pid(text.get(..len).unwrap_or_default());
    let mut question = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file.as_fd(), FcntlArg::F_GETLK(&mut question))?;
    if question.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(LockLook::Free { left_by: named });
    }
    let holder = u32::try_from(question.l_pid).ok().filter(|pid| *pid != 0);
    Ok(LockLook::Held { pid: holder.or(named) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DirLock, OsDisk};

    #[test]
    fn a_directory_that_was_never_locked_has_no_lock() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(look_at_lock(dir.path()).expect("looked"), LockLook::NoFile);
    }

    #[test]
    fn a_lock_given_back_names_nobody_and_one_left_behind_names_its_process() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(DirLock::acquire(&OsDisk::new(), dir.path()).expect("locked"));
        assert_eq!(look_at_lock(dir.path()).expect("looked"), LockLook::Free { left_by: None });
        std::fs::write(dir.path().join(LOCK_FILE), "4711").expect("written");
        assert_eq!(look_at_lock(dir.path()).expect("looked"), LockLook::Free { left_by: Some(4711) });
    }
}
