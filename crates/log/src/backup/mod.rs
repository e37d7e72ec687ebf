//! A copy of logs as they were at one moment, made while they are written to, cleaned and cut.
//!
//! ```text
//!   note   ──▶ of all logs at one moment: segments, the end, epochs, producers, under their append locks
//!   pin    ──▶ the active segment opened, then some closed ones at a time: are they still those that were seen?
//!   place  ──▶ an earlier backup's file linked │ blocks shared │ hard link │ bytes copied       each checked, then synced
//! ```
//!
//! | file | how |
//! |---|---|
//! | closed `.log` | any way: nothing is ever written to it again |
//! | active `.log` | blocks shared and cut, or copied up to the end; never linked, since it grows |
//! | `.index`, `.timeindex`, `.txnindex` of closed segments | copied: a damaged one is rebuilt in place |
//! | `.txnindex` of the active one, `.snapshot`, `leader-epoch-checkpoint`, `partition.metadata` | written anew, as of the moment |
//!
//! Invariants
//! - What is copied ends where the log ended at the moment, and has everything up to there that counted then. If compaction
//!   replaces a segment meanwhile, the copy begins anew, with the same end: past it nothing is cleaned until it is made.
//!   Retention may remove what was copied already. What it removes before its turn is missing: the copy begins later, it
//!   has no hole, and may have no record at all.
//! - No lock is held while bytes move, and no more than `PINNED_MAX` segments are open.
//! - Nothing is believed: every batch's CRC and offsets are checked, unless that is not wanted. What is damaged is
//!   copied as it is, and said: it may be all that there is.
//! - The append locks are held for what memory knows, and never for the backup's sake while a disk is waited for.
//!
//! Left to others: which logs in which order, and the manifest (`broker/backup`).

mod batches;
mod carry;
mod damage;
mod earlier;
mod error;
mod expected;
mod follow;
mod left;
mod moment;
mod note;
mod pin;
mod place;
mod run;

use std::path::PathBuf;

use uuid::Uuid;

use crate::Stretch;

pub use batches::{Bad, BatchCheck};
pub use carry::{Pace, carry, preserve_time};
pub use damage::damage_in;
pub use error::BackupError;
pub use expected::Expected;
pub(crate) use follow::{Complete, Follow, Unfollowed};
pub use left::Altered;
pub use note::{Busy, Noted, NotedLog, note};

/// Closed segments open at a time, in the first attempt and in later ones: each opens twice as many as the one before,
/// so that a log that is cleaned all the while is copied in the end. Up to four files each.
const PINNED: usize = 32;
const PINNED_MAX: usize = if cfg!(test) { 64 } else { 256 };
/// How often a copy begins anew because the log's segments were replaced.
pub(crate) const ATTEMPTS_MAX: usize = 8;

/// How logs are copied.
pub struct CopyOptions<'a> {
    /// Links and shared blocks are fine where the file system has them.
    pub links: bool,
    /// Every batch is read and checked, also of files that are only linked.
    pub verify: bool,
    /// The files of earlier backups, by what they are of.
    pub earlier: &'a dyn Fn(SegmentOf) -> Option<Earlier>,
    /// Told of all bytes that were read.
    pub pace: Pace<'a>,
    /// What the file systems have refused.
    pub refused: Refused,
}

/// Ways that are not tried again in this backup.
#[derive(Debug, Default)]
pub struct Refused {
    shared: std::cell::Cell<bool>,
    linked: std::cell::Cell<bool>,
}

/// Which segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SegmentOf {
    /// The topic's id.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// The segment's base offset.
    pub base_offset: i64,
}

/// A closed segment's `.log` in an earlier backup.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// CRC-32C of all of it, if it was ever read.
    pub crc32c: Option<u32>,
    /// What it was made of.
    pub source: SourceId,
}

/// Tells a file from the one that had its name before: a cleaned segment is another file, whatever its name and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceId {
    /// Number of the file in its file system.
    pub inode: u64,
    /// When it was last written, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// When anything of it was last changed, its names among it, in the same unit, if that is known.
    pub changed_ns: Option<i64>,
}

/// How a file came into the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Its bytes were copied or written.
    Copied,
    /// It shares its blocks with the log's file until either changes.
    Shared,
    /// It is the log's file by another name.
    Linked,
    /// It is an earlier backup's file by another name.
    Earlier,
}

/// A file of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedFile {
    /// Name in the partition's directory.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// CRC-32C of all of it; `None` if it was linked and not read.
    pub crc32c: Option<u32>,
    /// How it came there.
    pub way: Way,
    /// Of a closed `.log`: what it was made of.
    pub source: Option<SourceId>,
    /// Of a `.log` that was checked: what of it is damaged.
    pub damage: Vec<Stretch>,
}

/// The copy of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedLog {
    /// First offset that could be read.
    pub log_start: i64,
    /// First offset of the oldest segment.
    pub first_base: i64,
    /// The offset after the last record.
    pub end: i64,
    /// All files, the `.log`s first.
    pub files: Vec<CopiedFile>,
}
