//! Gzip: members one after another are read as one stream, like Java's `GZIPInputStream`.

use std::io::Write;

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

pub(super) type Reader<'a> = MultiGzDecoder<&'a [u8]>;
pub(super) type Writer<W> = GzEncoder<W>;

pub(super) fn reader(payload: &[u8]) -> Reader<'_> {
    MultiGzDecoder::new(payload)
}

pub(super) fn writer<W: Write>(out: W, level: Option<i32>) -> Writer<W> {
    let level = level.map_or_else(flate2::Compression::default, |level| {
        flate2::Compression::new(u32::try_from(level.clamp(1, 9)).unwrap_or(6))
    });
    GzEncoder::new(out, level)
}
