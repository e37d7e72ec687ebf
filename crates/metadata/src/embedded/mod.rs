//! The default store: one redb file in the data directory.
//!
//! Every write is on stable storage before it is answered (redb's immediate durability: one `fdatasync` a commit;
//! writes that arrive together share one). A write runs on the store's own thread, a read on the runtime's blocking
//! pool: the event loop never waits for the disk. redb's pages are copy-on-write behind a checksummed commit slot,
//! so a process that is killed leaves the last commit.
//!
//! Format of the file: table `rows` key -> `0x01 version:i64be lease:i64be value`, table `leases` id -> (ttl ms,
//! expiry in Unix ms), table `meta` name -> i64.

mod tables;
mod worker;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use parking_lot::Mutex;
use redb::{Builder, Database, DatabaseError, ReadableDatabase};

use crate::clock::Clock;
use crate::feed::Feed;
use crate::store::{Batch, LeaseId, Listing, PutError, Revision, Store, StoreError, Versioned, Watch};
use worker::{Request, Worker};

/// The file's name inside the data directory.
pub const FILE_NAME: &str = "metadata.redb";

/// Memory redb may keep pages in. The whole database is usually smaller.
const CACHE_BYTES: usize = 1024 * 1024;

/// The store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The file, or its directory, cannot be read or written.
    #[error("cannot open {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not what this program wrote.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        detail: String,
    },
}

/// See the module. Dropping it finishes the writes already accepted.
#[derive(Debug)]
pub struct EmbeddedStore {
    database: Arc<Database>,
    feed: Arc<Feed>,
    clock: Arc<dyn Clock>,
    worker: Worker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens or creates the file at `path`, by custom [`FILE_NAME`] in the data directory, which must exist. Leases
    /// run on `clock`. Blocking: some milliseconds.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let path = path.to_owned();
        if !path.exists() {
            make(&path)?;
        }
        let (database, (revision, next_expiry_ms)) = prepared(&path)?;
        let database = Arc::new(database);
        let feed = Arc::new(Feed::new(revision));
        let (worker, thread) =
            Worker::start(Arc::clone(&database), Arc::clone(&feed), Arc::clone(&clock), next_expiry_ms)
                .map_err(|source| OpenError::Io { path, source })?;
        Ok(Self { database, feed, clock, worker, thread: Mutex::new(Some(thread)) })
    }

    /// Ends what has run out and tells the watchers. The store does this by itself as real time passes.
    pub async fn expire_leases(&self) -> Result<(), StoreError> {
        self.worker.call(Request::Expire).await.map_err(only_store).map(drop)
    }

    /// Finishes the writes already accepted and refuses further ones. Blocking, short; safe to repeat.
    pub fn close(&self) {
        self.worker.stop();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the metadata writer ended in a panic");
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&redb::ReadTransaction, i64) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = Arc::clone(&self.database);
        let now_ms = self.clock.now_ms();
        tokio::task::spawn_blocking(move || {
            let transaction = database.begin_read().map_err(tables::failed)?;
            work(&transaction, now_ms)
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.close();
    }
}

/// Makes the file: whole, under another name, before it gets its own. A first start that finds the disk full leaves nothing
/// that the next one would take for a damaged store.
fn make(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let half = path.with_extension("redb.new");
    match std::fs::remove_file(&half) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    if let Err(error) = prepared(&half) {
        // It may not even be there; what counts is why it could not be made.
        let _ = std::fs::remove_file(&half);
        return Err(error);
    }
    std::fs::rename(&half, path).map_err(failed)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}

/// The database at `path`, with its tables; what they say of the last revision and the next lease that runs out.
fn prepared(path: &Path) -> Result<(Database, tables::Found), OpenError> {
    let database = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .create(path)
        .map_err(|error| describe(path.to_owned(), error))?;
    let found = tables::prepare(&database)
        .map_err(|error| OpenError::Damaged { path: path.to_owned(), detail: error.to_string() })?;
    Ok((database, found))
}

fn describe(path: PathBuf, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path),
        DatabaseError::Storage(redb::StorageError::Io(source)) => OpenError::Io { path, source },
        other => OpenError::Damaged { path, detail: other.to_string() },
    }
}

/// For calls that can fail only as the store fails.
fn only_store(error: PutError) -> StoreError {
    match error {
        PutError::Store(error) => error,
        other => StoreError::Unavailable(other.to_string()),
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        let key = key.to_owned();
        self.read(move |transaction, now_ms| tables::get(transaction, &key, now_ms)).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let prefix = prefix.to_owned();
        self.read(move |transaction, now_ms| tables::list(transaction, &prefix, now_ms)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, PutError> {
        batch.validate()?;
        self.worker.call(Request::Commit(batch)).await
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        Ok(Watch::new(self.feed.watch(prefix, after)))
    }

    async fn grant(&self, ttl_ms: i64) -> Result<LeaseId, StoreError> {
        self.worker.call(Request::Grant { ttl_ms }).await.map_err(only_store)
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), PutError> {
        self.worker.call(Request::KeepAlive(lease)).await.map(drop)
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.worker.call(Request::Revoke(lease)).await.map_err(only_store).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn a_first_start_that_fails_leaves_nothing_that_the_next_one_stumbles_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, half) = (dir.path().join(FILE_NAME), dir.path().join("metadata.redb.new"));
        // Nothing can be made under that name.
        std::fs::create_dir(&half).expect("a directory");
        let open = || EmbeddedStore::open(&path, Arc::new(SystemClock));
        open().expect_err("no store");
        assert!(!path.exists());
        std::fs::remove_dir(&half).expect("gone");
        // What a start that was killed has left: space that nobody wrote to.
        File::create(&half).and_then(|file| file.set_len(73_728)).expect("half a file");
        open().expect("a store").close();
        assert!(path.exists() && !half.exists());
        open().expect("the same store");
    }
}
