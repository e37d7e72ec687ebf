//! Snappy in the two shapes that producers send.
//!
//! ```text
//! xerial (Java, Go, ...)  82 'SNAPPY' 00 | version 4 | compatible version 4 | chunk ...
//!                         chunk = length of the block, 4 bytes big-endian | raw block
//! raw (librdkafka, ...)   one raw block: claimed length as an unsigned varint | elements
//! ```
//!
//! A second xerial header may stand between chunks, because streams get concatenated. The format's third shape,
//! with the stream identifier `sNaPpY`, is never used in Kafka. A raw block claims its length in front, so the claim
//! is held against what snappy can do: at best 64 bytes from an element of 3.

use std::io::{self, Write};

use snap::raw;

const HEADER: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_LEN: usize = 16;
const VERSION: u32 = 1;
/// Bytes that Java's library compresses at once, and so do we.
const BLOCK: usize = 32 << 10;
/// No element of a raw block yields more than this per byte.
const EXPANSION_MAX: usize = 22;

/// Decompresses block by block; one block at a time is in memory.
pub(super) struct Reader<'a> {
    input: &'a [u8],
    xerial: bool,
    block: Vec<u8>,
    taken: usize,
    decoder: raw::Decoder,
}

impl<'a> Reader<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        let xerial = payload.starts_with(&HEADER);
        Self { input: payload, xerial, block: Vec::new(), taken: 0, decoder: raw::Decoder::new() }
    }

    /// Fills some of `buffer`. A block of more than `max` bytes is refused before it is decompressed, with
    /// [`io::ErrorKind::FileTooLarge`].
    pub(super) fn read(&mut self, buffer: &mut [u8], max: usize) -> io::Result<usize> {
        while self.taken == self.block.len() {
            match self.next_block()? {
                Some(block) => self.decompress(block, max)?,
                None => return Ok(0),
            }
        }
        let ready = self.block.get(self.taken..).unwrap_or_default();
        let count = io::Read::read(&mut &*ready, buffer)?;
        self.taken += count;
        Ok(count)
    }

    fn next_block(&mut self) -> io::Result<Option<&'a [u8]>> {
        if !self.xerial {
            let block = std::mem::take(&mut self.input);
            return Ok((!block.is_empty()).then_some(block));
        }
        while self.input.starts_with(&HEADER) {
            self.input = self.input.get(HEADER_LEN..).ok_or_else(cut)?;
        }
        if self.input.is_empty() {
            return Ok(None);
        }
        let (length, rest) = self.input.split_first_chunk().ok_or_else(cut)?;
        let length =
            usize::try_from(i32::from_be_bytes(*length)).map_err(|_| invalid("a negative block length"))?;
        let (block, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        self.input = rest;
        Ok(Some(block))
    }

    fn decompress(&mut self, block: &[u8], max: usize) -> io::Result<()> {
        let claimed = raw::decompress_len(block).map_err(io::Error::from)?;
        if claimed > block.len().saturating_mul(EXPANSION_MAX) {
            return Err(invalid("a block claims more than it can hold"));
        }
        if claimed > max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.block.resize(claimed, 0);
        self.taken = 0;
        let written = self.decoder.decompress(block, &mut self.block).map_err(io::Error::from)?;
        self.block.truncate(written);
        Ok(())
    }
}

fn cut() -> io::Error {
    invalid("the stream ends too early")
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Writes the xerial shape.
pub(crate) struct Writer<W: Write> {
    out: W,
    pending: Vec<u8>,
    block: Vec<u8>,
    encoder: raw::Encoder,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        out.write_all(&VERSION.to_be_bytes())?;
        out.write_all(&VERSION.to_be_bytes())?;
        Ok(Self {
            out,
            pending: Vec::with_capacity(BLOCK),
            block: vec![0; raw::max_compress_len(BLOCK)],
            encoder: raw::Encoder::new(),
        })
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.encoder.compress(&self.pending, &mut self.block).map_err(io::Error::from)?;
        self.pending.clear();
        let block = self.block.get(..written).unwrap_or_default();
        let length = i32::try_from(written).map_err(io::Error::other)?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(block)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_block()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BLOCK - self.pending.len();
        let (now, _later) = bytes.split_at(room.min(bytes.len()));
        self.pending.extend_from_slice(now);
        if self.pending.len() == BLOCK {
            self.write_block()?;
        }
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
