//! The closed segments of an earlier backup. About a hundred bytes of memory each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use pagewire_disk::Disk;
use pagewire_log::backup::{Earlier, SegmentOf, SourceId};
use uuid::Uuid;

use super::BackupFailed;
use super::manifest::Manifest;
use super::target::finished;

/// An earlier backup of the same cluster.
pub(super) struct Base {
    path: PathBuf,
    /// Names of its topics.
    topics: HashMap<Uuid, String>,
    segments: HashMap<SegmentOf, Segment>,
}

struct Segment {
    bytes: u64,
    crc32c: Option<u32>,
    source: SourceId,
}

impl Base {
    pub(super) fn open(disk: &dyn Disk, path: &Path, cluster_id: &str) -> Result<Self, BackupFailed> {
        finished(disk, path)?;
        let manifest = Manifest::read(path)?;
        if manifest.head.cluster_id != cluster_id {
            let found = manifest.head.cluster_id;
            return Err(BackupFailed::OtherCluster { found, expected: cluster_id.to_owned() });
        }
        let mut base = Self { path: path.to_path_buf(), topics: HashMap::new(), segments: HashMap::new() };
        for log in manifest.logs {
            for file in &log.files {
                let (Some(base_offset), Some(source)) = (file.base_offset(), file.source_id()) else {
                    continue;
                };
                let of = SegmentOf { topic_id: log.topic_id, partition: log.partition, base_offset };
                base.segments.insert(of, Segment { bytes: file.bytes, crc32c: file.crc32c, source });
            }
            base.topics.entry(log.topic_id).or_insert(log.topic);
        }
        Ok(base)
    }

    /// A segment's file, if there is one.
    pub(super) fn get(&self, of: SegmentOf) -> Option<Earlier> {
        let Segment { bytes, crc32c, source } = *self.segments.get(&of)?;
        let dir = format!("{}-{}", self.topics.get(&of.topic_id)?, of.partition);
        let path = self.path.join(dir).join(format!("{:020}.log", of.base_offset));
        Some(Earlier { path, bytes, crc32c, source })
    }
}
