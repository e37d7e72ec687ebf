//! Partitions that were made and have no directory any more, over all directories: one that another of them has was moved.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::LogDirs;
use super::twice::Torn;
use crate::dir::partition_dir;
use crate::{CreateError, FailedLog, LogDir, LogError, PartitionSettings};

/// A partition by its topic's name and its number, and the directory that [`LogDirs::place`] named for it.
pub type Placed<'n> = (&'n str, i32, Option<Uuid>);

impl LogDirs {
    /// How many partitions of the directory at `path` are gone, of one that takes writes. They can be opened by
    /// [`create_all`](Self::create_all) once their directories are back.
    pub fn gone_in(&self, path: &Path) -> usize {
        self.at(path).filter(|dir| dir.offline().is_none()).map_or(0, |dir| dir.gone_count())
    }

    /// Their loss is accepted: [`create_all`](Self::create_all) makes them anew, until it is accepted no more. What could not be
    /// made is gone as before.
    pub fn accept_gone(&self, path: &Path, accepted: bool) {
        if let Some(dir) = self.at(path) {
            dir.accept_gone(accepted);
        }
    }

    /// Opens those whose directories were put back, as at a start. How many, and why not others, if so.
    pub fn open_returned(
        &self,
        path: &Path,
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
        now_ms: i64,
    ) -> (usize, Option<CreateError>) {
        let Some((place, dir)) = self.here().enumerate().find(|(_, dir)| dir.path() == path) else {
            return (0, None);
        };
        let directory = if place == 0 { None } else { dir.directory_id() };
        let (mut opened, mut first_error) = (0, None);
        for (topic, partition) in dir.gone_names() {
            if is_absent(&dir, &topic, partition) {
                continue;
            }
            let Some(settings) = settings(&topic, partition) else { continue };
            // One by one: topics come and go in the directory meanwhile.
            match self.create_all(&topic, &[(partition, directory)], &settings, now_ms) {
                Ok(()) => opened += 1,
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        (opened, first_error)
    }

    /// Of `partitions`, those that no directory has, though the one they were placed in is here. Looks for the directory of each
    /// of these.
    pub fn without_log<'n>(&self, partitions: impl Iterator<Item = Placed<'n>>) -> Vec<Placed<'n>> {
        let closed: HashSet<(String, i32)> =
            self.unopened().into_iter().chain(self.torn.read().iter().map(Torn::name)).collect();
        let is_missing = |&(topic, partition, directory): &Placed<'n>| {
            self.topic_id(topic, partition).is_none()
                && (closed.is_empty() || !closed.contains(&(topic.to_owned(), partition)))
                && self.named(directory).is_some_and(|dir| is_absent(&dir, topic, partition))
        };
        partitions.filter(is_missing).collect()
    }

    /// These were made once: they are gone, and are not made anew. Answers those of which that was not known.
    pub fn miss(&self, partitions: &[Placed<'_>]) -> Vec<FailedLog> {
        let missed = |&(topic, partition, directory): &Placed<'_>| {
            let dir = self.named(directory).filter(|dir| dir.miss(topic, partition))?;
            let error = LogError::Gone { path: dir.path().join(partition_dir(topic, partition)) };
            Some(FailedLog { topic: topic.to_owned(), partition, error })
        };
        partitions.iter().filter_map(missed).collect()
    }

    /// Those that are served from another directory are not gone.
    pub(super) fn find_gone_elsewhere(&self) {
        self.here()
            .for_each(|dir| dir.keep_gone(|topic, partition| self.topic_id(topic, partition).is_none()));
    }

    pub(super) fn at(&self, path: &Path) -> Option<Arc<LogDir>> {
        self.here().find(|dir| dir.path() == path)
    }
}

/// Whether there is no directory of this name. One that cannot be looked for may be there.
fn is_absent(dir: &LogDir, topic: &str, partition: i32) -> bool {
    dir.disk().exists(&dir.path().join(partition_dir(topic, partition))).is_ok_and(|there| !there)
}
