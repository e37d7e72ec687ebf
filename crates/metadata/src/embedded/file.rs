//! The store's file: made whole, opened, and opened again after trouble.
//!
//! ```text
//!   open ──── a call failed ───▶ mended: closed and opened at once; what is in the file is synced first
//!                                  │ could not be opened: shut, tried again by whoever asks next
//!                                  └ the call was a sync: shut until the process starts again
//! ```
//!
//! A transaction that failed may be in the file all the same. It counts then, like any that succeeded.
//!
//! Whenever it is opened, every page is read and its checksum compared, so that what was changed since is refused
//! instead of served. It is made in one place only, [`make`]: a file that is there and empty, or without tables, is a
//! damaged one and no new store.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, Identity, OpenMode};
use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use redb::{Builder, Database, DatabaseError, StorageError};

use super::backend::{Backend, Trouble, is_full};
use super::slots::{self, Slots};
use super::{OpenError, forward, tables};
use crate::feed::Feed;
use crate::store::{FailedChange, StoreError};

/// Memory redb may keep pages in. The whole database is usually smaller.
const CACHE_BYTES: usize = 1024 * 1024;

/// The file, and the database in it while that is open.
#[derive(Debug)]
pub(super) struct StoreFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    feed: Arc<Feed>,
    /// Which file it is, where the disk can tell.
    identity: Option<Identity>,
    /// The last change that was tried, if it failed.
    failed: Mutex<Option<FailedChange>>,
    /// The file was not in its place when somebody looked.
    gone: Mutex<Option<FailedChange>>,
    state: RwLock<State>,
}

#[derive(Debug)]
enum State {
    Open(Opened),
    /// The next one who asks tries to open it.
    Shut,
    /// A sync failed.
    Lost,
}

/// When the file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    AtStart,
    /// After a call of it failed.
    Again,
}

#[derive(Debug)]
struct Opened {
    database: Database,
    file: Arc<dyn DiskFile>,
    trouble: Arc<Trouble>,
}

impl StoreFile {
    /// Opens the file, or makes it. Also answers when the next lease runs out.
    pub(super) fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<(Self, Option<i64>), OpenError> {
        let failed = |source| OpenError::Io { path: path.to_owned(), source };
        if !disk.exists(path).map_err(failed)? {
            make(disk.as_ref(), path)?;
        }
        let (opened, (revision, next_expiry_ms)) = existing(disk.as_ref(), path, Opening::AtStart)?;
        let feed = Arc::new(Feed::new(revision));
        let identity = disk.identity(path).map_err(failed)?;
        let state = RwLock::new(State::Open(opened));
        Ok((
            Self {
                disk,
                path: path.to_owned(),
                feed,
                identity,
                failed: Mutex::default(),
                gone: Mutex::default(),
                state,
            },
            next_expiry_ms,
        ))
    }

    /// Refuses to change a file that the next start would not find: somebody removed it, or put another one in its place.
    pub(super) fn is_still_there(&self) -> Result<(), StoreError> {
        if !self.has_lost_its_name().map_err(|error| tables::failed(redb::Error::Io(error)))? {
            return Ok(());
        }
        let what = format!(
            "{} was removed or replaced while this broker had it open, and what it has in it goes with it. Before it ends, make a \
             backup of it as it runs (pagewire backup): the {} in that is good, and is to be put in this place once the broker \
             is stopped",
            self.path.display(),
            super::FILE_NAME
        );
        Err(StoreError::Unavailable(what))
    }

    /// Whether its place has another file, or none. A place that cannot be looked at says nothing.
    pub(super) fn has_lost_its_name(&self) -> io::Result<bool> {
        match self.disk.identity(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(self.identity.is_some()),
            found => Ok(found? != self.identity),
        }
    }

    /// A change failed, or was made.
    pub(super) fn note(&self, failed: Option<FailedChange>) {
        *self.failed.lock() = failed;
    }

    /// Whether the next start would find the file. What is not so is said once.
    pub(super) fn look(&self, at_ms: i64) {
        let missed = self.is_still_there();
        let mut gone = self.gone.lock();
        match (missed, &*gone) {
            (Err(error), None) => {
                tracing::error!("{error}");
                *gone = Some(FailedChange { at_ms, reason: error.to_string() });
            }
            (Ok(()), Some(_)) => {
                tracing::info!(path = %self.path.display(), "the metadata store's file is in its place again");
                *gone = None;
            }
            _ => {}
        }
    }

    /// Closes the database for good, and answers what it was in.
    pub(super) fn taken(&self) -> Option<Arc<dyn DiskFile>> {
        match std::mem::replace(&mut *self.state.write(), State::Lost) {
            State::Open(opened) => Some(opened.file),
            State::Shut | State::Lost => None,
        }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The last change that was tried, if it failed, or that the file is not in its place.
    pub(super) fn trouble(&self) -> Option<FailedChange> {
        self.failed.lock().clone().or_else(|| self.gone.lock().clone())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Does something with the database. If its file fails meanwhile, it is closed and opened again, so that whoever
    /// asks next is answered.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let state = self.state.read();
        if let State::Open(opened) = &*state {
            let answer = work(&opened.database);
            if opened.trouble.is_any() {
                drop(state);
                self.mend(self.state.write());
            }
            return answer;
        }
        drop(state);
        let mut state = self.state.write();
        if matches!(*state, State::Shut) {
            *state = State::Open(self.open_again()?);
            tracing::info!(path = %self.path.display(), "the metadata store answers again");
        }
        match &*state {
            State::Open(opened) => {
                let answer = work(&opened.database);
                if opened.trouble.is_any() {
                    self.mend(state);
                }
                answer
            }
            State::Shut | State::Lost => Err(lost()),
        }
    }

    fn mend(&self, mut state: RwLockWriteGuard<'_, State>) {
        let State::Open(opened) = &*state else { return };
        // Somebody else may have been faster.
        if !opened.trouble.is_any() {
            return;
        }
        if opened.trouble.is_of_a_sync() {
            tracing::error!(path = %self.path.display(), "a sync of the metadata store failed; it changes nothing until the broker is started again");
            *state = State::Lost;
            return;
        }
        // Closed first: the file is open once.
        *state = State::Shut;
        match self.open_again() {
            Ok(opened) => *state = State::Open(opened),
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "the metadata store cannot be opened again yet: topics, settings and new producers are refused; it is tried again by whoever asks next");
            }
        }
    }

    fn open_again(&self) -> Result<Opened, StoreError> {
        self.is_still_there()?;
        let stable = self.disk.open(&self.path, OpenMode::ReadWrite).and_then(|file| file.sync_data());
        stable.map_err(|error| tables::failed(redb::Error::Io(error)))?;
        let (opened, (revision, _)) =
            existing(self.disk.as_ref(), &self.path, Opening::Again).map_err(not_yet)?;
        self.feed.restart(revision);
        Ok(opened)
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("a sync of it failed; start the broker again once the disk is well".to_owned())
}

fn not_yet(error: OpenError) -> StoreError {
    match error {
        OpenError::Io { source, .. } => tables::failed(redb::Error::Io(source)),
        OpenError::Full { .. } => StoreError::Full,
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// Makes the file: whole, under another name, before it gets its own. A first start that finds the disk full leaves
/// nothing that the next one would take for a damaged store.
fn make(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let half = path.with_extension("redb.new");
    match disk.remove_file(&half) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    if let Err(error) = fresh(disk, &half) {
        // It may not even be there; what counts is why it could not be made.
        let _ = disk.remove_file(&half);
        return Err(error);
    }
    disk.rename(&half, path).map_err(failed)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk.sync_dir(dir).map_err(failed)
}

/// Makes the database at `path`, with its tables, and closes it.
fn fresh(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    let file = disk.open(path, OpenMode::Create);
    let file = file.map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let opened = database(file, path)?;
    tables::create(&opened.database).map_err(unusable(path))
}

/// The database at `path`, which is there; what its tables say of the last revision and the next lease that runs out.
fn existing(disk: &dyn Disk, path: &Path, opening: Opening) -> Result<(Opened, tables::Found), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let file = disk.open(path, OpenMode::ReadWrite).map_err(failed)?;
    let damaged = |detail: &str| OpenError::Damaged { path: path.to_owned(), detail: detail.to_owned() };
    // redb would make a new database of it.
    if file.len().map_err(failed)? == 0 {
        return Err(damaged("it is empty"));
    }
    let told = match slots::look(&*file).map_err(failed)? {
        // Of one that failed a moment ago its caller was told.
        Some(Slots::Unfinished) if opening == Opening::Again => None,
        Some(older @ (Slots::Older | Slots::Unfinished)) => match (forward::go_on(&file, path)?, older) {
            (true, _) => {
                Some("the file named the change before its last one, which is whole: the last one counts")
            }
            (false, Slots::Unfinished) => Some(
                "a change of the metadata was being written when the process ended, and is not whole; what was before it counts",
            ),
            (false, _) => return Err(damaged("it says that its last commit does not count")),
        },
        Some(Slots::Newer) | None => None,
    };
    let opened = database(file, path)?;
    let found = tables::look(&opened.database).map_err(unusable(path))?;
    // Only of a file that can be used: else something else is wrong with it, which its error says.
    if let Some(told) = told {
        tracing::warn!(path = %path.display(), "{told}");
    }
    Ok((opened, found))
}

fn database(file: Arc<dyn DiskFile>, path: &Path) -> Result<Opened, OpenError> {
    let trouble = Arc::new(Trouble::default());
    let backend = Backend::new(Arc::clone(&file), Arc::clone(&trouble));
    let database =
        verified().create_with_backend(backend).map_err(|error| describe(path.to_owned(), error))?;
    Ok(Opened { database, file, trouble })
}

/// Opens only what is whole.
pub(super) fn verified() -> Builder {
    let mut builder = Builder::new();
    builder.set_check_integrity_on_open(true).set_cache_size(CACHE_BYTES);
    builder
}

fn unusable(path: &Path) -> impl FnOnce(StoreError) -> OpenError {
    let path = path.to_owned();
    move |error| match error {
        StoreError::Full => OpenError::Full { path },
        StoreError::Damaged(detail) => OpenError::Damaged { path, detail },
        other => OpenError::Damaged { path, detail: other.to_string() },
    }
}

pub(super) fn describe(path: PathBuf, error: DatabaseError) -> OpenError {
    let source = match error {
        DatabaseError::DatabaseAlreadyOpen => return OpenError::InUse(path),
        DatabaseError::Storage(StorageError::Io(source)) => source,
        DatabaseError::Storage(StorageError::Corrupted(detail)) => {
            return OpenError::Damaged { path, detail: in_redbs_words(detail) };
        }
        other => return OpenError::Damaged { path, detail: in_redbs_words(other) },
    };
    match source.kind() {
        kind if is_full(kind) => OpenError::Full { path },
        // It is no database, or one that ends where it should go on.
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            OpenError::Damaged { path, detail: in_redbs_words(source) }
        }
        _ => OpenError::Io { path, source },
    }
}

/// What is wrong with the file as a database is known to redb alone, whose words need ours around them.
fn in_redbs_words(detail: impl std::fmt::Display) -> String {
    format!("it does not hold together as a database (redb says: {detail})")
}
