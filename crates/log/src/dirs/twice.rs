//! Partitions that two directories have: a copy that somebody made, a restored backup beside the original. Which of them is
//! right cannot be told, and opening one changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::dir::LockedDir;
use crate::{FailedLog, LogError, PartitionSettings};

/// A topic's partition.
pub(super) type Name = (String, i32);

/// Such partitions, with the directories that hold them.
#[derive(Debug, Default)]
pub(super) struct Twice(BTreeMap<Name, Vec<PathBuf>>);

impl Twice {
    /// Looks for them. A directory that names another topic's id is none of the topic's: it is set aside when it is
    /// loaded.
    pub(super) fn find(
        dirs: &[&LockedDir],
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
    ) -> Self {
        let mut seen: BTreeMap<Name, Vec<&LockedDir>> = BTreeMap::new();
        if dirs.len() < 2 {
            return Self::default();
        }
        for dir in dirs {
            for name in dir.partitions().unwrap_or_default() {
                seen.entry(name).or_default().push(dir);
            }
        }
        let mut twice = BTreeMap::new();
        for ((topic, partition), dirs) in seen.into_iter().filter(|(_, dirs)| dirs.len() > 1) {
            let Some(settings) = settings(&topic, partition) else { continue };
            let claims = |dir: &&LockedDir| dir.claims(&topic, partition, settings.topic_id);
            let paths: Vec<PathBuf> =
                dirs.into_iter().filter(claims).map(|dir| dir.partition_path(&topic, partition)).collect();
            if paths.len() > 1 {
                twice.insert((topic, partition), paths);
            }
        }
        Self(twice)
    }

    pub(super) fn has(&self, topic: &str, partition: i32) -> bool {
        !self.0.is_empty() && self.0.contains_key(&(topic.to_owned(), partition))
    }

    /// All directories concerned.
    pub(super) fn paths(&self) -> BTreeSet<PathBuf> {
        self.0.values().flatten().cloned().collect()
    }

    /// What is to be said of each.
    pub(super) fn failures(self) -> impl Iterator<Item = FailedLog> {
        self.0.into_iter().map(|((topic, partition), paths)| FailedLog {
            topic,
            partition,
            error: LogError::Twice { paths },
        })
    }
}
