//! Files of a backup of which the manifest knows all that is in them, should they be lost.

use std::io;
use std::path::Path;

use pagewire_disk::checkpoint::{HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{Disk, MetaProperties, OffsetCheckpoint};
use pagewire_log::write_lengths;

use crate::backup::manifest::{FileRecord, LogRecord, Manifest};

/// A checkpoint by its name; none of how far logs were cleaned, which costs a clean.
pub(super) fn checkpoint(manifest: &Manifest, name: &str) -> Option<OffsetCheckpoint> {
    let offset: fn(&LogRecord) -> Option<i64> = match name {
        RECOVERY_POINT_FILE | HIGH_WATERMARK_FILE => |log| Some(log.end),
        LOG_START_FILE => |log| Some(log.log_start).filter(|start| *start > log.first_base),
        _ => return None,
    };
    let mut anew = OffsetCheckpoint::new();
    for log in &manifest.logs {
        if let Some(offset) = offset(log) {
            anew.set(&log.topic, log.partition, offset);
        }
    }
    Some(anew)
}

/// Whose data it is.
pub(super) fn identity(manifest: &Manifest) -> MetaProperties {
    let (cluster_id, node_id) = (manifest.head.cluster_id.clone(), manifest.head.node_id);
    MetaProperties { cluster_id, node_id, directory_id: None }
}

/// How long the segments of a compacted log were, into its directory `dir`: else one that is cut now would look whole.
pub(super) fn lengths(disk: &dyn Disk, dir: &Path, log: &LogRecord) -> io::Result<()> {
    let segment = |file: &FileRecord| Some((file.base_offset()?, file.bytes));
    let mut closed: Vec<_> = log.files.iter().filter_map(segment).collect();
    let active = closed.pop().map(|(base, _)| base);
    write_lengths(disk, dir, closed, active)
}
