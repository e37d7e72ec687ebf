//! One sick disk, one directory: after an I/O error nothing in it takes writes until it is opened again.
//!
//! A full disk is no such error. A write that did not fit was undone, and the next may fit.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::Errno;

use super::LogDir;
use crate::Offline;

/// Whether an error says that the device or its file system is sick, rather than full, busy or asked for nonsense.
fn is_sick(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    errno.is_some_and(|errno| {
        [
            Errno::IO,
            Errno::ROFS,
            Errno::UCLEAN,
            Errno::BADMSG,
            Errno::NODEV,
            Errno::NXIO,
            Errno::REMOTEIO,
            Errno::STALE,
            Errno::TIMEDOUT,
            Errno::SHUTDOWN,
        ]
        .contains(&errno)
    })
}

impl LogDir {
    /// Why the directory takes no writes, if it takes none: an error of its own files, or of any of its logs'. A log
    /// that only ran out of space is offline alone.
    pub fn offline(&self) -> Option<Offline> {
        self.offline.get().cloned()
    }

    /// Takes the directory and all its logs offline for writes. The first reason stays.
    pub fn take_offline(&self, kind: ErrorKind, reason: &str) {
        if self.offline.set(Offline { reason: Arc::from(reason), kind }).is_ok() {
            tracing::error!(dir = %self.path.display(), reason, "log directory is offline for writes");
        }
    }

    /// After the orderly stop nothing may be made or removed any more.
    pub(super) fn close_for_writes(&self) {
        let _ = self
            .offline
            .set(Offline { reason: Arc::from("the directory is closed"), kind: ErrorKind::Other });
    }

    /// Decides what an error on one of the directory's own files means.
    pub(super) fn note(&self, path: &Path, error: &io::Error) {
        if is_sick(error) {
            self.take_offline(error.kind(), &format!("{}: {error}", path.display()));
        } else {
            tracing::warn!(path = %path.display(), %error, "a log directory's file could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_or_busy_disk_is_not_a_sick_one() {
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NOMEM, Errno::NOENT, Errno::NOTDIR] {
            assert!(!is_sick(&errno.into()), "{errno}");
        }
        for errno in [Errno::IO, Errno::ROFS, Errno::UCLEAN] {
            assert!(is_sick(&errno.into()), "{errno}");
        }
    }
}
