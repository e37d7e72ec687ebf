//! Partitions that were made and have no directory any more, over all directories: one that another of them has was moved.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::LogDirs;
use super::twice::Torn;
use crate::{FailedLog, LogDir, PartitionSettings};

/// A partition by its topic's name and its number, and the directory that [`LogDirs::place`] named for it.
pub type Placed<'n> = (&'n str, i32, Option<Uuid>);

impl LogDirs {
    /// Partitions that are gone from the directory at `path`, if it takes writes. They can be opened by
    /// [`create_all`](Self::create_all) once their directories are back.
    pub fn gone_in(&self, path: &Path) -> Vec<FailedLog> {
        let Some(dir) = self.at(path).filter(|dir| dir.offline().is_none()) else { return Vec::new() };
        let gone = |(topic, partition): (String, i32)| gone_from(&dir, &topic, partition);
        dir.gone_names().into_iter().map(gone).collect()
    }

    /// Their loss is accepted: [`create_all`](Self::create_all) makes them anew, until it is accepted no more. What could not be
    /// made is gone as before.
    pub fn accept_gone(&self, path: &Path, accepted: bool) {
        if let Some(dir) = self.at(path) {
            dir.accept_gone(accepted);
        }
    }

    /// Looks for logs of the directory at `path` that could not be opened and whose directories were removed since: they are
    /// gone, or, where `settings` does not know their topics by their ids any more, nothing.
    pub fn look_for_removed(&self, path: &Path, settings: &dyn Fn(&str, i32) -> Option<PartitionSettings>) {
        if let Some(dir) = self.at(path).filter(|dir| dir.offline().is_none()) {
            dir.look_for_removed(&|topic, partition, id| {
                settings(topic, partition).is_some_and(|known| known.topic_id == id)
            });
        }
    }

    /// Of `partitions`, those that no directory has, though the one they were placed in is here. Looks for the directory of each
    /// of these.
    pub fn without_log<'n>(&self, partitions: impl Iterator<Item = Placed<'n>>) -> Vec<Placed<'n>> {
        let closed: HashSet<(String, i32)> =
            self.unopened().into_iter().chain(self.torn.read().iter().map(Torn::name)).collect();
        let is_missing = |&(topic, partition, directory): &Placed<'n>| {
            self.topic_id(topic, partition).is_none()
                && (closed.is_empty() || !closed.contains(&(topic.to_owned(), partition)))
                && self.named(directory).is_some_and(|dir| {
                    dir.is_absent(topic, partition) && !dir.awaits_copy_of(topic, partition)
                })
        };
        partitions.filter(is_missing).collect()
    }

    /// Whether the directory of this id is here and has nothing of the partition's name. Looks for that.
    pub fn has_none_in(&self, directory: Uuid, topic: &str, partition: i32) -> bool {
        self.here().any(|dir| dir.directory_id() == Some(directory) && dir.is_absent(topic, partition))
    }

    /// These were made once: they are gone, and are not made anew. Answers those of which that was not known.
    pub fn miss(&self, partitions: &[Placed<'_>]) -> Vec<FailedLog> {
        let missed = |&(topic, partition, directory): &Placed<'_>| {
            let dir = self.named(directory).filter(|dir| dir.miss(topic, partition))?;
            Some(gone_from(&dir, topic, partition))
        };
        partitions.iter().filter_map(missed).collect()
    }

    /// Those that a checkpoint names though the owner `placed` them in a directory that is away: one names a log that is to come
    /// before it does. They are not gone, and are told of with the directory that is away.
    pub fn pass_over_away(
        &self,
        placed: &dyn Fn(&str, i32) -> Option<Option<Uuid>>,
    ) -> HashSet<(String, i32)> {
        let is_away =
            |topic: &str, partition| placed(topic, partition).is_some_and(|at| self.named(at).is_none());
        let mut passed_over = HashSet::new();
        for dir in self.here() {
            let away = dir.gone_names().into_iter().filter(|(topic, partition)| is_away(topic, *partition));
            let away: HashSet<_> = away.collect();
            if !away.is_empty() {
                dir.keep_gone(|topic, partition| !away.contains(&(topic.to_owned(), partition)));
                passed_over.extend(away);
            }
        }
        passed_over
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

fn gone_from(dir: &LogDir, topic: &str, partition: i32) -> FailedLog {
    FailedLog { topic: topic.to_owned(), partition, error: dir.gone_error(topic, partition) }
}
