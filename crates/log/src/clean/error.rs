//! Why a clean did not come to its end. The log is as it was, or cleaned up to some segment; both are whole.

use std::io;
use std::path::{Path, PathBuf};

use crate::errors::Offline;

/// A clean that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// Somebody wanted it to end: everybody was told to stop, the topic is compacted no more, retention was faster. Nothing
    /// is wrong.
    #[error("given up: {0}")]
    GivenUp(&'static str),
    /// A batch cannot be believed. Leaving it out would lose records in silence, so the partition is set aside.
    #[error("{}: cannot be compacted at position {position}: {reason}", file.display())]
    Corrupt {
        /// The segment file.
        file: PathBuf,
        /// Where in it.
        position: u64,
        /// Why, in words.
        reason: String,
    },
    /// What the records of a segment come to when they are compressed again does not fit a segment. The partition is set
    /// aside.
    #[error("{}: its records, compressed again, do not fit a segment file", file.display())]
    TooLarge {
        /// The segment file.
        file: PathBuf,
    },
    /// The disk said no. A full one, or a process out of descriptors, is tried again later.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// The log takes no writes.
    #[error(transparent)]
    Offline(#[from] Offline),
}

impl CleanError {
    pub(crate) fn at(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |error| Self::Io { path, error }
    }

    /// Another attempt would fail the same way, as long as neither the log nor its settings change.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::TooLarge { .. })
    }

    /// Nothing is wrong.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::GivenUp(_))
    }
}
