//! Which topic a partition's directory belongs to.
//!
//! ```text
//! version: 0
//! topic_id: UdmYYHvTSyOHkZLtJpLkwQ
//! ```

use std::io;
use std::path::Path;

use uuid::Uuid;

use super::error::{CheckpointError, Damage, load};
use super::topic_id::{format_id, parse_id};
use crate::disk::Disk;
use crate::small::write_atomically;

/// Name of the file in a partition's directory.
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";

const MAX_BYTES: u64 = 4096;

/// The content of `partition.metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Never zero.
    pub topic_id: Uuid,
}

impl PartitionMetadata {
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
        let mut lines = text.lines();
        let version =
            lines.next().and_then(|line| value(line, "version:")).ok_or(Damage::Key { key: "version" })?;
        if version != "0" {
            return Err(Damage::Version { found: version.chars().take(20).collect(), expected: 0 });
        }
        lines
            .next()
            .and_then(|line| value(line, "topic_id:"))
            .and_then(parse_id)
            .filter(|id| !id.is_nil())
            .map(|topic_id| Self { topic_id })
            .ok_or(Damage::Key { key: "topic_id" })
    }

    /// The file's text; like Kafka's, it ends without a line feed.
    pub fn render(&self) -> String {
        format!("version: 0\ntopic_id: {}", format_id(self.topic_id))
    }
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key).map(str::trim)
}
