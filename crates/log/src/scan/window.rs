//! A window that moves over a file: what a walk has read and not yet left behind.
//!
//! Every walk over a file of a log reads through one: batches ([`Scanner`](crate::scan::Scanner),
//! [`BatchWalk`](crate::files::BatchWalk), compaction's source) and entries of indexes. As long as the walk only moves
//! forward, each byte is read once. Memory: a chunk, or as many bytes as were needed at once.

use std::io;

use pagewire_disk::DiskFile;

use crate::patience::Patience;

/// Bytes of a file from a position on.
pub(crate) struct Window<'f> {
    file: &'f dyn DiskFile,
    start: u64,
    bytes: Vec<u8>,
    end: u64,
    chunk: usize,
    patience: Patience,
    read: u64,
}

impl<'f> Window<'f> {
    /// Over `file`, up to `end`. Reads `chunk` bytes at once, or what is needed if that is more.
    pub(crate) fn new(file: &'f dyn DiskFile, end: u64, chunk: usize) -> Self {
        Self { file, start: 0, bytes: Vec::new(), end, chunk, patience: Patience::Endless, read: 0 }
    }

    /// Reads no further than it may without waiting.
    pub(crate) fn with(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Another one over the same file.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.file, self.end, self.chunk).with(self.patience)
    }

    /// Reads so many bytes at once.
    pub(crate) fn reading(self, chunk: usize) -> Self {
        Self { chunk, ..self }
    }

    /// In memory that was another window's.
    pub(crate) fn in_memory(mut self, bytes: Vec<u8>) -> Self {
        self.bytes = bytes;
        self.bytes.clear();
        self
    }

    /// The memory, for another window.
    pub(crate) fn take_memory(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes it reads at once, where no more are needed.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk
    }

    /// So many were read by another one.
    pub(crate) fn add_read(&mut self, bytes: u64) {
        self.read += bytes;
    }

    /// Bytes read since the last call.
    pub(crate) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// The bytes from `position` on: at least `needed` of them, unless the file ends before. Lets go of what lies
    /// before.
    pub(crate) fn at(&mut self, position: u64, needed: usize) -> io::Result<&[u8]> {
        self.load(position, needed, self.chunk)
    }

    /// The same without reading ahead: what follows is passed over.
    pub(crate) fn only_at(&mut self, position: u64, needed: usize) -> io::Result<&[u8]> {
        self.load(position, needed, 0)
    }

    /// The same bytes once more, without reading.
    pub(crate) fn again(&self, position: u64, len: usize) -> Option<&[u8]> {
        let skip = usize::try_from(position.checked_sub(self.start)?).ok()?;
        self.bytes.get(skip..skip.checked_add(len)?)
    }

    /// CRC-32C of the bytes from `from` to `to`, of any number; `None` if the file ends before.
    pub(crate) fn crc(&mut self, from: u64, to: u64) -> io::Result<Option<u32>> {
        self.crc_on(0, from, to)
    }

    /// The same of bytes that follow others, whose CRC is `crc`.
    pub(crate) fn crc_on(&mut self, mut crc: u32, from: u64, to: u64) -> io::Result<Option<u32>> {
        let mut at = from;
        while at < to {
            let left = usize::try_from(to - at).unwrap_or(usize::MAX);
            let bytes = self.at(at, 1)?;
            let bytes = bytes.get(..left.min(bytes.len())).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(None);
            }
            crc = crc32c::crc32c_append(crc, bytes);
            at += bytes.len() as u64;
        }
        Ok(Some(crc))
    }

    /// Whether there is nothing but zeros from `from` to the end.
    pub(crate) fn only_zeros_from(&mut self, from: u64) -> io::Result<bool> {
        let mut at = from;
        while at < self.end {
            let bytes = self.at(at, 1)?;
            if bytes.is_empty() {
                break;
            }
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }

    fn load(&mut self, position: u64, needed: usize, ahead: usize) -> io::Result<&[u8]> {
        let needed = self.within(position, needed);
        let skip = position.checked_sub(self.start).map(|skip| usize::try_from(skip).unwrap_or(usize::MAX));
        match skip.filter(|skip| *skip <= self.bytes.len()) {
            Some(skip) if self.bytes.len() - skip >= needed => {
                return Ok(self.bytes.get(skip..).unwrap_or_default());
            }
            Some(skip) => drop(self.bytes.drain(..skip)),
            None => self.bytes.clear(),
        }
        self.start = position;
        self.fill(needed, self.within(position, needed.max(ahead)))?;
        Ok(&self.bytes)
    }

    /// No more than there are from `position` on.
    fn within(&self, position: u64, len: usize) -> usize {
        len.min(usize::try_from(self.end.saturating_sub(position)).unwrap_or(len))
    }

    /// Reads on until there are `wanted` bytes or the file ends; until there are `needed` if more would mean to wait.
    fn fill(&mut self, needed: usize, wanted: usize) -> io::Result<()> {
        let mut filled = self.bytes.len();
        self.bytes.resize(wanted.max(filled), 0);
        if self.chunk >= wanted {
            // One long batch does not make it long for ever.
            self.bytes.shrink_to(self.chunk);
        }
        while let Some(rest) = self.bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.patience.read_at(self.file, self.start + filled as u64, rest) {
                Ok(0) => break,
                Ok(read) => (filled, self.read) = (filled + read, self.read + read as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Ahead lies a page that is not there, and need not be.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && filled >= needed => break,
                Err(error) => {
                    self.bytes.clear();
                    return Err(error);
                }
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};

    use super::*;

    const CHUNK: usize = 4096;

    #[test]
    fn the_window_moves_forward_and_ends_with_the_file() {
        let disk = MemoryDisk::new();
        let file = disk.open(Path::new("f"), OpenMode::Create).expect("a file");
        let bytes: Vec<u8> = (0..CHUNK + 1000).map(|at| (at % 251) as u8).collect();
        file.write_at(0, &bytes).expect("written");
        let mut window = Window::new(&*file, bytes.len() as u64, CHUNK);
        assert_eq!(window.at(0, 10).expect("read").get(..10), bytes.get(..10));
        let middle = CHUNK - 5;
        assert_eq!(window.at(middle as u64, 100).expect("read").get(..100), bytes.get(middle..middle + 100));
        assert_eq!(window.again(middle as u64 + 1, 3), bytes.get(middle + 1..middle + 4));
        let tail = bytes.len() - 3;
        assert_eq!(window.at(tail as u64, 100).expect("read"), bytes.get(tail..).expect("a tail"));
        assert_eq!(window.at(bytes.len() as u64 + 7, 1).expect("read"), b"");
    }
    #[test]
    fn a_window_that_grew_for_a_long_piece_shrinks_and_counts_what_it_read_once() {
        let disk = MemoryDisk::new();
        let file = disk.open(Path::new("f"), OpenMode::Create).expect("a file");
        file.write_at(0, &vec![7; 20 * CHUNK]).expect("written");
        let mut window = Window::new(&*file, 20 * CHUNK as u64, CHUNK).in_memory(vec![1; 3]);
        assert_eq!(window.only_at(0, 61).expect("read"), [7; 61]);
        assert_eq!(window.at(0, 10 * CHUNK).expect("read").len(), 10 * CHUNK);
        assert_eq!(window.take_read(), 10 * CHUNK as u64);
        let whole = crc32c::crc32c(&vec![7; 20 * CHUNK]);
        assert_eq!(window.crc(0, 20 * CHUNK as u64).expect("read"), Some(whole));
        assert_eq!(window.take_read(), 10 * CHUNK as u64);
        assert!(window.take_memory().capacity() < 2 * CHUNK);
        assert_eq!(window.crc(0, 21 * CHUNK as u64).expect("read"), None, "the file is shorter");
    }
}
