//! Whether a file ends within the records of its last batch, which are not compressed: what was being written when it ended, and
//! whole batches that lie there are in the values of its records.
//!
//! ```text
//!   [ header: leads past the file │ length, record │ length, record ── value [ whole batch ] ── │ length, rec ▌ the file ends
//! ```
//!
//! Every record up to the end must be one, and the last one's fields what they can be. With any among them that is not, this
//! may have been a batch that was whole once, and what follows it the log's own.

use std::io;

use pagewire_record::{BatchHeader, varint};

use super::records::end_of_records;
use crate::files::BatchWalk;

/// Whether the batch with this header, which begins at `from`, ends with the file in the middle of its records.
pub(crate) fn ends_in_its_records(
    walk: &mut BatchWalk<'_>,
    from: u64,
    header: &BatchHeader,
) -> io::Result<bool> {
    if header.codec_id() != 0 {
        return Ok(false);
    }
    let whole = end_of_records(walk, from)?;
    if whole.offsets > i64::from(header.last_offset_delta) {
        return Ok(false);
    }
    let mut last = Last { at: whole.position, end: from + header.size_in_bytes(), walk };
    match last.read(whole.offsets) {
        Err(Stop::FileEnds) => Ok(true),
        Err(Stop::Io(error)) => Err(error),
        Err(Stop::NoRecord) | Ok(()) => Ok(false),
    }
}

/// Why a record was not read to its end.
enum Stop {
    FileEnds,
    NoRecord,
    Io(io::Error),
}

/// The record behind the last whole one.
struct Last<'w, 'f> {
    walk: &'w mut BatchWalk<'f>,
    at: u64,
    /// It reaches no further: its batch ends there, and then it does itself.
    end: u64,
}

impl Last<'_, '_> {
    /// Reads its fields. Its offset has to follow the one before.
    fn read(&mut self, delta: i64) -> Result<(), Stop> {
        let len = self.number()?;
        self.end = self.behind(len)?;
        if self.walk.end() >= self.end {
            // It is all there, and was no record.
            return Err(Stop::NoRecord);
        }
        if self.byte()? != 0 {
            return Err(Stop::NoRecord);
        }
        self.number()?;
        if self.number()? != delta {
            return Err(Stop::NoRecord);
        }
        self.blob()?;
        self.blob()?;
        let mut headers = self.number()?;
        while headers > 0 {
            self.blob()?;
            self.blob()?;
            headers -= 1;
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = self.walk.bytes_at(self.at, 1).map_err(Stop::Io)?.first().copied();
        self.at += 1;
        byte.ok_or(Stop::FileEnds)
    }

    fn number(&mut self) -> Result<i64, Stop> {
        let bytes = self.walk.bytes_at(self.at, varint::MAX_LEN_I64).map_err(Stop::Io)?;
        match varint::read_i64(bytes) {
            Ok((number, taken)) => {
                self.at += taken as u64;
                Ok(number)
            }
            Err(_) if bytes.len() < varint::MAX_LEN_I64 => Err(Stop::FileEnds),
            Err(_) => Err(Stop::NoRecord),
        }
    }

    /// Passes by bytes behind their length; none, if that is -1.
    fn blob(&mut self) -> Result<(), Stop> {
        match self.number()? {
            -1 => {}
            len => self.at = self.behind(len)?,
        }
        if self.at > self.walk.end() { Err(Stop::FileEnds) } else { Ok(()) }
    }

    /// The place so many bytes further on.
    fn behind(&self, len: i64) -> Result<u64, Stop> {
        let to = u64::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        to.filter(|to| *to <= self.end).ok_or(Stop::NoRecord)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};
    use pagewire_record::{BatchBuilder, Codec, HEADER_LEN};

    use super::*;

    fn batch(codec: Codec) -> Vec<u8> {
        let mut builder = BatchBuilder::new(codec);
        for n in 0..3 {
            builder.append(7 + n, Some(b"key"), Some(&[5; 90]), &[(b"h", Some(b"v"))]).expect("a record");
        }
        builder.build().expect("a batch").to_vec()
    }

    fn ends_in_them(bytes: &[u8]) -> bool {
        let file = MemoryDisk::new().open(Path::new("f"), OpenMode::Create).expect("a file");
        file.write_at(0, bytes).expect("written");
        let mut walk = BatchWalk::new(&*file, 0, bytes.len() as u64);
        let header = walk.raw_header(0).expect("read").expect("a header");
        ends_in_its_records(&mut walk, 0, &header).expect("read")
    }

    #[test]
    fn a_batch_cut_at_any_byte_of_its_records_ends_in_them() {
        let whole = batch(Codec::None);
        for len in HEADER_LEN..whole.len() {
            assert!(ends_in_them(&whole[..len]), "{len}");
        }
        assert!(!ends_in_them(&whole));
        let compressed = batch(Codec::Lz4);
        assert!(!ends_in_them(&compressed[..compressed.len() - 1]), "nobody can tell");
    }

    #[test]
    fn one_with_a_length_that_leads_past_the_file_and_others_behind_it_does_not() {
        let mut long = batch(Codec::None);
        long[9] = 0xff;
        let len = long.len();
        assert!(!ends_in_them(&[&long[..], &batch(Codec::None)].concat()));
        // The first record is lost: its length, or what it holds, leads past the file.
        for lost in [&[0xff; 6][..], &[0x80, 0x80, 0x02], &[0xfe, 0x03, 0, 0, 0, 0xff, 0x7f], &[0; 4]] {
            let mut bytes = [&long[..], &[5; 400]].concat();
            bytes[HEADER_LEN..HEADER_LEN + lost.len()].copy_from_slice(lost);
            assert!(!ends_in_them(&bytes), "{lost:?}");
        }
        // Its key is said to be longer than it is.
        let mut bytes = long.clone();
        bytes[HEADER_LEN + 5] = 0xff;
        assert!(!ends_in_them(&bytes[..len - 1]));
    }
}
