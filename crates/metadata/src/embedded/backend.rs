//! redb's file through the file-system seam, and a memory of what went wrong with it.
//!
//! After any failed call redb refuses everything until it is closed and opened again. Whether opening again is honest
//! hangs on which call it was: after a write that failed, the file is what the page cache has, and the next sync covers
//! it; after a sync that failed, nobody knows what is on the disk, and reading back from the cache would make it look
//! well.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, IoSlice};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pagewire_disk::DiskFile;
use redb::{BackendError, StorageBackend};

use super::room::Room;

/// What went wrong with the file since it was opened.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    sync_failed: AtomicBool,
    failed: AtomicBool,
}

impl Trouble {
    /// Any call failed: redb answers nothing more.
    pub(super) fn is_any(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// A sync failed: what is on the disk is not known.
    pub(super) fn is_of_a_sync(&self) -> bool {
        self.sync_failed.load(Ordering::Acquire)
    }

    fn note<T>(&self, answer: io::Result<T>) -> io::Result<T> {
        answer.inspect_err(|_| self.failed.store(true, Ordering::Release))
    }
}

#[derive(Debug)]
pub(super) struct Backend {
    file: Arc<dyn DiskFile>,
    trouble: Arc<Trouble>,
    room: Room,
}

impl Backend {
    pub(super) fn new(file: Arc<dyn DiskFile>, trouble: Arc<Trouble>) -> Self {
        let room = Room::default();
        room.keep(&*file);
        Self { file, trouble, room }
    }

    fn lock(&self, take: fn(&File) -> Result<(), TryLockError>) -> Result<bool, BackendError> {
        match take(self.file.file()) {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(BackendError::Io(error)),
        }
    }
}

/// The file is locked as a whole, or not at all.
fn is_whole(start: Bound<u64>, end: Bound<u64>) -> bool {
    matches!(start, Bound::Unbounded | Bound::Included(0)) && end == Bound::Unbounded
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.trouble.note(self.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.trouble.note(self.file.read_exact_at(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.trouble.note(self.room.grow(&*self.file, len))?;
        self.trouble.note(self.file.set_len(len))?;
        self.room.is_cut(len);
        self.room.keep(&*self.file);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let synced = self.file.sync_data();
        if synced.is_err() {
            self.trouble.sync_failed.store(true, Ordering::Release);
        }
        self.trouble.note(synced)?;
        self.room.keep(&*self.file);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.trouble.note(self.file.write_all_at(offset, &[IoSlice::new(data)]))
    }

    fn close(&self) -> io::Result<()> {
        self.file.file().unlock()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if is_whole(start, end) { self.lock(File::try_lock) } else { Err(BackendError::Unsupported) }
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        if is_whole(start, end) { self.lock(File::try_lock_shared) } else { Err(BackendError::Unsupported) }
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        if !is_whole(start, end) {
            return Err(BackendError::Unsupported);
        }
        self.file.file().unlock().map_err(BackendError::Io)
    }
}

/// No more can be written: what was there is as it was.
pub(super) fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
