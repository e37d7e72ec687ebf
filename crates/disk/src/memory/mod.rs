//! A file system in memory whose files are memfds: real descriptors, so ranges of them can be sent and mapped like
//! any other file. Nothing is durable; syncs succeed and do nothing.

pub(crate) mod tree;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::disk::{DirEntry, Disk, DiskFile, OpenMode, Space};
use crate::fd_file;
use tree::Tree;

/// What a memory disk claims as its size: files are lost to swap long before.
const TOTAL_BYTES: u64 = 1 << 40;

/// A file system in memory. Clones share it. Paths are taken as they are: relative ones start at its root.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    tree: Arc<RwLock<Tree>>,
}

impl MemoryDisk {
    /// An empty file system.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Disk for MemoryDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.tree.write().create_dir_all(path).map(drop)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.tree.write().create_dir(path).map(drop)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.tree.read().read_dir(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let (opened, _) = self.tree.write().open(path, mode)?;
        Ok(Arc::new(MemoryFile { file: Arc::new(opened.file) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut tree = self.tree.write();
        tree.rename(from, to)?;
        tree.forget_unnamed(&BTreeSet::new());
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.tree.write();
        tree.remove_file(path)?;
        tree.forget_unnamed(&BTreeSet::new());
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.tree.write();
        tree.remove_dir_all(path)?;
        tree.forget_unnamed(&BTreeSet::new());
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.tree.read().dir_id(path).map(drop)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.tree.read().lookup(path)?.is_some())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let tree = self.tree.read();
        if tree.lookup(path)?.is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Space { total_bytes: TOTAL_BYTES, usable_bytes: TOTAL_BYTES.saturating_sub(tree.used_bytes()?) })
    }
}

/// A memfd as a [`DiskFile`].
#[derive(Debug)]
struct MemoryFile {
    file: Arc<File>,
}

impl DiskFile for MemoryFile {
    fn file(&self) -> &Arc<File> {
        &self.file
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        fd_file::read_at(&self.file, offset, buffer)
    }

    fn read_at_nowait(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        // Memory is never far away.
        self.read_at(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
        fd_file::write_all_at(&self.file, offset, slices)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        // Nothing outlives the process anyway.
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn preallocate(&self, offset: u64, len: u64) -> io::Result<()> {
        fd_file::preallocate(&self.file, offset, len)
    }

    fn start_writeback(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }
}
