//! Partitions that had records and have no directory any more, over all directories: one that another of them has was moved.

use std::path::Path;
use std::sync::Arc;

use super::LogDirs;
use crate::LogDir;

impl LogDirs {
    /// How many partitions of the directory at `path` are gone, of one that takes writes. They can be opened by
    /// [`create_all`](Self::create_all) once their directories are back.
    pub fn gone_in(&self, path: &Path) -> usize {
        self.at(path).filter(|dir| dir.offline().is_none()).map_or(0, |dir| dir.gone_count())
    }

    /// Their loss is accepted: [`create_all`](Self::create_all) makes them anew.
    pub fn accept_gone(&self, path: &Path) {
        if let Some(dir) = self.at(path) {
            dir.accept_gone();
        }
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
