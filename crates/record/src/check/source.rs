//! Record bytes for the scan, from memory or from a decompressor, behind one trait.
//!
//! The scan only looks at a few bytes of each record and skips the rest, so no source ever holds more than a buffer.

use std::cell::Cell;

use crate::batch::Batch;
use crate::compress::{self, Codec, DecompressLimits, InflateError, Inflater};
use crate::error::RecordFault;
use crate::varint::{self, MAX_LEN_I32, MAX_LEN_I64};

/// Why the scan cannot go on.
#[derive(Debug)]
pub(super) enum ScanError {
    Record(RecordFault),
    Inflate(InflateError),
}

/// Bytes in order.
pub(super) trait Source {
    /// Bytes taken so far.
    fn position(&self) -> u64;
    /// Takes the next byte; [`RecordFault::Eof`] at the end.
    fn byte(&mut self) -> Result<u8, ScanError>;
    /// Takes bytes unseen; [`RecordFault::Eof`] when there are fewer.
    fn skip(&mut self, count: u64) -> Result<(), ScanError>;
    /// Whether everything was taken.
    fn at_end(&mut self) -> Result<bool, ScanError>;

    fn varint(&mut self) -> Result<i32, ScanError> {
        let too_long = || ScanError::Record(RecordFault::Varint);
        varint::read_with(MAX_LEN_I32, too_long, || self.byte()).map(varint::narrow)
    }

    fn varlong(&mut self) -> Result<i64, ScanError> {
        let too_long = || ScanError::Record(RecordFault::Varint);
        varint::read_with(MAX_LEN_I64, too_long, || self.byte()).map(varint::unzigzag)
    }
}

const EOF: ScanError = ScanError::Record(RecordFault::Eof);

/// Records that are not compressed.
pub(super) struct Memory<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Memory<'a> {
    pub(super) fn new(batch: &Batch<'a>) -> Self {
        Self { bytes: batch.payload(), at: 0 }
    }
}

impl Source for Memory<'_> {
    fn position(&self) -> u64 {
        self.at as u64
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, ScanError> {
        let byte = *self.bytes.get(self.at).ok_or(EOF)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn skip(&mut self, count: u64) -> Result<(), ScanError> {
        let left = (self.bytes.len() - self.at) as u64;
        if count > left {
            return Err(EOF);
        }
        self.at += count as usize;
        Ok(())
    }

    fn at_end(&mut self) -> Result<bool, ScanError> {
        Ok(self.at == self.bytes.len())
    }
}

thread_local! {
    /// One buffer per thread, handed from scan to scan.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Records behind a decompressor.
pub(super) struct Stream<'a> {
    inflater: Inflater<'a>,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    before: u64,
}

impl<'a> Stream<'a> {
    pub(super) fn new(batch: &Batch<'a>, codec: Codec, limits: DecompressLimits) -> Result<Self, ScanError> {
        let inflater = Inflater::new(codec, batch.payload(), &limits).map_err(ScanError::Inflate)?;
        let mut buffer = BUFFER.take();
        buffer.resize(compress::CHUNK, 0);
        Ok(Self { inflater, buffer, at: 0, end: 0, before: 0 })
    }

    /// Bytes that came out of the decompressor so far.
    pub(super) fn inflated(&self) -> u64 {
        self.before + self.end as u64
    }

    /// Gets more bytes; false at the end of the stream.
    fn fill(&mut self) -> Result<bool, ScanError> {
        self.before += self.end as u64;
        self.at = 0;
        self.end = 0;
        self.end = self.inflater.read(&mut self.buffer).map_err(ScanError::Inflate)?;
        Ok(self.end > 0)
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        BUFFER.set(std::mem::take(&mut self.buffer));
    }
}

impl Source for Stream<'_> {
    fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, ScanError> {
        if self.at == self.end && !self.fill()? {
            return Err(EOF);
        }
        let byte = *self.buffer.get(self.at).ok_or(EOF)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, count: u64) -> Result<(), ScanError> {
        let mut left = count;
        loop {
            let here = left.min((self.end - self.at) as u64);
            self.at += here as usize;
            left -= here;
            if left == 0 {
                return Ok(());
            }
            if !self.fill()? {
                return Err(EOF);
            }
        }
    }

    fn at_end(&mut self) -> Result<bool, ScanError> {
        Ok(self.at == self.end && !self.fill()?)
    }
}
