//! One of the directories that Kafka left, held still while it is read. Nothing in it is changed.
//!
//! ```text
//!   meta.properties   whose it is            .lock    kept from being taken
//!   *-checkpoint      what Kafka knew of its partitions' offsets; a damaged one is noted and does without
//!   <topic>-<partition>/   files.rs
//! ```

mod files;

use std::fs;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::{
    CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, META_PROPERTIES_FILE, PARTITION_METADATA_FILE,
    RECOVERY_POINT_FILE,
};
use pagewire_disk::{
    CheckpointError, CleanMark, Damage, Disk, MetaProperties, OffsetCheckpoint, OsDisk, PartitionMetadata,
    SharedLock,
};
use pagewire_log::DirName;
use uuid::Uuid;

pub(crate) use files::{PartitionFiles, Segment};

use crate::error::ImportError;
use crate::kraft;
use crate::report::Left;

/// What a backup that this program made has, when it is whole.
const BACKUP: &str = "backup.json";

/// A directory of one broker.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) dir: PathBuf,
    pub(crate) meta: MetaProperties,
    /// Kafka had stopped in order.
    pub(crate) clean: bool,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) partitions: Vec<PartitionDir>,
    /// Those that Kafka set aside, or was still filling.
    pub(crate) aside: Vec<PartitionDir>,
    /// Directories that are no partition's, or not any more.
    pub(crate) left: Vec<Left>,
    /// What to tell people.
    pub(crate) notes: Vec<String>,
    _still: Option<SharedLock>,
}

/// What the checkpoint files say.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    pub(crate) recovery: OffsetCheckpoint,
    pub(crate) log_start: OffsetCheckpoint,
    pub(crate) high_watermark: OffsetCheckpoint,
    pub(crate) cleaner: OffsetCheckpoint,
}

/// A directory named like a partition's.
#[derive(Debug, Clone)]
pub(crate) struct PartitionDir {
    pub(crate) topic: String,
    pub(crate) index: i32,
    pub(crate) path: PathBuf,
    /// The topic it says it is of.
    pub(crate) topic_id: Option<Uuid>,
}

impl Source {
    /// Holds the directory still and reads what is about it.
    pub(crate) fn open(dir: &Path) -> Result<Self, ImportError> {
        let disk = OsDisk::new();
        if !dir.is_dir() {
            return Err(ImportError::NotKafkas(dir.to_path_buf()));
        }
        let meta = MetaProperties::read(&disk, &dir.join(META_PROPERTIES_FILE));
        let meta = meta?.ok_or_else(|| ImportError::NotKafkas(dir.to_path_buf()))?;
        if fs::exists(dir.join(pagewire_metadata::FILE_NAME)).map_err(ImportError::at(dir))? {
            let is_backup = fs::exists(dir.join(BACKUP)).map_err(ImportError::at(dir))?;
            let found = if is_backup { ImportError::Backup } else { ImportError::Ours };
            return Err(found(dir.to_path_buf()));
        }
        let still = SharedLock::acquire(dir)?;
        let mut source = Self {
            dir: dir.to_path_buf(),
            meta,
            clean: false,
            checkpoints: Checkpoints::default(),
            partitions: Vec::new(),
            aside: Vec::new(),
            left: Vec::new(),
            notes: Vec::new(),
            _still: still,
        };
        source.clean = source.is_clean(&disk)?;
        source.checkpoints = Checkpoints {
            recovery: source.checkpoint(&disk, RECOVERY_POINT_FILE)?,
            log_start: source.checkpoint(&disk, LOG_START_FILE)?,
            high_watermark: source.checkpoint(&disk, HIGH_WATERMARK_FILE)?,
            cleaner: source.checkpoint(&disk, CLEANER_FILE)?,
        };
        source.list(&disk)?;
        Ok(source)
    }

    /// Whether the metadata log lies here.
    pub(crate) fn has_metadata(&self) -> bool {
        self.dir.join(kraft::DIR).is_dir()
    }

    /// Whether a mark of an orderly stop is there, and is one.
    fn is_clean(&mut self, disk: &dyn Disk) -> Result<bool, ImportError> {
        match CleanMark::read(disk, &self.dir) {
            Ok(left_by) => Ok(left_by.is_some()),
            Err(CheckpointError::Damaged { damage: Damage::Empty, .. }) => Ok(true),
            Err(error) if error.is_damage() => {
                self.notes.push(format!("{error}; it is taken over as after a kill"));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Kafka makes its checkpoints empty and fills them later; without one, partitions are looked at from their start.
    fn checkpoint(&mut self, disk: &dyn Disk, name: &str) -> Result<OffsetCheckpoint, ImportError> {
        match OffsetCheckpoint::read(disk, &self.dir.join(name)) {
            Ok(found) => Ok(found.unwrap_or_default()),
            Err(CheckpointError::Damaged { damage: Damage::Empty, .. }) => Ok(OffsetCheckpoint::new()),
            Err(error) if error.is_damage() => {
                self.notes.push(format!("{error}; nothing in it is believed"));
                Ok(OffsetCheckpoint::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn list(&mut self, disk: &dyn Disk) -> Result<(), ImportError> {
        for entry in disk.read_dir(&self.dir).map_err(ImportError::at(&self.dir))? {
            if !entry.is_dir || entry.name == "lost+found" || entry.name == kraft::DIR {
                continue;
            }
            let path = self.dir.join(&entry.name);
            let why = match DirName::parse(&entry.name) {
                DirName::Partition { topic, partition } => {
                    let (topic, index) = (topic.to_owned(), partition);
                    let topic_id = self.topic_id(disk, &path)?;
                    self.partitions.push(PartitionDir { topic, index, path, topic_id });
                    continue;
                }
                DirName::Delete => "deleted, and not unlinked yet",
                DirName::Future => "a copy that was being moved to this directory and is not finished",
                DirName::Stray => "set aside by Kafka: this broker has no replica of it any more",
                DirName::Other => "no partition's directory",
            };
            if let Some((topic, index)) = marked(&entry.name) {
                let topic_id = self.topic_id(disk, &path)?;
                self.aside.push(PartitionDir { topic, index, path: path.clone(), topic_id });
            }
            self.left.push(Left { path, why: why.to_owned() });
        }
        Ok(())
    }

    fn topic_id(&mut self, disk: &dyn Disk, partition: &Path) -> Result<Option<Uuid>, ImportError> {
        match PartitionMetadata::read(disk, &partition.join(PARTITION_METADATA_FILE)) {
            Ok(found) => Ok(found.map(|metadata| metadata.topic_id)),
            Err(error) if error.is_damage() => {
                self.notes.push(format!("{error}; the partition is known by its name alone"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The partition in the name of a directory that was set aside.
fn marked(name: &str) -> Option<(String, i32)> {
    match DirName::parse(name.rsplit_once('.')?.0) {
        DirName::Partition { topic, partition } => Some((topic.to_owned(), partition)),
        _ => None,
    }
}
