//! Reads the batches of a closed segment whole, one after the other, through one buffer.
//!
//! Every batch is checked, CRC and all: what compaction writes anew gets a new CRC, which would make damage look good
//! for ever.

use pagewire_disk::DiskFile;
use pagewire_record::{BatchHeader, HEADER_LEN, batch::Batch, fits, header::CRC_START};

use super::error::{CleanError, corrupt};
use crate::scan::window::Window;
use crate::segment::{End, Segment};

/// The walk over a segment.
pub(super) struct Source<'s> {
    segment: &'s Segment,
    window: Window<'s>,
    end: End,
    /// Where the next batch begins.
    position: u64,
    expected: i64,
    /// A batch was met, or the first one is next: from there on nothing may be left out but what the segment may lack.
    begun: bool,
    /// Whose memory the window took, and gives back.
    buffer: &'s mut Vec<u8>,
}

impl<'s> Source<'s> {
    /// From `position` of the segment's file, where a batch begins. `buffer` is used again; it holds `chunk` bytes, or
    /// one batch if that is longer.
    pub(super) fn new(
        segment: &'s Segment,
        file: &'s dyn DiskFile,
        position: u64,
        buffer: &'s mut Vec<u8>,
        chunk: usize,
    ) -> Self {
        let end = segment.end();
        let window = Window::new(file, end.size, chunk).in_memory(std::mem::take(buffer));
        Self { segment, window, end, position, expected: segment.base_offset, begun: position == 0, buffer }
    }

    /// The next batch; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Batch<'_>>, CleanError> {
        let left = self.end.size.saturating_sub(self.position);
        if left == 0 {
            return self.nothing_is_lost(self.end.next_offset, self.segment.may_end_early()).map(|()| None);
        }
        let position = self.position;
        let header = BatchHeader::parse(self.load(HEADER_LEN)?)
            .map_err(|error| self.corrupt_at(position, &error.to_string()))?;
        let offsets = self.expected..self.end.next_offset;
        fits(&header, left, &offsets).map_err(|what| self.corrupt_at(position, &what))?;
        self.nothing_is_lost(header.base_offset, self.segment.holes_below() == i64::MAX)?;
        let size = header.size_in_bytes();
        // How long it is said to be is believed before memory is taken for it only where that is little.
        if size > self.window.chunk() as u64 && self.crc_of(size)? != Some(header.crc) {
            return Err(
                self.corrupt_at(position, "its crc does not match a batch as long as it is said to be")
            );
        }
        // Not longer than what is left of a file of at most 2 GiB.
        self.load(size as usize)?;
        self.position += size;
        (self.expected, self.begun) = (header.next_offset(), true);
        let bytes = self.window.again(position, size as usize).unwrap_or_default();
        let batch = Batch::first(bytes).map_err(|error| self.corrupt_at(position, &error.to_string()))?;
        batch.verify_crc().map_err(|error| self.corrupt_at(position, &error.to_string()))?;
        Ok(Some(batch))
    }

    /// The CRC of what would be the next batch, a chunk at a time.
    fn crc_of(&mut self, size: u64) -> Result<Option<u32>, CleanError> {
        let segment = self.segment;
        let mut aside = self.window.another();
        let crc = aside.crc(self.position + CRC_START as u64, self.position + size);
        self.window.add_read(aside.take_read());
        crc.map_err(|error| {
            segment.suspected();
            CleanError::reading(segment.path())(error)
        })
    }

    /// What is missing before `offset` may be, or nothing is. What is known to be lost may not, whatever else may.
    fn nothing_is_lost(&self, offset: i64, may_be_missing: bool) -> Result<(), CleanError> {
        if !self.begun || offset <= self.expected {
            return Ok(());
        }
        if may_be_missing && !self.segment.damage.lacks(self.position, &(self.expected..offset)) {
            return Ok(());
        }
        let what = format!("offsets {} to {} are missing", self.expected, offset - 1);
        Err(self.corrupt_at(self.position, &what))
    }

    /// Bytes read since the last call.
    pub(super) fn take_read(&mut self) -> u64 {
        self.window.take_read()
    }

    /// Where the batch after the last one begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Where the next batch begins; `needed` bytes of it, or all that are left.
    fn load(&mut self, needed: usize) -> Result<&[u8], CleanError> {
        let segment = self.segment;
        self.window.at(self.position, needed).map_err(|error| {
            segment.suspected();
            CleanError::reading(segment.path())(error)
        })
    }

    /// A batch that cannot be believed.
    fn corrupt_at(&self, position: u64, reason: &str) -> CleanError {
        corrupt(self.segment, position, reason)
    }
}

impl Drop for Source<'_> {
    fn drop(&mut self) {
        *self.buffer = self.window.take_memory();
    }
}
