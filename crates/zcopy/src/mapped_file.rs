//! A mapped region of a file that is sent, flushed and advised about, and never looked at.
//!
//! ```text
//!   MappedFile    no promise         sends, flush, advise            a file that shrinks is an error
//!   SteadyMap     cannot shrink      the same, and copies in and out  the kernel or the caller promises
//!                 + cannot change    the same, and a slice
//! ```
//!
//! A load from a page that a shrinking file took away kills the process (`SIGBUS`). Here there is none: by type, only
//! system calls get to know the address, and those answer `EFAULT`. Loads and stores are in
//! [`SteadyMap`](crate::SteadyMap).
//!
//! A map that is made, touched once and unmapped costs about 31 us, and a fault for every few pages on top: it pays for
//! regions that are kept mapped and sent again and again. From a warm map a send costs 0.5 to 0.6 times the CPU of
//! `sendfile` at 1 to 8 KiB, the same at 64 KiB, and 1.1 to 1.5 times at 256 KiB and more; from a map made for one
//! sending, 2 times.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::mm::Advice;

use crate::sys::FileMap;
use crate::{FileRange, MappedRange, start_writeback};

/// What a map is for. To write, its file must be open for reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(alias = "MapMode")]
pub enum MapAccess {
    /// Bytes are sent or loaded.
    #[default]
    Read,
    /// Bytes are stored as well.
    ReadWrite,
}

/// What is going to be done with a part of a map: `madvise(2)`,
/// <https://man7.org/linux/man-pages/man2/madvise.2.html>. Only ever a hint; no advice loses a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapAdvice {
    /// Nothing special; takes earlier advice back.
    Normal,
    /// From front to back: read further ahead, and let go early.
    Sequential,
    /// Here and there: read nothing ahead.
    Random,
    /// Soon: start reading now. Takes some 0.4 ms per cold MiB in the caller.
    #[doc(alias = "load")]
    WillNeed,
    /// Not for a while: let go of the page table entries. The page cache keeps its pages, see
    /// [`drop_pages()`](crate::drop_pages()).
    DontNeed,
}

/// A region of a file, mapped and shared with everybody who has the file open. Clones share the map, which goes away
/// with the last of them and of the [`MappedRange`]s cut from it; the file stays open until then.
///
/// Positions and lengths within the map are in bytes and count from its first one; page alignment is taken care of.
///
/// # Blocking
/// The first access to a page that is not in the page cache waits for the disk, inside of whatever system call makes
/// it, and no flag on a socket changes that. Ask [`residency()`](crate::residency()) first, or send from a thread that
/// may wait.
///
/// ```
/// use std::{fs::File, io::{Read, Write}, os::unix::net::UnixStream, sync::Arc};
/// use pagewire_zcopy::{FileRange, MapAccess, MappedFile};
///
/// let file = Arc::new(File::open("/proc/self/exe")?);
/// let map = MappedFile::new(&FileRange::new(file, 1, 3), MapAccess::Read)?;
/// let (from, mut to) = UnixStream::pair()?;
/// assert_eq!(map.part(0, map.len()).send_once(&from, false)?, 3);
/// let mut magic = [0; 3];
/// to.read_exact(&mut magic)?;
/// assert_eq!(&magic, b"ELF");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "MappedByteBuffer")]
#[doc(alias = "mmap")]
pub struct MappedFile {
    range: FileRange,
    map: Arc<FileMap>,
}

impl MappedFile {
    /// Maps `range`: `mmap(2)`, <https://man7.org/linux/man-pages/man2/mmap.2.html>. Reads nothing yet. The offset may
    /// be any; the file may be shorter than the range, which is found out by who sends it. An empty range maps nothing.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when the range ends behind 2^63 - 1 or is longer than the address space;
    /// [`io::ErrorKind::PermissionDenied`] when the file is not open for reading, or not for writing too where `access`
    /// asks for that, or is sealed against it; [`io::ErrorKind::OutOfMemory`] without address space or beyond
    /// `vm.max_map_count` maps; `ENODEV` for what cannot be mapped.
    #[doc(alias = "map")]
    #[doc(alias = "FileChannel.map")]
    #[doc(alias = "mmap")]
    pub fn new(range: &FileRange, access: MapAccess) -> io::Result<Self> {
        let write = access == MapAccess::ReadWrite;
        let map = FileMap::new(range.file().as_fd(), range.offset(), range.len(), write)?;
        Ok(Self::of(range.clone(), Arc::new(map)))
    }

    /// The face of `map`, which was made of `range`.
    pub(crate) fn of(range: FileRange, map: Arc<FileMap>) -> Self {
        Self { range, map }
    }

    /// What is mapped.
    pub fn range(&self) -> &FileRange {
        &self.range
    }

    /// Bytes mapped, as announced: the file may have fewer.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `len` bytes from `at`, both clamped to what is mapped: to be sent. Costs two reference counts.
    #[must_use]
    #[doc(alias = "slice")]
    pub fn part(&self, at: usize, len: usize) -> MappedRange {
        MappedRange::new(self.clone(), at, len)
    }

    /// Waits until what was stored to `len` bytes from `at`, by this map or any other way, is on stable storage:
    /// `msync(2)` with `MS_SYNC`, <https://man7.org/linux/man-pages/man2/msync.2.html>, which writes whole pages.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] beyond the map; `EIO` when the disk failed. The kernel may have dropped the
    /// pages that it could not write: a second call that succeeds proves nothing.
    #[doc(alias = "force")]
    #[doc(alias = "msync")]
    pub fn flush(&self, at: usize, len: usize) -> io::Result<()> {
        self.map.sync(at, len)
    }

    /// Starts writing the same out, and does not wait: [`start_writeback`]. (`msync` with `MS_ASYNC` does nothing at
    /// all since Linux 2.6.19.) Promises nothing.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] beyond the map; what `sync_file_range(2)` says, `ESPIPE` for what is no file.
    pub fn start_flush(&self, at: usize, len: usize) -> io::Result<()> {
        match at.checked_add(len) {
            // To the kernel no bytes would mean all.
            Some(end) if end <= self.len() && len == 0 => Ok(()),
            Some(end) if end <= self.len() => {
                start_writeback(self.range.file(), self.range.offset() + at as u64, len as u64)
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Tells the kernel what is going to be done with `len` bytes from `at`, whole pages.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] beyond the map; what `madvise(2)` says, which may be ignored.
    #[doc(alias = "madvise")]
    pub fn advise(&self, at: usize, len: usize, advice: MapAdvice) -> io::Result<()> {
        let advice = match advice {
            MapAdvice::Normal => Advice::Normal,
            MapAdvice::Sequential => Advice::Sequential,
            MapAdvice::Random => Advice::Random,
            MapAdvice::WillNeed => Advice::WillNeed,
            MapAdvice::DontNeed => Advice::LinuxDontNeed,
        };
        self.map.advise(at, len, advice)
    }

    pub(crate) fn map(&self) -> &FileMap {
        &self.map
    }
}
