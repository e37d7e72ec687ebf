//! Why a directory cannot be opened, and why a log cannot be made.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::{META_PROPERTIES_FILE, format_id};
use pagewire_disk::{CheckpointError, LockError};
use uuid::Uuid;

use crate::online::{anew, online};
use crate::sick::{is_full, is_shortage};
use crate::{LogError, Offline};

/// A log directory that cannot be opened. None of these changed anything in it.
#[derive(Debug, thiserror::Error)]
pub enum LogDirError {
    /// Somebody else has it, or it cannot be written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It belongs to another cluster.
    #[error(
        "{} belongs to cluster {found}, by its {META_PROPERTIES_FILE}, and this node's metadata is of cluster {expected}: give \
         this node a directory of its own, or start it in that cluster. If the logs in it are of {expected}, one of the two is \
         damaged; where that is {}, move it away, and the next start writes it anew",
        path.display(),
        path.join(META_PROPERTIES_FILE).display()
    )]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// Its cluster.
        found: String,
        /// Ours.
        expected: String,
    },
    /// It belongs to another node.
    #[error(
        "{} belongs to node {found}, by its {META_PROPERTIES_FILE}, and this is node {expected}: if it was served as node \
         {found}, set node.id={found}, or use another directory. If it was served as node {expected}, {} is damaged: move it \
         away, and the next start writes it anew",
        path.display(),
        path.join(META_PROPERTIES_FILE).display()
    )]
    OtherNode {
        /// The directory.
        path: PathBuf,
        /// Its node.
        found: i32,
        /// This node.
        expected: i32,
    },
    /// Two directories have one id.
    #[error(
        "{} and {} have the same directory.id, so one of them is a copy of the other: take one out of log.dirs",
        first.display(),
        second.display()
    )]
    SameId {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// It was served before, and nothing is in it.
    #[error(
        "{} is empty or not there, but was served before as log directory {}: most likely its disk is not mounted. Mount it and \
         start again, or run {}. If what it held is lost for good, {} makes its partitions anew, empty",
        path.display(),
        format_id(*directory),
        online(path, home),
        anew(path, home)
    )]
    Vanished {
        /// The directory.
        path: PathBuf,
        /// The broker's first log directory.
        home: PathBuf,
        /// The id it had.
        directory: Uuid,
    },
    /// It was to be empty.
    #[error("{} is not empty: take it in with {}, without --empty", path.display(), online(path, home))]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// The broker's first log directory.
        home: PathBuf,
    },
    /// The disk said no.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
}

impl LogDirError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { path, error }
    }

    /// The same of a directory of a broker whose first one is this.
    #[must_use]
    pub fn beside(self, first: &Path) -> Self {
        let home = first.to_path_buf();
        match self {
            Self::Vanished { path, directory, .. } => Self::Vanished { path, home, directory },
            Self::NotEmpty { path, .. } => Self::NotEmpty { path, home },
            other => other,
        }
    }
}

/// A log that was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// No topic can have this name, or no partition this number.
    #[error("{topic}-{partition} is no partition's name")]
    Name {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The log of another topic of the same name is still open: delete that first.
    #[error("the partition is in use by the topic with id {found}")]
    OtherTopic {
        /// Its topic's id.
        found: Uuid,
    },
    /// A log of this name is being opened, which may take long. A topic of that name was deleted meanwhile: once it is open
    /// it goes, and this one can be made: KAFKA_STORAGE_ERROR.
    #[error(
        "{topic}-{partition}, of a topic of this name, is still being opened by pagewire log online: try again when that \
         has ended"
    )]
    BeingOpened {
        /// The topic.
        topic: String,
        /// The first such partition.
        partition: i32,
    },
    /// The directory that holds it is not here: KAFKA_STORAGE_ERROR.
    #[error("its log directory, of id {}, is not here", format_id(*directory))]
    Away {
        /// The directory's id.
        directory: Uuid,
    },
    /// The directory takes no writes: KAFKA_STORAGE_ERROR.
    #[error(transparent)]
    Offline(#[from] Offline),
    /// Opening the log failed: KAFKA_STORAGE_ERROR.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The disk said no: KAFKA_STORAGE_ERROR.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
}

impl CreateError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { path, error }
    }

    /// There was no room. The next attempt may find some.
    pub fn is_full_disk(&self) -> bool {
        self.io().is_some_and(|error| is_full(error.kind()))
    }

    /// There was no room, or no file handle or memory left: nothing is wrong with the disk.
    pub fn is_for_want(&self) -> bool {
        self.io().is_some_and(is_for_want)
    }

    /// What the operating system said, where it said something.
    pub(super) fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Io { error, .. } | Self::Log(LogError::Io { error, .. }) => Some(error),
            _ => None,
        }
    }
}

fn is_for_want(error: &io::Error) -> bool {
    is_full(error.kind()) || is_shortage(error)
}

impl LogError {
    /// There was no room, or no file handle or memory left: nothing is wrong with the log.
    pub fn is_for_want(&self) -> bool {
        matches!(self, Self::Io { error, .. } if is_for_want(error))
    }

    /// Why the log in `dir` was not made, as the reason why it is not open.
    pub(crate) fn of(error: CreateError, dir: &Path) -> Self {
        match error {
            CreateError::Log(error) => error,
            CreateError::Io { path, error } => Self::Io { path, error },
            other => Self::Io { path: dir.to_path_buf(), error: io::Error::other(other) },
        }
    }
}

/// Splits what reading a small file can answer into content, damage (worth a notice) and a failing disk.
pub(super) fn usable<T>(
    read: Result<Option<T>, CheckpointError>,
) -> Result<Result<Option<T>, CheckpointError>, LogDirError> {
    match read {
        Err(CheckpointError::Io { path, error }) => Err(LogDirError::Io { path, error }),
        content_or_damage => Ok(content_or_damage),
    }
}
