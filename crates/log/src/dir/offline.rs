//! One sick disk, one directory: after an I/O error nothing in it takes writes until it is opened again.
//!
//! A full disk is no such error. A write that did not fit was undone, and the next may fit.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::LOCK_FILE;

use super::LogDir;
use crate::Offline;
use crate::sick::is_sick;

impl LogDir {
    /// Why the directory takes no writes, if it takes none: an error of its own files, or of any of its logs'. A log
    /// whose sync ran out of space is offline alone.
    pub fn offline(&self) -> Option<Offline> {
        self.offline.get().cloned()
    }

    /// Takes the directory and all its logs offline for writes. The first reason stays.
    pub fn take_offline(&self, kind: ErrorKind, reason: &str) {
        if self.offline.set(Offline { reason: Arc::from(reason), kind }).is_ok() {
            tracing::error!(dir = %self.path.display(), reason, "log directory is offline for writes");
        }
    }

    /// Looks whether the directory is still there. Files that are open can be written whatever becomes of their names, so
    /// nothing else would tell of a directory that was removed under the broker before it is started again.
    pub fn look(&self) {
        if self.offline().is_none() && matches!(self.disk.exists(&self.path.join(LOCK_FILE)), Ok(false)) {
            self.take_offline(ErrorKind::NotFound, "it is gone: removed, moved away or unmounted");
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
        } else if !self.behind.swap(true, Ordering::AcqRel) {
            tracing::warn!(path = %path.display(), %error, "a log directory's file could not be written; tried again");
        }
    }

    /// Its own files are as they should be.
    pub(super) fn note_written(&self) {
        if self.behind.swap(false, Ordering::AcqRel) {
            tracing::info!(dir = %self.path.display(), "the log directory's files are written again");
        }
    }
}
