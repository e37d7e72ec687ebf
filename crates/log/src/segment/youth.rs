//! Whether an index file is on stable storage.
//!
//! After a failed fdatasync the kernel may have dropped what it could not write, and call the pages clean (fsync(2)): another one
//! would succeed and prove nothing. So the bytes are written again before they are synced again, as the page cache has them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pagewire_disk::DiskFile;

/// Bytes written again at once.
const PIECE: usize = 64 << 10;

/// Of one file.
#[derive(Debug, Default)]
pub(crate) struct Youth {
    /// It was changed since it was last synced, or nobody knows.
    young: AtomicBool,
    /// A sync has failed since, and none succeeded.
    failed: AtomicBool,
}

impl Youth {
    /// The file is changed, or will be in a moment.
    pub(crate) fn note(&self) {
        self.young.store(true, Ordering::Release);
    }

    /// Whether it was changed.
    pub(crate) fn is_young(&self) -> bool {
        self.young.load(Ordering::Acquire)
    }

    /// fdatasync, if it was changed. What is written meanwhile makes it young again.
    pub(crate) fn sync(&self, open: impl FnOnce() -> io::Result<Arc<dyn DiskFile>>) -> io::Result<()> {
        if !self.young.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let synced = open().and_then(|file| self.sync_whatever(&*file));
        synced.inspect_err(|_| self.note())
    }

    /// fdatasync, changed or not.
    pub(crate) fn sync_whatever(&self, file: &dyn DiskFile) -> io::Result<()> {
        if self.failed.load(Ordering::Acquire) {
            write_again(file)?;
        }
        let synced = file.sync_data();
        self.failed.store(synced.is_err(), Ordering::Release);
        synced
    }
}

/// Entries are only ever added behind these.
fn write_again(file: &dyn DiskFile) -> io::Result<()> {
    let (mut at, len, mut piece) = (0, file.len()?, vec![0; PIECE]);
    while at < len {
        let wanted = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
        let bytes = piece.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(at, bytes)?;
        file.write_at(at, bytes)?;
        at += wanted as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_disk::{Call, Disk, Errno, FailingDisk, MemoryDisk, OpenMode, When};

    use super::*;

    #[test]
    fn what_a_failed_sync_was_about_is_written_again_before_the_next() {
        let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let file = disk.open(Path::new("i"), OpenMode::Create).expect("a file");
        file.write_at(0, &vec![7; 3 * PIECE / 2]).expect("written");
        let (youth, open) = (Youth::default(), || Ok(Arc::clone(&file)));
        let bytes = || disk.traffic("i").bytes;
        youth.note();
        disk.fail(Call::SyncData, When::Nth(1), Errno::NOSPC);
        let before = bytes();
        youth.sync(open).expect_err("failed");
        assert!(youth.is_young() && bytes() == before);
        youth.sync(open).expect("synced");
        assert!(!youth.is_young() && bytes() == 2 * before);
        youth.note();
        youth.sync(open).expect("synced");
        assert_eq!((bytes(), disk.traffic("i").syncs), (2 * before, 3));
    }
}
