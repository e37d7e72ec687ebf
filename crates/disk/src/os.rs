//! The machine's own file system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, ioctl_ficlone, linkat, statvfs};

use crate::dirty_pages;
use crate::disk::{DirEntry, Disk, DiskFile, Identity, OpenMode, Space, whole_len};
use crate::fd_file::{self, NoWait};

/// Starts writeback of a byte range (sync_file_range). Passed in, because the call needs `unsafe` and that lives in
/// the transfer crate only.
pub type WritebackFn = fn(&File, u64, u64) -> io::Result<()>;

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk {
    writeback: Option<WritebackFn>,
}

impl OsDisk {
    /// A disk whose [`start_writeback`](DiskFile::start_writeback) does nothing: the kernel decides when to write.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that starts writeback through `writeback`.
    pub fn with_writeback(writeback: WritebackFn) -> Self {
        Self { writeback: Some(writeback) }
    }
}

impl Disk for OsDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let mut kind = entry.file_type()?;
            if kind.is_symlink() {
                // A dangling link is listed as a file: opening it will say what is wrong.
                kind = fs::metadata(entry.path()).map_or(kind, |target| target.file_type());
            }
            entries.push(DirEntry { name, is_dir: kind.is_dir() });
        }
        entries.sort();
        Ok(entries)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::ReadWrite => options.write(true),
            OpenMode::Create => options.write(true).create(true),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        let file = options.open(path)?;
        if mode == OpenMode::Read && file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Arc::new(OsFile { file: Arc::new(file), nowait: NoWait::default(), writeback: self.writeback }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let dir = File::open(path)?;
        if !dir.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        dir.sync_all()
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        let found = fs::metadata(path)?;
        if found.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(found.len()) }
    }

    fn read_whole(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let found = file.metadata()?;
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut bytes = vec![0; whole_len(found.len(), max_bytes)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        Ok(Some(identity(&fs::metadata(path)?)))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = statvfs(path)?;
        Ok(Space {
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            usable_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }

    fn is_writeback_due(&self) -> bool {
        self.writeback.is_some() && dirty_pages::are_many()
    }
}

#[derive(Debug)]
struct OsFile {
    file: Arc<File>,
    nowait: NoWait,
    writeback: Option<WritebackFn>,
}

impl DiskFile for OsFile {
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
        self.nowait.read_at(&self.file, offset, buffer)
    }

    fn write_all_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
        fd_file::write_all_at(&self.file, offset, slices)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn preallocate(&self, offset: u64, len: u64) -> io::Result<()> {
        fd_file::preallocate(&self.file, offset, len)
    }

    fn start_writeback(&self, offset: u64, len: u64) -> io::Result<()> {
        match self.writeback {
            Some(writeback) => writeback(&self.file, offset, len),
            None => Ok(()),
        }
    }

    fn hard_link(&self, path: &Path) -> io::Result<()> {
        // By the descriptor: the name may be another file's by now.
        let this = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(linkat(CWD, this, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    fn identity(&self) -> io::Result<Option<Identity>> {
        Ok(Some(identity(&self.file.metadata()?)))
    }

    fn is_nameless(&self) -> io::Result<bool> {
        Ok(self.names()? == 0)
    }

    fn share_blocks_of(&self, source: &dyn DiskFile) -> io::Result<()> {
        Ok(ioctl_ficlone(&self.file, source.file())?)
    }
}

fn identity(found: &fs::Metadata) -> Identity {
    Identity { device: found.dev(), inode: found.ino() }
}
