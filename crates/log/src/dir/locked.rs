//! A directory that is ours but not loaded yet: its lock and its identity.
//!
//! Between locking and loading the owner can read who the directory belongs to, and open whatever else it keeps there.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use pagewire_disk::{Anchored, DirEntry, DirLock, Disk, MetaProperties, create_dir_durably};
use uuid::Uuid;

use super::errors::{LogDirError, usable};
use super::identity::KnownIdentity;
use super::meter::LoadMeter;
use super::names::DirName;
use super::notice::Notice;
use super::options::LogDirOptions;

/// A locked log directory.
#[derive(Debug)]
pub struct LockedDir {
    pub(super) disk: Arc<dyn Disk>,
    /// The same.
    pub(super) anchor: Arc<Anchored>,
    pub(super) path: PathBuf,
    /// The first of the broker's directories.
    pub(super) home: PathBuf,
    pub(super) lock: DirLock,
    meta: Option<MetaProperties>,
    /// The id it has if `meta.properties` names none.
    directory: Option<Uuid>,
    damaged: Option<Notice>,
    meter: Arc<LoadMeter>,
}

impl LockedDir {
    /// Makes the directory if it is not there, locks it, and reads `meta.properties`. Nothing else is touched.
    pub fn lock(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, LogDirError> {
        create_dir_durably(disk.as_ref(), path).map_err(LogDirError::at(path))?;
        Self::take(disk, path, None)
    }

    /// [`lock`](Self::lock) of a directory that was served before, under this id. One that is not there or has nothing in
    /// it is refused, and nothing is made: its disk is not mounted, most likely. One whose `meta.properties` is lost or
    /// illegible keeps its id.
    pub fn lock_known(disk: Arc<dyn Disk>, path: &Path, directory: Uuid) -> Result<Self, LogDirError> {
        must_hold_something(disk.as_ref(), path, directory)?;
        Self::take(disk, path, Some(directory))
    }

    /// [`lock`](Self::lock) of an empty directory in the place of one whose content is lost. `directory` is the id it shall
    /// have: that of the lost one, so that its partitions are made anew here.
    pub fn lock_bare(disk: Arc<dyn Disk>, path: &Path, directory: Option<Uuid>) -> Result<Self, LogDirError> {
        must_be_bare(disk.as_ref(), path)?;
        create_dir_durably(disk.as_ref(), path).map_err(LogDirError::at(path))?;
        Self::take(disk, path, directory)
    }

    fn take(disk: Arc<dyn Disk>, path: &Path, directory: Option<Uuid>) -> Result<Self, LogDirError> {
        let anchor = Arc::new(Anchored::at(disk, path).map_err(LogDirError::at(path))?);
        let disk: Arc<dyn Disk> = Arc::clone(&anchor) as _;
        let lock = DirLock::acquire(disk.as_ref(), path)?;
        let (meta, damaged) =
            match usable(MetaProperties::read(disk.as_ref(), &path.join(META_PROPERTIES_FILE)))? {
                Ok(meta) => (meta, None),
                Err(damage) => (None, Some(Notice::Damaged(damage))),
            };
        if meta.is_none() {
            make_names_durable(disk.as_ref(), path);
        }
        let path = path.to_path_buf();
        let (meter, home) = (LoadMeter::new(&path), path.clone());
        Ok(Self { disk, anchor, path, home, lock, meta, directory, damaged, meter })
    }

    /// The same of a broker whose first directory is this, by which messages name it.
    #[must_use]
    pub fn beside(self, first: &Path) -> Self {
        Self { home: first.to_path_buf(), ..self }
    }

    /// Compares the identity with what the metadata says. One that is damaged, or lost, is written anew as that by whoever loads
    /// the directory.
    #[must_use]
    pub fn known_as(self, known: &KnownIdentity<'_>) -> Self {
        let directory = self.directory.or(Some(known.directory_id));
        let contradiction = self.meta.as_ref().and_then(|meta| known.contradicted_by(meta));
        let Some(contradiction) = contradiction else { return Self { directory, ..self } };
        let file = self.path.join(META_PROPERTIES_FILE);
        let damaged = Some(Notice::Contradicted { path: file, contradiction });
        Self { meta: None, directory: Some(known.directory_id), damaged, ..self }
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

    /// Its own id, if it has or keeps one.
    pub fn directory_id(&self) -> Option<Uuid> {
        self.meta.as_ref().and_then(|meta| meta.directory_id).or(self.directory)
    }

    /// Whether it has neither an identity nor a partition; see [`lock_known`](Self::lock_known).
    pub fn is_bare(&self) -> Result<bool, LogDirError> {
        is_bare(self.disk.as_ref(), &self.path)
    }

    /// The partitions that have a directory of their name in it.
    pub fn partitions(&self) -> Result<Vec<(String, i32)>, LogDirError> {
        self.holder().partitions()
    }

    /// Checks the identity without writing anything.
    pub(crate) fn check(&self, options: &LogDirOptions) -> Result<(), LogDirError> {
        self.meta.as_ref().map_or(Ok(()), |meta| check(meta, &self.path, options))
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
            directory_id: Some(self.directory.unwrap_or_else(Uuid::new_v4)),
        };
        let file = self.path.join(META_PROPERTIES_FILE);
        meta.write(self.disk.as_ref(), &file).map_err(LogDirError::at(&file))?;
        Ok(meta)
    }
}

/// The id that a directory says it has, where it is nobody else's; of one that is `known` this one where it is damaged or lost.
/// Nothing is touched.
pub(crate) fn identity_of(
    disk: &dyn Disk,
    path: &Path,
    known: Option<Uuid>,
    options: &LogDirOptions,
) -> Result<Option<Uuid>, LogDirError> {
    let meta = usable(MetaProperties::read(disk, &path.join(META_PROPERTIES_FILE)))?.unwrap_or_default();
    let is_damaged =
        |meta: &&MetaProperties| known.is_some_and(|id| options.knows(id).contradicted_by(meta).is_some());
    let meta = meta.as_ref().filter(|meta| !is_damaged(meta));
    meta.map_or(Ok(()), |meta| check(meta, path, options))?;
    Ok(meta.and_then(|meta| meta.directory_id).or(known))
}

/// Refuses a directory of another cluster or node.
fn check(meta: &MetaProperties, path: &Path, options: &LogDirOptions) -> Result<(), LogDirError> {
    if meta.cluster_id != options.cluster_id {
        return Err(LogDirError::OtherCluster {
            path: path.to_path_buf(),
            found: meta.cluster_id.clone(),
            expected: options.cluster_id.clone(),
        });
    }
    if meta.node_id != options.node_id {
        return Err(LogDirError::OtherNode {
            path: path.to_path_buf(),
            found: meta.node_id,
            expected: options.node_id,
        });
    }
    Ok(())
}

/// Refuses one that was served under this id and has nothing in it.
pub(crate) fn must_hold_something(disk: &dyn Disk, path: &Path, directory: Uuid) -> Result<(), LogDirError> {
    if is_bare(disk, path)? {
        let (path, home) = (path.to_path_buf(), path.to_path_buf());
        return Err(LogDirError::Vanished { path, home, directory });
    }
    Ok(())
}

/// Refuses one that has something in it.
pub(crate) fn must_be_bare(disk: &dyn Disk, path: &Path) -> Result<(), LogDirError> {
    if is_bare(disk, path)? {
        return Ok(());
    }
    Err(LogDirError::NotEmpty { path: path.to_path_buf(), home: path.to_path_buf() })
}

/// Whether a directory is not there, or has neither an identity nor a partition: what a mount point looks like without its
/// disk. Locks and what else lies there do not count.
fn is_bare(disk: &dyn Disk, path: &Path) -> Result<bool, LogDirError> {
    let entries = match disk.read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        entries => entries.map_err(LogDirError::at(path))?,
    };
    let counts = |entry: &DirEntry| match DirName::parse(&entry.name) {
        DirName::Other => entry.name == META_PROPERTIES_FILE,
        _ => entry.is_dir,
    };
    Ok(!entries.iter().any(counts))
}

/// An earlier process may have made the directory and died before its name was safe. Directories above that may not be read
/// are somebody else's, who made them long ago.
fn make_names_durable(disk: &dyn Disk, path: &Path) {
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        if let Err(error) = disk.sync_dir(above) {
            tracing::debug!(dir = %above.display(), %error, "not synced");
            break;
        }
    }
}
