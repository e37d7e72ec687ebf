//! Loads from and stores to a mapped file, behind the promise that it cannot shrink.
//!
//! Others may change a shared map at any time: processes, system calls, another map of the same file, in another thread
//! of this process. So bytes are copied out and in by relaxed atomic accesses, and no reference to them as bytes
//! exists.
//!
//! ```text
//!   words   |.......#|########|########|##......|      # = bytes asked for
//!   load      whole     whole    whole    whole        and what was not asked for is forgotten
//!   store     changed   written  written  changed      in one atomic step each, so that neighbours stay what they are
//! ```
//!
//! All accesses are of whole, aligned words, because atomic accesses of different sizes to the same bytes race as plain
//! ones do. A word lies within one page, so the first and the last one are mapped whole. Only a file that the kernel
//! has sealed against writing as well is lent out as a slice.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{FileMap, SteadyFile};

/// A word of a copy.
const WORD: usize = size_of::<usize>();

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
    pub(crate) fn load(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
        let mut words = self.words(at, into.len())?;
        let mut rest = into;
        while let Some((word, skip, len)) = words.next(rest.len()) {
            let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
            let (part, behind) = rest.split_at_mut(len);
            part.copy_from_slice(bytes.get(skip..skip + len).unwrap_or_default());
            rest = behind;
        }
        Ok(())
    }

    /// Copies all of `bytes` to `at`.
    pub(crate) fn store(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut words = self.words(at, bytes.len())?;
        let mut rest = bytes;
        while let Some((word, skip, len)) = words.next(rest.len()) {
            let (part, behind) = rest.split_at(len);
            if let Ok(whole) = part.try_into() {
                word.store(usize::from_ne_bytes(whole), Ordering::Relaxed);
            } else {
                change(word, skip, part);
            }
            rest = behind;
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

    /// The words that hold `len` bytes from `at`, when those are mapped.
    fn words(&self, at: usize, len: usize) -> io::Result<Words<'_>> {
        match at.checked_add(len) {
            Some(end) if end <= self.map.len() => Ok(Words { map: &self.map, at }),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// The words of a map, one after the other; `at` and what is asked for of it has been checked.
struct Words<'a> {
    map: &'a FileMap,
    at: usize,
}

impl<'a> Words<'a> {
    /// The word of the next byte, where that stands in it, and how many of the `left` bytes are in it. `None`: none are
    /// left.
    fn next(&mut self, left: usize) -> Option<(&'a AtomicUsize, usize, usize)> {
        if left == 0 {
            return None;
        }
        let address = self.map.address(self.at);
        let skip = address.addr() % WORD;
        let len = left.min(WORD - skip);
        self.at += len;
        // SAFETY: `words` has checked that the byte at `address` is mapped, and the promise keeps its page there for as
        // long as the map, which is borrowed, lives. Pages begin and end with words, so the word around it is mapped as
        // well, and aligned. Everybody in this process accesses it atomically and in this size. In a map that was made
        // to read it is only loaded, relaxed and no wider than a register, which the standard library allows of memory
        // that is read-only.
        let word = unsafe { AtomicUsize::from_ptr(address.wrapping_sub(skip).cast()) };
        Some((word, skip, len))
    }
}

/// Changes the bytes of `word` from `skip` on to `part`, and no others, whoever changes those meanwhile.
fn change(word: &AtomicUsize, skip: usize, part: &[u8]) {
    let change = |old: usize| {
        let mut bytes = old.to_ne_bytes();
        bytes.get_mut(skip..skip + part.len())?.copy_from_slice(part);
        Some(usize::from_ne_bytes(bytes))
    };
    // Never refused: a part lies within its word.
    let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
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

    /// Would fail if a store to a part of a word wrote the rest of it back as it was.
    #[test]
    fn two_maps_in_two_threads_keep_off_each_other_within_one_word() {
        const ROUNDS: u32 = 50_000;
        let file = SteadyFile::memory("words", 4096).expect("a memfd");
        std::thread::scope(|scope| {
            for at in [16, 19] {
                let mut map = LoadableMap::new(&file, at, 3, true).expect("a map");
                scope.spawn(move || {
                    let mut seen = [0; 3];
                    for round in 0..ROUNDS {
                        let [_, bytes @ ..] = round.to_be_bytes();
                        map.store(0, &bytes).expect("storing");
                        map.load(0, &mut seen).expect("loading");
                        assert_eq!(seen, bytes);
                    }
                });
            }
        });
        let mut bytes = [0; 8];
        file.file().read_exact_at(&mut bytes, 16).expect("reading");
        let [_, a, b, c] = (ROUNDS - 1).to_be_bytes();
        assert_eq!(bytes, [a, b, c, a, b, c, 0, 0]);
    }
}
