//! A window that moves forward over a file: what a walk has read and not yet left behind.

use std::io;

use pagewire_disk::DiskFile;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// Bytes of a file from a position on. Each is read once, as long as whoever walks only moves forward.
pub(super) struct Window<'f> {
    file: &'f dyn DiskFile,
    start: u64,
    bytes: Vec<u8>,
    end: u64,
}

impl<'f> Window<'f> {
    /// Over `file`, up to `end`.
    pub(super) fn new(file: &'f dyn DiskFile, end: u64) -> Self {
        Self { file, start: 0, bytes: Vec::new(), end }
    }

    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The bytes from `position` on: at least `needed` of them, unless the file ends before. Lets go of what lies before.
    pub(super) fn at(&mut self, position: u64, needed: usize) -> io::Result<&[u8]> {
        let needed = needed.min(usize::try_from(self.end.saturating_sub(position)).unwrap_or(needed));
        let skip = position.checked_sub(self.start).map(|skip| usize::try_from(skip).unwrap_or(usize::MAX));
        match skip.filter(|skip| *skip <= self.bytes.len()) {
            Some(skip) if self.bytes.len() - skip >= needed => {
                return Ok(self.bytes.get(skip..).unwrap_or_default());
            }
            Some(skip) => drop(self.bytes.drain(..skip)),
            None => self.bytes.clear(),
        }
        self.start = position;
        self.fill(needed.max(CHUNK))?;
        Ok(&self.bytes)
    }

    /// The same bytes once more, without reading.
    pub(super) fn again(&self, position: u64, len: usize) -> Option<&[u8]> {
        let skip = usize::try_from(position.checked_sub(self.start)?).ok()?;
        self.bytes.get(skip..skip.checked_add(len)?)
    }

    /// Reads on until there are `wanted` bytes or the file ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let wanted = wanted.min(usize::try_from(self.end.saturating_sub(self.start)).unwrap_or(wanted));
        let mut filled = self.bytes.len();
        self.bytes.resize(wanted.max(filled), 0);
        while let Some(rest) = self.bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(self.start + filled as u64, rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
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

    #[test]
    fn the_window_moves_forward_and_ends_with_the_file() {
        let disk = MemoryDisk::new();
        let file = disk.open(Path::new("f"), OpenMode::Create).expect("a file");
        let bytes: Vec<u8> = (0..CHUNK + 1000).map(|at| (at % 251) as u8).collect();
        file.write_at(0, &bytes).expect("written");
        let mut window = Window::new(&*file, bytes.len() as u64);
        assert_eq!(window.at(0, 10).expect("read").get(..10), bytes.get(..10));
        let middle = CHUNK - 5;
        assert_eq!(window.at(middle as u64, 100).expect("read").get(..100), bytes.get(middle..middle + 100));
        assert_eq!(window.again(middle as u64 + 1, 3), bytes.get(middle + 1..middle + 4));
        let tail = bytes.len() - 3;
        assert_eq!(window.at(tail as u64, 100).expect("read"), bytes.get(tail..).expect("a tail"));
        assert_eq!(window.at(bytes.len() as u64 + 7, 1).expect("read"), b"");
    }
}
