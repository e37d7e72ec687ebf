//! A stretch of an open file: the bytes are named, not carried.
//!
//! A range keeps its file open. The name may be unlinked while a range is on its way; the bytes stay readable
//! until the last range is dropped. Nothing here checks that the file is long enough: that is found out when
//! the range is sent or read.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::os;

/// `len` bytes of `file` from `offset`. Cloning costs one reference count. The file stays open as long as a range of it
/// is there, also when its name is gone.
///
/// ```
/// use pagewire_zcopy::FileRange;
///
/// # let file = std::fs::File::open(std::env::current_exe()?)?;
/// let mut range = FileRange::new(std::sync::Arc::new(file), 1000, 500);
/// let head = range.split_to(200);
/// assert_eq!((head.offset(), head.len()), (1000, 200));
/// assert_eq!((range.offset(), range.len()), (1200, 300));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "FileRegion")]
pub struct FileRange {
    file: Arc<File>,
    offset: u64,
    len: u64,
}

impl FileRange {
    /// Names `len` bytes of `file` from byte `offset`. No system call is made.
    pub fn new(file: Arc<File>, offset: u64, len: u64) -> Self {
        Self { file, offset, len }
    }

    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The first byte's position in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Cuts the first `n` bytes off and returns them; `self` keeps the rest. An `n` beyond the end takes all.
    #[must_use = "the bytes cut off are only in the range returned"]
    pub fn split_to(&mut self, n: u64) -> Self {
        let n = n.min(self.len);
        let head = Self { file: Arc::clone(&self.file), offset: self.offset, len: n };
        self.offset = self.offset.saturating_add(n);
        self.len -= n;
        head
    }

    /// A part of this range: `len` bytes from `skip` bytes after its start, both clamped to what is there.
    #[must_use]
    pub fn part(&self, skip: u64, len: u64) -> Self {
        let skip = skip.min(self.len);
        Self {
            file: Arc::clone(&self.file),
            offset: self.offset.saturating_add(skip),
            len: len.min(self.len - skip),
        }
    }

    /// Reads the whole range into memory: for tools and tests, not for a sending path.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the file ends first, and what `pread(2)` reports. Memory is taken
    /// as bytes arrive, so a range much longer than its file costs no more than the file.
    pub fn read_to_vec(&self) -> io::Result<Vec<u8>> {
        const STEP: u64 = 1 << 20;
        let mut bytes = Vec::new();
        let mut done = 0;
        while done < self.len {
            let step = STEP.min(self.len - done) as usize;
            let from = bytes.len();
            bytes.resize(from + step, 0);
            let Some(free) = bytes.get_mut(from..) else { break };
            self.read_exact(free, done)?;
            done += step as u64;
        }
        Ok(bytes)
    }

    /// Fills `into` with the bytes from `skip` bytes after the start.
    fn read_exact(&self, mut into: &mut [u8], mut skip: u64) -> io::Result<()> {
        while !into.is_empty() {
            match os::read(os::file_ref(&self.file), into, self.offset.saturating_add(skip)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    into = into.get_mut(n..).unwrap_or_default();
                    skip += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
