//! One offset per partition of a log directory.
//!
//! ```text
//! 0                    version
//! 2                    entries
//! orders 0 1201        topic partition offset
//! orders 1 977
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::error::{CheckpointError, Damage, load};
use super::text;
use crate::disk::Disk;
use crate::small::write_atomically;

/// Everything below these offsets is on the disk for certain.
pub const RECOVERY_POINT_FILE: &str = "recovery-point-offset-checkpoint";
/// The first offset of each partition, where it is not its first segment's.
pub const LOG_START_FILE: &str = "log-start-offset-checkpoint";
/// Of compacted logs: everything below these offsets was cleaned. A log that is in it was cleaned at some time.
pub const CLEANER_FILE: &str = "cleaner-offset-checkpoint";
/// High watermarks.
pub const HIGH_WATERMARK_FILE: &str = "replication-offset-checkpoint";

/// A million partitions with the longest topic names.
const MAX_BYTES: u64 = 288 << 20;

/// An offset per topic and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetCheckpoint {
    offsets: BTreeMap<(String, i32), i64>,
}

impl OffsetCheckpoint {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the file at `path`; `None` if it does not exist.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, CheckpointError> {
        load(disk, path, MAX_BYTES, Self::parse)
    }

    /// Replaces the file at `path`, durably.
    pub fn write(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        write_atomically(disk, path, self.render().as_bytes())
    }

    /// Parses the file's text.
    pub fn parse(text: &str) -> Result<Self, Damage> {
        let entries = text::parse(text, "a topic, a partition and an offset", |words| match words {
            [topic, partition, offset] => {
                let partition = partition.parse().ok().filter(|partition: &i32| *partition >= 0)?;
                let offset = offset.parse().ok().filter(|offset: &i64| *offset >= 0)?;
                Some((((*topic).to_owned(), partition), offset))
            }
            _ => None,
        })?;
        Ok(Self { offsets: entries.into_iter().collect() })
    }

    /// The file's text, sorted by topic and partition.
    pub fn render(&self) -> String {
        text::render(
            self.offsets.iter().map(|((topic, partition), offset)| format!("{topic} {partition} {offset}")),
        )
    }

    /// The offset of a partition.
    pub fn get(&self, topic: &str, partition: i32) -> Option<i64> {
        self.offsets.get(&(topic.to_owned(), partition)).copied()
    }

    /// Sets the offset of a partition.
    pub fn set(&mut self, topic: &str, partition: i32, offset: i64) {
        self.offsets.insert((topic.to_owned(), partition), offset);
    }

    /// Drops a partition; answers the offset it had.
    pub fn remove(&mut self, topic: &str, partition: i32) -> Option<i64> {
        self.offsets.remove(&(topic.to_owned(), partition))
    }

    /// Partitions with their offsets, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        self.offsets.iter().map(|((topic, partition), offset)| (topic.as_str(), *partition, *offset))
    }

    /// Number of partitions.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }
}
