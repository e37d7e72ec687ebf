//! Why a log was not copied.

use std::io;
use std::path::{Path, PathBuf};

use super::Bad;

/// A log that was not copied, or a file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The disk said no, or whoever paces wants no more (`Interrupted`).
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// A file holds something else than it should. `pagewire log check` tells more.
    #[error("{} is damaged at byte {position}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        position: u64,
        /// What is wrong.
        reason: String,
    },
    /// Compaction replaced segments, or an index was written anew, faster than they were copied.
    #[error("{} changes faster than it can be copied", .0.display())]
    Changing(PathBuf),
    /// The log counts a segment as its own of which the file is not there.
    #[error("{} is missing: somebody removed it under the broker that has the log open", .0.display())]
    Missing(PathBuf),
    /// Another life of the log has its files now.
    #[error(
        "{} was opened anew (pagewire log online) after the moment that the backup is of: what it was then cannot be told from what \
         it is now; make the backup again",
        .0.display()
    )]
    Reopened(PathBuf),
}

impl BackupError {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { path, error }
    }

    /// What a check found, as an error about the file of that name.
    pub fn damaged(path: &Path) -> impl FnOnce(Bad) -> Self {
        let path = path.to_path_buf();
        move |(position, reason)| Self::Damaged { path, position, reason }
    }

    /// Whether the file at `from` had fewer bytes by the time they were read.
    pub(super) fn ended_early(&self, from: &Path) -> bool {
        matches!(self, Self::Io { path, error } if path == from && error.kind() == io::ErrorKind::UnexpectedEof)
    }

    /// Whether nothing is wrong but that it was to end.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::Interrupted)
    }
}
