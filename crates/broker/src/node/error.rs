//! Why a broker does not start, in words that say what to do.

use std::{io, net::SocketAddr, path::PathBuf};

use pagewire_disk::{LockError, Pasted};
use pagewire_log::{LogDirError, OnlineCommand};
use pagewire_metadata::{CatalogError, OpenError};

/// Why a broker did not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It was asked to stop before it served.
    #[error("stopped before it served")]
    Stopped,
    /// The directory is in use, belongs to another node or cluster, or cannot be used.
    #[error("{}", advised(.0))]
    Logs(#[from] LogDirError),
    /// The directory has logs, but not our metadata: most likely Apache Kafka wrote it.
    #[error(
        "{} holds data, but no {}: most likely Apache Kafka wrote it. Nothing in it was changed; make a directory of ours out \
         of it with pagewire import --from {} --to NEW_DIR, or choose another one with --data-dir DIR",
        .0.display(),
        pagewire_metadata::FILE_NAME,
        Pasted(.0)
    )]
    Foreign(PathBuf),
    /// The directory has logs of ours, but not the metadata.
    #[error(
        "{} holds the records of a broker, but its {} is gone: without it nobody knows whose records they are, and an empty \
         cluster would be served in their place. Nothing was changed. Put the file back, or an older copy of it, as the one in \
         the last backup: what that knows is served, the rest is left alone. Or restore the last backup into another directory \
         with pagewire restore --from BACKUP --to NEW_DIR. Without either, keep the directory: pagewire log dump reads the \
         records in it",
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
    /// The first directory is new, another one is not.
    #[error(
        "{} has nothing in it, but {} was served before: most likely the disk of {} is not mounted. Mount it. If it is lost, \
         put a copy of {} there, as the one in the last backup: what it knows of other directories is served, and what was in \
         this one waits for {}. Without a copy, keep the other directories (pagewire log dump reads the records in them), and \
         restore the last backup or begin anew in directories of another path",
        first.display(),
        other.display(),
        first.display(),
        pagewire_metadata::FILE_NAME,
        OnlineCommand { dir: first, home: first, empty: true }
    )]
    NoHome {
        /// The first of `log.dirs`.
        first: PathBuf,
        /// One that is not new.
        other: PathBuf,
    },
    /// There is no metadata, and a directory may have been served.
    #[error(
        "{}: {error}. There is no {} in the first log directory, and whether this one was served before cannot be told: no new \
         cluster is made beside it. Make it readable, or take it out of log.dirs",
        path.display(),
        pagewire_metadata::FILE_NAME
    )]
    Unknown {
        /// The directory.
        path: PathBuf,
        /// Why it cannot be looked into.
        error: io::Error,
    },
    /// A log directory is no directory.
    #[error("{} is a file, and data is kept in a directory: choose another one with --data-dir DIR, or in log.dirs", .0.display())]
    NotADirectory(PathBuf),
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
        Pasted(.0)
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
        LogDirError::OtherCluster { .. } => format!(
            "{error}. If a copy of {} was put into the first directory, it is one of another cluster: take it out again; nothing \
             was changed by it",
            pagewire_metadata::FILE_NAME
        ),
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
