//! Why there is no backup, or none that can be used, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::LockError;
use pagewire_log::backup::BackupError;
use pagewire_metadata::{CatalogError, OpenError, PutError, StoreError};

use crate::StartError;

/// A backup was not made, not restored, or is none.
#[derive(Debug, thiserror::Error)]
pub enum BackupFailed {
    /// A log could not be copied, or a file is not what it should be.
    #[error(transparent)]
    Log(#[from] BackupError),
    /// The disk said no.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// Something is there already.
    #[error("{} is not empty: choose a directory that does not exist or holds nothing", .0.display())]
    NotEmpty(PathBuf),
    /// A backup is there already.
    #[error(
        "{} holds a backup already, and backups are not changed: make the next one beside it, with --base to link to what \
         did not change, and remove this one when it is no longer wanted", .0.display()
    )]
    Earlier(PathBuf),
    /// Something is there already, and it is what was left of a backup or restore.
    #[error("{} holds what is left of an unfinished backup or restore: remove it first", .0.display())]
    LeftOver(PathBuf),
    /// A backup within what it is of.
    #[error("{} lies in the data directory {}: choose a place outside", .0.display(), .1.display())]
    Inside(PathBuf, PathBuf),
    /// It was never finished.
    #[error("{} holds an unfinished backup", .0.display())]
    Unfinished(PathBuf),
    /// There is none.
    #[error(
        "{} holds no backup ({}): name the directory that pagewire backup --to has made",
        .0.display(),
        lacking(.0, "there is no backup.json in it")
    )]
    NoBackup(PathBuf),
    /// There is no data.
    #[error(
        "{} holds no data of a broker ({}): name its data directory with --from DIR; of several the one with {} first",
        .0.display(),
        lacking(.0, "there is no metadata in it"),
        pagewire_metadata::FILE_NAME
    )]
    NoData(PathBuf),
    /// There are records that Kafka wrote.
    #[error(
        "{} holds data, but no {}: most likely Apache Kafka wrote it, and only what is served by this program can be backed up. \
         Nothing was changed; make a directory of ours out of it with pagewire import --from {} --to NEW_DIR, or name another \
         one with --from DIR",
        .0.display(),
        pagewire_metadata::FILE_NAME,
        .0.display()
    )]
    Foreign(PathBuf),
    /// There are records, and nothing that says whose they are.
    #[error(
        "{} holds the records of a broker, but its {name} is gone: without it nobody knows the topics, and no backup can be made. \
         Nothing was changed. Put the file back, or an older copy of it, as the one in the last backup, and make the backup \
         then; without one, copy the directory as it is: pagewire log dump reads the records in it",
        .0.display(),
        name = pagewire_metadata::FILE_NAME
    )]
    NoMetadata(PathBuf),
    /// The manifest is not what was written.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is not what was copied.
    #[error("{} is not what was copied: {reason}", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It is what was copied, and cannot be used.
    #[error("{} cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The base is another cluster's.
    #[error("the earlier backup is of cluster {found}, not {expected}")]
    OtherCluster {
        /// Its cluster.
        found: String,
        /// Ours.
        expected: String,
    },
    /// A log cannot be read now.
    #[error(
        "{topic}-{partition} is not served, and a backup without it would not be one: the broker's log says why, `pagewire \
         cluster` shows its log directories"
    )]
    Offline {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// There was no moment at which nothing was being appended.
    #[error(
        "an append to {topic}-{partition} has not come to its end for half a minute, and without that there is no one moment \
         of all logs to make a backup of: its disk is slow or hangs. Make the backup again when it answers"
    )]
    Busy {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// A log is in a directory that cannot be read.
    #[error(
        "{topic}-{partition} is in the log directory {}, and a backup without it would not be one: {why}. Where it has another \
         path now, name all of log.dirs with --from DIR for each, the one with metadata.redb first",
        path.display()
    )]
    Away {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where the directory was served.
        path: PathBuf,
        /// Why it cannot be read.
        why: String,
    },
    /// A log is in a directory that is away, offline, or none of those that the broker was told of.
    #[error(
        "{topic}-{partition} is in the log directory {}, which is not in service, and a backup without it would not be one: \
         {why}",
        path.display()
    )]
    Unserved {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where the directory is, or was served.
        path: PathBuf,
        /// Why it is not served, and what can be done.
        why: String,
    },
    /// A log is in a directory of which nobody knows where it is.
    #[error(
        "{topic}-{partition} is in the log directory with directory.id={directory} in its meta.properties, which is none of \
         those that were named: name all of log.dirs, by --config FILE or --from DIR for each, the one with metadata.redb \
         first"
    )]
    Elsewhere {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The directory's id.
        directory: String,
    },
    /// Something cannot be read without which there can be a backup, if that is wished.
    #[error(
        "{why}. A backup without that partition, which says so, is made with --allow-missing; one without the topic with --exclude \
         {topic}"
    )]
    Lacking {
        /// What cannot be read.
        #[source]
        why: Box<Self>,
        /// The topic.
        topic: String,
    },
    /// The metadata cannot be read or written.
    #[error(transparent)]
    Metadata(#[from] StoreError),
    /// A record of the metadata cannot be understood.
    #[error(transparent)]
    Record(#[from] CatalogError),
    /// The copy of the metadata cannot be written.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The copy of the metadata cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The directory is in use.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The data of a stopped broker cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Nobody wants it any more.
    #[error("stopped")]
    Stopped,
}

/// Why there is nothing: no such directory, no directory, or what one of these lacks.
fn lacking(dir: &Path, lacks: &'static str) -> &'static str {
    match std::fs::metadata(dir) {
        Ok(found) if found.is_dir() => lacks,
        Ok(_) => "it is no directory",
        Err(error) if error.kind() == io::ErrorKind::NotFound => "there is no such directory",
        Err(_) => "it cannot be looked into",
    }
}

impl BackupFailed {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { path, error }
    }

    pub(super) fn altered(path: PathBuf, reason: String) -> Self {
        Self::Altered { path, reason }
    }

    pub(super) fn damaged(path: PathBuf, reason: String) -> Self {
        Self::Unusable { path, reason }
    }

    /// Whether the backup went bad: who restores it may accept that.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Altered { .. } | Self::Unusable { .. })
    }

    /// Whether nothing is wrong but that it was to end.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped) || matches!(self, Self::Log(error) if error.is_stopped())
    }
}
