//! Partitions that several directories have: a copy that somebody made, a restored backup beside the original. Which of them
//! is right cannot be told, and opening one changes it, so none is opened.
//!
//! A directory without records that names no topic is none of these: a creation left it that ran out of space or of time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::dir::{Claim, Holder};
use crate::{FailedLog, LogDir, LogError, MissingLog, PartitionSettings};

/// A topic's partition.
type Name = (String, i32);

/// A partition that is served from nowhere.
#[derive(Debug)]
pub(super) struct Torn {
    name: Name,
    topic_id: Uuid,
    /// What holds it.
    paths: Vec<PathBuf>,
}

/// Such partitions.
#[derive(Debug, Default)]
pub(super) struct Twice {
    torn: Vec<Torn>,
    /// Directories of partitions that are not to be opened.
    closed: BTreeSet<PathBuf>,
}

impl Twice {
    /// Looks for them.
    pub(super) fn find(
        dirs: &[Holder<'_>],
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
    ) -> Self {
        let mut twice = Self::default();
        if dirs.len() < 2 {
            return twice;
        }
        let mut seen: BTreeMap<Name, Vec<Holder<'_>>> = BTreeMap::new();
        for dir in dirs {
            for name in dir.partitions().unwrap_or_default() {
                seen.entry(name).or_default().push(*dir);
            }
        }
        for (name, dirs) in seen.into_iter().filter(|(_, dirs)| dirs.len() > 1) {
            if let Some(settings) = settings(&name.0, name.1) {
                twice.sort_out(name, &dirs, &settings);
            }
        }
        twice
    }

    /// One that names another topic's id is set aside when its directory is loaded, and so is one that is behind.
    fn sort_out(&mut self, name: Name, dirs: &[Holder<'_>], settings: &PartitionSettings) {
        let (topic, partition) = (name.0.as_str(), name.1);
        let claims = dirs.iter().filter(|dir| !settings.is_behind(dir.id())).map(|dir| {
            (dir.partition_path(topic, partition), dir.claim(topic, partition, settings.topic_id))
        });
        let claims: Vec<(PathBuf, Claim)> = claims.collect();
        let of =
            |wanted| claims.iter().filter(move |(_, claim)| *claim == wanted).map(|(path, _)| path.clone());
        let mut theirs: Vec<PathBuf> = of(Claim::Holds).collect();
        let leftovers: Vec<PathBuf> = of(Claim::Leftover).collect();
        if theirs.is_empty() {
            theirs = leftovers;
        } else {
            self.closed.extend(leftovers);
        }
        if theirs.len() > 1 {
            self.closed.extend(theirs.iter().cloned());
            self.torn.push(Torn { name, topic_id: settings.topic_id, paths: theirs });
        }
    }

    /// Whether the directory of a partition is to be left closed.
    pub(super) fn closes(&self, path: &Path) -> bool {
        self.closed.contains(path)
    }

    /// Those that are served from nowhere.
    pub(super) fn torn(self) -> Vec<Torn> {
        self.torn
    }
}

impl Torn {
    /// What is to be said of it.
    pub(super) fn failure(&self) -> FailedLog {
        let (topic, partition) = self.name.clone();
        FailedLog { topic, partition, error: self.error() }
    }

    /// What a directory that has it is said to lack.
    pub(super) fn missing(&self) -> MissingLog {
        let (topic, partition) = self.name.clone();
        MissingLog { topic, partition, reason: self.error().to_string() }
    }

    pub(super) fn name(&self) -> Name {
        self.name.clone()
    }

    /// Why nothing is made in its place.
    pub(super) fn error(&self) -> LogError {
        LogError::Twice { paths: self.paths.clone() }
    }

    /// Whether the log directory `root` has one of its directories.
    pub(super) fn is_in(&self, root: &Path) -> bool {
        self.paths.iter().any(|path| path.parent() == Some(root))
    }

    /// Whether both are of one partition.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.topic_id == other.topic_id
    }

    /// Whether a log directory that was loaded has it, open or not.
    pub(super) fn is_known_to(&self, dir: &LogDir) -> bool {
        let (topic, partition) = (self.name.0.as_str(), self.name.1);
        dir.topic_id(topic, partition) == Some(self.topic_id) || dir.unopened().contains(&self.name)
    }

    pub(super) fn is(&self, topic: &str, partition: i32, topic_id: Uuid) -> bool {
        self.topic_id == topic_id && self.name.1 == partition && self.name.0 == topic
    }
}
