//! The reader of Kafka's metadata log, for the fuzz targets: nothing that an import needs.

use std::path::{Path, PathBuf};

use crate::kraft::{self, Files, MetadataError, Numbered};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// Each topic, and the numbers of its partitions.
    pub topics: Vec<(String, Vec<i32>)>,
    /// How many settings there are.
    pub settings: usize,
    /// The offset after the last record.
    pub end: i64,
    /// Whether a torn tail was left out, or what lies behind damage.
    pub is_cut: bool,
}

/// Reads a metadata log that consists of these files, each with the offset in its name; segments oldest first.
pub fn read_metadata(
    snapshot: Option<(i64, PathBuf)>,
    segments: Vec<(i64, PathBuf)>,
) -> Result<Seen, MetadataError> {
    let numbered = |(offset, path)| Numbered { offset, path };
    let files =
        Files { snapshot: snapshot.map(numbered), segments: segments.into_iter().map(numbered).collect() };
    let read = kraft::replay(Path::new(kraft::DIR), &files)?;
    let topics = read.image.topics.into_iter();
    Ok(Seen {
        topics: topics.map(|(name, topic)| (name, topic.partitions.into_keys().collect())).collect(),
        settings: read.image.configs.values().map(std::collections::BTreeMap::len).sum(),
        end: read.end,
        is_cut: read.cut.is_some(),
    })
}
