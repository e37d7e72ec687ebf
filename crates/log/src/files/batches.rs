//! A walk over the batches of a `.log` that says what is there rather than what should be.
//!
//! A batch with a wrong CRC is shown with the one it has, and the walk goes on behind it; only bytes that begin no batch
//! stop it. Whoever knows a place to go on (an index entry) says so.

use std::io;
use std::ops::RangeInclusive;

use pagewire_disk::DiskFile;
use pagewire_record::header::CRC_START;
use pagewire_record::{BatchError, BatchHeader, HEADER_LEN, MAGIC};

use super::CHUNK;
use crate::scan::window::Window;

/// Longer batches are checked without being kept in memory, unless told otherwise.
const KEPT_MAX: usize = 256 << 10;

/// Where a header has its magic.
const MAGIC_AT: usize = 16;

/// What looks like a header has its CRC computed: of so many bytes, and of so many more for each byte that was looked at. Bytes
/// that were made to look like headers of long batches cost no more, and a short batch behind them is found all the same.
const TRIED_AT_ONCE: u64 = 64 << 20;
const TRIED_PER_BYTE: u64 = 8;

/// How far the end of a batch is looked for whose length is damaged: no batch is longer.
pub(crate) const BATCH_LEN_MAX: u64 = 16 << 20;

/// How often that is done in one walk.
const ENDS_SOUGHT_MAX: usize = 64;

/// A batch as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub struct WalkedBatch<'w> {
    /// Where it begins.
    pub position: u64,
    /// Its header.
    pub header: BatchHeader,
    /// CRC-32C of its bytes; right if it is the header's.
    pub crc: u32,
    /// All its bytes, unless there are more than may be kept.
    pub bytes: Option<&'w [u8]>,
}

impl WalkedBatch<'_> {
    /// Whether the bytes have the CRC that the header states.
    pub fn is_whole(&self) -> bool {
        self.crc == self.header.crc
    }

    /// Where the next one begins.
    pub fn end(&self) -> u64 {
        self.position + self.header.size_in_bytes()
    }
}

/// Bytes that begin no batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBytes {
    /// Where.
    pub position: u64,
    /// From there to the end of the walk.
    pub left: u64,
    /// What is wrong with them.
    pub error: BatchError,
    /// Where the next batch begins, if their stated length leads to one.
    pub next: Option<u64>,
}

/// What comes next.
#[derive(Debug)]
pub enum Step<'w> {
    /// A batch.
    Batch(WalkedBatch<'w>),
    /// No batch. The walk stays here until it is told where to go on.
    Bad(BadBytes),
}

/// The walk.
pub struct BatchWalk<'f> {
    window: Window<'f>,
    position: u64,
    kept_max: usize,
    ends_sought: usize,
    /// Bytes of what looked like batches and was none that searches may still compute the CRC of.
    tries: u64,
    /// Bytes that were read through other windows.
    aside: u64,
}

impl<'f> BatchWalk<'f> {
    /// Walks `file` from `position`, where a batch begins, to `end`.
    pub fn new(file: &'f dyn DiskFile, position: u64, end: u64) -> Self {
        let window = Window::new(file, end, CHUNK);
        Self { window, position, kept_max: KEPT_MAX, ends_sought: 0, tries: TRIED_AT_ONCE, aside: 0 }
    }

    /// Shows the bytes of batches up to this length. At least those of 256 KiB are shown.
    #[must_use]
    pub fn keeping(mut self, bytes_max: usize) -> Self {
        self.kept_max = bytes_max.max(KEPT_MAX);
        self
    }

    /// Reads so many bytes at once, or a batch that is longer, for a walk that does not go far.
    pub(crate) fn reading(mut self, bytes: u64) -> Self {
        let chunk = usize::try_from(bytes).unwrap_or(CHUNK).clamp(HEADER_LEN, CHUNK);
        self.window = self.window.reading(chunk);
        self
    }

    /// Where it stands.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes on at `position`, where a batch is supposed to begin.
    pub fn resume_at(&mut self, position: u64) {
        self.position = position;
    }

    /// The next step; `None` at the end.
    ///
    /// # Errors
    /// What the disk says.
    pub fn step(&mut self) -> io::Result<Option<Step<'_>>> {
        let position = self.position;
        if position >= self.window.end() {
            return Ok(None);
        }
        let header = match self.header(position)? {
            Ok(header) => header,
            Err(bad) => return Ok(Some(Step::Bad(bad))),
        };
        let size = header.size_in_bytes();
        let kept = usize::try_from(size).ok().filter(|size| *size <= self.kept_max);
        let Some(crc) = self.crc(position, size, kept)? else {
            // The file is shorter than it was when the walk began.
            let error = BatchError::Truncated { needed: size, available: 0 };
            return Ok(Some(Step::Bad(self.bad(position, error))));
        };
        self.position = position + size;
        let bytes = kept.and_then(|size| self.window.again(position, size));
        Ok(Some(Step::Batch(WalkedBatch { position, header, crc, bytes })))
    }

    /// Bytes read since the last call.
    pub(crate) fn take_read(&mut self) -> u64 {
        self.window.take_read() + std::mem::take(&mut self.aside)
    }

    /// Where the walk ends at the latest.
    pub(crate) fn end(&self) -> u64 {
        self.window.end()
    }

    /// The header at `position`, if a batch of such a base offset may begin there.
    pub(crate) fn header_at(
        &mut self,
        position: u64,
        offsets: &RangeInclusive<i64>,
    ) -> io::Result<Option<BatchHeader>> {
        let left = self.window.end().saturating_sub(position);
        let bytes = self.window.at(position, HEADER_LEN)?;
        let header = BatchHeader::parse(bytes).ok().filter(|_| looks_like_a_header(bytes, offsets));
        Ok(header.filter(|header| header.size_in_bytes() <= left))
    }

    /// The bytes from `position` on: at least so many, unless the walk ends before.
    pub(crate) fn bytes_at(&mut self, position: u64, needed: usize) -> io::Result<&[u8]> {
        self.window.at(position, needed)
    }

    /// The batch at `position`, if it is whole.
    pub(crate) fn whole_at(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        self.resume_at(position);
        Ok(match self.step()? {
            Some(Step::Batch(batch)) if batch.is_whole() => Some(batch.header),
            _ => None,
        })
    }

    /// The bytes of a header at `position`, whatever they say; `None` if there are fewer.
    pub(crate) fn raw_header(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        Ok(self.window.at(position, HEADER_LEN)?.first_chunk().map(BatchHeader::decode))
    }

    /// Where the batch at `position` ends by its checksum, whatever length it states: where the bytes up to there have the one
    /// in `header`, and a batch of one of `offsets` begins, or the walk ends. The last such place counts, of those that are no
    /// further than a batch is long: a checksum is no secret, and earlier places may have been made to have it.
    pub(crate) fn end_by_checksum(
        &mut self,
        position: u64,
        header: &BatchHeader,
        offsets: &RangeInclusive<i64>,
    ) -> io::Result<Option<u64>> {
        if self.ends_sought >= ENDS_SOUGHT_MAX {
            return Ok(None);
        }
        self.ends_sought += 1;
        let (end, mut behind) = (self.window.end(), self.window.another());
        let last = end.min(position.saturating_add(BATCH_LEN_MAX));
        let (mut summed, mut crc, mut found) = (position + CRC_START as u64, 0, None);
        let mut at = position + HEADER_LEN as u64;
        while at <= last {
            let here = match self.next_likely(at, last, offsets)? {
                Some(likely) => likely,
                None if last == end => end,
                None => break,
            };
            let Some(sum) = behind.crc_on(crc, summed, here)? else { break };
            (crc, summed, at) = (sum, here, here + 1);
            if crc == header.crc {
                found = Some(here);
            }
        }
        self.aside += behind.take_read();
        Ok(found)
    }

    /// The first place from `from` on, and before `end`, where a batch of such a base offset seems to begin.
    fn next_likely(&mut self, from: u64, end: u64, offsets: &RangeInclusive<i64>) -> io::Result<Option<u64>> {
        let mut position = from;
        while position + (HEADER_LEN as u64) <= end {
            let bytes = self.window.at(position, HEADER_LEN)?;
            if let Some(ahead) = likely_in(bytes, offsets) {
                return Ok(Some(position + ahead as u64).filter(|at| *at < end));
            }
            // The last windows that fit were looked at; what is behind them comes with the next read.
            let seen = bytes.len().saturating_sub(HEADER_LEN - 1);
            if seen == 0 {
                break;
            }
            position += seen as u64;
        }
        Ok(None)
    }

    /// Where to go on behind a batch or bytes at `position` that are not what they should be: where their length leads, if
    /// a batch begins there, else where their checksum does, else at the next batch that is whole. Base offsets as in
    /// [`find_batch`](Self::find_batch).
    ///
    /// # Errors
    /// What the disk says.
    pub fn next_behind(
        &mut self,
        position: u64,
        stated: Option<u64>,
        offsets: &RangeInclusive<i64>,
    ) -> io::Result<Option<u64>> {
        match stated {
            Some(next) if next == self.window.end() => return Ok(None),
            Some(next) if self.header_at(next, offsets)?.is_some() => return Ok(Some(next)),
            _ => {}
        }
        let later = offsets.start().saturating_add(1)..=*offsets.end();
        if let Some(header) = self.raw_header(position)?
            && let Some(end) = self.end_by_checksum(position, &header, &later)?
        {
            return Ok((end < self.window.end()).then_some(end));
        }
        self.find_batch(position + 1, offsets)
    }

    /// Where the next whole batch begins at or behind `from`, of those with a base offset in `offsets`; for going on behind
    /// bytes that begin none. Looks at every byte, and computes the CRC of what looks like a header, as long as that costs no
    /// more than a few times what was looked at: a long batch among many that only look like one may be passed by.
    ///
    /// # Errors
    /// What the disk says.
    pub fn find_batch(&mut self, from: u64, offsets: &RangeInclusive<i64>) -> io::Result<Option<u64>> {
        let (mut position, end) = (from, self.window.end());
        while let Some(at) = self.next_likely(position, end, offsets)? {
            self.tries = self.tries.saturating_add(TRIED_PER_BYTE * (at + 1 - position)).min(TRIED_AT_ONCE);
            if self.is_whole_if_tried(at, offsets)? {
                return Ok(Some(at));
            }
            position = at + 1;
        }
        Ok(None)
    }

    fn is_whole_if_tried(&mut self, at: u64, offsets: &RangeInclusive<i64>) -> io::Result<bool> {
        let Some(header) = self.header_at(at, offsets)? else { return Ok(false) };
        let size = header.size_in_bytes();
        let Some(left) = self.tries.checked_sub(size) else { return Ok(false) };
        let whole = self.crc_aside(at, size)? == Some(header.crc);
        if !whole {
            self.tries = left;
        }
        Ok(whole)
    }

    /// CRC of the batch at `position`, to which the window has come, without moving it on.
    fn crc_aside(&mut self, position: u64, size: u64) -> io::Result<Option<u32>> {
        let Some(kept) = usize::try_from(size).ok().filter(|size| *size <= CHUNK) else {
            let mut aside = self.window.another();
            let crc = aside.crc(position + CRC_START as u64, position + size);
            self.aside += aside.take_read();
            return crc;
        };
        if self.window.again(position, kept).is_none() {
            self.window.at(position, kept)?;
        }
        Ok(self.window.again(position, kept).and_then(|bytes| bytes.get(CRC_START..)).map(crc32c::crc32c))
    }

    /// Whether there is nothing but zeros from `position` on, to which the walk has come, to its end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn only_zeros_from(&mut self, position: u64) -> io::Result<bool> {
        self.window.only_zeros_from(position)
    }

    /// The header at `position`, of a batch that ends where the walk ends or before.
    fn header(&mut self, position: u64) -> io::Result<Result<BatchHeader, BadBytes>> {
        let left = self.window.end() - position;
        let bytes = self.window.at(position, HEADER_LEN)?;
        let shown = bytes.get(..HEADER_LEN.min(bytes.len())).unwrap_or_default();
        let stated = shown.first_chunk().map(BatchHeader::decode).map(|header| header.size_in_bytes());
        let error = match BatchHeader::parse(bytes) {
            Ok(header) if header.size_in_bytes() <= left => return Ok(Ok(header)),
            Ok(header) => BatchError::Truncated { needed: header.size_in_bytes(), available: left },
            Err(error) => error,
        };
        let next = match (&error, stated) {
            (BatchError::Magic(_), Some(stated)) if stated >= HEADER_LEN as u64 && stated < left => {
                let next = position + stated;
                self.header_at(next, &(0..=i64::MAX))?.map(|_| next)
            }
            _ => None,
        };
        Ok(Err(BadBytes { next, ..self.bad(position, error) }))
    }

    fn bad(&self, position: u64, error: BatchError) -> BadBytes {
        BadBytes { position, left: self.window.end() - position, error, next: None }
    }

    /// CRC of the batch at `position`; `None` if the file ends before it does. Bytes that are kept stay in the window.
    fn crc(&mut self, position: u64, size: u64, kept: Option<usize>) -> io::Result<Option<u32>> {
        if let Some(size) = kept {
            let bytes = self.window.at(position, size)?;
            return Ok(bytes.get(CRC_START..size).map(crc32c::crc32c));
        }
        self.window.crc(position + CRC_START as u64, position + size)
    }
}

/// The first place among these bytes. Most bytes are passed by for want of a magic alone.
fn likely_in(bytes: &[u8], offsets: &RangeInclusive<i64>) -> Option<usize> {
    let mut from = 0;
    loop {
        let magics = bytes.get(from + MAGIC_AT..)?;
        let at = from + magics.iter().position(|byte| *byte == MAGIC as u8)?;
        if looks_like_a_header(bytes.get(at..at + HEADER_LEN)?, offsets) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether a batch of such a base offset may begin here: what few bytes say that are no header.
fn looks_like_a_header(bytes: &[u8], offsets: &RangeInclusive<i64>) -> bool {
    BatchHeader::parse(bytes).is_ok_and(|header| {
        header.codec().is_some()
            && offsets.contains(&header.base_offset)
            && header.last_offset_delta >= 0
            && (0..=i64::from(header.last_offset_delta) + 1).contains(&i64::from(header.records_count))
    })
}

impl std::fmt::Debug for BatchWalk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchWalk").field("position", &self.position).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};
    use pagewire_record::{BatchBuilder, Codec};

    use super::*;

    fn batch(len: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(7, None, Some(&vec![b'x'; len]), &[]).expect("a record");
        builder.build().expect("a batch").to_vec()
    }

    fn file(bytes: &[u8]) -> Arc<dyn DiskFile> {
        let file = MemoryDisk::new().open(Path::new("f"), OpenMode::Create).expect("a file");
        file.write_at(0, bytes).expect("written");
        file
    }

    /// Position, right CRC, kept; or the position of bad bytes.
    fn walked(file: &dyn DiskFile, end: u64) -> Vec<(u64, Option<(bool, bool)>)> {
        let (mut walk, mut seen) = (BatchWalk::new(file, 0, end), Vec::new());
        while let Some(step) = walk.step().expect("read") {
            match step {
                Step::Batch(batch) => {
                    seen.push((batch.position, Some((batch.is_whole(), batch.bytes.is_some()))));
                }
                Step::Bad(bad) => {
                    seen.push((bad.position, None));
                    break;
                }
            }
        }
        seen
    }

    #[test]
    fn a_wrong_crc_does_not_stop_the_walk_and_a_long_batch_is_not_kept() {
        let (small, large) = (batch(10), batch(600 << 10));
        let mut bytes = [small.clone(), large.clone(), small.clone()].concat();
        *bytes.get_mut(small.len() + large.len() - 1).expect("a byte") ^= 1;
        let (first, second) = (small.len() as u64, (small.len() + large.len()) as u64);
        let seen = walked(&*file(&bytes), bytes.len() as u64);
        assert_eq!(
            seen,
            [(0, Some((true, true))), (first, Some((false, false))), (second, Some((true, true)))]
        );
    }

    #[test]
    fn a_batch_behind_bytes_that_are_none_is_found_by_its_crc() {
        let (small, large) = (batch(10), batch(700 << 10));
        let decoy = small.get(..HEADER_LEN).expect("a header");
        for noise in [1, 60, 300 << 10] {
            let noise = vec![7; noise];
            let bytes = [&noise[..], decoy, &noise[..], &large[..], &small[..]].concat();
            let (file, len) = (file(&bytes), bytes.len() as u64);
            let mut walk = BatchWalk::new(&*file, 0, len);
            let expected = (2 * noise.len() + HEADER_LEN) as u64;
            assert_eq!(walk.find_batch(0, &(0..=10)).expect("read"), Some(expected));
            assert_eq!(walk.find_batch(0, &(1..=10)).expect("read"), None, "of other offsets");
            let last = len - small.len() as u64;
            assert_eq!(walk.find_batch(expected + 1, &(0..=10)).expect("read"), Some(last));
            assert_eq!(walk.find_batch(last + 1, &(0..=10)).expect("read"), None);
        }
    }

    #[test]
    fn a_batch_behind_any_number_of_headers_that_begin_none_is_found_at_a_bounded_cost() {
        let (small, large) = (batch(10), batch(6 << 20));
        for (decoy, left) in [(&small, TRIED_AT_ONCE), (&large, large.len() as u64)] {
            let decoys = decoy.get(..HEADER_LEN).expect("a header").repeat(2000);
            let bytes = [&decoys[..], &small, &vec![5; 6 << 20]].concat();
            let file = file(&bytes);
            let mut walk = BatchWalk::new(&*file, 0, bytes.len() as u64);
            let found = walk.find_batch(0, &(0..=10)).expect("read");
            assert_eq!(found, Some(decoys.len() as u64), "{}", decoy.len());
            assert!(walk.tries <= left, "{} bytes more would be tried", walk.tries);
        }
    }

    #[test]
    fn the_walk_stops_at_a_cut_batch_and_goes_on_where_it_is_told() {
        let small = batch(10);
        let mut bytes = [small.clone(), small.clone(), small.clone()].concat();
        let len = small.len() as u64;
        assert_eq!(walked(&*file(&bytes), 2 * len + 70).last(), Some(&(2 * len, None)));
        *bytes.get_mut(small.len() + 16).expect("the magic") = 9;
        let file = file(&bytes);
        let mut walk = BatchWalk::new(&*file, len, 3 * len);
        let Ok(Some(Step::Bad(bad))) = walk.step() else { panic!("a batch") };
        assert_eq!((bad.error, bad.next), (BatchError::Magic(9), Some(2 * len)));
        walk.resume_at(2 * len);
        assert!(matches!(walk.step(), Ok(Some(Step::Batch(batch))) if batch.is_whole()));
        assert!(matches!(walk.step(), Ok(None)));
    }
}
