//! What a start found that people should know. Nothing here stopped it.

use std::path::PathBuf;

use pagewire_disk::checkpoint::format_id;
use pagewire_disk::{CheckpointError, Damage};
use uuid::Uuid;

use super::identity::Contradiction;
use super::suspicion::Suspicion;

/// So many of several directories are named.
const TOLD_MAX: usize = 8;

/// One finding. `Display` is a line for the log.
#[derive(Debug)]
pub enum Notice {
    /// A small file was useless and is written anew.
    Damaged(CheckpointError),
    /// `meta.properties` contradicts the metadata in one thing and agrees in all others: it is damaged, and written anew.
    Contradicted {
        /// The file.
        path: PathBuf,
        /// In what.
        contradiction: Contradiction,
    },
    /// A directory that is not a partition's: left alone.
    Unknown {
        /// The directory.
        path: PathBuf,
    },
    /// A partition whose topic nobody knows: left alone.
    UnknownTopic {
        /// The directory.
        path: PathBuf,
    },
    /// The unfinished copy of a partition, or data set aside earlier: left alone.
    SetAside {
        /// The directory.
        path: PathBuf,
    },
    /// A deleted partition that was not unlinked before the stop: it will be now.
    Leftover {
        /// The directory.
        path: PathBuf,
    },
    /// The data of another topic stood where this topic's belongs: renamed, kept.
    Stray {
        /// Where it is now.
        path: PathBuf,
        /// The id it names.
        found: Uuid,
        /// The topic's id.
        expected: Uuid,
    },
    /// What a partition's log left behind in a log directory that was away when it was served from another one: renamed, kept.
    Behind {
        /// Where it is now.
        path: PathBuf,
    },
    /// A partition that did not name its topic's id: it does now.
    Named {
        /// The directory.
        path: PathBuf,
        /// The topic's id.
        topic_id: Uuid,
    },
    /// A partition that named its topic's id with a flipped bit: it names that now.
    Misnamed {
        /// The file.
        path: PathBuf,
        /// The id it named.
        found: Uuid,
        /// The topic's id.
        topic_id: Uuid,
    },
    /// The mark of our orderly stop is gone, and nobody else had the directory.
    MarkLost {
        /// Where it was.
        path: PathBuf,
    },
    /// The mark of an orderly stop is damaged, and vouches for nothing.
    MarkDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Somebody else may have compacted these logs: it is not known any more which offsets compaction took.
    Forgotten {
        /// Their directories.
        dirs: Vec<PathBuf>,
        /// Why.
        why: Suspicion,
    },
    /// The log ends below what was known to be in it: records are lost.
    Lost {
        /// The directory.
        path: PathBuf,
        /// Where it ends.
        log_end: i64,
        /// Where a checkpoint, or a producer snapshot, says it ended.
        known_end: i64,
    },
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(CheckpointError::Damaged { path, damage: Damage::Missing }) => {
                write!(
                    f,
                    "{} is gone, though it was there at the last stop; it is written anew",
                    path.display()
                )
            }
            Self::Damaged(error) => write!(f, "{error}; it is written anew"),
            Self::Contradicted { path, contradiction: Contradiction { key, found, known } } => write!(
                f,
                "{} says {key}={found}, and the metadata knows this directory with {known}, while all else agrees: the file is \
                 damaged; it is written anew",
                path.display()
            ),
            Self::Unknown { path } => write!(f, "{} is no partition's directory; left alone", path.display()),
            Self::UnknownTopic { path } => {
                write!(f, "{} belongs to a topic this cluster does not have; left alone", path.display())
            }
            Self::SetAside { path } => write!(f, "{} was set aside earlier; left alone", path.display()),
            Self::Leftover { path } => {
                write!(f, "{} was deleted before the last stop; it is unlinked in a moment", path.display())
            }
            Self::Stray { path, found, expected } => write!(
                f,
                "data of topic id {} stood where topic id {} belongs; kept in {}",
                format_id(*found),
                format_id(*expected),
                path.display()
            ),
            Self::Behind { path } => write!(
                f,
                "the partition was served from another log directory while this one was away, and what was here is behind it; \
                 kept in {}",
                path.display()
            ),
            Self::Named { path, topic_id } => {
                write!(f, "{} named no topic id; taken as {}", path.display(), format_id(*topic_id))
            }
            Self::Misnamed { path, found, topic_id } => write!(
                f,
                "{} named topic id {}, which is {} with a flipped bit: the file is damaged; it is written anew",
                path.display(),
                format_id(*found),
                format_id(*topic_id)
            ),
            Self::MarkLost { path } => write!(
                f,
                "{} is gone, though the last stop was an orderly one and nobody else had the directory; the logs are \
                 checked as after a kill",
                path.display()
            ),
            Self::MarkDamaged { path, damage } => write!(
                f,
                "{} is damaged, so it does not vouch for an orderly stop ({damage}); the logs are checked as after a kill",
                path.display()
            ),
            Self::Forgotten { dirs, why } => {
                let some: Vec<_> = dirs.iter().take(TOLD_MAX).map(|dir| dir.display().to_string()).collect();
                let more = match dirs.len().saturating_sub(TOLD_MAX) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                write!(
                    f,
                    "{why}; so it is not known any more which offsets compaction took from {}{more}: until the next clean, records that are missing there are not told from those",
                    some.join(", ")
                )
            }
            Self::Lost { path, log_end, known_end } => write!(
                f,
                "{} ends at offset {log_end}, but had reached {known_end}: what was at these offsets is lost",
                path.display()
            ),
        }
    }
}
