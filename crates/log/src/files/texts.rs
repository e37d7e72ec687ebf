//! Small text files of brokers: a log directory's, a partition's.

use std::path::Path;

use pagewire_disk::checkpoint::{
    CLEAN_MARK_FILE, CLEANER_FILE, DAMAGE_FILE, EPOCH_CHECKPOINT_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE,
    META_PROPERTIES_FILE, PARTITION_METADATA_FILE, RECOVERY_POINT_FILE,
};
use pagewire_disk::{
    CheckpointError, CleanMark, Damage, DamageCheckpoint, Disk, EpochCheckpoint, MetaProperties,
    OffsetCheckpoint, PartitionMetadata,
};

use crate::dir::{SUMS_FILE, VOUCHED_FILE};
use crate::scrub::FILE as SCRUB_FILE;

/// Whether a file of the name `name` is one of them, and reads as such; `None` if it is none.
pub fn read_text(disk: &dyn Disk, path: &Path, name: &str) -> Option<Result<(), CheckpointError>> {
    Some(match name {
        EPOCH_CHECKPOINT_FILE => EpochCheckpoint::read(disk, path).map(drop),
        PARTITION_METADATA_FILE => PartitionMetadata::read(disk, path).map(drop),
        META_PROPERTIES_FILE => MetaProperties::read(disk, path).map(drop),
        DAMAGE_FILE => DamageCheckpoint::read(disk, above(path)).map(drop),
        CLEAN_MARK_FILE => match CleanMark::read(disk, above(path)) {
            // An older Kafka leaves an empty one.
            Err(CheckpointError::Damaged { damage: Damage::Empty, .. }) => Ok(()),
            read => read.map(drop),
        },
        _ if is_of_offsets(name) => OffsetCheckpoint::read(disk, path).map(drop),
        _ => return None,
    })
}

fn above(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Whether a file of this name is one of them.
pub fn is_text(name: &str) -> bool {
    let others =
        [EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE, META_PROPERTIES_FILE, DAMAGE_FILE, CLEAN_MARK_FILE];
    others.contains(&name) || is_of_offsets(name)
}

/// A number for each partition.
fn is_of_offsets(name: &str) -> bool {
    let files = [
        RECOVERY_POINT_FILE,
        LOG_START_FILE,
        HIGH_WATERMARK_FILE,
        CLEANER_FILE,
        SUMS_FILE,
        VOUCHED_FILE,
        SCRUB_FILE,
    ];
    files.contains(&name)
}
