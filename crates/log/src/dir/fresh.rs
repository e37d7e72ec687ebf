//! One log that is being made in a directory of its own, step by step, so that each step can be taken for many at once.

use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{Disk, PartitionMetadata, StagedFile};

use super::errors::CreateError;
use super::options::PartitionSettings;
use crate::epochs::{self, Epochs};

/// What of a new log is there before its first segment.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) partition: i32,
    pub(super) dir: PathBuf,
    /// Whose it is, and the epoch that it begins with.
    files: [StagedFile; 2],
}

impl Fresh {
    /// Writes the files of a directory that was made for it, under names that do not count yet. The kernel begins to
    /// write them as well.
    pub(super) fn begin(
        disk: &dyn Disk,
        dir: &Path,
        partition: i32,
        settings: &PartitionSettings,
    ) -> Result<Self, CreateError> {
        let mut epochs = Epochs::default();
        epochs.assign(settings.leader_epoch, 0);
        let stage = |name, text: String| {
            let path = dir.join(name);
            let staged = StagedFile::write(disk, &path, text.as_bytes());
            let begun = staged.and_then(|file| file.start_writeback().map(|()| file));
            begun.map_err(CreateError::at(&path))
        };
        let files = [
            stage(PARTITION_METADATA_FILE, PartitionMetadata { topic_id: settings.topic_id }.render())?,
            stage(epochs::FILE, epochs.checkpoint().render())?,
        ];
        Ok(Self { partition, dir: dir.to_path_buf(), files })
    }

    /// What was written survives a power cut.
    pub(super) fn sync(&self) -> Result<(), CreateError> {
        self.files.iter().try_for_each(StagedFile::sync).map_err(CreateError::at(&self.dir))
    }

    /// The files take their names, durably once the directory is synced.
    pub(super) fn place(&self, disk: &dyn Disk) -> Result<(), CreateError> {
        self.files.iter().try_for_each(|file| file.place(disk)).map_err(CreateError::at(&self.dir))
    }
}
