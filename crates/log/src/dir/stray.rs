//! Setting a directory aside that stands where another belongs. Nothing of ours ever deletes it, but a deleted topic's.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::Disk;
use uuid::Uuid;

use super::names::{STRAY, marked_dir, partition_dir};
use super::notice::Notice;
use super::{FailedLog, LoadReport, LogDir};
use crate::LogError;

/// A partition's directory that is of another topic than the one that has the name now, or is behind the partition's log, which is
/// in another log directory.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The id it names.
    pub(super) found: Uuid,
    /// That of the topic.
    pub(super) expected: Uuid,
}

impl Stray {
    pub(super) fn new(topic: &str, partition: i32, found: Uuid, expected: Uuid) -> Self {
        Self { topic: topic.to_owned(), partition, found, expected }
    }

    /// One that is behind its own topic's log.
    pub(super) fn behind(topic: &str, partition: i32, topic_id: Uuid) -> Self {
        Self::new(topic, partition, topic_id, topic_id)
    }
}

impl LogDir {
    /// Sets aside what was found when the directory was loaded, for good. What cannot be renamed now is when the
    /// topic's own is made. What is behind is by the next start that finds it: nothing opens it, and nothing is made in its place.
    pub(super) fn set_strays_aside(&self, strays: &[Stray], report: &mut LoadReport) -> io::Result<()> {
        if strays.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = strays.iter().map(|stray| (stray.topic.as_str(), stray.partition)).collect();
        self.forget_or_be_full(&names)?;
        for Stray { topic, partition, found, expected } in strays {
            let from = self.path.join(partition_dir(topic, *partition));
            match set_aside(&*self.disk, &from, (topic, *partition), Some(*found)) {
                Ok(path) if found == expected => report.notices.push(Notice::Behind { path }),
                Ok(path) => {
                    report.notices.push(Notice::Stray { path, found: *found, expected: *expected });
                }
                Err(error) => {
                    let error = LogError::at(from)(error);
                    report.failed.push(FailedLog { topic: topic.clone(), partition: *partition, error });
                }
            }
        }
        self.disk.sync_dir(&self.path)
    }
}

/// A directory with the name of this partition that was set aside, or that somebody renamed so (`<name>-stray`), if there is one
/// among these.
pub(super) fn stray_of<'e>(
    dir: &Path,
    mut entries: impl Iterator<Item = &'e str>,
    (topic, partition): (&str, i32),
) -> Option<PathBuf> {
    let name = partition_dir(topic, partition);
    let is_stray = |entry: &&str| {
        let rest = entry.strip_prefix(name.as_str()).and_then(|rest| rest.strip_suffix(STRAY));
        rest.is_some_and(|id| id.is_empty() || id.starts_with('.'))
    };
    entries.find(is_stray).map(|stray| dir.join(stray))
}

/// The same in a directory of a disk. What cannot be listed has none.
pub(crate) fn stray_in(disk: &dyn Disk, dir: &Path, name: (&str, i32)) -> Option<PathBuf> {
    let entries = disk.read_dir(dir).unwrap_or_default();
    stray_of(dir, entries.iter().map(|entry| entry.name.as_str()), name)
}

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

/// The name that a directory gets when it loses its own: by its topic's id, so that one sees whose it was, or by
/// another where that cannot be or is taken.
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
