//! Whether anything that can be believed lies behind what cannot: a crash tears the end of a file, so batches that are
//! whole behind a bad one tell of damage.
//!
//! Every byte may be the first of a batch. Few look like one: the format, an offset that a batch of this file can have,
//! a length that the file has. Those are held against their CRC, until [`CHECKED_MAX`] bytes were: then it is said that
//! something follows, for only somebody who wants it so makes a file like that.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use pagewire_record::{BatchHeader, HEADER_LEN, SharedBatch};

use crate::batches::BATCH_BYTES_MAX;
use crate::zeros::written_from;

/// Read at a time.
const WINDOW: usize = 1 << 20;
/// Bytes that are held against a CRC at most.
const CHECKED_MAX: u64 = 1 << 30;

/// What is searched: the file from `from` to `len`, for batches of offsets from `lowest` to `highest`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search<'f> {
    pub(crate) file: &'f File,
    pub(crate) from: u64,
    pub(crate) len: u64,
    pub(crate) lowest: i64,
    pub(crate) highest: i64,
}

impl Search<'_> {
    /// Whether there is a batch.
    pub(crate) fn finds(self) -> io::Result<bool> {
        let (mut start, mut checked) = (self.from, 0);
        loop {
            // A header is of more than zeros, and may begin with some.
            start = start.max(written_from(self.file, start, self.len).saturating_sub(HEADER_LEN as u64 - 1));
            if start + HEADER_LEN as u64 > self.len {
                return Ok(false);
            }
            let size = usize::try_from(self.len - start).unwrap_or(usize::MAX).min(WINDOW);
            let mut window = vec![0; size];
            self.file.read_exact_at(&mut window, start)?;
            let is_empty = window.iter().all(|byte| *byte == 0);
            for (at, head) in window.windows(HEADER_LEN).enumerate().filter(|_| !is_empty) {
                let Some(header) = self.plausible(head, self.len - start - at as u64) else { continue };
                checked += header.size_in_bytes();
                if checked > CHECKED_MAX || self.is_whole(header, start + at as u64)? {
                    return Ok(true);
                }
            }
            start += (size - HEADER_LEN + 1) as u64;
        }
    }

    fn plausible(&self, head: &[u8], left: u64) -> Option<BatchHeader> {
        let header = BatchHeader::parse(head).ok()?;
        let offsets = self.lowest..=self.highest;
        let fits = header.size_in_bytes() <= left.min(BATCH_BYTES_MAX);
        (fits && offsets.contains(&header.base_offset)).then_some(header)
    }

    fn is_whole(&self, header: BatchHeader, at: u64) -> io::Result<bool> {
        let mut bytes = vec![0; usize::try_from(header.size_in_bytes()).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(SharedBatch { header, bytes: bytes.into() }.verify_crc().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::batches::tests::batch;

    use super::*;

    fn found(parts: &[&[u8]]) -> bool {
        let mut file = tempfile::tempfile().expect("a file");
        for part in parts {
            file.write_all(part).expect("written");
        }
        let len = file.metadata().expect("a length").len();
        Search { file: &file, from: 1, len, lowest: 10, highest: 1000 }.finds().expect("read")
    }

    #[test]
    fn a_whole_batch_is_found_wherever_it_lies() {
        for before in [1, 60, 5000, WINDOW - 30, WINDOW, 3 * WINDOW + 7] {
            assert!(found(&[&vec![2; before], &batch(12)]), "{before}");
        }
    }

    #[test]
    fn a_whole_batch_is_found_behind_zeros_and_where_nothing_was_written() {
        for before in [HEADER_LEN, WINDOW - 5, WINDOW, 5 * WINDOW + 3] {
            assert!(found(&[&vec![0; before], &batch(12)]), "{before}");
            let file = tempfile::tempfile().expect("a file");
            let (at, len) = (before as u64, 6 * WINDOW as u64 + 4096);
            file.set_len(len).expect("a length");
            let search = Search { file: &file, from: 1, len, lowest: 10, highest: 1000 };
            assert!(!search.finds().expect("read"));
            file.write_all_at(&batch(12), at).expect("written");
            assert!(search.finds().expect("read"), "{before}");
        }
    }

    /// Whoever reads it takes minutes; without that this is done at once.
    #[test]
    fn what_was_reserved_and_never_written_is_not_read() {
        let file = tempfile::tempfile().expect("a file");
        let len = 1 << 36;
        file.set_len(len).expect("a length");
        assert!(!Search { file: &file, from: 1, len, lowest: 10, highest: 1000 }.finds().expect("read"));
        assert!(crate::zeros::is_zero(&file, 0, len).expect("read"));
    }

    #[test]
    fn what_is_no_batch_of_this_file_is_not_found() {
        let (whole, mut damaged) = (batch(12), batch(12));
        *damaged.last_mut().expect("a byte") ^= 1;
        for nothing in
            [&[0; 4000][..], &[2; 4000], &whole[..whole.len() - 1], &damaged, &batch(3), &batch(1001)]
        {
            assert!(!found(&[&[0], nothing]));
        }
    }
}
