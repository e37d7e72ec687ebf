//! Setting a directory aside that stands where another belongs. Nothing of ours ever deletes it.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::Disk;
use uuid::Uuid;

use super::names::{STRAY, marked_dir};

/// Renames `<topic>-<partition>` to `<topic>-<partition>.<id>-stray` beside it; durable once the parent is synced.
/// `topic_id` is that of its own topic, if it names one.
pub(super) fn set_aside(
    disk: &dyn Disk,
    dir: &Path,
    (topic, partition): (&str, i32),
    topic_id: Option<Uuid>,
) -> io::Result<PathBuf> {
    let to = marked(disk, dir, (topic, partition), topic_id, STRAY);
    disk.rename(dir, &to)?;
    Ok(to)
}

/// The name that a directory gets when it loses its own: by its topic's id, so that one sees whose it was, or by another
/// where that cannot be or is taken.
pub(super) fn marked(
    disk: &dyn Disk,
    dir: &Path,
    (topic, partition): (&str, i32),
    topic_id: Option<Uuid>,
    suffix: &str,
) -> PathBuf {
    let named = |id| dir.with_file_name(marked_dir(topic, partition, id, suffix));
    let own = topic_id.map(named).filter(|own| disk.exists(own).is_ok_and(|taken| !taken));
    own.unwrap_or_else(|| named(Uuid::new_v4()))
}
