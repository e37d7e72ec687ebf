//! Where a frame is received, and how the two that carry records are read: places in the bytes, no message.

use anyhow::{Context, Result, ensure};

/// No frame of the drive is longer.
const FRAME_MAX: usize = 16 << 20;
/// A buffer off page alignment makes every copy slower on common processors.
const PAGE: usize = 4096;

/// Memory for a frame, aligned to pages, kept for the next one.
#[derive(Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    /// For a frame of so many bytes.
    pub(super) fn of(&mut self, bytes: usize) -> Result<&mut [u8]> {
        ensure!(bytes <= FRAME_MAX, "a frame of {bytes} bytes");
        if self.0.len() < bytes + PAGE {
            self.0 = vec![0; (bytes + PAGE).next_power_of_two()];
        }
        let skip = self.0.as_ptr().align_offset(PAGE);
        self.0.get_mut(skip..skip + bytes).context("a buffer without its pages")
    }
}

/// Reads a frame from its front.
pub(super) struct Cursor<'f> {
    frame: &'f [u8],
    at: usize,
}

impl<'f> Cursor<'f> {
    /// Behind the header of a request: key, version, correlation, client, tags.
    pub(super) fn behind_header(frame: &'f [u8]) -> Result<Self> {
        let mut cursor = Self { frame, at: 8 };
        let client = cursor.i16()?;
        cursor.skip(usize::try_from(client).unwrap_or_default())?;
        cursor.no_tags()?;
        Ok(cursor)
    }

    /// Where it stands.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn skip(&mut self, bytes: usize) -> Result<&'f [u8]> {
        let taken = self.frame.get(self.at..self.at.saturating_add(bytes)).context("a short frame")?;
        self.at += bytes;
        Ok(taken)
    }

    pub(super) fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.skip(2)?.try_into()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.skip(4)?.try_into()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.skip(8)?.try_into()?))
    }

    /// A length or count as the flexible versions write it, one more than it is; none is zero.
    pub(super) fn count(&mut self) -> Result<usize> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = *self.skip(1)?.first().context("a short frame")?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(usize::try_from(value)?.saturating_sub(1));
            }
            shift += 7;
            ensure!(shift <= 28, "a length of more than five bytes");
        }
    }

    /// The drive writes none.
    pub(super) fn no_tags(&mut self) -> Result<()> {
        ensure!(self.skip(1)? == [0], "tagged fields");
        Ok(())
    }

    /// The only topic of the request, and how many partitions of it follow.
    pub(super) fn only_topic(&mut self) -> Result<(&'f [u8], usize)> {
        ensure!(self.count()? == 1, "a request names one topic here");
        let length = self.count()?;
        Ok((self.skip(length)?, self.count()?))
    }

    /// The only topic of the request, and its only partition.
    pub(super) fn only_partition(&mut self) -> Result<(&'f [u8], i32)> {
        let (name, partitions) = self.only_topic()?;
        ensure!(partitions == 1, "a produce names one partition here");
        Ok((name, self.i32()?))
    }
}

/// A length as the flexible versions write it.
pub(super) fn put_count(to: &mut Vec<u8>, count: usize) {
    let mut rest = count + 1;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_they_are_written() {
        for count in [0, 1, 126, 127, 16_383, 1 << 20] {
            let mut bytes = Vec::new();
            put_count(&mut bytes, count);
            let mut cursor = Cursor { frame: &bytes, at: 0 };
            assert_eq!((cursor.count().unwrap(), cursor.at()), (count, bytes.len()));
        }
        assert!(Cursor { frame: &[0xff; 9], at: 0 }.count().is_err());
    }

    #[test]
    fn a_frame_has_pages_of_its_own_and_a_longest_length() {
        let mut buffer = Buffer::default();
        for bytes in [1, 5000, 100] {
            let frame = buffer.of(bytes).unwrap();
            assert_eq!((frame.len(), frame.as_ptr().align_offset(PAGE)), (bytes, 0));
        }
        assert!(buffer.of(FRAME_MAX + 1).is_err());
    }
}
