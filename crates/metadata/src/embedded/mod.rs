//! The default store: one redb file in the data directory.
//!
//! Every write is on stable storage before it is answered (redb's immediate durability in two phases: two `fdatasync`s a
//! commit; writes that arrive together share them). A write runs on the store's own thread, a read on the runtime's blocking
//! pool: the event loop never waits for the disk. redb's pages are copy-on-write behind a checksummed commit slot,
//! so a process that is killed leaves the last commit. Room for changes is kept where the disk is full (`room`); what does not
//! fit is refused, and nothing more: see `file`.
//!
//! Format of the file: table `rows` key -> `0x01 version:i64be lease:i64be value`, table `leases` id -> (ttl ms,
//! expiry in Unix ms), table `meta` name -> i64.

mod backend;
mod file;
mod forward;
mod rescue;
mod room;
mod slots;
mod tables;
mod worker;

#[cfg(feature = "fuzzing")]
pub(crate) use tables::row_again;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use pagewire_disk::{Disk, OsDisk};
use parking_lot::Mutex;
use redb::ReadableDatabase;

use crate::clock::Clock;
use crate::store::{
    Batch, FailedChange, LeaseId, Listing, PutError, Revision, Store, StoreError, Versioned, Watch,
};
use file::StoreFile;
use worker::{Request, Worker};

/// The file's name inside the data directory.
pub const FILE_NAME: &str = "metadata.redb";

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
    /// The disk has no room for it.
    #[error("cannot open {}: the disk is full", path.display())]
    Full {
        /// The file.
        path: PathBuf,
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
    file: Arc<StoreFile>,
    clock: Arc<dyn Clock>,
    worker: Worker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens or creates the file at `path`, by custom [`FILE_NAME`] in the data directory, which must exist. Leases
    /// run on `clock`. Blocking: some milliseconds.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(OsDisk::new()), path, clock)
    }

    /// The same on another disk.
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (file, next_expiry_ms) = StoreFile::open(disk, path)?;
        let file = Arc::new(file);
        let (worker, thread) = Worker::start(Arc::clone(&file), Arc::clone(&clock), next_expiry_ms)
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        Ok(Self { file, clock, worker, thread: Mutex::new(Some(thread)) })
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
        let file = Arc::clone(&self.file);
        let now_ms = self.clock.now_ms();
        tokio::task::spawn_blocking(move || {
            file.with(|database| {
                let transaction = database.begin_read().map_err(tables::failed)?;
                work(&transaction, now_ms)
            })
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
        Ok(Watch::new(self.file.feed().watch(prefix, after)))
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

    fn trouble(&self) -> Option<FailedChange> {
        self.file.trouble()
    }

    fn look(&self) {
        self.file.look(self.clock.now_ms());
    }

    fn rescue(&self) {
        if self.file.has_lost_its_name().unwrap_or(false) {
            self.close();
            self.file.rescue();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

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
