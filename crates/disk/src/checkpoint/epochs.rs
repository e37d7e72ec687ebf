//! Where each leader epoch of a partition begins.
//!
//! ```text
//! 0          version
//! 2          entries
//! 0 0        epoch, its first offset
//! 4 1201     both strictly rising, except that an epoch without records is superseded
//! ```

use std::io;
use std::path::Path;

use super::error::{CheckpointError, Damage, load};
use super::text;
use crate::disk::Disk;
use crate::small::write_atomically;

/// Name of the file in a partition's directory.
pub const EPOCH_CHECKPOINT_FILE: &str = "leader-epoch-checkpoint";

/// A million epochs.
const MAX_BYTES: u64 = 32 << 20;

/// One leader epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch, 0 or above.
    pub epoch: i32,
    /// Offset of its first record.
    pub start_offset: i64,
}

/// The epochs of one partition, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EpochCheckpoint {
    /// Oldest first; both fields rise strictly.
    pub entries: Vec<EpochEntry>,
}

impl EpochCheckpoint {
    /// Reads the file at `path`; `None` if it does not exist.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, CheckpointError> {
        load(disk, path, MAX_BYTES, Self::parse)
    }

    /// Replaces the file at `path`, durably.
    pub fn write(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        write_atomically(disk, path, self.render().as_bytes())
    }

    /// Parses the file's text. Entries that do not rise are damage.
    pub fn parse(text: &str) -> Result<Self, Damage> {
        let mut last: Option<EpochEntry> = None;
        let entries =
            text::parse(text, "an epoch and its first offset, both above the line before", |words| {
                let [epoch, start_offset] = words else { return None };
                let entry =
                    EpochEntry { epoch: epoch.parse().ok()?, start_offset: start_offset.parse().ok()? };
                let rises = last
                    .is_none_or(|last| entry.epoch > last.epoch && entry.start_offset > last.start_offset);
                last = Some(entry);
                (rises && entry.epoch >= 0 && entry.start_offset >= 0).then_some(entry)
            })?;
        Ok(Self { entries })
    }

    /// The file's text.
    pub fn render(&self) -> String {
        text::render(self.entries.iter().map(|entry| format!("{} {}", entry.epoch, entry.start_offset)))
    }
}
