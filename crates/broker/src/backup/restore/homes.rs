//! The directories that a backup becomes: marked while they are filled, each with the checkpoints of its own logs.
//!
//! Which one a log goes to is [`Spread`]'s to say. Where it went is in its topic's record, and where each directory is beside
//! it, so that no start makes a partition anew that is away, nor takes an empty mount point for a new directory.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::checkpoint::{
    CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, META_PROPERTIES_FILE, RECOVERY_POINT_FILE,
};
use pagewire_disk::{DamageCheckpoint, DirLock, Disk, MetaProperties, OffsetCheckpoint};
use pagewire_log::{Spread, note_restored};
use pagewire_metadata::model::{LogDirsRecord, known_path};
use pagewire_metadata::{Catalog, EmbeddedStore, SystemClock};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::backup::manifest::{LogRecord, Manifest};
use crate::backup::target::{RESTORE_UNFINISHED, Target, refuse_inside};
use crate::backup::{BackupFailed, LEADER_EPOCHS, PRODUCER_IDS};

/// Checkpoints that a backup has.
pub(super) const CHECKPOINTS: [&str; 4] =
    [RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, CLEANER_FILE];

/// All directories, the one with the metadata first.
pub(super) struct Homes {
    first: Home,
    others: Vec<Home>,
    spread: Spread,
}

/// One of them.
pub(super) struct Home {
    target: Target,
    /// Until the end.
    lock: DirLock,
    /// As topics name it: none for the first.
    id: Option<Uuid>,
    logs: Vec<(String, i32)>,
    pub(super) damage: DamageCheckpoint,
}

impl Homes {
    /// Makes them, unless one of them is not empty, or lies in the backup or in another one.
    pub(super) fn begin(disk: &dyn Disk, from: &Path, to: &[PathBuf]) -> Result<Self, BackupFailed> {
        let mut outside = vec![from.to_path_buf()];
        for path in to {
            refuse_inside(path, &outside)?;
            Target::check(disk, path)?;
            outside.push(path.clone());
        }
        let (first, others) = to.split_first().ok_or_else(|| BackupFailed::NoData(PathBuf::new()))?;
        let (first, spread) = (Home::begin(disk, first, None)?, Spread::over(to.len()));
        let mut homes = Self { first, others: Vec::new(), spread };
        for path in others {
            let outside = refuse_inside(path, to.get(..=homes.others.len()).unwrap_or_default());
            match outside.and_then(|()| Home::begin(disk, path, Some(Uuid::new_v4()))) {
                Ok(home) => homes.others.push(home),
                Err(error) => {
                    homes.abandon(disk);
                    return Err(error);
                }
            }
        }
        Ok(homes)
    }

    /// Removes all that was made, which is not to be. What cannot be removed stays marked as unfinished.
    pub(super) fn abandon(self, disk: &dyn Disk) {
        let Self { first, others, .. } = self;
        for Home { target, lock, .. } in others.into_iter().chain([first]) {
            let path = target.path.clone();
            if let Err(error) = target.abandon(disk) {
                tracing::warn!(path = %path.display(), %error, "what an unfinished restore made is left there: remove it");
            }
            drop(lock);
        }
    }

    /// Where the metadata is.
    pub(super) fn first(&self) -> &Path {
        &self.first.target.path
    }

    /// The home of a log from now on.
    pub(super) fn for_log(&mut self, log: &LogRecord) -> &mut Home {
        let at = self.spread.place(log.files.iter().map(|file| file.bytes).sum());
        let other = at.checked_sub(1).and_then(|at| self.others.get_mut(at));
        let home = other.unwrap_or(&mut self.first);
        home.logs.push((log.topic.clone(), log.partition));
        home
    }

    pub(super) fn each(
        &mut self,
        mut work: impl FnMut(&Home) -> Result<(), BackupFailed>,
    ) -> Result<(), BackupFailed> {
        std::iter::once(&self.first).chain(&self.others).try_for_each(&mut work)
    }

    /// Makes of the original's metadata, which is there, that of its successor.
    pub(super) fn succeed(&self, runtime: &Handle, manifest: &Manifest) -> Result<(), BackupFailed> {
        runtime.block_on(self.adapt(&self.first().join(pagewire_metadata::FILE_NAME), manifest))
    }

    /// Everything is there. The first one is finished last: nothing is served without it.
    pub(super) fn finish(self, disk: &dyn Disk) -> Result<(), BackupFailed> {
        let Self { first, others, .. } = self;
        others.into_iter().chain([first]).try_for_each(|home| home.finish(disk))
    }

    async fn adapt(&self, metadata: &Path, manifest: &Manifest) -> Result<(), BackupFailed> {
        let catalog = Catalog::new(Arc::new(EmbeddedStore::open(metadata, Arc::new(SystemClock))?));
        catalog.leap(LEADER_EPOCHS, PRODUCER_IDS).await?;
        // An empty directory where the original had one is nothing that is missing here.
        catalog.forget_log_dirs().await?;
        // Those that the backup lacks begin anew.
        let lacking: HashSet<&str> = manifest.missing.iter().map(|log| &*log.topic).collect();
        for (topic, _) in catalog.topics().await?.0.iter().filter(|(topic, _)| lacking.contains(&*topic.name))
        {
            catalog.note_unmade(topic).await?;
        }
        if self.others.is_empty() {
            return Ok(());
        }
        catalog.replace_log_dirs(manifest.head.node_id, &self.served(), 0).await?;
        let placed = |home: &Home| home.logs.iter().map(|log| (log.clone(), home.id)).collect::<Vec<_>>();
        let placed: HashMap<_, _> = self.others.iter().flat_map(placed).collect();
        for (mut topic, version) in catalog.topics().await?.0 {
            for (partition, index) in topic.partitions.iter_mut().zip(0..) {
                partition.directory = placed.get(&(topic.name.clone(), index)).copied().flatten();
            }
            catalog.replace_topic(&topic, version).await?;
        }
        Ok(())
    }

    /// As a start remembers them. The first one needs no name: without its metadata nothing is served.
    fn served(&self) -> LogDirsRecord {
        let mut served = LogDirsRecord::default();
        for (home, id) in self.others.iter().filter_map(|home| home.id.map(|id| (home, id))) {
            served.serve(&known_path(home.path()), id);
        }
        served
    }
}

impl Home {
    fn begin(disk: &dyn Disk, path: &Path, id: Option<Uuid>) -> Result<Self, BackupFailed> {
        let target = Target::begin(disk, path, RESTORE_UNFINISHED)?;
        let lock = DirLock::acquire(disk, path)?;
        Ok(Self { target, lock, id, logs: Vec::new(), damage: DamageCheckpoint::default() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.target.path
    }

    /// Of a checkpoint, what is about the logs here.
    pub(super) fn write_checkpoint(
        &self,
        disk: &dyn Disk,
        name: &str,
        all: &OffsetCheckpoint,
    ) -> Result<(), BackupFailed> {
        let mut mine = OffsetCheckpoint::new();
        for (topic, partition) in &self.logs {
            if let Some(offset) = all.get(topic, *partition) {
                mine.set(topic, *partition, offset);
            }
        }
        let path = self.path().join(name);
        mine.write(disk, &path).map_err(BackupFailed::at(&path))
    }

    pub(super) fn write_identity(&self, disk: &dyn Disk, of: &MetaProperties) -> Result<(), BackupFailed> {
        let path = self.path().join(META_PROPERTIES_FILE);
        let mine = MetaProperties { directory_id: self.id, ..of.clone() };
        mine.write(disk, &path).map_err(BackupFailed::at(&path))
    }

    fn finish(self, disk: &dyn Disk) -> Result<(), BackupFailed> {
        let Self { target, lock, damage, .. } = self;
        damage.write(disk, &target.path).map_err(BackupFailed::at(&target.path))?;
        note_restored(disk, &target.path).map_err(BackupFailed::at(&target.path))?;
        target.finish(disk)?;
        drop(lock);
        Ok(())
    }
}
