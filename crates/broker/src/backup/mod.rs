//! A copy of everything a broker keeps, made while it serves, and the way back.
//!
//! ```text
//!   <backup>/backup.unfinished     from the first moment to the last
//!   <backup>/<topic>-<partition>/  each log as it was at that one moment of all (log/backup)
//!   <backup>/{recovery-point,log-start,replication}-offset-checkpoint   meta.properties
//!   <backup>/metadata.redb         topics, ids, settings
//!   <backup>/backup.json           what there is, with checksums: written last
//! ```
//!
//! Order, and what follows from it:
//!
//! 1. One moment: where each log of all directories ends, and all rows of the metadata (`moment`). 2. Each log up to that
//!    end, one after the other. 3. What was noted of the metadata.
//!
//! - It is what a process killed at that moment leaves: of what one record follows from, nothing is missing. A transaction
//!   that was being ended is ended by whoever serves it; an offset that a group committed has all that was written for it.
//! - Every topic in the backup has all its logs, but for those that may be missing. One created after the moment is not in
//!   it; one deleted before its logs had their turn is not either, as if it had been deleted after the kill.
//! - Each log is a prefix of what was acknowledged, whole batches, with its producers as of its end.
//! - Partitions that cannot be read make it fail, unless they may be missing: then the manifest names them, and so does
//!   whoever verifies or restores it. Topics that were not wanted are named too.
//! - What was damaged before is in it as it is, named in the manifest and by whoever restores it; its reads are refused
//!   as before.
//! - No producer id of a record in the backup is ever given out again.
//!
//! A backup is never served: `serve` refuses it, since its files may be those of another directory. [`restore()`] makes
//! a directory of it.
//!
//! Everything here blocks and runs on a thread of its own. Documented for people in `docs/backup.md`.

mod base;
mod damage;
mod error;
mod lacks;
mod manifest;
mod metadata;
mod moment;
mod pacer;
mod reading;
mod restore;
mod take;
mod target;
mod verify;

use std::path::PathBuf;

use pagewire_log::backup::{CopiedFile, Way};
use serde::{Deserialize, Serialize};

pub use damage::{Altered, Damage, Damaged, Outcome};
pub use error::BackupFailed;
pub use lacks::{Lacks, Missing};
pub use manifest::MANIFEST_FILE;
#[cfg(feature = "fuzzing")]
pub(crate) use manifest::reads_again;
pub(crate) use moment::AtOnce;
pub use pacer::{Limits, Progress};
pub use restore::{RestoreOptions, Restored, restore};
pub(crate) use take::{Source, take};
pub(crate) use target::{RESTORE_UNFINISHED, holds_a_backup};
pub use verify::{Verified, verify};

/// Unclean starts that an original may have had since a copy was made of its metadata.
pub(crate) const LEADER_EPOCHS: i32 = 1000;
/// Producers that it may have had.
pub(crate) const PRODUCER_IDS: i64 = 1 << 32;

/// How a backup is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupOptions {
    /// Where to: a directory that does not exist, or is empty. An absolute path.
    pub to: PathBuf,
    /// An earlier backup. Segments that did not change since are linked to its files.
    #[serde(default)]
    pub base: Option<PathBuf>,
    /// Share blocks or link where the file system can; else every byte is copied.
    #[serde(default = "yes")]
    pub links: bool,
    /// Read and check every batch, also of files that are only linked.
    #[serde(default = "yes")]
    pub verify: bool,
    /// Bytes read a second, at most.
    #[serde(default)]
    pub rate_bytes_per_second: Option<u64>,
    /// Topics that are left out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Partitions whose records cannot be read are told, and left out; else there is no backup.
    #[serde(default)]
    pub allow_missing: bool,
}

/// So many deleted topics are told by their names: an answer is one line of bounded length.
const DELETED_TOLD_MAX: usize = 64;

const fn yes() -> bool {
    true
}

/// What a backup came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSummary {
    /// Topics in it.
    pub topics: usize,
    /// Logs in it.
    pub logs: usize,
    /// Files in it, but for the manifest.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, copied or written.
    pub copied_bytes: u64,
    /// Sharing blocks with the log's files.
    pub shared_bytes: u64,
    /// The log's files by another name.
    pub linked_bytes: u64,
    /// The earlier backup's files by another name.
    pub earlier_bytes: u64,
    /// Every batch was checked.
    pub verified: bool,
    /// Some of the topics that were deleted while it was made, and so are not in it.
    pub deleted: Vec<String>,
    /// How many there are.
    pub deleted_topics: usize,
    /// Records that were damaged already.
    pub damage: Damage,
    /// What is not in it.
    #[serde(default)]
    pub lacks: Lacks,
}

impl BackupSummary {
    fn add(&mut self, file: &CopiedFile) {
        self.files += 1;
        self.bytes += file.bytes;
        *match file.way {
            Way::Copied => &mut self.copied_bytes,
            Way::Shared => &mut self.shared_bytes,
            Way::Linked => &mut self.linked_bytes,
            Way::Earlier => &mut self.earlier_bytes,
        } += file.bytes;
    }

    fn add_deleted(&mut self, topic: String) {
        self.deleted_topics += 1;
        if self.deleted.len() < DELETED_TOLD_MAX {
            self.deleted.push(topic);
        }
    }
}
