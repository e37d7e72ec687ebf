//! Why a clean did not come to its end. The log is as it was, or cleaned up to some segment; both are whole.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_record::InflateError;

use crate::errors::Offline;
use crate::segment::Segment;

/// A clean that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// Somebody wanted it to end: everybody was told to stop, the topic is compacted no more, retention was faster.
    /// Nothing is wrong.
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
    /// What the records of a segment come to when they are compressed again does not fit a segment. The partition is
    /// set aside.
    #[error("{}: its records, compressed again, do not fit a segment file", file.display())]
    TooLarge {
        /// The segment file.
        file: PathBuf,
    },
    /// A batch comes to more than may be taken into memory at once. Nothing is wrong with it, and the partition is set
    /// aside until the limit is another.
    #[error(
        "{}: the batch at position {position} decompresses to more than {max_bytes} bytes, more than compaction takes into \
         memory at once: raise the topic's max.message.bytes above what it comes to",
        file.display()
    )]
    TooMuch {
        /// The segment file.
        file: PathBuf,
        /// Where in it.
        position: u64,
        /// What is taken at most.
        max_bytes: usize,
    },
    /// A panic: a fault of ours. The partition is set aside.
    #[error("it broke off in a panic: {0}")]
    Panicked(String),
    /// What is to be cleaned cannot be read. That says nothing about writes: the partition is tried again later, and
    /// nothing else is concerned.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// The disk said no to a write. A full one, or a process out of descriptors, is tried again later.
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

    /// The same of a file that is only read.
    pub(crate) fn reading(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |error| Self::Unreadable { path, error }
    }

    /// Another attempt would fail the same way, as long as neither the log nor its settings change.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Corrupt { .. } | Self::TooLarge { .. } | Self::TooMuch { .. } | Self::Panicked(_)
        )
    }

    /// What has to happen before a partition that was set aside can be cleaned: "not before this".
    pub fn helps(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => {
                "the damaged batch is gone, by a good copy of the file (of a backup, put there while the broker is stopped), by \
                 retention or DeleteRecords past it and a restart; its other records are served"
            }
            _ => "a restart or other settings",
        }
    }

    /// Nothing is wrong.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::GivenUp(_))
    }
}

/// What keeps a batch from being cleaned, before anybody knows where it lies.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It cannot be believed, in words.
    Corrupt(String),
    /// It decompresses to more bytes than these.
    TooMuch(usize),
}

impl Unfit {
    /// The batch lies there.
    pub(super) fn at(self, segment: &Segment, position: u64) -> CleanError {
        match self {
            Self::Corrupt(reason) => corrupt(segment, position, &reason),
            Self::TooMuch(max_bytes) => CleanError::TooMuch { file: segment.path(), position, max_bytes },
        }
    }
}

impl From<String> for Unfit {
    fn from(reason: String) -> Self {
        Self::Corrupt(reason)
    }
}

impl From<&str> for Unfit {
    fn from(reason: &str) -> Self {
        Self::Corrupt(reason.to_owned())
    }
}

impl From<InflateError> for Unfit {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge { max_bytes } => Self::TooMuch(max_bytes),
            error => Self::Corrupt(error.to_string()),
        }
    }
}

/// A batch of `segment` that cannot be believed. The scrub looks at it before anything else, and tells its readers.
pub(super) fn corrupt(segment: &Segment, position: u64, reason: &str) -> CleanError {
    segment.suspected();
    CleanError::Corrupt { file: segment.path(), position, reason: reason.to_owned() }
}
