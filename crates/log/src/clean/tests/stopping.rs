//! A disk on which everything stops at the n-th change, as it does when the power goes.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pagewire_disk::{DirEntry, Disk, DiskFile, Errno, OpenMode, Space};

/// Around another disk. Clones share the count.
#[derive(Debug, Clone)]
pub(super) struct StoppingDisk {
    inner: Arc<dyn Disk>,
    left: Arc<AtomicI64>,
}

impl StoppingDisk {
    pub(super) fn new(inner: Arc<dyn Disk>) -> Self {
        Self { inner, left: Arc::new(AtomicI64::new(i64::MAX)) }
    }

    /// So many changes are made from now on, then none.
    pub(super) fn stop_after(&self, changes: i64) {
        self.left.store(changes, Ordering::SeqCst);
    }

    /// Whether a change was asked for that was not made.
    pub(super) fn has_stopped(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    fn change(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 { Err(Errno::IO.into()) } else { Ok(()) }
    }
}

impl Disk for StoppingDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.create_dir_all(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.create_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.inner.read_dir(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        if matches!(mode, OpenMode::Create | OpenMode::CreateNew) {
            self.change()?;
        }
        Ok(Arc::new(StoppingFile { inner: self.inner.open(path, mode)?, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.inner.sync_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.inner.space(path)
    }
}

#[derive(Debug)]
struct StoppingFile {
    inner: Arc<dyn DiskFile>,
    disk: StoppingDisk,
}

impl DiskFile for StoppingFile {
    fn file(&self) -> &Arc<File> {
        self.inner.file()
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buffer)
    }

    fn read_at_nowait(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at_nowait(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
        self.disk.change()?;
        self.inner.write_all_at(offset, slices)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.change()?;
        self.inner.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.disk.change()?;
        self.inner.sync_all()
    }

    fn preallocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.preallocate(offset, len)
    }

    fn start_writeback(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.start_writeback(offset, len)
    }
}
