//! Zstandard: frames one after another are read as one stream, like Java's library.

use std::io::{self, Write};
use std::ops::RangeInclusive;

use ::zstd::stream::{read, write};

pub(super) type Reader<'a> = read::Decoder<'static, &'a [u8]>;
pub(super) type Writer<W> = write::Encoder<'static, W>;

/// Largest window a frame may ask for: 2^27 bytes, the format's usual limit and Java's.
const WINDOW_LOG_MAX: u32 = 27;
const DEFAULT_LEVEL: i32 = 3;
const LEVELS: RangeInclusive<i32> = -131_072..=22;

pub(super) fn reader(payload: &[u8]) -> io::Result<Reader<'_>> {
    let mut reader = read::Decoder::with_buffer(payload)?;
    reader.window_log_max(WINDOW_LOG_MAX)?;
    Ok(reader)
}

pub(super) fn writer<W: Write>(out: W, level: Option<i32>) -> io::Result<Writer<W>> {
    let level = level.unwrap_or(DEFAULT_LEVEL).clamp(*LEVELS.start(), *LEVELS.end());
    write::Encoder::new(out, level)
}
