//! A mapped region of a file that cannot shrink: bytes may be copied out and in.

use std::io;

use crate::sys::{LoadableMap, SteadyFile};
use crate::{FileRange, MapAccess, MappedFile};

/// A mapped region of a [`SteadyFile`]. It can do what a [`MappedFile`] can ([`mapped`](Self::mapped)), and load and
/// store.
///
/// Bytes are copied, and not lent out: other processes may write to the file at any time, so what was read twice may
/// differ, and a copy made during a store elsewhere may hold some of both. What the kernel has frozen
/// ([`SteadyFile::is_frozen`]) is lent out too.
///
/// # Blocking
/// A load or store of a page that is not in memory waits for the disk: keep it off an event loop, unless the file is in
/// memory anyway.
///
/// ```
/// use pagewire_zcopy::{MapAccess, SteadyFile, SteadyMap};
///
/// let file = SteadyFile::memory("counters", 4096)?;
/// let mut map = SteadyMap::new(&file, 100, 8, MapAccess::ReadWrite)?;
/// map.write_at(&7_u64.to_be_bytes(), 0)?;
///
/// let mut seen = [0; 8];
/// SteadyMap::new(&file, 0, 4096, MapAccess::Read)?.read_at(&mut seen, 100)?;
/// assert_eq!(u64::from_be_bytes(seen), 7);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "MappedByteBuffer")]
pub struct SteadyMap {
    loads: LoadableMap,
    mapped: MappedFile,
}

impl SteadyMap {
    /// Maps `len` bytes of `file` from `offset`, which may be any. A `len` of zero maps nothing.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the file is shorter; else as [`MappedFile::new`]. Before Linux 6.7 a
    /// frozen file is [`io::ErrorKind::PermissionDenied`] unless it is open for reading only.
    pub fn new(file: &SteadyFile, offset: u64, len: u64, access: MapAccess) -> io::Result<Self> {
        let loads = LoadableMap::new(file, offset, len, access == MapAccess::ReadWrite)?;
        let range = FileRange::new(file.file().clone(), offset, len);
        let mapped = MappedFile::of(range, loads.map().clone());
        Ok(Self { loads, mapped })
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.mapped.len()
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.mapped.is_empty()
    }

    /// The same map, to be sent, flushed or advised about. It may outlive `self`.
    pub fn mapped(&self) -> &MappedFile {
        &self.mapped
    }

    /// Copies the bytes from `at` on into all of `into`.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when that reaches beyond the map; nothing is copied then.
    #[doc(alias = "get")]
    pub fn read_at(&self, into: &mut [u8], at: usize) -> io::Result<()> {
        self.loads.load(at, into)
    }

    /// Copies all of `bytes` to `at`. They are in the page cache then; [`MappedFile::flush`] makes them stable.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when that reaches beyond the map, [`io::ErrorKind::PermissionDenied`] for a map
    /// that was made to read; nothing is copied then.
    #[doc(alias = "put")]
    pub fn write_at(&mut self, bytes: &[u8], at: usize) -> io::Result<()> {
        self.loads.store(at, bytes)
    }

    /// All bytes, without a copy, where the kernel forbids everybody to change them: [`SteadyFile::is_frozen`].
    pub fn as_slice(&self) -> Option<&[u8]> {
        self.loads.as_slice()
    }
}
