//! The batches of one file of a log that somebody else wrote: nothing in it is believed.
//!
//! A batch is read whole, or its header only. Memory: one window, or one batch where that is longer, and never more
//! than [`BATCH_BYTES_MAX`], whatever a header claims.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use pagewire_record::{BatchError, BatchHeader, HEADER_LEN, SharedBatch, fits};

use crate::zeros::is_zero;

/// Read at a time where whole batches are wanted.
const WINDOW: usize = 1 << 20;
/// Read at a time where headers are.
const WINDOW_HEADERS: usize = 16 << 10;
/// A longer batch is not believed: no Kafka takes one that it could not keep in memory several times over.
pub(crate) const BATCH_BYTES_MAX: u64 = 512 << 20;
/// The shortest message of the formats before version 2, its length field not counted.
const OLD_MESSAGE_MIN: i32 = 14;

/// Why there is no next batch.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The disk said no.
    Io(io::Error),
    /// A message set of the formats before version 2.
    OldFormat { magic: i8 },
    /// The file ends before a batch does, or in zeros: as a crash leaves it.
    Torn(String),
    /// Nothing that can be believed.
    Bad(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The walk over one file, from its start to `len`.
pub(crate) struct Batches<'f> {
    file: &'f File,
    len: u64,
    position: u64,
    expected: i64,
    whole: bool,
    window: Bytes,
    window_start: u64,
}

impl<'f> Batches<'f> {
    /// Walks whole batches. Offsets begin at `expected`, or above it, and rise.
    pub(crate) fn whole(file: &'f File, len: u64, expected: i64) -> Self {
        Self { file, len, position: 0, expected, whole: true, window: Bytes::new(), window_start: 0 }
    }

    /// Walks headers: the batches it answers end with them.
    pub(crate) fn headers(file: &'f File, len: u64, expected: i64) -> Self {
        Self { whole: false, ..Self::whole(file, len, expected) }
    }

    /// The end of the last batch that was believed.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The offset that comes next, if there is no hole.
    pub(crate) fn expected(&self) -> i64 {
        self.expected
    }

    /// The next batch, `None` at the end. After an error the walk stands before what caused it.
    pub(crate) fn next(&mut self) -> Result<Option<SharedBatch>, Stop> {
        let left = self.len - self.position;
        if left == 0 {
            return Ok(None);
        }
        let head = self.bytes(HEADER_LEN.min(usize::try_from(left).unwrap_or(HEADER_LEN)))?;
        let header = match BatchHeader::parse(&head) {
            Ok(header) => header,
            Err(error) => return Err(self.strange(&error, &head, left)?),
        };
        let size = header.size_in_bytes();
        if size > left {
            return Err(Stop::Torn(format!("a batch of {size} bytes with {left} left in the file")));
        }
        if size > BATCH_BYTES_MAX {
            return Err(Stop::Bad(format!("a batch of {size} bytes, more than {BATCH_BYTES_MAX}")));
        }
        fits(&header, left, &(self.expected..i64::MAX)).map_err(Stop::Bad)?;
        let wanted = if self.whole { usize::try_from(size).unwrap_or(usize::MAX) } else { HEADER_LEN };
        let bytes = self.bytes(wanted)?;
        (self.position, self.expected) = (self.position + size, header.next_offset());
        Ok(Some(SharedBatch { header, bytes }))
    }

    /// What bytes are that are no header of a batch.
    fn strange(&self, error: &BatchError, head: &[u8], left: u64) -> io::Result<Stop> {
        let length = head.get(8..12).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_be_bytes);
        Ok(match error {
            BatchError::Magic(magic @ (0 | 1)) if length >= OLD_MESSAGE_MIN => {
                Stop::OldFormat { magic: *magic }
            }
            _ if head.iter().all(|byte| *byte == 0) && is_zero(self.file, self.position, self.len)? => {
                Stop::Torn(format!(
                    "zeros in the last {left} bytes, as a kill or log.preallocate leaves them"
                ))
            }
            _ if left < HEADER_LEN as u64 => Stop::Torn(format!("{left} bytes, less than a batch header")),
            other => Stop::Bad(other.to_string()),
        })
    }

    /// So many bytes from where the walk stands; they are in the file.
    fn bytes(&mut self, count: usize) -> Result<Bytes, Stop> {
        let window_end = self.window_start + self.window.len() as u64;
        if self.position < self.window_start || self.position + count as u64 > window_end {
            let most = if self.whole { WINDOW } else { WINDOW_HEADERS };
            let left = usize::try_from(self.len - self.position).unwrap_or(usize::MAX);
            let mut window = vec![0; most.max(count).min(left)];
            self.file.read_exact_at(&mut window, self.position)?;
            (self.window, self.window_start) = (window.into(), self.position);
        }
        let from = usize::try_from(self.position - self.window_start).unwrap_or(usize::MAX);
        if self.window.len().checked_sub(from).is_none_or(|there| there < count) {
            return Err(Stop::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(self.window.slice(from..from + count))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use pagewire_record::{BatchBuilder, Codec, patch_header};

    use super::*;

    /// A batch at `offset`, of leader epoch 3.
    pub(crate) fn batch(offset: i64) -> Vec<u8> {
        let mut batch = BatchBuilder::new(Codec::None);
        batch.append(0, Some(b"key"), Some(&[7; 100]), &[]).expect("a record");
        let mut bytes = batch.build().expect("a batch").to_vec();
        patch_header(bytes.first_chunk_mut().expect("a header"), offset, 3);
        bytes
    }

    fn file(parts: &[&[u8]]) -> (File, u64) {
        let mut file = tempfile::tempfile().expect("a file");
        for part in parts {
            file.write_all(part).expect("written");
        }
        let len = file.metadata().expect("a length").len();
        (file, len)
    }

    fn walk(parts: &[&[u8]]) -> (usize, u64, Option<Stop>) {
        let (file, len) = file(parts);
        let mut batches = Batches::whole(&file, len, 10);
        for count in 0.. {
            match batches.next() {
                Ok(Some(_)) => {}
                Ok(None) => return (count, batches.position(), None),
                Err(stop) => return (count, batches.position(), Some(stop)),
            }
        }
        unreachable!("a walk ends")
    }

    #[test]
    fn the_walk_ends_before_what_cannot_be_believed() {
        let (one, two) = (batch(10), batch(14));
        let size = one.len() as u64;
        assert!(matches!(walk(&[&one, &two]), (2, end, None) if end == 2 * size));
        for torn in [&[0; 500][..], &[9; 30], &two[..two.len() - 1]] {
            assert!(matches!(walk(&[&one, torn]), (1, end, Some(Stop::Torn(_))) if end == size));
        }
        for bad in [&one[..], &[9; 500]] {
            assert!(matches!(walk(&[&one, bad]), (1, end, Some(Stop::Bad(_))) if end == size));
        }
        assert!(
            matches!(walk(&[&one, &vec![0; 90_000], &two]), (1, _, Some(Stop::Bad(_)))),
            "not zeros to the end"
        );
    }

    #[test]
    fn headers_are_found_without_what_is_between_them() {
        let parts: Vec<Vec<u8>> = (10..300).map(batch).collect();
        let (file, len) = file(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let mut batches = Batches::headers(&file, len, 10);
        for offset in 10..300 {
            let found = batches.next().expect("walked").expect("a header");
            assert_eq!((found.header.base_offset, found.bytes.len()), (offset, HEADER_LEN));
        }
        assert!(batches.next().expect("walked").is_none());
    }

    #[test]
    fn old_formats_are_told_from_damage() {
        let mut old = vec![0; 60];
        old[11] = 48;
        old[16] = 1;
        assert!(matches!(walk(&[&old]), (0, 0, Some(Stop::OldFormat { magic: 1 }))));
    }

    #[test]
    fn a_claimed_size_takes_no_memory() {
        let mut claims = batch(10);
        claims[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
        let (file, _) = file(&[&claims]);
        file.set_len(3 << 30).expect("a sparse file");
        assert!(matches!(Batches::whole(&file, 3 << 30, 0).next(), Err(Stop::Bad(_))));
    }
}
