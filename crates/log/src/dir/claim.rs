//! Which partitions have a directory in a log directory, and what these are to the topics of their names: as far as
//! that can be seen from outside. Nothing is changed by looking, for of two directories of one partition neither may
//! be.

use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{Disk, PartitionMetadata};
use uuid::Uuid;

use super::errors::LogDirError;
use super::judge::{Judgement, judge};
use super::names::{DirName, partition_dir};
use super::records::has_records;
use super::{LockedDir, LogDir};

/// What a directory of a topic's partition is to the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Its log: it names the topic's id, or names none and has records.
    Holds,
    /// Nothing: it names no topic and has no record.
    Leftover,
    /// Another topic's of the same name.
    OtherTopic,
}

/// A log directory that is looked into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder<'d> {
    disk: &'d dyn Disk,
    path: &'d Path,
    id: Option<Uuid>,
}

impl Holder<'_> {
    /// The partitions that have a directory of their name in it.
    pub(crate) fn partitions(&self) -> Result<Vec<(String, i32)>, LogDirError> {
        let entries = self.disk.read_dir(self.path).map_err(LogDirError::at(self.path))?;
        let named = |name: &str| match DirName::parse(name) {
            DirName::Partition { topic, partition } => Some((topic.to_owned(), partition)),
            _ => None,
        };
        Ok(entries.iter().filter(|entry| entry.is_dir).filter_map(|entry| named(&entry.name)).collect())
    }

    /// Its id.
    pub(crate) const fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// The directory of a partition.
    pub(crate) fn partition_path(&self, topic: &str, partition: i32) -> PathBuf {
        self.path.join(partition_dir(topic, partition))
    }

    /// What a partition's directory is to the topic of this id.
    pub(crate) fn claim(&self, topic: &str, partition: i32, topic_id: Uuid) -> Claim {
        let dir = self.partition_path(topic, partition);
        match PartitionMetadata::read(self.disk, &dir.join(PARTITION_METADATA_FILE)) {
            Ok(Some(named)) if matches!(judge(Some(named.topic_id), topic_id), Judgement::Stray { .. }) => {
                Claim::OtherTopic
            }
            Ok(Some(_)) => Claim::Holds,
            _ if has_records(self.disk, &dir).unwrap_or(true) => Claim::Holds,
            _ => Claim::Leftover,
        }
    }
}

impl LockedDir {
    pub(crate) fn holder(&self) -> Holder<'_> {
        Holder { disk: self.disk.as_ref(), path: &self.path, id: self.directory_id() }
    }
}

impl LogDir {
    pub(crate) fn holder(&self) -> Holder<'_> {
        Holder { disk: self.disk.as_ref(), path: &self.path, id: self.directory_id() }
    }
}
