//! The two traits. All calls block; callers on an event loop hand them to a thread of their own.
//!
//! Durability is spelled out: bytes survive a power cut after [`DiskFile::sync_data`], a name (created, renamed,
//! removed) after [`Disk::sync_dir`] on the directory that holds it. Nothing else promises anything.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// How a file is opened. There is no truncating mode: a log never forgets by being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing file, reads only.
    Read,
    /// Existing file, reads and writes.
    ReadWrite,
    /// Reads and writes; made empty if it does not exist.
    Create,
    /// Reads and writes; `AlreadyExists` if it exists.
    CreateNew,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// File name without its directory. Names that are not UTF-8 are not listed: nothing of ours has one.
    pub name: String,
    /// A directory (symbolic links are followed).
    pub is_dir: bool,
}

/// What the file system holding a path has, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Size of the file system.
    pub total_bytes: u64,
    /// What an unprivileged process can still write.
    pub usable_bytes: u64,
}

/// What tells a directory or a file from every other one, whatever its name: its device and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// A file system, or something that behaves like one.
pub trait Disk: Send + Sync + Debug {
    /// Makes a directory and its missing parents. Fine if it is there already. See also
    /// [`create_dir_durably`](crate::create_dir_durably).
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory. `AlreadyExists` if anything of that name is there.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Names in a directory, sorted.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// Opens a file. `NotFound`, `AlreadyExists`, `IsADirectory` as the operating system says.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file or directory, replacing a file at `to`. Atomic, durable after `sync_dir` of the parents.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Open handles and ranges on it stay readable.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory with everything below it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// fsync of the directory: names created, renamed or removed in it survive a power cut from here on.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Whether anything has this name.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Length in bytes of the file of this name, without opening it. `NotFound`, `IsADirectory`.
    #[doc(alias = "stat")]
    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.open(path, OpenMode::Read)?.len()
    }

    /// All bytes of the file of this name, in as few calls as can be. `NotFound`, `IsADirectory`; `FileTooLarge` if it
    /// has more than `max_bytes`.
    fn read_whole(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let mut bytes = vec![0; whole_len(file.len()?, max_bytes)?];
        file.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// What has this name now; `None` on disks that know no such thing.
    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        let _ = path;
        Ok(None)
    }

    /// Size and usable bytes of the file system that holds `path` (which must exist).
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Bytes that can still be written to the file system that holds `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        Ok(self.space(path)?.usable_bytes)
    }

    /// Whether so much is dirty that [`start_writeback`](DiskFile::start_writeback) is better called for what nobody has to be
    /// stable yet: before the kernel begins by itself, and holds up who writes.
    fn is_writeback_due(&self) -> bool {
        true
    }
}

/// The length of a file that is read whole.
pub(crate) fn whole_len(len: u64, max_bytes: u64) -> io::Result<usize> {
    let fits = usize::try_from(len).ok().filter(|_| len <= max_bytes);
    fits.ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}

/// An open file. Offsets are bytes from its start; there is no file cursor, so one handle serves many threads.
pub trait DiskFile: Send + Sync + Debug {
    /// The descriptor behind it, for file ranges. Only read through it: writes that go around this trait are
    /// invisible to the failing and forgetting disks.
    fn file(&self) -> &Arc<File>;

    /// Length in bytes. Preallocated space does not count.
    fn len(&self) -> io::Result<u64>;

    /// Whether the length is zero.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// One positioned read; fewer bytes than asked at the end of the file, 0 past it.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// [`read_at`](Self::read_at) of what can be had without waiting for a device. `WouldBlock`: not even the first
    /// byte; fewer bytes than asked: the file, or what the cache holds of it, ends there. Waits after all where the
    /// kernel or the file system cannot tell (Linux before 4.14, FUSE, NFS).
    #[doc(alias = "RWF_NOWAIT")]
    fn read_at_nowait(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Fills `buffer`, or fails with `UnexpectedEof`.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_at(offset + filled as u64, rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all slices one after the other from `offset` on, in one system call unless the kernel takes fewer
    /// bytes. After an error any prefix may have been written: cut the file back before trusting its length.
    fn write_all_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()>;

    /// [`write_all_at`](Self::write_all_at) of one slice.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(offset, &[IoSlice::new(bytes)])
    }

    /// Cuts or grows (with zeros) to `len` bytes; space preallocated beyond it is given back.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// fdatasync: the bytes and the length survive a power cut. After a failure nothing written since the last
    /// success can be trusted, and calling it again proves nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// fsync: as [`sync_data`](Self::sync_data), and times and permissions too.
    fn sync_all(&self) -> io::Result<()>;

    /// Reserves blocks for `offset..offset + len` without changing the visible length (fallocate KEEP_SIZE).
    /// `Unsupported` where the file system cannot; that is not a fault.
    fn preallocate(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Asks the kernel to start writing dirty pages of the range, so that a later sync has less to do. Advice
    /// only: it promises nothing and may do nothing.
    fn start_writeback(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Gives the file one more name, on the same file system. The file is that of this handle, whatever has its name by
    /// now; `NotFound` if it has none. An error where that is not to be had: copy instead.
    #[doc(alias = "link")]
    fn hard_link(&self, path: &Path) -> io::Result<()> {
        let _ = path;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// How many names the file has; 0 also where files have no such number.
    #[doc(alias = "st_nlink")]
    fn names(&self) -> io::Result<u64> {
        Ok(self.file().metadata()?.nlink())
    }

    /// What the file is, whatever its name; `None` on disks that know no such thing.
    fn identity(&self) -> io::Result<Option<Identity>> {
        Ok(None)
    }

    /// Whether the file had a name and has none any more: what is written to it goes with the process. `false` also where nobody
    /// can tell.
    fn is_nameless(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Makes this file, which is empty, share all blocks of `source` until either changes them. An error where the file
    /// system cannot: copy instead.
    #[doc(alias = "FICLONE")]
    fn share_blocks_of(&self, source: &dyn DiskFile) -> io::Result<()> {
        let _ = source;
        Err(io::ErrorKind::Unsupported.into())
    }
}
