//! The store's file: made whole, opened, and opened again after trouble.
//!
//! ```text
//!   open ──── a call failed ───▶ mended: closed and opened at once; what is in the file is synced first
//!                                  │ could not be opened: shut, tried again by whoever asks next
//!                                  └ the call was a sync: shut until the process starts again
//! ```
//!
//! A transaction that failed may be in the file all the same. It counts then, like any that succeeded.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, OpenMode};
use parking_lot::{RwLock, RwLockWriteGuard};
use redb::{Builder, Database, DatabaseError};

use super::backend::{Backend, Trouble, is_full};
use super::{OpenError, tables};
use crate::feed::Feed;
use crate::store::StoreError;

/// Memory redb may keep pages in. The whole database is usually smaller.
const CACHE_BYTES: usize = 1024 * 1024;

/// The file, and the database in it while that is open.
#[derive(Debug)]
pub(super) struct StoreFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    feed: Arc<Feed>,
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

#[derive(Debug)]
struct Opened {
    database: Database,
    trouble: Arc<Trouble>,
}

impl StoreFile {
    /// Opens the file, or makes it. Also answers when the next lease runs out.
    pub(super) fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<(Self, Option<i64>), OpenError> {
        let failed = |source| OpenError::Io { path: path.to_owned(), source };
        if !disk.exists(path).map_err(failed)? {
            make(disk.as_ref(), path)?;
        }
        let (opened, (revision, next_expiry_ms)) = prepared(disk.as_ref(), path)?;
        let feed = Arc::new(Feed::new(revision));
        let state = RwLock::new(State::Open(opened));
        Ok((Self { disk, path: path.to_owned(), feed, state }, next_expiry_ms))
    }

    pub(super) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Does something with the database. If its file fails meanwhile, it is closed and opened again, so that whoever asks
    /// next is answered.
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
                tracing::error!(path = %self.path.display(), %error, "the metadata store cannot be opened again yet");
            }
        }
    }

    fn open_again(&self) -> Result<Opened, StoreError> {
        let stable = self.disk.open(&self.path, OpenMode::ReadWrite).and_then(|file| file.sync_data());
        stable.map_err(|error| tables::failed(redb::Error::Io(error)))?;
        let (opened, (revision, _)) = prepared(self.disk.as_ref(), &self.path).map_err(not_yet)?;
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

/// Makes the file: whole, under another name, before it gets its own. A first start that finds the disk full leaves nothing
/// that the next one would take for a damaged store.
fn make(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let half = path.with_extension("redb.new");
    match disk.remove_file(&half) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    if let Err(error) = prepared(disk, &half) {
        // It may not even be there; what counts is why it could not be made.
        let _ = disk.remove_file(&half);
        return Err(error);
    }
    disk.rename(&half, path).map_err(failed)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk.sync_dir(dir).map_err(failed)
}

/// The database at `path`, with its tables; what they say of the last revision and the next lease that runs out.
fn prepared(disk: &dyn Disk, path: &Path) -> Result<(Opened, tables::Found), OpenError> {
    let file = disk.open(path, OpenMode::Create);
    let file = file.map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let trouble = Arc::new(Trouble::default());
    let backend = Backend::new(file, Arc::clone(&trouble));
    let database = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .create_with_backend(backend)
        .map_err(|error| describe(path.to_owned(), error))?;
    let found = tables::prepare(&database).map_err(|error| match error {
        StoreError::Full => OpenError::Full { path: path.to_owned() },
        other => OpenError::Damaged { path: path.to_owned(), detail: other.to_string() },
    })?;
    Ok((Opened { database, trouble }, found))
}

fn describe(path: PathBuf, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path),
        DatabaseError::Storage(redb::StorageError::Io(source)) if is_full(source.kind()) => {
            OpenError::Full { path }
        }
        DatabaseError::Storage(redb::StorageError::Io(source)) => OpenError::Io { path, source },
        other => OpenError::Damaged { path, detail: other.to_string() },
    }
}
