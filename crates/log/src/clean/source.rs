//! Reads the batches of a closed segment whole, one after the other, through one buffer.
//!
//! Every batch is checked, CRC and all: what compaction writes anew gets a new CRC, which would make damage look good for
//! ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::DiskFile;
use pagewire_record::{BatchHeader, HEADER_LEN, batch::Batch};

use super::error::{CleanError, corrupt};
use crate::segment::{End, Segment};

/// The walk over a segment.
pub(super) struct Source<'s> {
    segment: &'s Segment,
    file: Arc<dyn DiskFile>,
    end: End,
    /// Where the next batch begins.
    position: u64,
    expected: i64,
    buffer: &'s mut Vec<u8>,
    buffer_start: u64,
    chunk: usize,
    /// Bytes read since somebody asked.
    read: u64,
}

impl<'s> Source<'s> {
    /// From `position`, where a batch begins. `buffer` is used again; it holds `chunk` bytes, or one batch if that is longer.
    pub(super) fn new(
        segment: &'s Segment,
        position: u64,
        buffer: &'s mut Vec<u8>,
        chunk: usize,
    ) -> Result<Self, CleanError> {
        let file = segment.file().map_err(CleanError::reading(segment.path()))?;
        buffer.clear();
        let (end, expected) = (segment.end(), segment.base_offset);
        Ok(Self { segment, file, end, position, expected, buffer, buffer_start: position, chunk, read: 0 })
    }

    /// The next batch; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Batch<'_>>, CleanError> {
        let left = self.end.size.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        self.load(HEADER_LEN.min(usize::try_from(left).unwrap_or(HEADER_LEN)))?;
        let header = BatchHeader::parse(self.loaded()).map_err(|error| self.corrupt(&error.to_string()))?;
        self.check_place(&header, left)?;
        // Not longer than what is left of a file of at most 2 GiB.
        self.load(header.size_in_bytes() as usize)?;
        let position = self.position;
        self.position += header.size_in_bytes();
        self.expected = header.next_offset();
        let batch =
            Batch::first(self.at(position)).map_err(|error| self.corrupt_at(position, &error.to_string()))?;
        batch.verify_crc().map_err(|error| self.corrupt_at(position, &error.to_string()))?;
        Ok(Some(batch))
    }

    /// Bytes read since the last call.
    pub(super) fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// Where the batch after the last one begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    fn check_place(&self, header: &BatchHeader, left: u64) -> Result<(), CleanError> {
        let (base, delta) = (header.base_offset, i64::from(header.last_offset_delta));
        if header.size_in_bytes() > left {
            return Err(
                self.corrupt(&format!("a batch of {} bytes with {left} left", header.size_in_bytes()))
            );
        }
        let next = base.checked_add(delta + 1);
        if base < self.expected || delta < 0 || next.is_none_or(|next| next > self.end.next_offset) {
            let (expected, end) = (self.expected, self.end.next_offset);
            return Err(
                self.corrupt(&format!("a batch of offsets {base} + {delta} between {expected} and {end}"))
            );
        }
        Ok(())
    }

    /// Makes sure that `needed` bytes from the position on are in the buffer.
    fn load(&mut self, needed: usize) -> Result<(), CleanError> {
        if self.loaded().len() >= needed {
            return Ok(());
        }
        let left = usize::try_from(self.end.size - self.position).unwrap_or(usize::MAX);
        let wanted = self.chunk.max(needed).min(left);
        let skip = ((self.position - self.buffer_start) as usize).min(self.buffer.len());
        self.buffer.drain(..skip);
        self.buffer_start = self.position;
        let mut filled = self.buffer.len();
        self.buffer.resize(wanted.max(filled), 0);
        while let Some(rest) = self.buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(self.position + filled as u64, rest) {
                Ok(0) => break,
                Ok(read) => (filled, self.read) = (filled + read, self.read + read as u64),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.segment.suspect.store(true, Ordering::Relaxed);
                    return Err(CleanError::reading(self.segment.path())(error));
                }
            }
        }
        self.buffer.truncate(filled);
        if self.chunk >= wanted {
            // One long batch does not make it long for ever.
            self.buffer.shrink_to(self.chunk);
        }
        if filled < needed { Err(self.corrupt("the file is shorter than its length")) } else { Ok(()) }
    }

    fn loaded(&self) -> &[u8] {
        self.at(self.position)
    }

    fn at(&self, position: u64) -> &[u8] {
        self.buffer.get((position - self.buffer_start) as usize..).unwrap_or_default()
    }

    fn corrupt(&self, reason: &str) -> CleanError {
        self.corrupt_at(self.position, reason)
    }

    /// A batch that cannot be believed.
    pub(super) fn corrupt_at(&self, position: u64, reason: &str) -> CleanError {
        corrupt(self.segment, position, reason)
    }
}
