//! Setting a directory aside that stands where another belongs. Nothing of ours ever deletes it.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::Disk;
use uuid::Uuid;

use super::names::{STRAY, marked_dir};

/// Renames `<topic>-<partition>` to `<topic>-<partition>.<id>-stray` beside it; durable once the parent is synced.
pub(super) fn set_aside(disk: &dyn Disk, dir: &Path, topic: &str, partition: i32) -> io::Result<PathBuf> {
    let to = dir.with_file_name(marked_dir(topic, partition, Uuid::new_v4(), STRAY));
    disk.rename(dir, &to)?;
    Ok(to)
}
