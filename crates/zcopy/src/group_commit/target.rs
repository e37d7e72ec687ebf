//! What a group commit syncs: the seam to a file, a log, or whatever counts what it writes.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a sync ended without success. The difference decides whether anything will be stable again.
#[derive(Debug)]
pub enum SyncFailure {
    /// It could not begin, for want of a descriptor for example: nothing is lost, and it is tried again.
    NotBegun(io::Error),
    /// It failed, and the kernel may have thrown pages away: final.
    Failed(io::Error),
}

/// Something that is written to, measured by a mark that only grows, and synced.
pub trait SyncTarget: Debug + Send + Sync + 'static {
    /// A mark that covers everything written before this call. Cheap: it is asked for under a lock.
    fn written(&self) -> u64;

    /// Makes everything written before the call stable, and returns a mark up to which that is so: at least what
    /// [`written`](Self::written) would have said at the beginning. Called by one thread at a time. A panic counts as a
    /// failed sync.
    ///
    /// # Errors
    /// See [`SyncFailure`].
    fn sync(&self) -> Result<u64, SyncFailure>;
}

/// A file, whoever writes to it, by whichever descriptor. Its marks are tickets: one for each time it is asked.
#[derive(Debug)]
#[doc(alias = "fdatasync")]
pub struct FileTarget {
    file: Arc<File>,
    tickets: AtomicU64,
}

impl FileTarget {
    /// Syncs `file` by `fdatasync(2)`, <https://man7.org/linux/man-pages/man2/fdatasync.2.html>: bytes and length, not
    /// times, and not the directory entry of a new file.
    pub fn new(file: Arc<File>) -> Self {
        Self { file, tickets: AtomicU64::new(0) }
    }
}

impl SyncTarget for FileTarget {
    fn written(&self) -> u64 {
        // A sync that reads this ticket, or a later one, begins behind the caller's writes.
        self.tickets.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn sync(&self) -> Result<u64, SyncFailure> {
        let covered = self.tickets.load(Ordering::Acquire);
        self.file.sync_data().map_err(SyncFailure::Failed)?;
        Ok(covered)
    }
}
