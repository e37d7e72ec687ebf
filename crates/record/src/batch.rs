//! Batches one after another in a piece of memory.
//!
//! Two walks over the same layout. [`batches`] borrows and reports everything, a cut tail too: for recovery, checks
//! and tools. [`complete_batches`] shares and ends in silence at a cut tail: for consumers, whose fetched slice may
//! end inside a batch. Neither looks at a CRC unasked, neither looks into records.

use bytes::{Buf, Bytes};

use crate::compress::DecompressLimits;
use crate::crc;
use crate::error::{BatchError, RecordsError};
use crate::header::{BatchHeader, CRC_START, HEADER_LEN};
use crate::records::Records;

/// One whole batch in borrowed memory.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The header, parsed.
    pub header: BatchHeader,
    /// All bytes of the batch, header included; exactly as many as the header says.
    pub bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Takes the batch at the start of `bytes`, which may go on after it.
    ///
    /// # Errors
    /// Those of [`BatchHeader::parse`], and [`BatchError::Truncated`] when the batch is longer than `bytes`.
    pub fn first(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let needed = header.size_in_bytes();
        let whole = usize::try_from(needed).ok().and_then(|len| bytes.get(..len));
        match whole {
            Some(bytes) => Ok(Self { header, bytes }),
            None => Err(BatchError::Truncated { needed, available: bytes.len() as u64 }),
        }
    }

    /// The bytes after the header: records, or one compressed blob of them.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// Compares the stored CRC with the bytes.
    ///
    /// # Errors
    /// [`BatchError::Checksum`].
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        verify(self.header.crc, self.bytes)
    }

    /// The records. Copies the payload once (an uncompressed one too): use [`SharedBatch`] where that matters.
    ///
    /// # Errors
    /// When the payload does not decompress within `limits`.
    pub fn records(&self, limits: &DecompressLimits) -> Result<Records, RecordsError> {
        Records::new(&self.header, Bytes::copy_from_slice(self.payload()), limits)
    }
}

/// One whole batch in shared memory; its records are slices of it.
#[derive(Debug, Clone)]
pub struct SharedBatch {
    /// The header, parsed.
    pub header: BatchHeader,
    /// All bytes of the batch, header included.
    pub bytes: Bytes,
}

impl SharedBatch {
    /// Takes the batch at the start of `bytes`, which may go on after it.
    ///
    /// # Errors
    /// Those of [`Batch::first`].
    pub fn first(bytes: &Bytes) -> Result<Self, BatchError> {
        let batch = Batch::first(bytes)?;
        Ok(Self { header: batch.header, bytes: bytes.slice(..batch.bytes.len()) })
    }

    /// The bytes after the header, sharing memory.
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(HEADER_LEN.min(self.bytes.len())..)
    }

    /// Compares the stored CRC with the bytes.
    ///
    /// # Errors
    /// [`BatchError::Checksum`].
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        verify(self.header.crc, &self.bytes)
    }

    /// The records. Keys, values and headers are slices of this batch, or of one decompressed buffer.
    ///
    /// # Errors
    /// When the payload does not decompress within `limits`.
    pub fn records(&self, limits: &DecompressLimits) -> Result<Records, RecordsError> {
        Records::new(&self.header, self.payload(), limits)
    }
}

fn verify(stored: u32, bytes: &[u8]) -> Result<(), BatchError> {
    let computed = crc::crc32c(bytes.get(CRC_START..).unwrap_or_default());
    if stored == computed { Ok(()) } else { Err(BatchError::Checksum { stored, computed }) }
}

/// Walks the batches of `bytes`. The walk ends at the end of the bytes, or after the first error.
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes }
}

/// Iterator of [`batches`].
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl Batches<'_> {
    /// Bytes not yet walked over; after an error, from the batch that caused it.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let found = Batch::first(self.rest);
        self.rest = match &found {
            Ok(batch) => self.rest.get(batch.bytes.len()..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(found)
    }
}

/// Walks the whole batches of a fetched slice. A batch cut by the end ends the walk without an error; a broken header
/// is one error and then the end.
pub fn complete_batches(bytes: &Bytes) -> CompleteBatches {
    CompleteBatches { rest: bytes.clone() }
}

/// Iterator of [`complete_batches`].
#[derive(Debug, Clone)]
pub struct CompleteBatches {
    rest: Bytes,
}

impl Iterator for CompleteBatches {
    type Item = Result<SharedBatch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        match SharedBatch::first(&self.rest) {
            Ok(batch) => {
                self.rest.advance(batch.bytes.len());
                Some(Ok(batch))
            }
            Err(BatchError::Truncated { .. }) => {
                self.rest.clear();
                None
            }
            Err(error) => {
                self.rest.clear();
                Some(Err(error))
            }
        }
    }
}
