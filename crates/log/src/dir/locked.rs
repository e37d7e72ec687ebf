//! A directory that is ours but not loaded yet: its lock and its identity.
//!
//! Between locking and loading the owner can read who the directory belongs to, and open whatever else it keeps there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::checkpoint::{META_PROPERTIES_FILE, PARTITION_METADATA_FILE};
use pagewire_disk::{DirLock, Disk, MetaProperties, PartitionMetadata, create_dir_durably};
use uuid::Uuid;

use super::errors::{LogDirError, usable};
use super::meter::LoadMeter;
use super::names::{DirName, partition_dir};
use super::notice::Notice;
use super::options::LogDirOptions;

/// A locked log directory.
#[derive(Debug)]
pub struct LockedDir {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    pub(super) lock: DirLock,
    meta: Option<MetaProperties>,
    damaged: Option<Notice>,
    meter: Arc<LoadMeter>,
}

impl LockedDir {
    /// Makes the directory if it is not there, locks it, and reads `meta.properties`. Nothing else is touched.
    pub fn lock(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, LogDirError> {
        create_dir_durably(disk.as_ref(), path).map_err(LogDirError::at(path))?;
        let lock = DirLock::acquire(disk.as_ref(), path)?;
        let (meta, damaged) =
            match usable(MetaProperties::read(disk.as_ref(), &path.join(META_PROPERTIES_FILE)))? {
                Ok(meta) => (meta, None),
                Err(damage) => (None, Some(Notice::Damaged(damage))),
            };
        Ok(Self { disk, path: path.to_path_buf(), lock, meta, damaged, meter: LoadMeter::new(path) })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Counts how far [`load`](Self::load) has come.
    pub fn meter(&self) -> &Arc<LoadMeter> {
        &self.meter
    }

    /// Whose it is; `None` if it is new or does not say so legibly.
    pub fn meta(&self) -> Option<&MetaProperties> {
        self.meta.as_ref()
    }

    /// The partitions that have a directory of their name in it.
    pub(crate) fn partitions(&self) -> Result<Vec<(String, i32)>, LogDirError> {
        let entries = self.disk.read_dir(&self.path).map_err(LogDirError::at(&self.path))?;
        let named = |name: &str| match DirName::parse(name) {
            DirName::Partition { topic, partition } => Some((topic.to_owned(), partition)),
            _ => None,
        };
        Ok(entries.iter().filter(|entry| entry.is_dir).filter_map(|entry| named(&entry.name)).collect())
    }

    /// The directory of a partition.
    pub(crate) fn partition_path(&self, topic: &str, partition: i32) -> PathBuf {
        self.path.join(partition_dir(topic, partition))
    }

    /// Whether a partition's directory may be the topic's: it names the id, or none.
    pub(crate) fn claims(&self, topic: &str, partition: i32, topic_id: Uuid) -> bool {
        let file = self.partition_path(topic, partition).join(PARTITION_METADATA_FILE);
        let named = PartitionMetadata::read(self.disk.as_ref(), &file).ok().flatten();
        named.is_none_or(|named| named.topic_id == topic_id)
    }

    /// Checks the identity without writing anything.
    pub(crate) fn check(&self, options: &LogDirOptions) -> Result<(), LogDirError> {
        let Some(meta) = &self.meta else { return Ok(()) };
        if meta.cluster_id != options.cluster_id {
            return Err(LogDirError::OtherCluster {
                path: self.path.clone(),
                found: meta.cluster_id.clone(),
                expected: options.cluster_id.clone(),
            });
        }
        if meta.node_id != options.node_id {
            return Err(LogDirError::OtherNode {
                path: self.path.clone(),
                found: meta.node_id,
                expected: options.node_id,
            });
        }
        Ok(())
    }

    /// The identity, written if the directory had none or no directory id.
    pub(super) fn settle(
        &mut self,
        options: &LogDirOptions,
        notices: &mut Vec<Notice>,
    ) -> Result<MetaProperties, LogDirError> {
        notices.extend(self.damaged.take());
        if let Some(meta) = self.meta.as_ref().filter(|meta| meta.directory_id.is_some()) {
            return Ok(meta.clone());
        }
        let meta = MetaProperties {
            cluster_id: options.cluster_id.clone(),
            node_id: options.node_id,
            directory_id: Some(Uuid::new_v4()),
        };
        let file = self.path.join(META_PROPERTIES_FILE);
        meta.write(self.disk.as_ref(), &file).map_err(LogDirError::at(&file))?;
        Ok(meta)
    }
}
