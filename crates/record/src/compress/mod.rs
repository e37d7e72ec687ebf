//! The five codecs, each in its own file, behind one bounded reader and one writer.
//!
//! Reading is a stream with a cap on its output: [`Inflater`] stops as soon as the cap is passed, so a few bytes
//! that expand to gigabytes cost the cap and no more. What a stream claims about its size is never believed: the
//! largest single allocation that input can ask for is a constant (the LZ4 block of 4 MiB, the zstd window of
//! 128 MiB, which the system commits only as far as it is really filled) or a small multiple of the bytes that
//! are there (snappy).
//!
//! Writing matches what Java's clients read: xerial framing for snappy, independent 64 KiB blocks for LZ4.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use thiserror::Error;

/// How the records of a batch are compressed; the number is the one in the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// Not at all.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy, in the xerial framing of Java's library or as one raw block.
    Snappy = 2,
    /// LZ4 frames of independent blocks.
    Lz4 = 3,
    /// Zstandard (KIP-110), from Produce 7 and Fetch 10 on.
    Zstd = 4,
}

impl Codec {
    /// All codecs in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with this number.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its number in the attributes.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Its name in Kafka's settings and tools.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is no codec's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a compression codec (none, gzip, snappy, lz4, zstd)")]
pub struct UnknownCodec(String);

impl FromStr for Codec {
    type Err = UnknownCodec;

    /// Reads a name as producers' settings have it; `uncompressed`, the topic setting's word, means none.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "uncompressed" {
            return Ok(Self::None);
        }
        Self::ALL.into_iter().find(|codec| codec.name() == name).ok_or_else(|| UnknownCodec(name.to_owned()))
    }
}

/// A codec and how hard it should try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// Level for gzip (1-9) and zstd (up to 22, below zero for speed); values outside are clamped. `None` is the
    /// codec's default. Snappy has no levels; LZ4 has one here, whatever is asked, which any reader understands.
    pub level: Option<i32>,
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        Self { codec, level: None }
    }
}

/// How much decompression may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecompressLimits {
    /// Most bytes the records of one batch may decompress to.
    pub max_bytes: usize,
}

impl DecompressLimits {
    /// 128 MiB: a hundred times the largest batch a broker takes at default settings.
    pub const DEFAULT_MAX_BYTES: usize = 128 << 20;
}

impl Default for DecompressLimits {
    fn default() -> Self {
        Self { max_bytes: Self::DEFAULT_MAX_BYTES }
    }
}

/// A payload does not decompress.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InflateError {
    /// It would come to more than the caller allows.
    #[error("the records decompress to more than {max_bytes} bytes")]
    TooLarge {
        /// The caller's cap.
        max_bytes: usize,
    },
    /// It is not a valid stream of its codec.
    #[error("the {codec} payload is broken: {reason}")]
    Corrupt {
        /// The codec of the attributes.
        codec: Codec,
        /// What the decoder says.
        reason: String,
    },
}

/// A stream of decompressed bytes with a cap.
pub struct Inflater<'a> {
    codec: Codec,
    stream: Stream<'a>,
    left: usize,
    limits: DecompressLimits,
    done: bool,
}

enum Stream<'a> {
    None(&'a [u8]),
    Gzip(gzip::Reader<'a>),
    Snappy(snappy::Reader<'a>),
    Lz4(lz4::Reader<'a>),
    Zstd(zstd::Reader<'a>),
}

impl fmt::Debug for Inflater<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("codec", &self.codec)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl<'a> Inflater<'a> {
    /// Begins to decompress `payload`.
    ///
    /// # Errors
    /// [`InflateError::Corrupt`] when the beginning already shows that it is no stream of this codec.
    pub fn new(codec: Codec, payload: &'a [u8], limits: &DecompressLimits) -> Result<Self, InflateError> {
        let stream = match codec {
            Codec::None => Ok(Stream::None(payload)),
            Codec::Gzip => Ok(Stream::Gzip(gzip::reader(payload))),
            Codec::Snappy => Ok(Stream::Snappy(snappy::Reader::new(payload))),
            Codec::Lz4 => lz4::reader(payload).map(Stream::Lz4),
            Codec::Zstd => zstd::reader(payload).map(Stream::Zstd),
        };
        let stream = stream.map_err(|error| corrupt(codec, &error))?;
        Ok(Self { codec, stream, left: limits.max_bytes, limits: *limits, done: false })
    }

    /// Fills some of `buffer`; 0 is the end of the stream. After an error the stream is at its end.
    ///
    /// # Errors
    /// [`InflateError::TooLarge`] with the first byte above the cap, [`InflateError::Corrupt`] otherwise.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, InflateError> {
        if self.done || buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.stream {
            Stream::None(stream) => stream.read(buffer),
            Stream::Gzip(stream) => stream.read(buffer),
            Stream::Snappy(stream) => stream.read(buffer, self.left),
            Stream::Lz4(stream) => stream.read(buffer),
            Stream::Zstd(stream) => stream.read(buffer),
        };
        self.done = !matches!(read, Ok(1..));
        let read = read.map_err(|error| {
            if error.kind() == io::ErrorKind::FileTooLarge {
                InflateError::TooLarge { max_bytes: self.limits.max_bytes }
            } else {
                corrupt(self.codec, &error)
            }
        })?;
        self.left = self.left.checked_sub(read).ok_or_else(|| {
            self.done = true;
            InflateError::TooLarge { max_bytes: self.limits.max_bytes }
        })?;
        Ok(read)
    }
}

fn corrupt(codec: Codec, error: &io::Error) -> InflateError {
    InflateError::Corrupt { codec, reason: error.to_string() }
}

/// Bytes asked of a decompressor at once.
pub(crate) const CHUNK: usize = 64 << 10;

/// Decompresses all of `payload` into memory that grows with what really comes out.
///
/// # Errors
/// Those of [`Inflater`].
pub fn inflate(codec: Codec, payload: &[u8], limits: &DecompressLimits) -> Result<Vec<u8>, InflateError> {
    let mut inflater = Inflater::new(codec, payload, limits)?;
    let mut out = Vec::new();
    let mut filled = 0;
    loop {
        if out.len() - filled < CHUNK {
            out.resize(filled + CHUNK.max(filled.min(8 << 20)), 0);
        }
        let read = inflater.read(out.get_mut(filled..).unwrap_or_default())?;
        if read == 0 {
            out.truncate(filled);
            return Ok(out);
        }
        filled += read;
    }
}

/// Compresses `records` as one payload.
///
/// # Errors
/// What the codec's library reports, which for memory is only the lack of it.
pub fn deflate(compression: Compression, records: &[u8]) -> io::Result<Vec<u8>> {
    let mut deflater = Deflater::new(compression, Vec::new())?;
    deflater.write_all(records)?;
    deflater.finish()
}

/// A compressing writer.
pub(crate) enum Deflater<W: Write> {
    None(W),
    Gzip(gzip::Writer<W>),
    Snappy(Box<snappy::Writer<W>>),
    Lz4(Box<lz4::Writer<W>>),
    Zstd(zstd::Writer<W>),
}

impl<W: Write> Deflater<W> {
    pub(crate) fn new(compression: Compression, out: W) -> io::Result<Self> {
        Ok(match compression.codec {
            Codec::None => Self::None(out),
            Codec::Gzip => Self::Gzip(gzip::writer(out, compression.level)),
            Codec::Snappy => Self::Snappy(Box::new(snappy::Writer::new(out)?)),
            Codec::Lz4 => Self::Lz4(Box::new(lz4::writer(out))),
            Codec::Zstd => Self::Zstd(zstd::writer(out, compression.level)?),
        })
    }

    /// Ends the stream and hands back what was written to.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::None(out) => Ok(out),
            Self::Gzip(stream) => stream.finish(),
            Self::Snappy(stream) => (*stream).finish(),
            Self::Lz4(stream) => (*stream).finish().map_err(io::Error::from),
            Self::Zstd(stream) => stream.finish(),
        }
    }
}

impl<W: Write> Write for Deflater<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(stream) => stream.write(bytes),
            Self::Gzip(stream) => stream.write(bytes),
            Self::Snappy(stream) => stream.write(bytes),
            Self::Lz4(stream) => stream.write(bytes),
            Self::Zstd(stream) => stream.write(bytes),
        }
    }

    /// Does nothing: a payload is complete only when it is finished, and a flush would cost size.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
