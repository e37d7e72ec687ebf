//! Files of a backup of which the manifest knows all that is in them, should they be lost.

use pagewire_disk::checkpoint::{HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{MetaProperties, OffsetCheckpoint};

use crate::backup::manifest::{LogRecord, Manifest};

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
