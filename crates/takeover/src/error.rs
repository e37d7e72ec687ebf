//! Why there is no import, in words that say what to do.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::{CheckpointError, LockError};
use pagewire_log::LogDirError;
use pagewire_metadata::{CatalogError, OpenError};

use crate::kraft::MetadataError;
use crate::report::Refusal;

/// Lines that an error tells at most.
const TOLD_MAX: usize = 40;

/// Nothing was taken over. The directories of Kafka are as they were, the new one is not there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No directory of Kafka's.
    #[error("{} has no meta.properties: it is no data directory of Apache Kafka (name one of its log.dirs)", .0.display())]
    NotKafkas(PathBuf),
    /// Not mounted, or another name is meant.
    #[error("{} is not there: name each directory of Kafka's log.dirs (its disk may not be mounted)", .0.display())]
    NotThere(PathBuf),
    /// Served by this program already.
    #[error("{} is a data directory of this program already: serve it with --data-dir", .0.display())]
    Ours(PathBuf),
    /// A backup that this program made.
    #[error(
        "{} is a backup that this program made: pagewire restore --from {} --to DIR makes a data directory of it",
        .0.display(),
        .0.display()
    )]
    Backup(PathBuf),
    /// The directories do not belong together.
    #[error("{} belongs to cluster {found}, {} to cluster {expected}", .dir.display(), .first.display())]
    OtherCluster {
        /// One directory.
        dir: PathBuf,
        /// Its cluster.
        found: String,
        /// The directory named first.
        first: PathBuf,
        /// Its cluster.
        expected: String,
    },
    /// The same directory twice.
    #[error("{} is named twice", .0.display())]
    Twice(PathBuf),
    /// No metadata log in any of them.
    #[error(
        "none of the directories holds __cluster_metadata-0: name Kafka's metadata.log.dir with --from as well (a Kafka \
         that still uses ZooKeeper has none: migrate it to KRaft first)"
    )]
    NoMetadata,
    /// The metadata log cannot be read.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Where the import goes is something already.
    #[error("{} is not empty: an import makes a new directory", .0.display())]
    NotEmpty(PathBuf),
    /// One new directory within another.
    #[error("{} and {} lie in one another, or are one: name directories beside each other with --to", .0.display(), .1.display())]
    Nested(PathBuf, PathBuf),
    /// A new directory within what is imported: Kafka would not start with it.
    #[error("{} lies in {}, which is imported: choose a place outside with --to", .to.display(), .from.display())]
    Inside {
        /// The new directory.
        to: PathBuf,
        /// Kafka's.
        from: PathBuf,
    },
    /// A directory cannot take the place of one that something is mounted on.
    #[error("{} is a mount point: name a directory below it with --to", .0.display())]
    MountPoint(PathBuf),
    /// The place where an import is put together is something else.
    #[error("{} is in the way, and no import left it: take it away, or choose another --to", .0.display())]
    InTheWay(PathBuf),
    /// Another import to the same place.
    #[error("another import to {} is at work", .0.display())]
    AtWork(PathBuf),
    /// An earlier import, all of whose directories were whole, lacked only their names.
    #[error(
        "an earlier import was whole and was interrupted while its directories got their names; they have them now: serve {}, \
         or remove that and import again", list(.0)
    )]
    Finished(Vec<PathBuf>),
    /// The same, and nothing was to be changed.
    #[error(
        "an earlier import to {} was whole and was interrupted while its directories got their names: an import without \
         --dry-run finishes it", .0.display()
    )]
    Unfinished(PathBuf),
    /// A file system that cannot hold it.
    #[error("{} has {free} bytes free, the import needs {needed}", .dir.display())]
    NoSpace {
        /// The directory.
        dir: PathBuf,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are there.
        free: u64,
    },
    /// Files cannot be shared between the two directories.
    #[error("{} and {} do not share blocks (reflinks): {error}; use --copy", .from.display(), .to.display())]
    NoReflink {
        /// A directory of Kafka's.
        from: PathBuf,
        /// The new one.
        to: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Files cannot be in both directories.
    #[error(
        "{} and {} cannot share files (hard links): {why}; leave --link, or choose another --to", .from.display(), .to.display()
    )]
    NoLink {
        /// A directory of Kafka's.
        from: PathBuf,
        /// The new one.
        to: PathBuf,
        /// Why.
        why: String,
    },
    /// Shared files are never cut, so what is in them must be known.
    #[error(
        "--link shares files with Kafka's directory, so every batch in them is checked first: leave --verify deep"
    )]
    LinkUnchecked,
    /// A topic was named that is not there.
    #[error("there is no topic {0} in Kafka's metadata")]
    NoSuchTopic(String),
    /// Leader epochs can rise no further.
    #[error("a leader epoch of {0} leaves none above it")]
    Epochs(i32),
    /// Something cannot be taken over as it is.
    #[error("{}", refused(.0))]
    Refused(Vec<Refusal>),
    /// The new directory does not open as it should.
    #[error("{}: {reason}; the import is given up", .path.display())]
    Wrong {
        /// A partition's directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Kafka runs, or another import.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A small file of Kafka's cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The new directory's logs.
    #[error(transparent)]
    Logs(#[from] LogDirError),
    /// The new directory's metadata.
    #[error(transparent)]
    OpenMetadata(#[from] OpenError),
    /// The new directory's metadata.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The disk said no.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}

impl ImportError {
    /// For `map_err`: an error of the disk at `path`.
    pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |error| Self::Io { path: path.clone(), error }
    }
}

fn refused(refusals: &[Refusal]) -> String {
    let lines = Refusal::lines(refusals);
    let more = lines.len().saturating_sub(TOLD_MAX);
    let mut text = format!("{} cannot be taken over as they are", refusals.len());
    for line in lines.iter().take(TOLD_MAX) {
        text.push_str("\n  ");
        text.push_str(line);
    }
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  ... and {more} more lines: all with -o json");
    }
    text
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(",")
}
