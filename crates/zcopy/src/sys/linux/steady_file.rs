//! The promise that a file cannot shrink, as a type.
//!
//! `fcntl(2)` with `F_GET_SEALS` asks the kernel for it; for files that cannot be sealed the caller may give his word,
//! which nothing can check: that is the one `unsafe fn` of this crate's interface.
//! <https://man7.org/linux/man-pages/man2/fcntl_sealing.2.html>

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstatfs, memfd_create};

/// `f_type` of a file system of huge pages: a page of it may be missing when it is touched, sealed or not.
const HUGETLBFS: u64 = 0x9584_58f6;

/// A file that cannot shrink: what [`SteadyMap`](crate::SteadyMap) asks for before it loads or stores.
///
/// ```
/// use std::sync::Arc;
/// use pagewire_zcopy::SteadyFile;
///
/// let sealed = SteadyFile::memory("scratch", 8192)?;
/// assert_eq!(sealed.file().metadata()?.len(), 8192);
/// assert!(sealed.file().set_len(4096).is_err(), "the kernel holds the promise");
///
/// let ordinary = Arc::new(std::fs::File::open("/proc/self/exe")?);
/// assert!(SteadyFile::sealed(ordinary).is_err(), "nothing keeps an ordinary file from shrinking");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SteadyFile {
    file: Arc<File>,
    frozen: bool,
}

impl SteadyFile {
    /// Takes a file that is sealed against shrinking (`F_SEAL_SHRINK`): the kernel keeps the promise, and a seal is
    /// never taken off again. Only files of `memfd_create(2)` can be sealed.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] when the seal is missing, [`io::ErrorKind::Unsupported`] for a file of
    /// `hugetlbfs` (a page of it may be missing whatever its length), and what `fcntl(2)` says: `EINVAL` for a file
    /// that cannot be sealed.
    #[doc(alias = "F_SEAL_SHRINK")]
    pub fn sealed(file: Arc<File>) -> io::Result<Self> {
        let seals = fcntl_get_seals(file.as_fd())?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        if fstatfs(file.as_fd())?.f_type as u64 == HUGETLBFS {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self { file, frozen: seals.contains(SealFlags::WRITE) })
    }

    /// Makes a file of `len` zero bytes in memory, sealed against shrinking. `name` is shown in `/proc/self/maps` and
    /// need not be unique. Memory is taken page by page, as pages are written.
    ///
    /// # Errors
    /// What `memfd_create(2)` and `ftruncate(2)` say.
    #[doc(alias = "memfd_create")]
    pub fn memory(name: &str, len: u64) -> io::Result<Self> {
        let file = File::from(memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        file.set_len(len)?;
        fcntl_add_seals(&file, SealFlags::SHRINK)?;
        Self::sealed(Arc::new(file))
    }

    /// Takes the caller's word for a file that cannot be sealed.
    ///
    /// # Safety
    /// For as long as a map of this file lives, no process and no disk may take a page of it away:
    /// * it is not truncated below its present length, by nobody (write permission to others is reason to doubt);
    /// * reading it does not fail: after `EIO` a load is `SIGBUS`. A network file system cannot promise that;
    /// * stores go where blocks are reserved (see [`preallocate()`](crate::preallocate())), else a full disk is
    ///   `SIGBUS`.
    ///
    /// Bytes may change at any time: they are never lent out as a slice.
    pub unsafe fn assume(file: Arc<File>) -> Self {
        Self { file, frozen: false }
    }

    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Whether its bytes cannot change either (`F_SEAL_WRITE`), which was so when this was made.
    #[doc(alias = "F_SEAL_WRITE")]
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }
}
