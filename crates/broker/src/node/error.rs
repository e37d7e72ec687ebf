//! Why a broker does not start, in words that say what to do.

use std::{io, net::SocketAddr, path::PathBuf};

use pagewire_disk::LockError;
use pagewire_log::LogDirError;
use pagewire_metadata::{CatalogError, OpenError};

/// Why a broker did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory is in use, belongs to another node or cluster, or cannot be used.
    #[error("{}", advised(.0))]
    Logs(#[from] LogDirError),
    /// The directory has logs, but not our metadata: most likely Apache Kafka wrote it.
    #[error(
        "{} holds data, but no {}: most likely Apache Kafka wrote it. Nothing in it was changed; make a directory of ours out \
         of it with pagewire import --from {} --to NEW_DIR, or choose another one with --data-dir DIR",
        .0.display(),
        pagewire_metadata::FILE_NAME,
        .0.display()
    )]
    Foreign(PathBuf),
    /// The directory has logs of ours, but not the metadata.
    #[error(
        "{} holds the records of a broker, but its {} is gone: without it nobody knows whose records they are, and an empty \
         cluster would be served in their place. Nothing was changed. Put the file back, or restore the last backup into \
         another directory with pagewire restore --from BACKUP --to NEW_DIR; pagewire log dump reads the records that are \
         there",
        .0.display(),
        pagewire_metadata::FILE_NAME
    )]
    NoMetadata(PathBuf),
    /// The metadata is in a directory that is not the first.
    #[error(
        "log.dirs names {} first, but the metadata is in {}: name that one first",
        first.display(),
        metadata.display()
    )]
    Elsewhere {
        /// The first of `log.dirs`.
        first: PathBuf,
        /// The one with the metadata.
        metadata: PathBuf,
    },
    /// The metadata knows of logs in the first directory, and nothing but the metadata is there.
    #[error(
        "{} has the metadata of topics whose logs are to be there, but neither these nor meta.properties: they were removed, or \
         are on a disk that is not mounted there. Put them back, or make a directory anew with pagewire restore; if they are \
         lost for good, remove {} as well, and the broker begins a new cluster",
        .0.display(),
        .0.join(pagewire_metadata::FILE_NAME).display()
    )]
    Emptied(PathBuf),
    /// The first directory is new, another one is not.
    #[error(
        "{} has nothing in it, but {} was served before: most likely the disk of {} is not mounted. Mount it; or, to begin \
         anew, empty the other one as well",
        first.display(),
        other.display(),
        first.display()
    )]
    NoHome {
        /// The first of `log.dirs`.
        first: PathBuf,
        /// One that is not new.
        other: PathBuf,
    },
    /// No directory holds a cluster, and none is to be made.
    #[error(
        "{} holds no cluster, and pagewire.new.cluster.allowed=false lets none be made: most likely its disk is not mounted. \
         Mount it; or, if this is a first start, make the cluster with --set pagewire.new.cluster.allowed=true",
        .0.display()
    )]
    NoCluster(PathBuf),
    /// The directory holds a backup.
    #[error(
        "{} holds a backup, and a backup that is served is none any more: make a data directory of it with \
         pagewire restore --from {} --to DIR",
        .0.display(),
        .0.display()
    )]
    Backup(PathBuf),
    /// The directory is being restored, or was when that broke off.
    #[error("{} holds an unfinished restore: let it end, or remove the directory and restore anew", .0.display())]
    Unfinished(PathBuf),
    /// The metadata store cannot be opened.
    #[error("{}", advised_metadata(.0))]
    OpenMetadata(#[from] OpenError),
    /// The metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] CatalogError),
    /// The address is taken, not ours, or needs a privilege.
    #[error("cannot listen on {address}: {error}{}", hint(error))]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The process ran out of something (threads).
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            " (another process listens there: stop it, or choose another port with --listen HOST:PORT)"
        }
        io::ErrorKind::AddrNotAvailable => " (this machine has no such address)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need a privilege)",
        _ => "",
    }
}

fn advised(error: &LogDirError) -> String {
    match error {
        LogDirError::Lock(LockError::Io { .. }) | LogDirError::Io { .. } => {
            format!("{error} (choose a directory that this user can write with --data-dir DIR)")
        }
        _ => error.to_string(),
    }
}

fn advised_metadata(error: &OpenError) -> String {
    match error {
        OpenError::Damaged { path, .. } => {
            let dir = path.parent().unwrap_or(path).display();
            format!(
                "{error}. Topics, ids and settings are in it. Put a good copy in its place, or restore the last backup into \
                 another directory with pagewire restore --from BACKUP --to NEW_DIR; the records in {dir} are not concerned"
            )
        }
        _ => error.to_string(),
    }
}
