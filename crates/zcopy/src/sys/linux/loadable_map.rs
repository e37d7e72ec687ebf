//! Loads from and stores to a mapped file, behind the promise that it cannot shrink.
//!
//! Others may change a shared map at any time: processes, system calls, another map of the same file. So bytes are
//! copied out and in by volatile accesses, which the compiler neither repeats nor leaves out, and no reference to them
//! exists. Within one map `&mut self` keeps stores apart from loads. Only a file that the kernel has sealed against
//! writing as well is lent out as a slice.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::{FileMap, SteadyFile};

/// A word of a copy.
const WORD: usize = size_of::<u64>();

/// A map all of whose bytes are, and stay, within the file.
#[derive(Debug)]
pub(crate) struct LoadableMap {
    map: Arc<FileMap>,
    writable: bool,
    frozen: bool,
}

impl LoadableMap {
    /// Maps `len` bytes from `offset`, all of which the file must have.
    pub(crate) fn new(file: &SteadyFile, offset: u64, len: u64, write: bool) -> io::Result<Self> {
        let end = offset.checked_add(len).ok_or(io::ErrorKind::InvalidInput)?;
        if end > file.file().metadata()?.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let map = Arc::new(FileMap::new(file.file().as_fd(), offset, len, write)?);
        Ok(Self { map, writable: write, frozen: file.is_frozen() })
    }

    pub(crate) fn map(&self) -> &Arc<FileMap> {
        &self.map
    }

    /// Copies the bytes from `at` on into all of `into`.
    #[expect(clippy::cast_ptr_alignment, reason = "the head ends where a word may begin")]
    pub(crate) fn load(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
        let mut from = self.checked(at, into.len())?.cast_const();
        let (head, words) = into.split_at_mut(from.align_offset(WORD).min(into.len()));
        let (words, tail) = words.as_chunks_mut::<WORD>();
        for byte in head {
            // SAFETY: `checked`: as many bytes as `into` has are mapped from `from` on, and the promise keeps them there.
            (*byte, from) = unsafe { (from.read_volatile(), from.add(1)) };
        }
        for word in words {
            // SAFETY: as above; `from` is aligned to a word behind the head.
            *word = unsafe { from.cast::<u64>().read_volatile() }.to_ne_bytes();
            from = from.wrapping_add(WORD);
        }
        for byte in tail {
            // SAFETY: as above.
            (*byte, from) = unsafe { (from.read_volatile(), from.add(1)) };
        }
        Ok(())
    }

    /// Copies all of `bytes` to `at`.
    #[expect(clippy::cast_ptr_alignment, reason = "the head ends where a word may begin")]
    pub(crate) fn store(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut to = self.checked(at, bytes.len())?;
        let (head, words) = bytes.split_at(to.align_offset(WORD).min(bytes.len()));
        let (words, tail) = words.as_chunks::<WORD>();
        for &byte in head {
            // SAFETY: `checked`: as many bytes as `bytes` has are mapped from `to` on, writable, and the promise keeps
            // them there; nobody else in this process accesses them by this map, which is borrowed mutably.
            to = unsafe {
                to.write_volatile(byte);
                to.add(1)
            };
        }
        for &word in words {
            // SAFETY: as above; `to` is aligned to a word behind the head.
            unsafe { to.cast::<u64>().write_volatile(u64::from_ne_bytes(word)) };
            to = to.wrapping_add(WORD);
        }
        for &byte in tail {
            // SAFETY: as above.
            to = unsafe {
                to.write_volatile(byte);
                to.add(1)
            };
        }
        Ok(())
    }

    /// All bytes, if the kernel keeps them as they are.
    pub(crate) fn as_slice(&self) -> Option<&[u8]> {
        // SAFETY: F_SEAL_WRITE forbids writes, holes and writable maps, and is refused while one exists; F_SEAL_SHRINK
        // keeps the length. Neither is ever taken off. So these are initialised, immutable bytes for as long as the map
        // lives; an empty map's address is dangling, which is right for an empty slice.
        self.frozen.then(|| unsafe { std::slice::from_raw_parts(self.map.address(0), self.map.len()) })
    }

    /// The address of `at`, when `len` bytes are mapped from there.
    fn checked(&self, at: usize, len: usize) -> io::Result<*mut u8> {
        match at.checked_add(len) {
            Some(end) if end <= self.map.len() => Ok(self.map.address(at)),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn an_ordinary_file_is_loaded_and_stored_where_the_caller_gives_his_word() {
        let file = Arc::new(tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a temporary file"));
        file.write_all_at(&[7; 5000], 0).expect("writing");
        // SAFETY: the file has no name, nobody else has it open, and this test does not cut it.
        let steady = unsafe { SteadyFile::assume(Arc::clone(&file)) };
        let mut map = LoadableMap::new(&steady, 4090, 910, true).expect("a map");
        map.store(3, b"across the page").expect("storing");
        map.map().sync(3, 15).expect("flushing");
        let (mut loaded, mut read) = ([0; 20], [0; 20]);
        map.load(0, &mut loaded).expect("loading");
        file.read_exact_at(&mut read, 4090).expect("reading");
        assert_eq!(
            (&loaded[..], &loaded[..]),
            (b"\x07\x07\x07across the page\x07\x07".as_slice(), &read[..])
        );
        assert!(map.as_slice().is_none(), "it may change");
    }
}
